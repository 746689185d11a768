"""One picture, with words below it if wanted."""
