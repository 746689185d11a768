"""Writes of stock, one module a kind of act."""
