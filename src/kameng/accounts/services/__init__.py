"""Writes of people, one module for each business: registering, signing in, codes, staff."""
