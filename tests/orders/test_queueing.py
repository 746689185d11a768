"""The queue of manual deliveries: each order to one person, the longest waiting first."""

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from kameng.catalog.selectors import forget_catalogues
from kameng.core import clock
from kameng.core.audit import Actor
from kameng.orders.models import Note, Order
from kameng.orders.services import queueing
from kameng.orders.services.delivering import deliver_by_hand
from kameng.orders.services.queueing import HOLD, take_next_order
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import Meeting
from tests.concurrency.shop import Shop, connect_gateway, order
from tests.factories import fund_wallet, make_customer, make_product, make_variant

PEOPLE = 6


def actor(name: str) -> Actor:
    return Actor(kind="user", actor_id=1, name=name)


@pytest.fixture
def waiting(main_site: Site, site_a: Site) -> list[int]:
    """Orders of a service, paid, oldest first."""
    forget_catalogues()
    variant = make_variant(make_product(main_site, delivery_kind=2))
    shop = Shop(site=site_a, variant=variant, choice=connect_gateway(main_site))
    buyer = make_customer(site_a)
    fund_wallet(buyer, 10_000_000)
    placed = [order(shop, customer=buyer, by_wallet=True) for _ in range(PEOPLE)]
    with site_scope(site_a.id):
        for number, each in enumerate(placed):
            when = clock.now() - dt.timedelta(minutes=PEOPLE - number)
            Order.objects.filter(id=each.order_id).update(paid_at=when)
    return [each.order_id for each in placed]


def take(site: Site, name: str) -> int | None:
    with site_scope(site.id):
        taken = take_next_order(actor=actor(name))
    return taken.id if taken else None


def test_longest_waiting_comes_first_and_each_once(site_a: Site, waiting: list[int]) -> None:
    assert take(site_a, "Kim") == waiting[0]
    assert take(site_a, "Lin") == waiting[1]
    assert take(site_a, "Kim") == waiting[0]  # not done yet: the same again


def test_forgotten_order_comes_back_after_a_while(site_a: Site, waiting: list[int]) -> None:
    take(site_a, "Kim")
    with site_scope(site_a.id):
        Note.objects.filter(kind="taken").update(created_at=clock.now() - HOLD)

    assert take(site_a, "Lin") == waiting[0]


def test_delivered_order_leaves_the_queue(site_a: Site, waiting: list[int]) -> None:
    with site_scope(site_a.id):
        deliver_by_hand(order_id=waiting[0], content="已充值", actor=actor("Kim"))

    assert take(site_a, "Kim") == waiting[1]


def test_another_sites_queue_is_its_own(site_b: Site, waiting: list[int]) -> None:
    assert take(site_b, "Wei") is None


RunParallel = Callable[[int, Callable[[int], Any]], list[Any]]


def take_together(site: Site, run_parallel: RunParallel) -> list[Any]:
    return run_parallel(PEOPLE, lambda index: take(site, f"person {index}"))


def test_people_at_the_same_moment_get_different_orders(
    run_parallel: RunParallel, site_a: Site, waiting: list[int]
) -> None:
    assert sorted(take_together(site_a, run_parallel)) == waiting


def test_without_the_lock_two_people_get_the_same_order(
    run_parallel: RunParallel,
    site_a: Site,
    waiting: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    all_chose, two_have_looked = Meeting(PEOPLE), Meeting(2)
    held = queueing.list_holders

    def look_then_meet(order_ids: Sequence[int]) -> dict[int, str]:
        holders = held(order_ids)
        (all_chose if len(order_ids) > 1 else two_have_looked).arrive()
        return holders

    monkeypatch.setattr(queueing, "lock_order", lambda order_id: Order.objects.get(id=order_id))
    monkeypatch.setattr(queueing, "list_holders", look_then_meet)

    assert len(set(take_together(site_a, run_parallel))) < PEOPLE
