"""What pages learns from orders."""

from collections.abc import Sequence

from kameng.core.audit import SYSTEM
from kameng.core.events import LoggedEvent
from kameng.orders.events import SiteOpened
from kameng.pages.ready_made import all_designs
from kameng.pages.services import noting
from kameng.pages.services.decorating import apply_template
from kameng.tenancy.selectors import get_site_view


def dress_site(event: SiteOpened) -> None:
    """Same transaction: a new shop wears the design that its buyer chose, if there still is one."""
    if event.template in all_designs():
        apply_template(event.template, site=get_site_view(event.site_id), actor=SYSTEM)


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
