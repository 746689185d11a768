"""What child sites bring their upline: part of its profit, on its own clock, rolled up or not."""

import datetime as dt
from collections.abc import Iterator

import pytest

from kameng.catalog.models import Variant
from kameng.config.audit import find_breaches
from kameng.core.scope import platform_scope
from kameng.insight.dashboard import Dashboard, forget_figures, read_dashboard
from kameng.insight.models import SalesTotal
from kameng.insight.periods import choose_period
from kameng.insight.ranking import rank_sites
from kameng.insight.services.rolling import mark_changed, roll_up, roll_up_anew
from kameng.orders.models import Order
from kameng.orders.services.placing import PlacedOrder
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, site_scope
from kameng.tenancy.services import bump_catalogue_version, change_settings
from tests.concurrency.shop import (
    STAFF,
    Shop,
    make_buyers,
    notify,
    open_shop,
    order,
    payment_of,
    refund,
)
from tests.factories import make_child
from tests.orders.test_children import ask

PRICE, WHOLESALE, ASKED = 130_000, 99_000, 108_900
PART = ASKED - WHOLESALE
SHANGHAI = dt.timezone(dt.timedelta(hours=8))
NOW = dt.datetime(2026, 3, 10, 15, 30, tzinfo=SHANGHAI)
NOON = dt.datetime(2026, 3, 9, 12, 0, tzinfo=SHANGHAI)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    forget_figures()
    yield
    forget_figures()


@pytest.fixture
def child(main_site: Site, site_a: Site) -> Site:
    return make_child(site_a, slug="child-a", host="child.localhost", terms=(1000, 0))


@pytest.fixture
def below(main_site: Site, child: Site) -> Shop:
    """The child sells one variant of the main site at 13 yuan; its upline gets 0.99 of it."""
    shop = open_shop(main_site, child, keys=20)
    with platform_scope("test"):
        Variant.unscoped.filter(id=shop.variant.id).update(list_amount=PRICE)
    return shop


def sell(shop: Shop, moment: dt.datetime, *, quantity: int = 1) -> PlacedOrder:
    """Sell something by wallet at a moment."""
    (buyer,) = make_buyers(shop.site, 1, amount=quantity * PRICE)
    placed = order(shop, customer=buyer, by_wallet=True, quantity=quantity)
    with platform_scope("test"):
        Order.unscoped.filter(id=placed.order_id).update(
            placed_at=moment, paid_at=moment, delivered_at=moment
        )
    return placed


def board(site: Site, code: str = "7", *, is_all: bool = False) -> Dashboard:
    forget_figures()
    period = choose_period(code, today=NOW.date())
    with site_scope(site.id) as view:
        return read_dashboard(view, period=period, now=NOW, is_all=is_all)


@pytest.mark.parametrize("is_rolled", [True, False])
def test_an_upline_earns_its_part_and_nobody_counts_the_sale_twice(
    below: Shop, site_a: Site, main_site: Site, is_rolled: bool
) -> None:
    sell(below, NOON, quantity=2)
    if is_rolled:
        roll_up()

    upline, child, everything = board(site_a), board(below.site), board(main_site, is_all=True)

    assert (upline.facts.below_amount, upline.facts.kept_amount) == (2 * PART, 2 * PART)
    assert (upline.facts.order_count, upline.facts.margin_amount) == (0, 0)
    assert (child.facts.below_amount, child.facts.kept_amount) == (0, 2 * (PRICE - ASKED))
    assert everything.facts.order_count == 1
    assert everything.facts.income_amount == 2 * WHOLESALE
    assert [p.facts.below_amount for p in upline.points if p.facts.below_amount] == [2 * PART]


def test_a_refund_takes_the_part_back_on_both_days(below: Shop, site_a: Site) -> None:
    placed = sell(below, NOON)
    roll_up()
    assert board(site_a).facts.below_amount == PART
    refund(below, placed, key="k" * 16, to_wallet=True)

    marked = mark_changed([placed.order_id])
    roll_up()

    assert marked == 2
    assert board(site_a).facts.below_amount == 0
    assert board(below.site).facts.margin_amount == 0
    assert not find_breaches()


def test_the_part_belongs_to_the_day_of_the_uplines_clock(below: Shop, site_a: Site) -> None:
    with platform_scope("test"):
        change_settings(site_id=site_a.id, changes={"timezone": "Asia/Tokyo"}, actor=STAFF)
    sell(below, dt.datetime(2026, 3, 8, 23, 30, tzinfo=SHANGHAI))  # half past midnight in Tokyo
    roll_up()

    with platform_scope("test"):
        days = dict(
            SalesTotal.unscoped.filter(
                site_id__in=[site_a.id, below.site.id], span=1, grain=1
            ).values_list("site_id", "day")
        )
    assert days == {site_a.id: dt.date(2026, 3, 9), below.site.id: dt.date(2026, 3, 8)}


def test_a_fee_above_what_the_others_get_is_the_uplines(below: Shop, site_a: Site) -> None:
    with platform_scope("test"):
        Variant.unscoped.filter(id=below.variant.id).update(cost_amount=0, list_amount=100)
    ask(below.site, markup_bps=0, minimum_amount=PRICE)
    bump_catalogue_version(below.site.parent_id or 0)
    placed = order(below, customer=make_buyers(below.site, 1, amount=0)[0])
    notify(below, payment_of(below, placed))
    with platform_scope("test"):
        rows = Order.unscoped.filter(id=placed.order_id)
        rows.update(placed_at=NOON, paid_at=NOON, delivered_at=NOON)
        fee = rows.get().fee_amount
    roll_up()

    assert fee > 0
    assert board(site_a).facts.below_amount == PRICE - fee


def test_ranking_does_not_count_what_came_from_below_as_sales(
    below: Shop, site_a: Site, main_site: Site
) -> None:
    sell(below, NOW - dt.timedelta(minutes=5))
    period = choose_period("today", today=NOW.date())

    ranks = rank_sites(get_site_view(main_site.id), period=period, now=NOW, sort="net")

    assert [(rank.site.id, rank.facts.order_count) for rank in ranks] == [(below.site.id, 1)]


def test_counting_anew_comes_to_the_same(below: Shop, site_a: Site) -> None:
    for hours in (0, 5, 30):
        sell(below, NOON - dt.timedelta(hours=hours))
    roll_up()
    first = board(site_a).facts
    roll_up_anew()

    assert board(site_a).facts == first
    assert first.below_amount == 3 * PART
