"""Counted stock of services: what a refund before delivery gives back, exactly once, and races."""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from kameng.catalog.models import DeliveryKind, Variant
from kameng.config.audit import find_breaches
from kameng.core.database import fetch
from kameng.core.scope import platform_scope
from kameng.inventory.models import CountedClaim, StockLevel
from kameng.inventory.services.levels import set_stock_level
from kameng.ledger.accounts import wallet_of
from kameng.ledger.selectors import wallet_amount
from kameng.orders import errors
from kameng.orders.models import OrderRefund
from kameng.orders.rules import State
from kameng.orders.services import refunding
from kameng.orders.services.closing import expire_orders
from kameng.orders.services.delivering import deliver_by_hand
from kameng.orders.services.placing import PlacedOrder
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import (
    STAFF,
    Shop,
    cancel,
    fresh,
    make_buyers,
    make_due,
    notify,
    of_kind,
    order,
    payment_of,
    refund,
)
from tests.factories import make_product, make_variant

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
MUCH = 10**8


@pytest.fixture
def service(shop: Shop, main_site: Site) -> Variant:
    """A service of which ten pieces can be sold."""
    variant = make_variant(make_product(main_site, delivery_kind=DeliveryKind.MANUAL))
    supply(variant, 10)
    return variant


def supply(variant: Variant, count: int | None) -> None:
    with site_scope(variant.site_id):
        set_stock_level(variant.id, available_count=count, actor=STAFF)


def left(variant: Variant) -> int:
    with site_scope(variant.site_id):
        return int(StockLevel.objects.get(variant_id=variant.id).available_count)


def test_a_person_holds_no_more_than_the_share_of_counted_stock_unpaid(
    shop: Shop, service: Variant
) -> None:
    """INV-05: half of ten, and three pieces always; who pays at once takes what there is."""
    (buyer,) = make_buyers(shop.site, 1, amount=MUCH)

    order(shop, customer=buyer, variant_id=service.id, quantity=3)
    with pytest.raises(errors.TooManyOpenOrders):
        order(shop, customer=buyer, variant_id=service.id, quantity=3)
    order(shop, customer=buyer, variant_id=service.id, quantity=2)
    with pytest.raises(errors.TooManyOpenOrders):
        order(shop, customer=buyer, variant_id=service.id)
    with pytest.raises(errors.OutOfStock):
        order(shop, variant_id=service.id, quantity=6)
    order(shop, customer=buyer, by_wallet=True, variant_id=service.id, quantity=5)

    assert left(service) == 0
    supply(service, None)  # without a count there is no share
    assert order(shop, variant_id=service.id, quantity=9).order_id


def deliver(shop: Shop, placed: PlacedOrder) -> None:
    with site_scope(shop.site.id):
        deliver_by_hand(order_id=placed.order_id, content="done", actor=STAFF)


def buy(shop: Shop, service: Variant, *, quantity: int = 3, by_wallet: bool = True) -> PlacedOrder:
    if by_wallet:
        (mei,) = make_buyers(shop.site, 1, amount=MUCH)
        return order(shop, customer=mei, by_wallet=True, variant_id=service.id, quantity=quantity)
    placed = order(shop, variant_id=service.id, quantity=quantity)
    notify(shop, payment_of(shop, placed))
    return placed


@pytest.mark.parametrize("by_wallet", [True, False])
def test_a_whole_refund_before_delivery_gives_the_pieces_back(
    db: None, shop: Shop, service: Variant, by_wallet: bool
) -> None:
    placed = buy(shop, service, by_wallet=by_wallet)
    assert left(service) == 7

    refund(shop, placed, key="r", to_wallet=by_wallet)
    refund(shop, placed, key="r", to_wallet=by_wallet)

    assert left(service) == 10
    assert find_breaches() == []


def test_a_part_gives_nothing_back_and_the_last_part_all(
    db: None, shop: Shop, service: Variant
) -> None:
    placed = buy(shop, service)

    refund(shop, placed, key="part", amount=10_000, to_wallet=True)
    assert left(service) == 7
    refund(shop, placed, key="rest", to_wallet=True)

    assert left(service) == 10
    assert find_breaches() == []


def test_what_was_delivered_gives_nothing_back(db: None, shop: Shop, service: Variant) -> None:
    placed = buy(shop, service)
    deliver(shop, placed)

    refund(shop, placed, key="r", to_wallet=True)

    assert left(service) == 7
    assert find_breaches() == []


def test_a_refund_of_what_was_never_taken_gives_nothing_back(
    db: None, shop: Shop, service: Variant
) -> None:
    """Paid late, when nothing was left: the order that goes back holds nothing."""
    late = order(shop, variant_id=service.id, quantity=5)
    make_due(shop, late)
    with platform_scope("a test expires orders"):
        expire_orders()
    for _ in range(2):
        buy(shop, service, quantity=3)

    assert notify(shop, payment_of(shop, late)).accepted

    assert fresh(shop, late).state == State.REFUNDING
    assert left(service) == 4
    assert find_breaches() == []


