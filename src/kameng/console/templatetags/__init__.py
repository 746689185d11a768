"""Tags of the back office's own templates."""
