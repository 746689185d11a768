"""Dashboards: each figure by hand, from roll-ups, from the orders, and from both together."""

import contextlib
import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kameng.core import clock, database
from kameng.insight.customers import summarize_customers
from kameng.insight.dashboard import Dashboard, forget_figures, read_dashboard
from kameng.insight.facts import Facts
from kameng.insight.order_search import OrderSearch, count_orders, list_last_sales
from kameng.insight.periods import choose_period
from kameng.insight.ranking import find_outliers, rank_sites
from kameng.insight.services.rolling import mark_changed, roll_up
from kameng.orders.models import Order
from kameng.tenancy.models import Site
from kameng.tenancy.scoping import platform_scope
from kameng.tenancy.selectors import get_site_view, site_scope
from tests.concurrency.shop import Shop, notify, open_shop, order, payment_of, refund
from tests.factories import fund_wallet, make_customer
from tests.people import Buyer

YUAN = 10_000
SHANGHAI = dt.timezone(dt.timedelta(hours=8))
NOW = dt.datetime(2026, 3, 10, 15, 30, tzinfo=SHANGHAI)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    forget_figures()
    yield
    forget_figures()


@pytest.fixture
def shop(main_site: Site, site_a: Site) -> Shop:
    return open_shop(main_site, site_a, keys=80)


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def move(order_id: int, moment: dt.datetime) -> None:
    with platform_scope("test"):
        rows = Order.unscoped.filter(id=order_id)
        rows.update(placed_at=moment)
        rows.filter(paid_at__isnull=False).update(paid_at=moment)
        rows.filter(delivered_at__isnull=False).update(delivered_at=moment)


def board(site: Site, code: str = "7", *, is_all: bool = False, **own: Any) -> Dashboard:
    """The dashboard of a site as it is at `NOW`."""
    forget_figures()
    period = choose_period(code, today=NOW.date(), **own)
    with site_scope(site.id) as view:
        return read_dashboard(view, period=period, now=NOW, is_all=is_all)


def tell(shop: Shop, mei: Buyer) -> dict[str, int]:
    """A golden fortnight: who bought what, and when.

    Before (25 Feb to 3 Mar): Mei once. In the seven days (4 to 10 Mar): Mei on the 4th and twice on
    the 7th, Bo for the first time on the 9th, a guest at noon of the 10th; one more waits to pay.
    """
    bo = make_customer(shop.site)
    for who in (mei.customer, bo):
        fund_wallet(who, 1000 * YUAN)
    wishes: list[tuple[str, Any, int, str]] = [
        ("early", mei.customer, 1, "2026-02-26 10:00"),
        ("fourth", mei.customer, 2, "2026-03-04 00:00"),
        ("seventh", mei.customer, 1, "2026-03-07 09:10"),
        ("again", mei.customer, 3, "2026-03-07 21:59"),
        ("bo", bo, 1, "2026-03-09 23:59"),
    ]
    ids = {}
    for name, who, quantity, moment in wishes:
        placed = order(shop, customer=who, by_wallet=True, quantity=quantity)
        ids[name] = placed.order_id
        if name == "again":
            refund(shop, placed, key="k" * 16, amount=30 * YUAN, to_wallet=True)
        move(placed.order_id, at(moment))
    guest = order(shop)
    notify(shop, payment_of(shop, guest))
    move(guest.order_id, at("2026-03-10 12:00"))
    ids["guest"] = guest.order_id
    move(order(shop).order_id, at("2026-03-10 12:30"))
    return ids


@contextlib.contextmanager
def counted() -> Iterator[list[str]]:
    """Collect every statement, those that pass Django by (core.database) included."""
    calls: list[str] = []
    real = database._run

    def run(sql: str, params: Any, *, scoped: bool) -> Any:
        calls.append(sql)
        return real(sql, params, scoped=scoped)

    with pytest.MonkeyPatch.context() as patch, CaptureQueriesContext(connection) as queries:
        patch.setattr(database, "_run", run)
        yield calls
        calls += [each["sql"] for each in queries.captured_queries]


