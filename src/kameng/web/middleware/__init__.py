"""What stands around every view, outermost first: requests, (tenancy's) sites, people."""
