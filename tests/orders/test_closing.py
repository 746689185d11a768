"""Giving up unpaid orders: everything held goes back, and only unpaid ones can be given up."""

import datetime as dt

import pytest

from kameng.catalog.models import DeliveryKind
from kameng.core import clock
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.inventory.models import CardKey, Reservation, StockLevel
from kameng.inventory.services.withdrawing import restore_batch, withdraw_batch
from kameng.orders import errors
from kameng.orders.models import Note
from kameng.orders.rules import State
from kameng.orders.services.closing import expire_orders
from kameng.orders.services.delivering import collect_goods
from kameng.payments.models import Payment
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import (
    STAFF,
    Shop,
    cancel,
    count,
    fresh,
    make_due,
    notify,
    order,
    payment_of,
    refund,
)
from tests.factories import make_product, make_variant


def test_a_cancelled_order_gives_its_keys_back_and_says_who(shop: Shop) -> None:
    placed = order(shop, quantity=3)

    cancel(shop, placed)

    assert fresh(shop, placed).path == [State.AWAITING_PAYMENT, State.CANCELLED]
    assert fresh(shop, placed).closed_at is not None
    assert count("select count(*) from inventory_cardkey where state = 0") == 6
    with site_scope(shop.site.id):
        assert not Reservation.objects.exists()
        assert Note.objects.get().actor_name == "Lin"
        # The gateway is asked soon, to close what is open there.
        assert Payment.objects.get().next_query_at <= clock.now()
    with platform_scope("a test reads the audit log"):
        assert AuditEntry.objects.filter(action="order.cancelled").count() == 1


def test_keys_of_a_batch_withdrawn_meanwhile_come_back_out_of_sale(
    shop: Shop, main_site: Site
) -> None:
    """Keys are withdrawn because they are bad: none is sold again, late as it comes back."""
    cancelled, expired, refunded, seen = (order(shop) for _ in range(4))
    for placed in (refunded, seen):
        notify(shop, payment_of(shop, placed))
    with site_scope(shop.site.id):
        collect_goods(fresh(shop, seen), by_buyer=True)
    with site_scope(main_site.id):
        batch_id = CardKey.objects.values_list("batch_id", flat=True).first() or 0
        assert withdraw_batch(batch_id, actor=STAFF) == 2
    make_due(shop, expired)

    cancel(shop, cancelled)
    with platform_scope("a test expires orders"):
        expire_orders()
    for placed in (refunded, seen):
        refund(shop, placed, key="r")

    assert count("select count(*) from inventory_cardkey where state = 3") == 5
    assert count("select count(*) from inventory_cardkey where state = 4") == 1
    with pytest.raises(errors.OutOfStock):
        order(shop)
    with site_scope(main_site.id):
        assert restore_batch(batch_id, actor=STAFF) == 5
    assert order(shop).order_id


def test_only_an_unpaid_order_can_be_cancelled(shop: Shop) -> None:
    placed = order(shop)
    notify(shop, payment_of(shop, placed))

    with pytest.raises(errors.NotAllowedNow):
        cancel(shop, placed)

    assert fresh(shop, placed).state == State.DELIVERED


def test_orders_expire_when_their_time_is_over_and_not_before(shop: Shop) -> None:
    due, running = order(shop), order(shop)
    make_due(shop, due)

    with platform_scope("a test expires orders"):
        assert expire_orders() == 1
        assert expire_orders() == 0

    assert fresh(shop, due).state == State.EXPIRED
    assert fresh(shop, running).state == State.AWAITING_PAYMENT
    assert fresh(shop, running).expires_at > clock.now() + dt.timedelta(minutes=10)


def test_counted_stock_comes_back(shop: Shop, main_site: Site) -> None:
    service = make_variant(make_product(main_site, delivery_kind=DeliveryKind.MANUAL))
    with site_scope(main_site.id):
        StockLevel.objects.create(site_id=main_site.id, variant_id=service.id, available_count=5)
    first = order(shop, variant_id=service.id, quantity=2)
    second = order(shop, variant_id=service.id, quantity=2)
    with pytest.raises(errors.OutOfStock):
        order(shop, variant_id=service.id, quantity=2)

    cancel(shop, first)
    make_due(shop, second)
    with platform_scope("a test expires orders"):
        expire_orders()

    with site_scope(main_site.id):
        assert StockLevel.objects.get().available_count == 5
