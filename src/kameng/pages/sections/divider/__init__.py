"""A line between sections, with a word in it if wanted."""
