"""What pages learns from orders."""

from collections.abc import Sequence

from kameng.core.events import LoggedEvent
from kameng.pages.services import noting


def note_sales(events: Sequence[LoggedEvent]) -> None:
    """After commit: keep what was sold lately, for the ticker of each shop."""
    noting.note_sales(
        noting.Sold(
            site_id=event.site_id,
            order_id=event.subject_id,
            product_id=int(event.payload["product_id"]),
        )
        for event in events
    )
