"""Two to four pictures side by side, each leading somewhere."""
