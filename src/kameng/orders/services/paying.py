"""Paying an order that was placed unpaid: another attempt, another gateway, or the wallet."""

from django.db import transaction

from kameng.core import clock
from kameng.ledger.selectors import wallet_amount
from kameng.orders import errors, store
from kameng.orders.models import Order, OrderState
from kameng.orders.rules import Settlement, State
from kameng.payments.models import Payment, PaymentState, Purpose
from kameng.payments.selectors import PayChoice, count_payments, find_open_payment
from kameng.payments.services.paying import Payer, let_go, open_payment
from kameng.payments.services.routing import Opened, lead_to_account
from kameng.tenancy.selectors import SiteView

NOT_COVERED = 4
ATTEMPT_LIMIT = 10  # payments that one order may begin
OPENING_LIMIT = 30  # those that no gateway took up among them


def lock_order(order_id: int) -> Order:
    """Lock one order of the site in force, in a transaction; raises `OrderNotFound`.

    Everyone who moves an order's state takes this lock (or its SQL function does): settling,
    closing, delivering, refunding. Order of locks: docs/locking.md.
    """
    rows = Order.objects.select_for_update(no_key=True).filter(id=order_id)
    order: Order | None = rows.first()
    if order is None:
        raise errors.OrderNotFound
    return order


def begin_payment(
    *, order: Order, view: SiteView, payer: Payer, choice: PayChoice | None = None
) -> Opened:
    """Return where the buyer pays an unpaid order, by its open payment or by another way.

    Calls gateways outside any transaction; an account that cannot take it gives its place to
    another of the same way. Raises `NotAllowedNow` and as `payments…lead_to_account`.
    """
    payment = choose_attempt(order=order, choice=choice)
    return lead_to_account(
        payment=payment,
        view=view,
        subject=order.title,
        payer=payer,
        reopen=lambda other: _open_another(order.id, other),
    )


def choose_attempt(*, order: Order, choice: PayChoice | None) -> Payment:
    """Return the open attempt of an unpaid order, or one by another way; no gateway is called.

    Raises `NotAllowedNow`, `GatewayUnavailable`.
    """
    payment = find_open_payment(Purpose.ORDER, paid_for=order.id)
    if choice is not None and (payment is None or payment.gateway_id != choice.gateway_id):
        if payment is not None:
            let_go(payment)
        payment = _open_another(order.id, choice)
    if payment is None or payment.state != PaymentState.OPEN:
        raise errors.NotAllowedNow(state=OrderState(order.state).label)
    return payment


def _open_another(order_id: int, choice: PayChoice) -> Payment:
    with transaction.atomic():
        order = lock_order(order_id)
        if order.state != State.AWAITING_PAYMENT or (
            order.expires_at is not None and order.expires_at <= clock.now()
        ):
            raise errors.NotAllowedNow(state=OrderState(order.state).label)
        known = find_open_payment(Purpose.ORDER, paid_for=order.id, gateway_id=choice.gateway_id)
        if known is not None:
            return known
        told, opened = count_payments(Purpose.ORDER, paid_for=order.id)
        if told >= ATTEMPT_LIMIT or opened >= OPENING_LIMIT:
            raise errors.GatewayUnavailable
        assert order.expires_at is not None  # noqa: S101 - unpaid orders always expire
        return open_payment(
            purpose=Purpose.ORDER,
            paid_for=order.id,
            amount=order.total_amount,
            choice=choice,
            expires_at=order.expires_at,
        )


def pay_from_wallet(*, order: Order, customer_id: int) -> Settlement:
    """Pay an unpaid order of a customer from the wallet; once, whoever else pays at the moment.

    Raises `NotEnoughMoney`, `NotAllowedNow`.
    """
    if wallet_amount(customer_id) < order.total_amount:
        raise errors.NotEnoughMoney
    answer = store.pay_by_wallet(order_id=order.id, customer_id=customer_id)
    if answer == NOT_COVERED:
        raise errors.NotEnoughMoney
    if answer == Settlement.ALREADY_PAID:
        fresh = Order.objects.filter(id=order.id).values_list("state", flat=True).first()
        raise errors.NotAllowedNow(state=OrderState(fresh or order.state).label)
    return Settlement(answer)
