"""Scheduled work of the counters."""

from kameng.risk.services import sweep_throttles


def sweep() -> int:
    """Delete windows that have ended; return how many rows."""
    return sweep_throttles()
