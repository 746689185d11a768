"""Scheduled work of people: sweeping what has ended."""

from kameng.accounts.services.codes import sweep_codes
from kameng.accounts.services.devices import sweep_devices
from kameng.accounts.services.sessions import sweep_sessions
from kameng.accounts.services.steps import sweep_steps


def sweep() -> int:
    """Delete ended sessions, codes, steps and forgotten devices; return how many rows."""
    return sweep_sessions() + sweep_codes() + sweep_steps() + sweep_devices()
