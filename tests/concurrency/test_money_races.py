"""Twenty at once on prepaid balances and on the wallet's part of an order."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from kameng.config.audit import find_breaches
from kameng.core.scope import platform_scope
from kameng.ledger.selectors import prepaid_balance, wallet_amount
from kameng.orders import errors
from kameng.orders.rules import State
from kameng.orders.services import paying
from kameng.orders.services.closing import expire_orders
from kameng.orders.services.placing import PlacedOrder
from kameng.orders.services.waiting import deliver_waiting
from kameng.payments.services.prepaying import adjust_prepaid, book_prepaid
from kameng.tenancy.models import SettlementWay, Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import MEET_TWO, meetings, without_guard
from tests.concurrency.shop import (
    STAFF,
    Shop,
    cancel,
    connect_gateway,
    count,
    fresh,
    make_buyers,
    make_due,
    notify,
    of_kind,
    open_shop,
    order,
    payment_of,
    price_of,
)

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
PART = 40_000
POSTED = "select count(*) from ledger_transfer where code = %s"
WHOLESALE = 100_400  # of one piece, up to the fen


@pytest.fixture
def own(main_site: Site, site_a: Site) -> Shop:
    """Site A takes its buyers' money itself; thirty keys."""
    shop = open_shop(main_site, site_a, keys=30)
    Site.objects.filter(id=site_a.id).update(
        settlement_way=SettlementWay.PREPAID,
        settings={"open_orders_limit": 100, "reserve_share_bps": 10_000},
    )
    return Shop(site=site_a, variant=shop.variant, choice=connect_gateway(site_a))


def _book(shop: Shop, amount: int, *, key: str = "k") -> None:
    with site_scope(shop.site.id):
        book_prepaid(
            site_id=shop.site.id, amount=amount, reason="转账", idempotency_key=key, actor=STAFF
        )


def _left(shop: Shop) -> int:
    with site_scope(shop.site.id):
        return prepaid_balance(shop.site.id).posted_amount


@pytest.mark.parametrize("mode", ["together", "apart"])
def test_a_prepaid_balance_for_three_is_spent_by_three_of_twenty_orders(
    mode: str, own: Shop, run_parallel: Parallel, request: pytest.FixtureRequest
) -> None:
    if mode == "together":
        request.getfixturevalue("together")
    _book(own, WHOLESALE * 3)
    buyers = make_buyers(own.site, 20, amount=price_of(own))

    answers = run_parallel(20, lambda i: order(own, customer=buyers[i], by_wallet=True))

    assert Counter(type(each) for each in answers) == {PlacedOrder: 3, errors.ShopPaused: 17}
    assert count(POSTED, 34) == count(POSTED, 35) == 3
    assert 0 <= _left(own) < WHOLESALE


def test_callbacks_deliver_what_the_balance_covers_and_let_the_others_wait(
    own: Shop, run_parallel: Parallel
) -> None:
    _book(own, WHOLESALE * 20)
    payments = [payment_of(own, order(own)) for _ in range(20)]
    with site_scope(own.site.id):
        adjust_prepaid(site_id=own.site.id, amount=-WHOLESALE * 16, reason="x", actor=STAFF)

    replies = run_parallel(20, lambda i: notify(own, payments[i]))

    assert all(reply.accepted for reply in replies)
    assert count("select count(*) from orders_order where state = 3") == 4
    assert count("select count(*) from orders_order where awaits_prepaid") == 16
    assert find_breaches() == []

    _book(own, WHOLESALE * 16, key="more")

    def resume(_index: int) -> int:
        with site_scope(own.site.id):
            return deliver_waiting(own.site.id)

    assert sum(run_parallel(20, resume)) + resume(0) == 16
    assert count("select count(*) from orders_order where state = 3") == count(POSTED, 34) == 20


def test_control_without_its_lock_a_prepaid_balance_is_spent_twice(
    wrecked_db: None,
    own: Shop,
    run_parallel: Parallel,
    drop_constraint: Callable[[str, str], None],
) -> None:
    _book(own, WHOLESALE)
    buyers = make_buyers(own.site, 8, amount=price_of(own))
    drop_constraint("ledger_balance", "ledger_balance_not_negative")
    unlocked = ("wallets || prepaids", "wallets")
    place = "    if go is not null then\n        for answer in\n            with placed as ("
    meet = (place, f"{MEET_TWO}{place}")

    with meetings(), without_guard("orders_place", unlocked, meet):
        answers = run_parallel(8, lambda i: order(own, customer=buyers[i], by_wallet=True))

    assert len(of_kind(answers, PlacedOrder)) > 1
    assert _left(own) < 0


