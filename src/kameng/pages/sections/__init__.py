"""The sections of pages, a folder each; registry.py lists them."""
