"""How something goes, step by step."""
