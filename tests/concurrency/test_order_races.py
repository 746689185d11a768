"""Twenty at once on placing: the last key, the last money, one answer a key, caps, prices."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from kameng.config.audit import find_breaches
from kameng.core.scope import platform_scope
from kameng.ledger.selectors import wallet_amount
from kameng.orders import errors
from kameng.orders.models import Order
from kameng.orders.rules import Outcome, State
from kameng.orders.services import placing
from kameng.orders.services.placing import Buyer, PlacedOrder, Wish
from kameng.orders.store import Placed
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import MEET_TWO, meetings, without_guard
from tests.concurrency.shop import (
    Shop,
    count,
    make_buyers,
    notify,
    of_kind,
    open_shop,
    order,
    payment_of,
    place,
    price_of,
)
from tests.loops import run_on_loop

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
SKIP = ("for no key update skip locked", "")
SOLD = "select count(*) from inventory_cardkey where state = 2"
DELIVERED = "select count(*) from orders_order where state = 3"
SALES = "select count(distinct reference_id) from ledger_transfer where code = 30"


@pytest.mark.parametrize("mode", ["together", "apart"])
def test_fifty_keys_for_two_hundred_buyers_sell_fifty_and_charge_nobody_else(
    mode: str,
    main_site: Site,
    site_a: Site,
    run_parallel: Parallel,
    request: pytest.FixtureRequest,
) -> None:
    if mode == "together":
        request.getfixturevalue("together")
    shop = open_shop(main_site, site_a, keys=50)
    price = price_of(shop)
    buyers = make_buyers(site_a, 200, amount=price)

    def buy(index: int) -> list[Any]:
        answers: list[Any] = []
        for buyer in buyers[index * 10 : index * 10 + 10]:
            try:
                answers.append(order(shop, customer=buyer, by_wallet=True))
            except Exception as fault:
                answers.append(fault)
        return answers

    answers = [a for answers in run_parallel(20, buy) for a in answers]

    kinds = Counter(type(a) for a in answers)
    assert kinds == {PlacedOrder: 50, errors.OutOfStock: 150}
    assert count(SOLD) == count(DELIVERED) == count(SALES) == 50
    with site_scope(site_a.id):
        left = Counter(wallet_amount(buyer.id) for buyer in buyers)
    assert left == {price: 150, 0: 50}


def test_fifty_keys_are_reserved_by_fifty_of_two_hundred_guests_and_all_can_pay(
    main_site: Site, site_a: Site, run_parallel: Parallel
) -> None:
    shop = open_shop(main_site, site_a, keys=50)

    def reserve(index: int) -> list[Any]:
        answers: list[Any] = []
        for _ in range(10):
            try:
                answers.append(order(shop))
            except Exception as fault:
                answers.append(fault)
        return answers

    answers = [a for answers in run_parallel(20, reserve) for a in answers]
    placed = of_kind(answers, PlacedOrder)
    assert Counter(type(a) for a in answers) == {PlacedOrder: 50, errors.OutOfStock: 150}
    assert count("select count(*) from payments_payment") == 50

    def pay(index: int) -> list[Any]:
        return [notify(shop, payment_of(shop, p)) for p in placed[index::20]]

    replies = [reply for replies in run_parallel(20, pay) for reply in replies]
    assert all(reply.accepted for reply in replies)
    assert count(SOLD) == count(DELIVERED) == count(SALES) == 50


def test_control_without_the_lock_on_keys_two_buyers_get_one(
    wrecked_db: None, main_site: Site, site_a: Site, run_parallel: Parallel
) -> None:
    shop = open_shop(main_site, site_a, keys=5)
    buyers = make_buyers(site_a, 20, amount=price_of(shop))
    meet = ("        taken := 0;", "        perform test_meet(6);\n        taken := 0;")

    with meetings(), without_guard("inventory_claim_free", SKIP, meet):
        answers = run_parallel(20, lambda i: order(shop, customer=buyers[i], by_wallet=True))

    assert len(of_kind(answers, PlacedOrder)) > 5
    assert any(line.startswith("I3") for line in find_breaches())


@pytest.mark.parametrize("mode", ["together", "apart"])
def test_a_whole_balance_is_spent_by_one_of_twenty_orders(
    mode: str, shop: Shop, run_parallel: Parallel, request: pytest.FixtureRequest
) -> None:
    if mode == "together":
        request.getfixturevalue("together")
    price = price_of(shop)
    for _round in range(3):
        (buyer,) = make_buyers(shop.site, 1, amount=price)

        def buy(_index: int, buyer: Any = buyer) -> Any:
            return order(shop, customer=buyer, by_wallet=True)

        answers = run_parallel(20, buy)

        kinds = Counter(type(a) for a in answers)
        assert kinds == {PlacedOrder: 1, errors.NotEnoughMoney: 19}
        with site_scope(shop.site.id):
            assert wallet_amount(buyer.id) == 0
            assert Order.objects.filter(customer_id=buyer.id).count() == 1


def test_control_without_the_lock_on_wallets_a_balance_is_spent_twice(
    wrecked_db: None,
    shop: Shop,
    run_parallel: Parallel,
    drop_constraint: Callable[[str, str], None],
) -> None:
    (buyer,) = make_buyers(shop.site, 1, amount=price_of(shop))
    drop_constraint("ledger_balance", "ledger_balance_not_negative")
    unlocked = ("order by b.account_id for no key update", "order by b.account_id")
    meet = ("        return result;\n", f"{MEET_TWO}        return result;\n")

    with (
        meetings(),
        without_guard("ledger_lock_wallets", unlocked),
        without_guard("ledger_covered", meet),
    ):
        answers = run_parallel(8, lambda _i: order(shop, customer=buyer, by_wallet=True))

    assert len(of_kind(answers, PlacedOrder)) > 1
    with site_scope(shop.site.id):
        assert wallet_amount(buyer.id) < 0


def test_a_dear_wish_does_not_shut_out_a_cheap_one_of_the_same_wallet(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    (buyer,) = make_buyers(shop.site, 1, amount=price_of(shop) * 2)
    wishes = [_wish_as_sent(shop, monkeypatch, buyer, quantity=n) for n in (3, 1, 2, 1)]

    placed = _together(*wishes)

    assert [_outcome(answer) for answer in placed] == [
        Outcome.NO_MONEY,
        Outcome.PLACED,
        Outcome.NO_MONEY,
        Outcome.PLACED,
    ]


@pytest.mark.parametrize("mode", ["together", "apart"])
@pytest.mark.parametrize("by_wallet", [True, False])
def test_one_key_twenty_times_is_one_order_with_one_answer(
    mode: str, by_wallet: bool, shop: Shop, run_parallel: Parallel, request: pytest.FixtureRequest
) -> None:
    if mode == "together":
        request.getfixturevalue("together")
    (buyer,) = make_buyers(shop.site, 1, amount=10 * price_of(shop))

    answers = run_parallel(
        20, lambda _i: order(shop, customer=buyer, by_wallet=by_wallet, key="same")
    )
    later = order(shop, customer=buyer, by_wallet=by_wallet, key="same")
    with pytest.raises(errors.KeyReused):
        order(shop, customer=buyer, by_wallet=by_wallet, key="same", quantity=2)

    assert {(a.order_id, a.order_no, a.token, a.state) for a in [*answers, later]} == {
        (later.order_id, later.order_no, later.token, later.state)
    }
    assert sum(not a.is_repeat for a in answers) == 1
    assert count("select count(*) from orders_order") == 1
    assert count("select count(*) from inventory_cardkey where state in (1, 2)") == 1
    assert count("select count(*) from payments_payment") == (0 if by_wallet else 1)


def test_one_key_with_two_contents_at_once_is_one_order_and_one_refusal(
    shop: Shop, run_parallel: Parallel
) -> None:
    (buyer,) = make_buyers(shop.site, 1, amount=100 * price_of(shop))

    answers = run_parallel(
        20,
        lambda i: order(shop, customer=buyer, by_wallet=True, key="same", quantity=1 + i % 2),
    )

    assert Counter(type(a) for a in answers) == {PlacedOrder: 10, errors.KeyReused: 10}
    assert len({a.order_no for a in of_kind(answers, PlacedOrder)}) == 1
    assert count("select count(*) from orders_order") == 1


@pytest.mark.parametrize("mode", ["together", "apart"])
def test_one_key_twenty_times_without_stock_is_refused_for_the_stock_each_time(
    mode: str,
    main_site: Site,
    site_a: Site,
    run_parallel: Parallel,
    request: pytest.FixtureRequest,
) -> None:
    if mode == "together":
        request.getfixturevalue("together")
    shop = open_shop(main_site, site_a, keys=0)
    (buyer,) = make_buyers(site_a, 1, amount=price_of(shop))

    answers = run_parallel(20, lambda _i: order(shop, customer=buyer, by_wallet=True, key="same"))

    assert Counter(type(a) for a in answers) == {errors.OutOfStock: 20}
    assert count("select count(*) from orders_order") == 0


def test_control_without_the_unique_request_one_key_is_several_orders(
    wrecked_db: None,
    shop: Shop,
    run_parallel: Parallel,
    drop_constraint: Callable[[str, str], None],
) -> None:
    (buyer,) = make_buyers(shop.site, 1, amount=100 * price_of(shop))
    drop_constraint("orders_order", "orders_request_once")
    fresh_ones = "    if go is not null then\n        if cardinality(go) = n then"
    edits = (
        ("on conflict (site_id, request_key) do nothing", ""),
        ("        perform ledger_lock_wallets(wallets || prepaids);", "        null;"),
        (fresh_ones, MEET_TWO + fresh_ones),
    )

    with meetings(), without_guard("orders_place", *edits):
        run_parallel(8, lambda _i: order(shop, customer=buyer, by_wallet=True, key="same"))

    assert count("select count(*) from orders_order") > 1


def test_a_person_holds_no_more_open_orders_than_the_cap_however_fast(
    shop: Shop, run_parallel: Parallel
) -> None:
    (buyer,) = make_buyers(shop.site, 1, amount=0)

    answers = run_parallel(20, lambda _i: order(shop, customer=buyer))

    kinds = Counter(type(a) for a in answers)
    assert kinds == {PlacedOrder: 5, errors.TooManyOpenOrders: 15}
    assert count("select count(*) from inventory_cardkey where state = 1") == 5


def test_guests_behind_one_line_share_a_cap_whatever_contacts_they_write(
    main_site: Site, site_a: Site, run_parallel: Parallel
) -> None:
    shop = open_shop(main_site, site_a, keys=60)

    answers = run_parallel(30, lambda _i: order(shop, ip="203.0.113.7"))

    kinds = Counter(type(a) for a in answers)
    assert kinds == {PlacedOrder: 20, errors.TooManyOpenOrders: 10}


def test_a_person_holds_no_more_than_the_share_of_the_stock(
    shop: Shop, run_parallel: Parallel
) -> None:
    (buyer,) = make_buyers(shop.site, 1, amount=0)

    answers = run_parallel(20, lambda _i: order(shop, customer=buyer, quantity=3))

    kinds = Counter(type(a) for a in answers)
    assert kinds == {PlacedOrder: 2, errors.TooManyOpenOrders: 18}
    assert count("select count(*) from inventory_cardkey where state = 1") == 6


def test_control_without_the_lock_on_persons_the_cap_is_passed(
    wrecked_db: None, shop: Shop, run_parallel: Parallel
) -> None:
    unlocked = ("perform pg_advisory_xact_lock(7002, k.key)", "perform k.key")
    meet = ("        outcome := 0;\n", "        outcome := 0;\n        perform test_meet(6);\n")
    (buyer,) = make_buyers(shop.site, 1, amount=0)

    with (
        meetings(),
        without_guard("inventory_reserve", unlocked),
        without_guard("inventory_hold", meet),
    ):
        run_parallel(12, lambda _i: order(shop, customer=buyer))

    assert count("select count(*) from inventory_reservation") > 5


def test_an_order_at_yesterdays_price_is_refused_and_leaves_nothing(
    shop: Shop, run_parallel: Parallel
) -> None:
    buyers = make_buyers(shop.site, 20, amount=price_of(shop))

    answers = _place_while_prices_move(shop, buyers, run_parallel)

    assert Counter(type(a) for a in answers) == {errors.PriceMoved: 20}
    assert count("select count(*) from orders_order") == 0
    assert count("select count(*) from inventory_cardkey where state <> 0") == 0


def test_control_without_the_look_at_the_version_the_old_price_is_sold(
    wrecked_db: None, shop: Shop, run_parallel: Parallel
) -> None:
    buyers = make_buyers(shop.site, 10, amount=price_of(shop))

    with without_guard(
        "tenancy_fresh",
        ("s.catalogue_version = t.version", "true"),
        ("m.catalogue_version = t.main_version", "true"),
    ):
        answers = _place_while_prices_move(shop, buyers, run_parallel)

    assert len(of_kind(answers, PlacedOrder)) == 10


def test_a_batch_answers_each_wish_for_itself(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    price = price_of(shop)
    rich, poor, greedy = (
        make_buyers(shop.site, 1, amount=amount)[0] for amount in (price, 0, 100 * price)
    )
    good = _wish_as_sent(shop, monkeypatch, rich)
    broke = _wish_as_sent(shop, monkeypatch, poor)
    large = _wish_as_sent(shop, monkeypatch, greedy, quantity=13)
    old = _wish_as_sent(shop, monkeypatch, greedy, catalogue_version=-1)
    broken = _wish_as_sent(shop, monkeypatch, greedy, title="\0")
    fine = _wish_as_sent(shop, monkeypatch, greedy)

    answers = _together(broke, large, broken, good, old, good, fine)

    assert [_outcome(a) for a in answers] == [
        Outcome.NO_MONEY,
        Outcome.NO_STOCK,
        "DataError",
        Outcome.PLACED,
        Outcome.STALE,
        Outcome.REPEATED,
        Outcome.PLACED,
    ]
    assert count(SOLD) == count(DELIVERED) == 2


def _place_while_prices_move(shop: Shop, buyers: list[Any], run_parallel: Parallel) -> list[Any]:
    """Every buyer has seen the old prices; then they move; then all submit."""
    with site_scope(shop.site.id) as view:
        placing.get_catalogue(view)
    with platform_scope("a test moves prices"), connection.cursor() as cursor:
        cursor.execute("update tenancy_site set catalogue_version = catalogue_version + 1")

    def buy(index: int) -> Any:
        buyer = Buyer(
            customer_id=buyers[index].id,
            contact="",
            ip="192.0.2.1",
            actor=f"customer:{buyers[index].id}",
        )
        wish = Wish(
            variant_id=shop.variant.id,
            quantity=1,
            answers={},
            shown_amount=None,
            idempotency_key=f"k{index}",
            choice=None,
        )
        with site_scope(shop.site.id):
            return place(view, buyer, wish)

    return run_parallel(len(buyers), buy)


def _wish_as_sent(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, customer: Any, *, quantity: int = 1, **changes: Any
) -> Any:
    """Return what placing would send to the database, without sending it."""

    sent: list[Any] = []

    def keep(batch: Any, *, by_wallet: bool) -> list[Placed]:
        sent.extend(batch)
        return [Placed(outcome=Outcome.PLACED, order_id=1, order_no="1", state=State.DELIVERED)]

    with monkeypatch.context() as patch:
        patch.setattr(placing.store, "place", keep)
        order(shop, customer=customer, by_wallet=True, quantity=quantity)
    return sent[0]._replace(**changes)


def _together(*wishes: Any) -> list[Any]:
    """Place wishes as one batch of the event loop."""
    return run_on_loop(*(placing.store.wallet_lane.submit(wish) for wish in wishes))


def _outcome(answer: Any) -> Any:
    return Outcome(answer.outcome) if isinstance(answer, Placed) else type(answer).__name__
