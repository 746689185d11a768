"""A search field in the page."""
