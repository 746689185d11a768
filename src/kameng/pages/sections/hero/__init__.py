"""One large statement with a picture or covers, and up to two buttons."""
