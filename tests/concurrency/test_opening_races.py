"""Opening and prolonging a site, many at the same moment, and cut off at every single place.

Each guard has its negative control: without it, the same race goes wrong.
"""

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest

from kameng.orders.errors import FreeOnce
from kameng.orders.models import PurchaseAct, SitePurchase
from kameng.orders.rules import State
from kameng.orders.services import buying_plans, opening
from kameng.orders.services.buying_plans import order_shop
from kameng.orders.services.opening import carry_out
from kameng.orders.services.placing import PlacedOrder
from kameng.tenancy import store
from kameng.tenancy.errors import SlugTaken
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.cutting import cut_everywhere
from tests.concurrency.guards import Meeting
from tests.concurrency.shop import Shop, connect_gateway, count, notify
from tests.orders.test_free_plans import give, guest, open_free
from tests.orders.test_plan_refunds import give_back
from tests.parallel import run_together
from tests.plan_shop import (
    PlanShop,
    buy_shop,
    checkout_of,
    fulfil,
    new_shop,
    open_plan_shop,
    order_of,
    payment_of,
    place_shop,
    place_term,
    rich_buyer,
    terms_of,
)

TOGETHER = 12
ROUNDS = 6
TERMS = "select count(*) from tenancy_siteterm where order_id = %s"
SITES = "select count(*) from tenancy_site where slug = %s"
_slugs = (f"race-{number}" for number in itertools.count(1))


@pytest.fixture
def plans(main_site: Site) -> PlanShop:
    """Plans on sale, with real commits."""
    return open_plan_shop(main_site)


def order_together(plans: PlanShop, slug: str) -> list[Any]:
    """Let many buyers order a shop under one address at the same moment, from their wallets."""
    buyers = [rich_buyer(plans) for _ in range(TOGETHER)]
    checkouts = [checkout_of(plans, plans.month, customer=buyer) for buyer in buyers]

    def order(index: int) -> PlacedOrder:
        wished = new_shop(slug, owner_login=f"{slug}-{index}@example.com")
        with site_scope(plans.main.id):
            return order_shop(checkouts[index], shop=wished)

    return run_together(TOGETHER, order)


def test_of_many_buyers_one_gets_the_address(committed_db: None, plans: PlanShop) -> None:
    for _round in range(ROUNDS):
        slug = next(_slugs)
        outcomes = order_together(plans, slug)

        won = [each for each in outcomes if isinstance(each, PlacedOrder)]
        assert len(won) == 1
        assert {type(each) for each in outcomes} == {PlacedOrder, SlugTaken}
        assert fulfil(plans, won[0]).done_at is not None


def test_control_without_the_reservation_many_pay_for_one_address(
    committed_db: None, plans: PlanShop
) -> None:
    slug = next(_slugs)
    with mock.patch.object(store, "hold_slug", return_value=True):
        outcomes = order_together(plans, slug)

    paid = [each for each in outcomes if isinstance(each, PlacedOrder)]
    assert len(paid) > 1
    # Even so nobody's money is lost: one opens, the others wait for a person.
    with mock.patch.object(store, "hold_slug", return_value=True):
        done = [fulfil(plans, each) for each in paid]
    assert sum(each.done_at is not None for each in done) == 1
    assert {each.problem for each in done if each.done_at is None} == {"slug_taken"}


def try_together(plans: PlanShop) -> list[Any]:
    """Let one person order free shops under many addresses at the same moment."""
    trial = give(plans, days=14)
    contact = f"{next(_slugs)}@example.com"
    checkouts = [guest(plans, trial, contact=contact) for _ in range(TOGETHER)]
    slugs = [next(_slugs) for _ in range(TOGETHER)]
    return run_together(TOGETHER, lambda index: open_free(plans, checkouts[index], slugs[index]))


def test_one_person_opens_one_shop_for_nothing(committed_db: None, plans: PlanShop) -> None:
    outcomes = try_together(plans)

    assert [type(each) for each in outcomes].count(PlacedOrder) == 1
    assert {type(each) for each in outcomes} == {PlacedOrder, FreeOnce}
    assert count("select count(*) from orders_freeopening") == 1
    assert count("select count(*) from orders_order where total_amount = 0") == 1


