"""Scheduled work of messages."""

from kameng.messaging.dressing import Dresser
from kameng.messaging.services import deliver_due_emails, sweep_emails

MAX_ROUNDS = 20


def deliver_emails(dresser: Dresser | None = None) -> int:
    """Send what is due, at most a thousand e-mails a call; return how many were sent."""
    total = 0
    for _ in range(MAX_ROUNDS):
        sent = deliver_due_emails(dresser)
        total += sent
        if not sent:
            break
    return total


def sweep() -> int:
    """Delete e-mails sent long ago; return how many rows."""
    return sweep_emails()
