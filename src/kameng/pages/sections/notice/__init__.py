"""One line that buyers should read."""