def test_control_without_the_unique_key_one_person_opens_many(
    committed_db: None, plans: PlanShop
) -> None:
    with mock.patch.object(buying_plans, "contact_digest", side_effect=lambda *_: os.urandom(16)):
        outcomes = try_together(plans)

    assert [type(each) for each in outcomes].count(PlacedOrder) > 1


def test_one_order_opens_one_site_however_many_carry_it_out(
    committed_db: None, plans: PlanShop
) -> None:
    for _round in range(ROUNDS):
        slug = next(_slugs)
        placed = place_shop(plans, new_shop(slug))
        outcomes = run_together(TOGETHER, lambda _i, placed=placed: fulfil(plans, placed))

        assert all(isinstance(each, SitePurchase) and each.done_at for each in outcomes), outcomes
        assert count(TERMS, placed.order_id) == count(SITES, slug) == 1


@contextmanager
def without_lock() -> Iterator[None]:
    """Read the order without its lock, and look at the purchase before anybody wrote it."""
    from kameng.orders.models import Order

    def unlocked(order_id: int) -> Any:
        return Order.objects.get(id=order_id)

    with mock.patch.object(opening, "lock_order", unlocked):
        yield


def test_control_without_the_lock_carrying_out_is_tried_twice(
    committed_db: None, plans: PlanShop
) -> None:
    """The unique number of the order on the term then refuses the second: an error, not a gift."""
    refused = 0
    for _round in range(ROUNDS * 2):
        _placed, site = buy_shop(plans)
        placed = place_term(plans, site)
        with without_lock():
            outcomes = run_together(TOGETHER, lambda _i, placed=placed: fulfil(plans, placed))
        refused += sum(isinstance(each, Exception) for each in outcomes)
        assert count(TERMS, placed.order_id) == 1

    assert refused


def test_renewals_of_one_site_at_the_same_moment_all_count(
    committed_db: None, plans: PlanShop
) -> None:
    for _round in range(ROUNDS):
        _placed, site = buy_shop(plans)
        orders = [place_term(plans, site) for _ in range(4)]
        outcomes = run_together(4, lambda i, orders=orders: fulfil(plans, orders[i]))

        assert all(isinstance(each, SitePurchase) and each.done_at for each in outcomes), outcomes
        terms = terms_of(site)
        site.refresh_from_db()
        assert site.expires_at == terms[-1].ends_at
        assert (terms[-1].ends_at - terms[0].starts_at).days == 5 * 30


def test_control_without_the_sites_lock_renewals_are_lost(
    wrecked_db: None, plans: PlanShop
) -> None:
    from kameng.tenancy import terms as module

    lost = 0
    for _round in range(ROUNDS * 2):
        _placed, site = buy_shop(plans)
        orders = [place_term(plans, site) for _ in range(4)]
        with mock.patch.object(module, "lock_site", lambda site_id: Site.objects.get(id=site_id)):
            run_together(4, lambda i, orders=orders: fulfil(plans, orders[i]))
        site.refresh_from_db()
        first = terms_of(site)[0]
        assert site.expires_at is not None
        lost += (site.expires_at - first.starts_at).days < 5 * 30

    assert lost


def renew_and_refund(plans: PlanShop) -> Site:
    """Renew a site of two months and refund one of them at the same moment; return the site."""
    _placed, site = buy_shop(plans)
    second = place_term(plans, site)
    fulfil(plans, second)
    third = place_term(plans, site)
    acts = [lambda: fulfil(plans, third), lambda: give_back(plans, second)]
    outcomes = run_together(2, lambda index: acts[index]())
    assert not any(isinstance(each, Exception) for each in outcomes), outcomes
    site.refresh_from_db()
    return site


def test_a_renewal_and_a_refund_at_the_same_moment_both_count(
    committed_db: None, plans: PlanShop
) -> None:
    for _round in range(ROUNDS):
        site = renew_and_refund(plans)
        first = terms_of(site)[0]
        assert site.expires_at is not None
        assert round((site.expires_at - first.starts_at).total_seconds() / 86_400, 2) == 60


