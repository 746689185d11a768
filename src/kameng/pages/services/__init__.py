"""Writes of pages: drafts, publication, decoration, pictures, preview links."""