EXPECTED = Facts(
    order_count=5,
    piece_count=8,
    revenue_amount=80 * YUAN,
    refunded_amount=30 * YUAN,
    refund_count=1,
    delivered_count=5,
    # 8 × 0.10 less the gateway's 0.06 and the margin of what went back
    margin_amount=8_000 - 600 - 3_000,
    income_amount=8 * 99_000 - 297_000,
    placed_count=6,
    buyer_count=3,
    guest_count=1,
    new_count=2,
    repeat_count=1,
    buyer_day_count=4,
)


def check_golden(found: Facts) -> None:
    assert found == EXPECTED
    assert found.net_amount == 50 * YUAN
    assert found.average_amount == 10 * YUAN
    assert found.arpu_amount == 166_600  # 50 / 3, whole fen
    assert found.repeat_bps == 3333
    assert found.refund_bps == 3750
    assert found.returning_count == 1
    assert found.conversion_bps is None  # no visit was recorded


@pytest.mark.parametrize(
    "rolled_until", ["", "2026-03-07 10:30", "2026-03-08 00:40", "2026-03-10 15:30"]
)
def test_golden_week_wherever_the_roll_up_stands(
    shop: Shop, mei: Buyer, monkeypatch: pytest.MonkeyPatch, rolled_until: str
) -> None:
    tell(shop, mei)
    if rolled_until:
        monkeypatch.setattr(clock, "now", lambda: at(rolled_until))
        roll_up()

    found = board(shop.site)

    check_golden(found.facts)
    assert (found.before.order_count, found.before.buyer_count) == (1, 1)
    assert [point.facts.order_count for point in found.points] == [1, 0, 0, 2, 0, 1, 1]
    assert sum(point.facts.net_amount for point in found.points) == 50 * YUAN
    assert [(each.order_count, each.piece_count, each.net_amount) for each in found.goods] == [
        (5, 8, 50 * YUAN)
    ]


