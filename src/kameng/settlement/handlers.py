"""Reactions of settlement to events of the apps below. Reached through `config.wiring` only."""

from collections.abc import Sequence

from kameng.core.events import LoggedEvent
from kameng.orders.events import OrderDelivered, OrderRefundAsked
from kameng.payments.events import DisputeClosed, DisputeOpened
from kameng.payments.models import Purpose
from kameng.settlement.notices import send_results
from kameng.settlement.services.contesting import hold_disputed, settle_disputed
from kameng.settlement.services.planning import plan_splits
from kameng.settlement.services.returning import call_back_share


def return_share(event: OrderRefundAsked) -> None:
    """Same transaction: an order is being refunded, so its share comes back first."""
    call_back_share(
        order_id=event.subject_id,
        refund_id=event.refund_id,
        refund_no=event.refund_no,
        is_to_source=event.is_to_source,
    )


def hold_margin(event: DisputeOpened) -> None:
    """Same transaction: a payment of an order is disputed, so its margin is not paid out."""
    if event.purpose == Purpose.ORDER:
        hold_disputed(order_id=event.paid_for)


def settle_margin(event: DisputeClosed) -> None:
    """Same transaction: a dispute was lost, so the margin goes with it; or won, so it is free."""
    if event.purpose == Purpose.ORDER:
        settle_disputed(payment_id=event.payment_id, order_id=event.paid_for)


def plan_shares(events: Sequence[LoggedEvent]) -> None:
    """After commit: plan the split of orders that were delivered, one batch in a few statements."""
    delivered = [
        event.subject_id
        for event in events
        if event.kind == OrderDelivered.KIND or event.payload.get("delivered")
    ]
    if delivered:
        plan_splits(dict.fromkeys(delivered))


def tell_operators(events: Sequence[LoggedEvent]) -> None:
    """After commit: tell who asked for a withdrawal what became of it, by e-mail."""
    send_results(events)
