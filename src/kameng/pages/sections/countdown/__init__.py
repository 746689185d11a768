"""The time until something begins or ends."""
