"""Two to four short texts side by side."""
