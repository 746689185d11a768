"""Parallel openings at one account: together never more than its daily cap, each counted once."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from kameng.payments import store
from kameng.payments.models import Gateway, GatewayDay, Payment
from kameng.payments.rules import BeginOutcome
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import meetings, without_guard
from tests.concurrency.shop import Shop, open_shop, order, payment_of

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
DAY = dt.date(2026, 11, 27)
CAP = 300_000  # three orders of ten yuan
BUYERS = 8
CLAIM = (
    """             where d.opened_amount + excluded.opened_amount <= cap
        returning""",
    "        returning",
)
LOOK_FIRST = (
    "        insert into payments_gatewayday as d",
    """        if coalesce((select opened_amount from payments_gatewayday
                      where gateway_id = p.gateway_id and day = p_day), 0) + p.amount > cap then
            return 1;
        end if;
        perform test_meet(8);
        insert into payments_gatewayday as d""",
)
LOCK = (
    """    select * into p from payments_payment where id = p_payment for no key update;
    if not found or p.state <> 1 then""",
    """    select * into p from payments_payment where id = p_payment;
    perform test_meet(8);
    if not found or p.state <> 1 then""",
)


@pytest.fixture
def shop(any_db: None, main_site: Site, site_a: Site) -> Shop:
    """A shop whose account takes three orders a day."""
    made = open_shop(main_site, site_a, keys=BUYERS)
    with site_scope(main_site.id):
        Gateway.objects.filter(id=made.choice.gateway_id).update(daily_cap_amount=CAP)
    return made


def place(shop: Shop, number: int) -> list[Payment]:
    return [payment_of(shop, order(shop)) for _number in range(number)]


def begin(shop: Shop, payment: Payment) -> BeginOutcome:
    with site_scope(shop.site.id):
        return store.begin(payment.id, day=DAY)


def opened(shop: Shop) -> tuple[int, int]:
    with site_scope(shop.site.id):  # the main site's days are read from below, as its gateways
        day = GatewayDay.objects.get(gateway_id=shop.choice.gateway_id, day=DAY)
    return day.opened_amount, day.opened_count


def test_parallel_openings_stay_within_the_cap(shop: Shop, run_parallel: Parallel) -> None:
    payments = place(shop, BUYERS)

    outcomes = run_parallel(BUYERS, lambda index: begin(shop, payments[index]))

    assert outcomes.count(BeginOutcome.GO_ON) == 3
    assert outcomes.count(BeginOutcome.CAP_FULL) == BUYERS - 3
    assert opened(shop) == (CAP, 3)


def test_control_who_looks_before_claiming_goes_over_the_cap(
    wrecked_db: None, shop: Shop, run_parallel: Parallel
) -> None:
    payments = place(shop, BUYERS)

    with meetings(), without_guard("payments_begin", CLAIM, LOOK_FIRST):
        run_parallel(BUYERS, lambda index: begin(shop, payments[index]))

    assert opened(shop)[0] > CAP


def test_one_payment_that_is_opened_at_once_is_counted_once(
    shop: Shop, run_parallel: Parallel
) -> None:
    (payment,) = place(shop, 1)

    outcomes = run_parallel(BUYERS, lambda _index: begin(shop, payment))

    assert set(outcomes) == {BeginOutcome.GO_ON}
    assert opened(shop) == (100_000, 1)


def test_control_without_its_lock_a_payment_is_counted_again(
    wrecked_db: None, shop: Shop, run_parallel: Parallel
) -> None:
    (payment,) = place(shop, 1)

    with meetings(), without_guard("payments_begin", LOCK):
        run_parallel(BUYERS, lambda _index: begin(shop, payment))

    assert opened(shop)[1] > 1
