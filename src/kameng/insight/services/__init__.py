"""Writes of insight: rolling up, and noting visits."""
