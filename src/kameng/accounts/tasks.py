"""Scheduled work of people: sweeping what has ended."""

from kameng.accounts.services.codes import sweep_codes
from kameng.accounts.services.sessions import sweep_sessions


def sweep() -> int:
    """Delete ended sessions and codes; return how many rows."""
    return sweep_sessions() + sweep_codes()
