"""Paying an order that was placed unpaid: another attempt, another gateway, or the wallet."""

from django.db import transaction

from kameng.core import clock
from kameng.ledger.selectors import wallet_amount
from kameng.orders import errors, store
from kameng.orders.models import Order, OrderState
from kameng.orders.rules import Settlement, State
from kameng.payments.models import Payment, PaymentState, Purpose
from kameng.payments.selectors import (
    PayChoice,
    count_payments,
    find_open_payment,
    owner_of_gateway,
)
from kameng.payments.services.paying import Payer, let_go, open_payment
from kameng.payments.services.routing import Opened, lead_to_account
from kameng.pricing.margins import is_wallet_part
from kameng.tenancy.models import SettlementWay
from kameng.tenancy.selectors import SiteView

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
    *,
    order: Order,
    view: SiteView,
    payer: Payer,
    choice: PayChoice | None = None,
    wallet_part: int | None = None,
) -> Opened:
    """Return where the buyer pays an unpaid order, by its open payment or by another way.

    Calls gateways outside any transaction; an account that cannot take it gives its place to
    another of the same way. Raises as `choose_attempt` and `payments…lead_to_account`.
    """
    payment = choose_attempt(order=order, choice=choice, wallet_part=wallet_part)
    return lead_to_account(
        payment=payment,
        view=view,
        subject=order.title,
        payer=payer,
        reopen=lambda other: _open_another(order.id, other),
    )


def choose_attempt(
    *, order: Order, choice: PayChoice | None, wallet_part: int | None = None
) -> Payment:
    """Return the open attempt of an unpaid order, or one by another way; no gateway is called.

    With a choice, `wallet_part` is what the wallet pays beside it from now on; None leaves it as it
    is. Raises `NotAllowedNow`, `NotEnoughMoney`, `GatewayUnavailable`.
    """
    payment = find_open_payment(Purpose.ORDER, paid_for=order.id)
    is_same_part = wallet_part in {None, order.wallet_amount}
    if choice is not None and (
        payment is None or payment.gateway_id != choice.gateway_id or not is_same_part
    ):
        if payment is not None:
            let_go(payment)
        payment = _open_another(order.id, choice, wallet_part=wallet_part)
    if payment is None or payment.state != PaymentState.OPEN:
        raise errors.NotAllowedNow(state=OrderState(order.state).label)
    return payment


def _open_another(order_id: int, choice: PayChoice, *, wallet_part: int | None = None) -> Payment:
    with transaction.atomic():
        if wallet_part is not None:
            _change_part(order_id, wallet_part)
        order = lock_order(order_id)
        if order.state != State.AWAITING_PAYMENT or (
            order.expires_at is not None and order.expires_at <= clock.now()
        ):
            raise errors.NotAllowedNow(state=OrderState(order.state).label)
        if owner_of_gateway(choice.gateway_id) != payee_of(order):
            raise errors.GatewayUnavailable  # the shop settles in another way than when it sold
        rest = order.total_amount - order.wallet_amount
        known = find_open_payment(Purpose.ORDER, paid_for=order.id, gateway_id=choice.gateway_id)
        if known is not None and known.amount - known.surcharge_amount == rest:
            return known
        told, opened = count_payments(Purpose.ORDER, paid_for=order.id)
        if told >= ATTEMPT_LIMIT or opened >= OPENING_LIMIT:
            raise errors.GatewayUnavailable
        assert order.expires_at is not None  # noqa: S101 - unpaid orders always expire
        return open_payment(
            purpose=Purpose.ORDER,
            paid_for=order.id,
            amount=rest,
            choice=choice,
            expires_at=order.expires_at,
        )


def payee_of(order: Order) -> int:
    """Return whose merchant account takes the money of an order."""
    is_prepaid = order.settlement_way == SettlementWay.PREPAID
    return order.site_id if is_prepaid else order.main_site_id


def _change_part(order_id: int, wallet_part: int) -> None:
    """Set the wallet's part of an unpaid order; locks the order, then the wallet."""
    order = lock_order(order_id)
    if wallet_part and not is_wallet_part(wallet_part, total_amount=order.total_amount):
        raise errors.NotEnoughMoney
    if wallet_part == order.wallet_amount:
        return
    if order.customer_id is None:
        raise errors.SignInNeeded
    answer = store.change_part(order_id=order_id, customer_id=order.customer_id, part=wallet_part)
    if answer == Settlement.WALLET_SHORT:
        raise errors.NotEnoughMoney
    if answer:
        raise errors.NotAllowedNow(state=OrderState(order.state).label)


def pay_from_wallet(*, order: Order, customer_id: int) -> Settlement:
    """Pay an unpaid order of a customer from the wallet; once, whoever else pays at the moment.

    What is held of the wallet for this order counts. Raises `NotEnoughMoney`, `NotAllowedNow`,
    `ShopPaused`.
    """
    if wallet_amount(customer_id) + order.wallet_amount < order.total_amount:
        raise errors.NotEnoughMoney
    answer = store.pay_by_wallet(order_id=order.id, customer_id=customer_id)
    if answer == Settlement.WALLET_SHORT:
        raise errors.NotEnoughMoney
    if answer == Settlement.PREPAID_SHORT:
        raise errors.ShopPaused
    if answer == Settlement.ALREADY_PAID:
        fresh = Order.objects.filter(id=order.id).values_list("state", flat=True).first()
        raise errors.NotAllowedNow(state=OrderState(fresh or order.state).label)
    return Settlement(answer)
