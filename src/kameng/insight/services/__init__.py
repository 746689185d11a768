"""Writes of insight: roll-ups, visits, and acts that need to have looked at everything first."""
