"""What stands at the foot of every page: links, contact, licence."""
