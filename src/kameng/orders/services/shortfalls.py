"""Orders that were paid short: the buyer is asked for the rest, or gets the first part back.

The order's own rules go on meanwhile: it holds its stock until its time is over and no longer. A
rest that comes later is a late payment: stock is taken anew, or all of it goes back.
"""

from dataclasses import dataclass

from django.db import transaction

from kameng.core.audit import Actor
from kameng.core.errors import Refusal
from kameng.core.events import publish
from kameng.ledger.selectors import wallet_amount
from kameng.orders import errors
from kameng.orders.events import OrderRestAsked
from kameng.orders.models import Order, OrderState
from kameng.orders.rules import PAID_STATES, State
from kameng.orders.services.giving_back import add_note, give_back
from kameng.orders.services.paying import lock_order, payee_of
from kameng.payments.errors import AcceptRefused, ShortfallRefused
from kameng.payments.models import Payment, Purpose, Shortfall, ShortfallState
from kameng.payments.selectors import (
    PayChoice,
    find_open_completion,
    find_open_shortfall,
    get_payment,
    owner_of_gateway,
)
from kameng.payments.services.accepting import lock_odd
from kameng.payments.services.ending import end_shortfall
from kameng.payments.services.paying import Payer, let_go
from kameng.payments.services.refunding import lock_payment
from kameng.payments.services.routing import Opened, lead_to_account
from kameng.payments.services.shortfalls import (
    ShortfallWish,
    complete_from_wallet,
    is_over,
    list_open_shortfalls,
    open_completion,
    open_shortfall,
)
from kameng.tenancy.selectors import SiteView, site_scope

UNPAID = frozenset({State.AWAITING_PAYMENT, State.CANCELLED, State.EXPIRED})


def ask_rest(*, payment_id: int, wish: ShortfallWish, actor: Actor) -> Shortfall:
    """Ask the buyer of a short payment for the rest; audited. Publishes `OrderRestAsked`.

    Locks the payment, then its order. Raises `ShortfallRefused`, also for an order that is paid,
    `PaymentClosed`, `PaymentDisputed`.
    """
    payment = get_payment(payment_id)
    if payment.purpose != Purpose.ORDER:
        raise ShortfallRefused
    with transaction.atomic():
        payment = lock_odd(payment.id)
        order = lock_order(payment.subject_id)
        if order.state not in UNPAID:
            raise ShortfallRefused
        shortfall = open_shortfall(payment=payment, wish=wish, actor=actor)
        publish(
            OrderRestAsked(
                site_id=order.site_id,
                subject_id=order.id,
                customer_id=order.customer_id,
                amount=shortfall.missing_amount,
                expires_at=shortfall.expires_at.isoformat(),
            )
        )
    return shortfall


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What is left to pay of an order that was paid short."""

    shortfall: Shortfall
    first: Payment
    attempt: Payment | None


def find_rest(order: Order) -> Rest | None:
    """Return what the buyer of an unpaid order of the site in force is asked for, or None."""
    if order.state not in UNPAID:
        return None
    shortfall = find_open_shortfall(Purpose.ORDER, paid_for=order.id)
    if shortfall is None or is_over(shortfall):
        return None
    return Rest(
        shortfall=shortfall,
        first=shortfall.payment,
        attempt=find_open_completion(shortfall.payment_id),
    )


def begin_rest(
    *, order: Order, view: SiteView, payer: Payer, choice: PayChoice | None = None
) -> Opened:
    """Return where the buyer pays the rest, by the open attempt or by another way.

    Calls gateways outside any transaction. Raises as `choose_rest` and `lead_to_account`.
    """
    return lead_to_account(
        payment=choose_rest(order=order, choice=choice),
        view=view,
        subject=order.title,
        payer=payer,
        reopen=lambda other: choose_rest(order=order, choice=other),
    )


def choose_rest(*, order: Order, choice: PayChoice | None) -> Payment:
    """Return the open attempt to pay the rest, or one by another way; no gateway is called.

    Raises `NotAllowedNow`, `ShortfallOver`, `GatewayUnavailable`.
    """
    rest = find_rest(order)
    if rest is None or (rest.attempt is None and choice is None):
        raise errors.NotAllowedNow(state=OrderState(order.state).label)
    attempt = rest.attempt
    if choice is not None and (attempt is None or attempt.gateway_id != choice.gateway_id):
        if owner_of_gateway(choice.gateway_id) != payee_of(order):
            raise errors.GatewayUnavailable
        if attempt is not None:
            let_go(attempt)
        attempt = open_completion(payment_id=rest.first.id, choice=choice)
    assert attempt is not None  # noqa: S101 - one of the two is given
    return attempt


def pay_rest_from_wallet(*, order: Order) -> None:
    """Pay the rest of a customer's order from the wallet, once. Publishes `PaymentConfirmed`.

    What the wallet pays of the order beside it, and does not hold (any more), is taken too. Raises
    `NotAllowedNow`, `ShortfallOver`, `NotEnoughMoney`, and `OutOfStock` for a late one without
    stock: then nothing moved.
    """
    rest = find_rest(order)
    if rest is None:
        raise errors.NotAllowedNow(state=OrderState(order.state).label)
    if order.customer_id is None:
        raise errors.SignInNeeded
    due = order.total_amount - (rest.first.received_amount or 0) - order.wallet_amount
    if wallet_amount(order.customer_id) < due:
        raise errors.NotEnoughMoney
    try:
        complete_from_wallet(payment_id=rest.first.id)
    except AcceptRefused as fault:
        raise errors.OutOfStock from fault


def end_shortfalls() -> int:
    """Give short payments back that nobody completed in time, or whose order was paid otherwise or
    given up by its buyer since; return how many. Each is a transaction of its own."""
    ended = 0
    for shortfall in list_open_shortfalls():
        with site_scope(shortfall.site_id):
            ended += _end_if_over(shortfall)
    return ended


def _end_if_over(shortfall: Shortfall) -> bool:
    order: Order = Order.objects.get(id=shortfall.payment.subject_id)
    is_given_up = order.state in PAID_STATES or (
        order.state == State.CANCELLED
        and order.closed_at is not None
        and order.closed_at >= shortfall.created_at
    )
    if not is_given_up and not is_over(shortfall):
        return False
    state = ShortfallState.ENDED if is_given_up else ShortfallState.EXPIRED
    with transaction.atomic():
        payment = lock_payment(shortfall.payment_id)
        if not end_shortfall(payment.id, state=state):
            return False  # completed, taken or returned at this very moment
        try:
            with transaction.atomic():
                give_back(
                    order=order, payment=payment, why="rest_unpaid", reason="the rest did not come"
                )
        except Refusal:  # disputed, or a part went back: staff decide, as before they asked
            add_note(order, kind="rest_unpaid", text=payment.payment_no)
    return True
