"""Room between sections."""