def test_main_site_counts_its_income_over_all_shops(
    shop: Shop, mei: Buyer, main_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(shop, mei)
    monkeypatch.setattr(clock, "now", lambda: at("2026-03-09 12:00"))
    roll_up()

    everything = board(main_site, is_all=True).facts
    own = board(main_site).facts

    # wholesale 9.90 a piece, what was refunded taken off; five pieces stay out at 9.00
    assert everything.order_count == 5
    assert everything.cost_amount == 5 * 9 * YUAN
    assert everything.profit_amount == 8 * 99_000 - 297_000 - 450_000
    assert everything.buyer_count == 3
    assert own == Facts()


def test_a_sub_site_never_sees_all(shop: Shop, mei: Buyer, site_b: Site) -> None:
    tell(shop, mei)

    assert board(site_b, is_all=True).facts == Facts()


def test_today_is_compared_up_to_the_same_time(shop: Shop, mei: Buyer) -> None:
    fund_wallet(mei.customer, 1000 * YUAN)
    for moment in ("2026-03-10 09:00", "2026-03-09 15:29", "2026-03-09 15:31", "2026-03-03 15:00"):
        move(order(shop, customer=mei.customer, by_wallet=True).order_id, at(moment))
    roll_up()

    found = board(shop.site, "today")

    assert found.facts.order_count == 1
    assert (found.before.order_count, found.before.buyer_count) == (1, 1)
    assert found.last_week is not None
    assert found.last_week.order_count == 1
    assert [point.hour for point in found.points if point.facts.order_count] == [9]


def test_every_figure_leads_to_as_many_orders(shop: Shop, mei: Buyer) -> None:
    tell(shop, mei)
    facts = board(shop.site).facts
    zone = get_site_view(shop.site.id).settings.zone
    since = dt.datetime(2026, 3, 4, tzinfo=zone)
    paid = {"site_id": shop.site.id, "paid_from": since, "paid_until": NOW}

    with site_scope(shop.site.id):
        counts = {
            trait: count_orders(OrderSearch(trait=trait, **paid), most=100)
            for trait in ("", "refunded", "delivered", "guest")
        }
        placed = OrderSearch(site_id=shop.site.id, placed_from=since, placed_until=NOW)
        placed_count = count_orders(placed, most=100)

    assert counts[""] == facts.order_count
    assert counts["refunded"] == facts.refund_count
    assert counts["delivered"] == facts.delivered_count
    assert counts["guest"] == 1
    assert placed_count == facts.placed_count


def test_long_periods_use_months_and_agree_with_days(shop: Shop, mei: Buyer) -> None:
    fund_wallet(mei.customer, 1000 * YUAN)
    for moment in ("2025-11-30 23:59", "2025-12-01 00:00", "2026-01-15 12:00", "2026-03-09 12:00"):
        move(order(shop, customer=mei.customer, by_wallet=True).order_id, at(moment))
    roll_up()

    long = board(shop.site, "own", first=dt.date(2025, 11, 30), last=dt.date(2026, 3, 10))
    inner = board(shop.site, "own", first=dt.date(2025, 12, 1), last=dt.date(2026, 3, 8))

    assert long.period.step == "month"
    assert [point.facts.order_count for point in long.points] == [1, 1, 1, 0, 1]
    assert (long.facts.order_count, long.facts.buyer_count, long.facts.repeat_count) == (4, 1, 1)
    assert (inner.facts.order_count, inner.facts.new_count) == (2, 0)
    assert inner.facts.returning_count == 1


def test_a_late_refund_changes_the_day_of_the_order(shop: Shop, mei: Buyer) -> None:
    fund_wallet(mei.customer, 1000 * YUAN)
    placed = order(shop, customer=mei.customer, by_wallet=True)
    move(placed.order_id, at("2026-03-05 12:00"))
    roll_up()
    before = board(shop.site).facts
    refund(shop, placed, key="k" * 16, amount=4 * YUAN, to_wallet=True)
    mark_changed([placed.order_id])
    roll_up()

    after = board(shop.site).facts

    assert (before.net_amount, after.net_amount) == (10 * YUAN, 6 * YUAN)
    assert (before.refund_bps, after.refund_bps) == (0, 4000)


def test_one_page_asks_so_many_queries(shop: Shop, mei: Buyer) -> None:
    """Mark twice; days: sums, buyers, goods with the cost of own ones, sources with words, drawing;
    the same before, less sources; and for the later what is not rolled up, as it reaches to now.
    """
    tell(shop, mei)
    roll_up()
    forget_figures()
    period = choose_period("7", today=NOW.date())

    with site_scope(shop.site.id) as view, counted() as calls:
        read_dashboard(view, period=period, now=NOW)

    assert len(calls) == 14


def test_ranking_and_outliers_of_the_shops(shop: Shop, mei: Buyer, main_site: Site) -> None:
    fund_wallet(mei.customer, 10_000 * YUAN)
    for day in range(1, 20):
        placed = order(shop, customer=mei.customer, by_wallet=True)
        move(placed.order_id, at("2026-03-09 10:00") - dt.timedelta(days=day))
    for _ in range(9):
        move(order(shop, customer=mei.customer, by_wallet=True).order_id, at("2026-03-09 10:00"))
    roll_up()

    with site_scope(main_site.id) as view:
        period = choose_period("7", today=NOW.date())
        ranks = rank_sites(view, period=period, now=NOW, sort="net")
        outliers = find_outliers(view, today=NOW.date())

    assert [(rank.site.id, rank.facts.order_count) for rank in ranks] == [(shop.site.id, 14)]
    assert ranks[0].days[-2] == 90 * YUAN
    assert {(each.field, each.value, each.usual) for each in outliers} == {
        ("net_amount", 90 * YUAN, 10 * YUAN),
        ("order_count", 9, 1),
    }


def test_last_sales_leave_out_what_is_unpaid(shop: Shop, mei: Buyer) -> None:
    tell(shop, mei)

    with site_scope(shop.site.id):
        assert len(list_last_sales()) == 6


def test_customers_are_summed_after_refunds(shop: Shop, mei: Buyer) -> None:
    idle = make_customer(shop.site)
    fund_wallet(mei.customer, 100 * YUAN)
    placed = order(shop, customer=mei.customer, by_wallet=True, quantity=2)
    refund(shop, placed, key="k" * 16, amount=5 * YUAN, to_wallet=True)

    with site_scope(shop.site.id):
        found = summarize_customers([mei.customer.id, idle.id])

    assert (found[mei.customer.id].order_count, found[mei.customer.id].spent_amount) == (
        1,
        15 * YUAN,
    )
    assert (found[idle.id].order_count, found[idle.id].last_paid_at) == (0, None)