def test_what_was_bought_without_a_limit_does_not_raise_a_later_one(
    db: None, shop: Shop, service: Variant
) -> None:
    supply(service, None)
    paid, open_ = buy(shop, service), order(shop, variant_id=service.id)
    supply(service, 4)

    refund(shop, paid, key="r", to_wallet=True)
    cancel(shop, open_)

    assert left(service) == 4
    assert find_breaches() == []


def test_a_level_set_anew_while_orders_wait_gets_theirs_back_on_top(
    db: None, shop: Shop, service: Variant
) -> None:
    placed = buy(shop, service)
    supply(service, 2)

    refund(shop, placed, key="r", to_wallet=True)

    assert left(service) == 5
    assert find_breaches() == []


def test_refunds_and_deliveries_at_once_one_wins_and_the_stock_is_right(
    committed_db: None, shop: Shop, service: Variant, run_parallel: Parallel
) -> None:
    expected = 10
    for number in range(6):
        placed = buy(shop, service, quantity=1)

        def act(index: int, placed: PlacedOrder = placed) -> Any:
            if index % 2:
                return refund(shop, placed, key=f"r{index}", to_wallet=True)
            return deliver(shop, placed)

        outcomes = run_parallel(8 if number % 2 else 2, act)

        assert len(of_kind(outcomes, OrderRefund)) == 1  # after a delivery too
        row = fresh(shop, placed)
        assert row.state == State.REFUNDED
        expected -= State.DELIVERED in row.path
        assert left(service) == expected


def test_twenty_refunds_at_once_give_the_pieces_back_once(
    committed_db: None, shop: Shop, service: Variant, run_parallel: Parallel
) -> None:
    placed = buy(shop, service)

    outcomes = run_parallel(20, lambda i: refund(shop, placed, key=f"r{i}", to_wallet=True))

    assert Counter(map(type, outcomes)) == {OrderRefund: 1, errors.NotAllowedNow: 19}
    assert left(service) == 10


def test_a_buyer_who_buys_while_he_is_refunded_does_not_meet_himself_in_a_circle(
    committed_db: None, shop: Shop, service: Variant, run_parallel: Parallel
) -> None:
    """Buying takes wallet, then stock; so must the refund, though the stock is free before."""
    supply(service, 100)
    (mei,) = make_buyers(shop.site, 1, amount=MUCH)
    with site_scope(shop.site.id):
        before = wallet_amount(mei.id)
    for _round in range(5):
        paid = [order(shop, customer=mei, by_wallet=True, variant_id=service.id) for _ in range(6)]

        def act(index: int, paid: list[PlacedOrder] = paid) -> Any:
            if index % 2:
                return refund(shop, paid[index // 2], key="r", to_wallet=True)
            return order(shop, customer=mei, by_wallet=True, variant_id=service.id)

        outcomes = run_parallel(12, act)

        assert Counter(map(type, outcomes)) == {OrderRefund: 6, PlacedOrder: 6}
        for placed in of_kind(outcomes, PlacedOrder):
            refund(shop, placed, key="r", to_wallet=True)
    assert left(service) == 100
    with site_scope(shop.site.id):
        assert wallet_amount(mei.id) == before
    with platform_scope("a test counts"):
        assert CountedClaim.unscoped.count() == 0


def test_control_a_refund_that_frees_the_stock_before_the_wallet_is_a_circle(
    committed_db: None,
    shop: Shop,
    service: Variant,
    run_parallel: Parallel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (mei,) = make_buyers(shop.site, 1, amount=MUCH)
    paid = order(shop, customer=mei, by_wallet=True, variant_id=service.id)
    freed, locked = threading.Event(), threading.Event()
    pay = refunding._move_money

    def pay_late(*args: Any) -> None:
        refunding.return_counted(order_id=paid.order_id)
        freed.set()
        locked.wait(60)
        pay(*args)

    monkeypatch.setattr(refunding, "_move_money", pay_late)

    def act(index: int) -> Any:
        if index:
            return refund(shop, paid, key="r", to_wallet=True)
        with platform_scope("a test buys"), transaction.atomic():  # as orders_place does
            freed.wait(60)
            fetch("select ledger_lock_wallets(array[%s]::bigint[])", (wallet_of(mei.id),))
            locked.set()
            fetch("select inventory_take_counted(%s, 0, 1)", (service.id,))
            transaction.set_rollback(True)
        return None

    outcomes = run_parallel(2, act)

    assert any("deadlock" in str(outcome) for outcome in outcomes)
