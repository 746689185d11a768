"""Reactions of orders to events of the apps below. Reached through `config.wiring` only."""

from collections import Counter
from collections.abc import Sequence

from procrastinate.contrib.django import app

from kameng.accounts.events import ApprovalGiven
from kameng.accounts.selectors import get_approval
from kameng.catalog.services.sales import add_sales
from kameng.core.events import LoggedEvent
from kameng.ledger.accounts import AccountKind, account_id
from kameng.orders import store
from kameng.orders.models import Order, SitePurchase
from kameng.orders.notices import send_notices
from kameng.orders.rules import Settlement
from kameng.orders.services.approving import carry_out_by_hand
from kameng.orders.services.giving_back import give_back, leave_second
from kameng.orders.services.refunding import finish_source_refund, refuse_source_refund
from kameng.orders.services.waiting import give_back_late
from kameng.payments.events import GatewayRefundDone, GatewayRefundRefused, PaymentConfirmed
from kameng.payments.models import Purpose
from kameng.payments.selectors import get_payment, get_refunded_payment
from kameng.tenancy.closing import are_books_closed


def settle_payment(event: PaymentConfirmed) -> None:
    """Same transaction: a payment was proved, so its order is paid, delivered, queued or refunded.

    A late payment without stock goes back by itself; a second payment of a paid order too, and one
    beside a wallet that does not cover its part any more, and the rest of a short payment that went
    back meanwhile. An order whose shop must pay wholesale in
    ahead first waits for that. What is paid after its shop has closed for good goes back: whose
    part of the sale it was, or of its upline, was settled. Shares the selling of both.
    """
    if event.purpose != Purpose.ORDER:
        return
    if _is_too_late(event.paid_for):
        order, payment = Order.objects.get(id=event.paid_for), get_payment(event.subject_id)
        give_back(order=order, payment=payment, why="shop_closed", reason="the shop has closed")
        return
    settlement = Settlement(
        store.settle(
            order_id=event.paid_for,
            payment_id=event.subject_id,
            fee_amount=event.fee_amount,
            source=account_id(AccountKind.ORDER_SUSPENSE, event.site_id),
        )
    )
    if settlement == Settlement.NO_STOCK:
        give_back_late(event.paid_for)
    elif settlement == Settlement.ALREADY_PAID:
        _give_back(event, why="paid_twice", reason="order was paid already")
    elif settlement == Settlement.WALLET_SHORT:
        _give_back(event, why="wallet_part_short", reason="the wallet does not cover its part")
    elif settlement == Settlement.REST_ALONE:
        _give_back(event, why="rest_alone", reason="what it completes went back")


def _is_too_late(order_id: int) -> bool:
    order = Order.objects.only("site_id", "upline_site_id").get(id=order_id)
    sites = sorted({order.site_id, order.upline_site_id or order.site_id})
    return any(are_books_closed(site_id) for site_id in sites)


def _give_back(event: PaymentConfirmed, *, why: str, reason: str) -> None:
    order = Order.objects.get(id=event.paid_for)
    give_back(order=order, payment=get_payment(event.subject_id), why=why, reason=reason)


def finish_refund(event: GatewayRefundDone) -> None:
    """Same transaction: the gateway gave money back, so the order's refund is done."""
    if event.purpose == Purpose.ORDER:
        finish_source_refund(refund_no=event.refund_no)


def refuse_refund(event: GatewayRefundRefused) -> None:
    """Same transaction: the gateway refused, so the money waits for a person to decide."""
    if event.purpose != Purpose.ORDER:
        return
    if not refuse_source_refund(refund_no=event.refund_no, reason=event.reason):
        order = Order.objects.get(id=event.paid_for)
        leave_second(order, payment=get_refunded_payment(event.subject_id))


def carry_out(event: ApprovalGiven) -> None:
    """Same transaction: do what a second person approved about an order."""
    carry_out_by_hand(get_approval(event.subject_id))


def deliver_prepaid(events: Sequence[LoggedEvent]) -> None:
    """After commit: prepaid balances have grown, so orders that wait for them go out by a job.

    Each order is a transaction of its own there, which a batch of events is not.
    """
    task = app.configure_task("orders.deliver_waiting", queue="hot")
    for site_id in sorted({event.site_id for event in events}):
        task.defer(site_id=site_id)


def open_sites(events: Sequence[LoggedEvent]) -> None:
    """After commit: orders of plans are paid, so a job opens or prolongs their sites.

    Each is a transaction of its own there, which a batch of events is not.
    """
    ids = [event.subject_id for event in events if event.payload["main_site_id"] == event.site_id]
    due = SitePurchase.unscoped.filter(order_id__in=ids, done_at__isnull=True) if ids else ()
    task = app.configure_task("orders.carry_out_purchases", queue="hot")
    for site_id in sorted({each.site_id for each in due}):
        task.defer(site_id=site_id)


def count_sales(events: Sequence[LoggedEvent]) -> None:
    """After commit: add what was sold to the products' counters, one statement a batch."""
    sold: Counter[int] = Counter()
    for event in events:
        sold[int(event.payload["product_id"])] += int(event.payload["quantity"])
    add_sales(sold)


def notify_buyers(events: Sequence[LoggedEvent]) -> None:
    """After commit: tell buyers what became of their orders, in the inbox and by e-mail."""
    send_notices(events)
