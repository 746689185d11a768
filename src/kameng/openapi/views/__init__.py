"""Views of this face."""
