"""The rest of a short payment against everything that may happen to it at the same moment."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from kameng.config.audit import find_breaches
from kameng.orders.rules import State
from kameng.orders.services.placing import PlacedOrder
from kameng.orders.services.shortfalls import end_shortfalls
from kameng.payments.models import Payment, Shortfall, ShortfallState
from kameng.payments.selectors import PayChoice
from kameng.payments.services.accepting import accept_short
from kameng.payments.services.deciding import give_back_mismatched
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import meetings, without_guard
from tests.concurrency.shop import STAFF, Shop, connect_gateway, count, fresh, notify, refund
from tests.payments.shorting import ask, first_of, let_time_pass, open_rest, pay_short

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
SALES = "select count(*) from ledger_transfer where code = 30"
SENT_BACK = "select coalesce(sum(amount), 0)::bigint from payments_gatewayrefund"
ROUNDS = 3


@pytest.fixture
def ways(shop: Shop) -> list[PayChoice]:
    """Three gateways of the main site."""
    assert shop.site.parent is not None
    return [shop.choice, *(connect_gateway(shop.site.parent) for _ in range(2))]


def begin(shop: Shop, way: PayChoice) -> tuple[PlacedOrder, Payment, Payment]:
    """Pay an order short, ask for the rest and open an attempt: order, first part, rest."""
    placed = pay_short(shop, None)
    ask(shop, placed)
    return placed, first_of(shop, placed), open_rest(shop, placed, way)


def accept(shop: Shop, payment: Payment) -> object:
    with site_scope(shop.site.id):
        return accept_short(payment_id=payment.id, reason="算了", actor=STAFF)


def give_back(shop: Shop, payment: Payment) -> object:
    with site_scope(shop.site.id):
        return give_back_mismatched(payment_id=payment.id, reason="退", actor=STAFF)


def state_of(shop: Shop, payment: Payment) -> int:
    with site_scope(shop.site.id):
        return int(Shortfall.objects.get(payment_id=payment.id).state)


def test_the_rest_paid_at_three_gateways_at_once_counts_once(
    shop: Shop, ways: list[PayChoice], run_parallel: Parallel
) -> None:
    for _round in range(ROUNDS):
        placed, first, rest = begin(shop, ways[0])
        rests = [rest, *(open_rest(shop, placed, way) for way in ways[1:])]
        before = count(SENT_BACK)

        run_parallel(12, lambda i, rests=rests: notify(shop, rests[i % 3]))

        assert fresh(shop, placed).state == State.DELIVERED
        assert fresh(shop, placed).first_payment_id == first.id
        assert count(SENT_BACK) - before == 2 * rest.amount
        assert state_of(shop, first) == ShortfallState.PAID
    assert count(SALES) == ROUNDS


def test_control_without_its_guards_the_rest_counts_twice(
    wrecked_db: None, shop: Shop, ways: list[PayChoice]
) -> None:
    """Whoever comes second finds the order paid and the first part spoken for: two guards."""
    placed, _first, rest = begin(shop, ways[0])
    second = open_rest(shop, placed, ways[1])

    with (
        without_guard("orders_settle", ("o.state not in (1, 4, 5)", "false")),
        without_guard("payments_terms_of", ("f.state = 4 and", "")),
    ):
        for payment in (rest, second):
            notify(shop, payment)

    assert count(SALES) == 2
    assert find_breaches() != []


@pytest.mark.parametrize("act", [accept, give_back])
def test_the_rest_against_what_staff_decide(
    act: Callable[[Shop, Payment], object],
    shop: Shop,
    ways: list[PayChoice],
    run_parallel: Parallel,
) -> None:
    seen: Counter[str] = Counter()
    for _round in range(6):
        placed, first, rest = begin(shop, ways[1])

        def race(index: int, first: Payment = first, rest: Payment = rest) -> object:
            return notify(shop, rest) if index % 2 else act(shop, first)

        run_parallel(4, race)

        found = fresh(shop, placed)
        joined = found.first_payment_id == first.id
        seen["joined" if joined else "decided"] += 1
        assert state_of(shop, first) == (ShortfallState.PAID if joined else ShortfallState.ENDED)
        alone = State.DELIVERED if act is accept else State.AWAITING_PAYMENT
        assert found.state == (State.DELIVERED if joined else alone)
    assert find_breaches() == []
    assert seen.total() == 6


def test_the_rest_against_its_expiry(
    shop: Shop, ways: list[PayChoice], run_parallel: Parallel
) -> None:
    for _round in range(6):
        placed, first, rest = begin(shop, ways[1])
        let_time_pass(shop)

        run_parallel(4, lambda i, rest=rest: notify(shop, rest) if i % 2 else end_shortfalls())

        joined = fresh(shop, placed).first_payment_id == first.id
        assert state_of(shop, first) == (ShortfallState.PAID if joined else ShortfallState.EXPIRED)
        assert fresh(shop, placed).state == (State.DELIVERED if joined else State.AWAITING_PAYMENT)
    assert find_breaches() == []


@pytest.mark.parametrize("way", ["staff", "expiry"])
def test_control_without_the_lock_on_the_first_part_it_pays_and_goes_back(
    way: str,
    wrecked_db: None,
    shop: Shop,
    ways: list[PayChoice],
    run_parallel: Parallel,
) -> None:
    """The confirmation has seen the first part; before it counts it, that goes back."""
    placed, first, rest = begin(shop, ways[1])
    let_time_pass(shop)
    gone = "select exists (select 1 from payments_gatewayrefund)"
    join = "perform payments_join(v_first);"
    waiting = f"perform test_meet(2); perform test_await('{gone}'); {join}"

    def race(index: int) -> object:
        if index:
            return notify(shop, rest)
        with connection.cursor() as cursor:
            cursor.execute("select test_meet(2)")
        return give_back(shop, first) if way == "staff" else end_shortfalls()

    with (
        meetings(),
        without_guard("payments_confirm", ("perform payments_lock_waiting(p.completes_id);", "")),
        without_guard("orders_settle", (join, waiting)),
    ):
        run_parallel(2, race)

    assert fresh(shop, placed).state == State.DELIVERED
    assert count(SENT_BACK) == first.received_amount
    assert find_breaches() != []


def test_refunds_of_both_payments_at_once_are_one_refund(
    shop: Shop, ways: list[PayChoice], run_parallel: Parallel
) -> None:
    placed, _first, rest = begin(shop, ways[1])
    late = open_rest(shop, placed, ways[2])
    notify(shop, rest)

    run_parallel(
        12, lambda i: notify(shop, late) if i % 3 == 0 else refund(shop, placed, key=f"r{i}")
    )

    total = fresh(shop, placed).total_amount
    assert fresh(shop, placed).refunded_amount == total
    assert count(SENT_BACK) == total + late.amount
    assert find_breaches() == []
