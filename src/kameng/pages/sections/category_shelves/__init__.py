"""A titled row of goods for each shelf of the shop."""
