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
    """An order as settlement sees it.

    `margin_amount` is the operator's, refunds and lost disputes taken off.
    """

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
    margins = _sum_margins(ids)
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
            margin_amount=margins[row.id].left_amount,
            state=row.state,
            paid_at=row.paid_at,
            delivered_at=row.delivered_at,
            is_refund_open=row.id in refunding,
        )
        for row in rows
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """What an order brought its operator, and what was taken back of it."""

    sold_amount: int
    refunded_amount: int
    lost_amount: int  # by lost disputes

    @property
    def left_amount(self) -> int:
        """Return what is left of it."""
        return self.sold_amount - self.refunded_amount - self.lost_amount


def _sum_margins(order_ids: list[int]) -> dict[int, Margin]:
    codes = (Code.SALE_MARGIN, Code.REFUND_MARGIN, Code.DISPUTE_MARGIN)
    moved = sum_codes(Reference.ORDER, reference_ids=order_ids, codes=codes)
    margins = {}
    for order_id in order_ids:
        sold, refunded, lost = (moved.get(order_id, {}).get(code, 0) for code in codes)
        margins[order_id] = Margin(sold_amount=sold, refunded_amount=refunded, lost_amount=lost)
    return margins


_PARTS = ("sold_amount", "refunded_amount", "lost_amount")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """What goes with a lost payment: of the operator's margin, and of its upline's part."""

    margin_amount: int = 0
    upline_amount: int = 0


def margin_to_take(order_id: int, *, payment_id: int, lost_amount: int) -> Taking:
    """Return what of the margin of an order of the site in force goes with a lost payment.

    And, on a child site, of its upline's part. `lost_amount` is all that disputes took of the
    payment. In proportion to the price, less what was taken before, and never more than refunds
    left. Nothing for a payment that did not pay the order.
    """
    order: Order | None = Order.objects.filter(id=order_id, payment_id=payment_id).first()
    if order is None:
        return Taking()
    lost = min(lost_amount, order.total_amount)
    own = _sum_margins([order_id])[order_id]
    above = Margin(**dict(zip(_PARTS, store.upline_sums(order_id), strict=True)))
    return Taking(
        margin_amount=_due(own, lost=lost, price=order.total_amount),
        upline_amount=_due(above, lost=lost, price=order.total_amount),
    )


def _due(margin: Margin, *, lost: int, price: int) -> int:
    due = margin.sold_amount * lost // price
    return max(min(due - margin.lost_amount, margin.left_amount), 0)


def upline_of(order_id: int) -> int | None:
    """Return the sub-site through which the site in force, a child, bought for an order."""
    rows = Order.objects.filter(id=order_id).values_list("upline_site_id", flat=True)
    return next(iter(rows), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSums:
    """What a child site sold in a time, and the part of it that its upline got."""

    site_id: int
    order_count: int = 0
    sold_amount: int = 0
    refunded_amount: int = 0
    part_amount: int = 0  # refunds and lost disputes taken off


def sum_children(*, since: dt.datetime) -> dict[int, ChildSums]:
    """Return what was sold through the site in force by its child sites, by child: sums alone."""
    return {
        row[0]: ChildSums(
            site_id=row[0],
            order_count=row[1],
            sold_amount=row[2],
            refunded_amount=row[3],
            part_amount=row[4],
        )
        for row in store.sums_below(require_site_id(), since)
    }


def disputed_margin() -> int:
    """Return what of the margin of the site in force buyers dispute now, settled or not."""
    return store.disputed_margin(require_site_id())


def list_contested() -> list[int]:
    """Return the orders of the site in force with a refund or a dispute under way."""
    refunding = OrderRefund.objects.exclude(state=OrderRefundState.DONE)
    return [*refunding.values_list("order_id", flat=True), *store.list_disputed(require_site_id())]


def held_margin(*, delivered_before: dt.datetime) -> int:
    """Return what of the margin of the site in force is not settled yet.

    Settled is what was delivered before that moment, with no refund under way and no dispute.
    """
    return store.held_margin(require_site_id(), delivered_before)


def sum_sold(*, since: dt.datetime) -> tuple[int, int]:
    """Return what the site in force sold since a moment and what of it was refunded."""
    rows = Order.objects.filter(paid_at__gte=since).aggregate(
        sold=Sum("total_amount"), refunded=Sum("refunded_amount")
    )
    return rows["sold"] or 0, rows["refunded"] or 0
