"""Writes of insight: the few acts that need to have looked at everything first."""
