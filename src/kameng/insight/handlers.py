"""What insight learns from orders."""

from collections.abc import Sequence

from kameng.core.events import LoggedEvent
from kameng.insight.services.rolling import mark_changed


def mark_orders(events: Sequence[LoggedEvent]) -> None:
    """After commit: have days that are rolled up already counted again."""
    mark_changed([event.subject_id for event in events])
