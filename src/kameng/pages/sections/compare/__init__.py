"""A table that compares offers."""
