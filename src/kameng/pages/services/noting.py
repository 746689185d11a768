"""What was sold lately, noted from the event log: the newest of each site, nothing of the buyer.

Idempotent: an order is noted once, whatever is read twice. When an order was paid is its own word,
not the moment of reading: a worker that catches up must not make old sales look new.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from kameng.orders.selectors import list_paid_times
from kameng.pages.models import Sale
from kameng.tenancy.selectors import site_scope

KEPT: Final = 20  # of a site


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """One paid order."""

    site_id: int
    order_id: int
    product_id: int


def note_sales(sold: Iterable[Sold]) -> None:
    """Keep the newest sales of each site. Four statements a site of the batch."""
    by_site: dict[int, list[Sold]] = defaultdict(list)
    for each in sold:
        by_site[each.site_id].append(each)
    for site_id, sales in sorted(by_site.items()):
        newest = sorted(sales, key=lambda each: each.order_id)[-KEPT:]
        with site_scope(site_id):
            paid_at = list_paid_times([each.order_id for each in newest])
            Sale.objects.bulk_create(
                [
                    Sale(
                        site_id=site_id,
                        order_id=each.order_id,
                        product_id=each.product_id,
                        sold_at=paid_at[each.order_id],
                    )
                    for each in newest
                    if each.order_id in paid_at
                ],
                ignore_conflicts=True,
            )
            kept = Sale.in_site().order_by("-sold_at").values_list("id", flat=True)[:KEPT]
            Sale.in_site().exclude(id__in=list(kept)).delete()
