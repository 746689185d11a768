"""Job entry points of this app."""

from kameng.insight.services.rolling import forget_visitors
from kameng.insight.services.rolling import roll_up as roll_up_hours


def roll_up() -> None:
    """Roll up what has ended and what changed."""
    roll_up_hours()


def sweep() -> None:
    """Forget the visitors of past days."""
    forget_visitors()
