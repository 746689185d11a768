"""Paid orders that wait for their shop's prepaid balance: out as soon as it covers them."""

from collections.abc import Iterable

from django.db import transaction

from kameng.core.audit import SYSTEM
from kameng.core.scope import platform_scope
from kameng.orders import store
from kameng.orders.errors import RefundRouteMissing
from kameng.orders.models import Note, Order, RefundTo
from kameng.orders.rules import Settlement
from kameng.orders.services.refunding import RefundWish, refund_order
from kameng.tenancy.selectors import site_scope

AT_ONCE = 500  # orders of one site in one go; the next go takes the rest


def deliver_waiting(site_id: int) -> int:
    """Deliver what waits for the prepaid balance of the site in force, the oldest first.

    Stops at the first order that the balance does not cover. One whose stock is gone goes back to
    its buyer. Each order is a transaction of its own; returns how many went on. Publishes
    `OrderDelivered`.
    """
    for count in range(AT_ONCE):
        with transaction.atomic():
            settled = store.resume(site_id=site_id, limit=1)
            if not settled:
                return count
            order_id, settlement = settled[0]
            if settlement == Settlement.NO_STOCK:
                give_back_late(order_id)
    return AT_ONCE


def deliver_waiting_everywhere(site_ids: Iterable[int] | None = None) -> int:
    """Deliver what waits on these sites, or on all; returns how many went on."""
    if site_ids is None:
        with platform_scope("orders that wait for prepaid balances"):
            site_ids = store.waiting_sites()
    total = 0
    for site_id in site_ids:
        with site_scope(site_id):
            total += deliver_waiting(site_id)
    return total


def give_back_late(order_id: int) -> None:
    """Nothing is left for a late payment: the money goes back; where it cannot, staff decide."""
    order = Order.objects.get(id=order_id)
    for refund_to in (RefundTo.SOURCE, RefundTo.WALLET):
        try:
            refund_order(
                order_id=order.id,
                wish=RefundWish(
                    amount=None,
                    refund_to=refund_to,
                    reason="late payment, out of stock",
                    idempotency_key=f"late:{order.payment_id}",
                ),
                actor=SYSTEM,
            )
        except RefundRouteMissing:
            continue
        return
    Note.objects.create(
        site_id=order.site_id,
        order_id=order.id,
        kind="late_unrefundable",
        text="",
        actor_name="system",
    )
