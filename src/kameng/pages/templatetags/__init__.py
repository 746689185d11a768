"""Tags of section templates."""
