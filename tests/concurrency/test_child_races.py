"""Sales on a child site against what moves its prices, claims of two, deeds cut off anywhere."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from kameng.core.scope import open_scope, platform_scope
from kameng.orders import errors
from kameng.orders.models import Order
from kameng.orders.rules import State
from kameng.orders.services.placing import PlacedOrder
from kameng.payments.providers.port import DisputeStatus
from kameng.settlement.models import Withdrawal
from kameng.tenancy.children import ChildTerms, set_terms
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, scope_of
from tests.concurrency.cutting import cut_everywhere
from tests.concurrency.guards import without_guard
from tests.concurrency.shop import (
    STAFF,
    Shop,
    count,
    fresh,
    make_buyers,
    notify,
    of_kind,
    open_shop,
    order,
    payment_of,
    place,
    price_of,
    refund,
)
from tests.factories import make_child
from tests.orders.test_children import buyer_of, wish_of
from tests.settlement.test_contesting import dispute
from tests.settlement.world import Desk

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
TWENTY = 20
POSTED = (
    "select count(*) from ledger_transfer where reference_kind = 1 and reference_id = %s"
    " and code = %s"
)
# The wholesale price is 9.90; the list price 10.
TERMS = [ChildTerms(markup_bps=0, minimum_amount=50), ChildTerms(markup_bps=0, minimum_amount=90)]


def open_child_shop(main: Site, upline: Site, *, keys: int) -> Shop:
    """Open a child that pays 50 units over its upline's price."""
    return open_shop(main, make_child(upline, terms=(0, 50)), keys=keys)


@pytest.fixture
def below(any_db: None, main_site: Site, site_a: Site) -> Shop:
    """A child of site A with keys for every race."""
    return open_child_shop(main_site, site_a, keys=400)


def change(site: Site, terms: ChildTerms) -> None:
    """Set what a child pays."""
    with platform_scope("a race sets terms"):
        set_terms(site_id=site.id, terms=terms, actor=STAFF)


def test_a_sale_is_at_the_terms_of_its_moment(below: Shop, run_parallel: Parallel) -> None:
    (mei,) = make_buyers(below.site, 1, amount=100 * price_of(below))

    def act(index: int) -> Any:
        if index % 4 == 0:
            change(below.site, TERMS[index % 8 // 4])
            return None
        try:
            return order(below, customer=mei, by_wallet=True)
        except errors.PriceMoved as moved:
            return moved

    outcomes = run_parallel(TWENTY, act)

    placed = of_kind(outcomes, PlacedOrder)
    assert len(placed) + len(of_kind(outcomes, errors.PriceMoved)) == 15
    with platform_scope("a test looks"):
        parts = set(Order.unscoped.values_list("upline_amount", flat=True))
    assert parts <= {50, 90}


def test_control_without_the_version_a_sale_is_at_terms_of_before(
    wrecked_db: None, below: Shop
) -> None:
    (mei,) = make_buyers(below.site, 1, amount=100 * price_of(below))
    stale = get_site_view(below.site.id)
    change(below.site, TERMS[1])

    guard = ("and s.catalogue_version = t.version", "")
    with without_guard("tenancy_fresh", guard), open_scope(scope_of(stale)):
        placed = place(stale, buyer_of(mei), wish_of(below))

    assert fresh(below, placed).upline_amount == 50


def test_two_claims_and_a_dispute_at_once_keep_to_their_own(
    below: Shop, main_site: Site, site_a: Site, run_parallel: Parallel
) -> None:
    """Both payees are locked ascending: nobody waits in a circle, and the audit holds."""
    kid = Desk(shop=below, main=main_site)
    above = Desk(shop=Shop(site=site_a, variant=below.variant, choice=below.choice), main=main_site)
    kid.set_terms()
    change(below.site, ChildTerms(markup_bps=0, minimum_amount=300))
    sold = [kid.sell() for _ in range(3)]
    accounts = {desk.site.id: desk.add_account() for desk in (kid, above)}

    def act(index: int) -> Any:
        if index % 5 == 0:
            kind = DisputeStatus.OPENED if index < 10 else DisputeStatus.LOST
            return dispute(kid, sold[index // 5 % 3], kind, number=f"D{index // 5 % 3}")
        desk = (kid, above)[index % 2]
        return desk.ask(100, accounts[desk.site.id])

    run_parallel(TWENTY, act)

    taken = count("select coalesce(sum(amount), 0) from ledger_transfer where code = 70")
    assert taken == 100 * count("select count(*) from settlement_withdrawal")
    with platform_scope("a test looks"):
        sites = set(Withdrawal.unscoped.values_list("site_id", flat=True))
    assert sites <= {kid.site.id, above.site.id}


@dataclass(kw_only=True)
class Buying:
    """A customer of a child buys from the wallet; repeats with the same key."""

    shop: Shop
    key: str = ""
    placed: list[PlacedOrder] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.customer,) = make_buyers(self.shop.site, 1, amount=2 * price_of(self.shop))
        self.key = f"cut-{self.customer.id}"

    def act(self) -> None:
        self.placed.append(order(self.shop, customer=self.customer, by_wallet=True, key=self.key))

    def stands(self) -> bool:
        return bool(
            count("select count(*) from orders_order where customer_id = %s", self.customer.id)
        )

    def check(self) -> None:
        (order_id,) = {each.order_id for each in self.placed}
        for code in (31, 38, 39):
            assert count(POSTED, order_id, code) == 1
        assert count(POSTED, order_id, 30) == 0


@dataclass(kw_only=True)
class Paying:
    """A gateway says that an order of a child was paid, until it hears yes."""

    shop: Shop

    def __post_init__(self) -> None:
        self.placed = order(self.shop)
        self.payment = payment_of(self.shop, self.placed)

    def act(self) -> None:
        assert notify(self.shop, self.payment).accepted

    def stands(self) -> bool:
        return fresh(self.shop, self.placed).state == State.DELIVERED

    def check(self) -> None:
        for code in (20, 38, 39):
            assert count(POSTED, self.placed.order_id, code) == 1


@dataclass(kw_only=True)
class GivingBack:
    """Staff of a child give a part back to the wallet; the same key gives it once."""

    shop: Shop

    def __post_init__(self) -> None:
        (customer,) = make_buyers(self.shop.site, 1, amount=price_of(self.shop))
        self.placed = order(self.shop, customer=customer, by_wallet=True)

    def act(self) -> None:
        refund(self.shop, self.placed, key="cut", amount=30_000, to_wallet=True)

    def stands(self) -> bool:
        return fresh(self.shop, self.placed).refunded_amount > 0

    def check(self) -> None:
        assert fresh(self.shop, self.placed).refunded_amount == 30_000
        for code in (47, 48, 50):
            assert count(POSTED, self.placed.order_id, code) == 1


@pytest.mark.parametrize("deed", [Buying, Paying, GivingBack])
def test_a_deed_on_a_child_cut_off_anywhere_is_done_once(
    below: Shop, deed: Callable[..., Any]
) -> None:
    stood = cut_everywhere(lambda: deed(shop=below))

    assert set(stood) == {True, False}