def test_a_mixed_order_is_paid_cancelled_and_expired_at_once_and_its_part_is_taken_once(
    main_site: Site, site_a: Site, run_parallel: Parallel
) -> None:
    shop = open_shop(main_site, site_a, keys=12)
    for _round in range(4):
        (mei,) = make_buyers(site_a, 1, amount=PART)
        placed = order(shop, customer=mei, wallet_part=PART)
        payment = payment_of(shop, placed)
        make_due(shop, placed)

        def act(index: int, placed: PlacedOrder = placed, payment: Any = payment) -> Any:
            if index % 3 == 0:
                return notify(shop, payment)
            if index % 3 == 1:
                return cancel(shop, placed)
            with platform_scope("a test expires"):
                return expire_orders()

        run_parallel(20, act)

        # Whoever was first, the callback comes: in time, or late with the part taken again.
        found = fresh(shop, placed)
        assert (found.state, found.wallet_amount) == (State.DELIVERED, PART)
        with site_scope(site_a.id):
            assert wallet_amount(mei.id) == 0
        taken, back = (
            count(f"{POSTED} and reference_id = %s", code, placed.order_id) for code in (36, 37)
        )
        assert taken - back == 1


def test_a_part_is_given_back_once_by_twenty_who_give_up(
    main_site: Site, site_a: Site, run_parallel: Parallel
) -> None:
    shop = open_shop(main_site, site_a, keys=12)
    (mei,) = make_buyers(site_a, 1, amount=PART)
    placed = order(shop, customer=mei, wallet_part=PART)

    answers = run_parallel(20, lambda _i: cancel(shop, placed))

    assert Counter(type(each) for each in answers) == {type(None): 1, errors.NotAllowedNow: 19}
    assert count(POSTED, 37) == 1
    with site_scope(site_a.id):
        assert wallet_amount(mei.id) == PART


def test_control_without_the_arrow_a_part_comes_back_although_the_order_was_paid(
    wrecked_db: None, main_site: Site, site_a: Site, run_parallel: Parallel
) -> None:
    shop = open_shop(main_site, site_a, keys=12)
    (mei,) = make_buyers(site_a, 1, amount=PART)
    placed = order(shop, customer=mei, wallet_part=PART)
    payment = payment_of(shop, placed)
    paid = f"perform test_await('select state = 3 from orders_order where id = {placed.order_id}');"
    late = ("begin\n    update orders_order", f"begin\n    {paid}\n    update orders_order")
    arrow = ("where id = p_order and state = 1 and", "where id = p_order and")

    def act(index: int) -> Any:
        return notify(shop, payment) if index else cancel(shop, placed)

    with meetings(), without_guard("orders_close", arrow, late):
        run_parallel(2, act)

    with site_scope(site_a.id):
        assert wallet_amount(mei.id) == PART  # given back, and the goods went out
    assert find_breaches()


def test_one_balance_is_the_part_of_one_of_twenty_orders(
    main_site: Site, site_a: Site, run_parallel: Parallel
) -> None:
    shop = open_shop(main_site, site_a, keys=30)
    Site.objects.filter(id=site_a.id).update(
        settings={"open_orders_limit": 100, "reserve_share_bps": 10_000}
    )
    (mei,) = make_buyers(site_a, 1, amount=PART)
    plain = [order(shop, customer=mei) for _ in range(10)]

    def act(index: int) -> Any:
        if index < 10:
            return order(shop, customer=mei, wallet_part=PART)
        with site_scope(site_a.id):
            return paying._open_another(plain[index - 10].order_id, shop.choice, wallet_part=PART)

    answers = run_parallel(20, act)

    assert len([each for each in answers if not isinstance(each, errors.NotEnoughMoney)]) == 1
    assert count(POSTED, 36) == 1
    with site_scope(site_a.id):
        assert wallet_amount(mei.id) == 0
