"""Orders that are paid short, and their buyers who are asked for the rest."""

import datetime as dt
from typing import Any

from kameng.accounts.models import Customer
from kameng.core import clock
from kameng.orders.services.placing import PlacedOrder
from kameng.orders.services.shortfalls import ask_rest, choose_rest
from kameng.payments.models import Payment, Shortfall
from kameng.payments.selectors import PayChoice
from kameng.payments.services.shortfalls import ShortfallWish
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import STAFF, Shop, fresh, notify, order, payment_of
from tests.payments.filling import YUAN

HOUR = 3600


def pay_short(shop: Shop, mei: Customer | None, short: int = 3 * YUAN, **wish: Any) -> PlacedOrder:
    """Place an order and pay so much less than it costs; what is asked for is the rest."""
    placed = order(shop, customer=mei, **wish)
    payment = payment_of(shop, placed)
    notify(shop, payment, amount=payment.amount - short)
    return placed


def first_of(shop: Shop, placed: PlacedOrder) -> Payment:
    with site_scope(shop.site.id):
        found: Payment = Payment.objects.filter(subject_id=placed.order_id).earliest("id")
    return found


def ask(shop: Shop, placed: PlacedOrder, *, seconds: int = HOUR) -> Shortfall:
    with site_scope(shop.site.id):
        return ask_rest(
            payment_id=first_of(shop, placed).id,
            wish=ShortfallWish(hold_seconds=seconds, reason="少付了"),
            actor=STAFF,
        )


def open_rest(shop: Shop, placed: PlacedOrder, choice: PayChoice) -> Payment:
    with site_scope(shop.site.id):
        return choose_rest(order=fresh(shop, placed), choice=choice)


def let_time_pass(shop: Shop) -> None:
    """Let the time of every wish be over by an hour."""
    with site_scope(shop.site.id):
        Shortfall.objects.update(expires_at=clock.now() - dt.timedelta(hours=1))