def test_control_without_the_sites_lock_a_renewal_or_a_refund_is_lost(
    wrecked_db: None, plans: PlanShop
) -> None:
    from kameng.tenancy import taking_back
    from kameng.tenancy import terms as module

    meeting = Meeting(2)

    def meet(site_id: int) -> Site:
        site = Site.objects.get(id=site_id)
        meeting.arrive()
        return site

    _placed, site = buy_shop(plans)
    second = place_term(plans, site)
    fulfil(plans, second)
    third = place_term(plans, site)
    acts = [lambda: fulfil(plans, third), lambda: give_back(plans, second)]
    with (
        mock.patch.object(module, "lock_site", meet),
        mock.patch.object(taking_back, "lock_site", meet),
    ):
        run_together(2, lambda index: acts[index]())
    site.refresh_from_db()

    first = terms_of(site)[0]
    assert site.expires_at is not None
    assert round((site.expires_at - first.starts_at).total_seconds() / 86_400, 2) != 60


def test_a_callback_that_comes_many_times_opens_one_site(
    committed_db: None, plans: PlanShop
) -> None:
    choice = connect_gateway(plans.main)
    slug = next(_slugs)
    with site_scope(plans.main.id):
        placed = order_shop(checkout_of(plans, plans.month, choice=choice), shop=new_shop(slug))
    shop = Shop(site=plans.main, variant=plans.month, choice=choice)
    payment = payment_of(plans, placed)

    def come(index: int) -> bool:
        accepted = notify(shop, payment).accepted
        with site_scope(plans.main.id):
            opening.carry_out_due()
        return accepted

    assert run_together(TOGETHER, come) == [True] * TOGETHER
    assert order_of(plans, placed).state == State.DELIVERED
    assert count(TERMS, placed.order_id) == count(SITES, slug) == 1
    assert count("select count(*) from ledger_transfer where code = 30 and reference_id = %s",
                 placed.order_id) == 1  # fmt: skip


@dataclass(kw_only=True)
class Opening:
    """A paid order is carried out by the worker, again and again until it is done."""

    plans: PlanShop
    make: Callable[[], PlacedOrder]

    def __post_init__(self) -> None:
        self.placed = self.make()

    def act(self) -> None:
        with site_scope(self.plans.main.id):
            carry_out(self.placed.order_id)

    def stands(self) -> bool:
        return order_of(self.plans, self.placed).state == State.DELIVERED

    def check(self) -> None:
        assert self.stands()
        assert count(TERMS, self.placed.order_id) == 1
        with site_scope(self.plans.main.id):
            purchase = SitePurchase.objects.get(order_id=self.placed.order_id)
        assert purchase.done_at is not None
        if purchase.act == PurchaseAct.OPEN:
            assert count(SITES, purchase.slug) == 1
            assert count("select count(*) from accounts_siterole where site_id = %s",
                         purchase.target_id) == 1  # fmt: skip
            assert count("select count(*) from tenancy_domain where site_id = %s",
                         purchase.target_id) == 1  # fmt: skip


def test_an_opening_cut_off_anywhere_opens_once(committed_db: None, plans: PlanShop) -> None:
    stood = cut_everywhere(
        lambda: Opening(plans=plans, make=lambda: place_shop(plans, new_shop(template="mint")))
    )

    assert set(stood) == {True, False}


def test_a_renewal_cut_off_anywhere_counts_once(committed_db: None, plans: PlanShop) -> None:
    _placed, site = buy_shop(plans)
    stood = cut_everywhere(lambda: Opening(plans=plans, make=lambda: place_term(plans, site)))

    assert set(stood) == {True, False}


@dataclass(kw_only=True)
class Ordering:
    """A buyer orders a shop from the wallet, and sends the same form again."""

    plans: PlanShop

    def __post_init__(self) -> None:
        self.customer = rich_buyer(self.plans)
        self.slug = next(_slugs)
        self.checkout = checkout_of(self.plans, self.plans.month, customer=self.customer)

    def act(self) -> None:
        with site_scope(self.plans.main.id):
            order_shop(self.checkout, shop=new_shop(self.slug))

    def stands(self) -> bool:
        return self._count() == 1

    def check(self) -> None:
        assert self._count() == 1
        orders = "select count(*) from orders_order where customer_id = %s"
        assert count(orders, self.customer.id) == 1

    def _count(self) -> int:
        return count("select count(*) from orders_sitepurchase where slug = %s", self.slug)


def test_an_order_of_a_shop_cut_off_anywhere_is_placed_once(
    committed_db: None, plans: PlanShop
) -> None:
    stood = cut_everywhere(lambda: Ordering(plans=plans))

    assert set(stood) == {True, False}
