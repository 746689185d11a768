"""Writes of the catalogue, one module a kind of act."""
