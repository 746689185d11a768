"""Words with headings, lists and links."""
