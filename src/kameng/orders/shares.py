"""What settlement asks of orders: whose margin is settled, and what came through which payment.

Reads only. For many sites at once inside a platform scope.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Sum

from kameng.core.scope import require_site_id
from kameng.ledger.accounts import Code, Reference
from kameng.ledger.selectors import sum_codes
from kameng.orders import store
from kameng.orders.models import Order, OrderRefund, OrderRefundState


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderShare:
    """An order as settlement sees it. `margin_amount` is the operator's, refunds taken off."""

    order_id: int
    order_no: str
    site_id: int
    payment_id: int | None
    total_amount: int
    margin_amount: int
    state: int
    paid_at: dt.datetime
    delivered_at: dt.datetime | None
    is_refund_open: bool


def list_shares(order_ids: Iterable[int]) -> dict[int, OrderShare]:
    """Return paid orders of any site by id; call inside a platform scope. Three statements."""
    ids = list(order_ids)
    rows = Order.unscoped.filter(id__in=ids, paid_at__isnull=False).only(
        *("id", "order_no", "site_id", "payment_id", "total_amount", "state"),
        *("paid_at", "delivered_at"),
    )
    moved = sum_codes(
        Reference.ORDER, reference_ids=ids, codes=(Code.SALE_MARGIN, Code.REFUND_MARGIN)
    )
    refunding = set(
        OrderRefund.unscoped.filter(order_id__in=ids)
        .exclude(state=OrderRefundState.DONE)
        .values_list("order_id", flat=True)
    )
    return {
        row.id: OrderShare(
            order_id=row.id,
            order_no=row.order_no,
            site_id=row.site_id,
            payment_id=row.payment_id,
            total_amount=row.total_amount,
            margin_amount=moved.get(row.id, {}).get(Code.SALE_MARGIN, 0)
            - moved.get(row.id, {}).get(Code.REFUND_MARGIN, 0),
            state=row.state,
            paid_at=row.paid_at,
            delivered_at=row.delivered_at,
            is_refund_open=row.id in refunding,
        )
        for row in rows
    }


def held_margin(*, delivered_before: dt.datetime) -> int:
    """Return what of the margin of the site in force is not settled yet.

    Settled is what was delivered before that moment and has no refund under way.
    """
    return store.held_margin(require_site_id(), delivered_before)


def sum_sold(*, since: dt.datetime) -> tuple[int, int]:
    """Return what the site in force sold since a moment and what of it was refunded."""
    rows = Order.objects.filter(paid_at__gte=since).aggregate(
        sold=Sum("total_amount"), refunded=Sum("refunded_amount")
    )
    return rows["sold"] or 0, rows["refunded"] or 0
