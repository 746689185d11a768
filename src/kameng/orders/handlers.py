"""Reactions of orders to events of the apps below. Reached through `config.wiring` only."""

from collections import Counter
from collections.abc import Sequence

from procrastinate.contrib.django import app

from kameng.accounts.events import ApprovalGiven
from kameng.accounts.selectors import get_approval
from kameng.catalog.services.sales import add_sales
from kameng.core.events import LoggedEvent
from kameng.ledger.accounts import AccountKind, Code, Reference, account_id, wallet_of
from kameng.ledger.services import Posting, post_transfers
from kameng.orders import store
from kameng.orders.models import Note, Order
from kameng.orders.notices import send_notices
from kameng.orders.rules import Settlement
from kameng.orders.services.approving import carry_out_by_hand
from kameng.orders.services.refunding import finish_source_refund, refuse_source_refund
from kameng.orders.services.waiting import give_back_late
from kameng.payments.errors import RefundUnsupported
from kameng.payments.events import GatewayRefundDone, GatewayRefundRefused, PaymentConfirmed
from kameng.payments.models import Payment, Purpose
from kameng.payments.selectors import get_payment, get_refunded_payment
from kameng.payments.services.refunding import leave_to_staff, mark_returned, request_refund


def settle_payment(event: PaymentConfirmed) -> None:
    """Same transaction: a payment was proved, so its order is paid, delivered, queued or refunded.

    A late payment without stock goes back by itself; a second payment of a paid order too, and one
    beside a wallet that does not cover its part any more. An order whose shop must pay wholesale in
    ahead first waits for that.
    """
    if event.purpose != Purpose.ORDER:
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


def _give_back(event: PaymentConfirmed, *, why: str, reason: str) -> None:
    """This money pays for nothing: it goes back to its source, else to the wallet."""
    order = Order.objects.get(id=event.paid_for)
    payment = get_payment(event.subject_id)
    _note(order, why, payment.payment_no)
    try:
        request_refund(payment=payment, amount=event.amount, reason=reason)
    except RefundUnsupported:
        if order.customer_id is None:
            _leave_second(order, payment)
            return
        post_transfers(
            [
                Posting(
                    site_id=event.site_id,
                    debit=account_id(AccountKind.ORDER_SUSPENSE, event.site_id),
                    credit=wallet_of(order.customer_id),
                    amount=event.amount,
                    code=Code.REFUND_TO_WALLET,
                    reference_kind=Reference.ORDER,
                    reference_id=order.id,
                )
            ]
        )
        mark_returned(payment_id=payment.id, amount=event.amount)


def _leave_second(order: Order, payment: Payment) -> None:
    """The second payment does not go back by itself: staff decide, once."""
    if leave_to_staff(payment_id=payment.id):
        _note(order, "paid_twice_unrefundable", payment.payment_no)


def _note(order: Order, kind: str, text: str = "") -> None:
    Note.objects.create(
        site_id=order.site_id, order_id=order.id, kind=kind, text=text, actor_name="system"
    )


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
        _leave_second(order, get_refunded_payment(event.subject_id))


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


def count_sales(events: Sequence[LoggedEvent]) -> None:
    """After commit: add what was sold to the products' counters, one statement a batch."""
    sold: Counter[int] = Counter()
    for event in events:
        sold[int(event.payload["product_id"])] += int(event.payload["quantity"])
    add_sales(sold)


def notify_buyers(events: Sequence[LoggedEvent]) -> None:
    """After commit: tell buyers what became of their orders, in the inbox and by e-mail."""
    send_notices(events)
