"""Roll-ups: what they hold is what the orders say, whatever changes and whenever."""

import datetime as dt

import pytest

from kameng.core import clock
from kameng.insight import store
from kameng.insight.models import BuyerDay, BuyerTotal, GoodsTotal, SalesTotal
from kameng.insight.services.rolling import mark_changed, roll_up, roll_up_anew
from kameng.orders.models import Order
from kameng.tenancy.models import Site
from kameng.tenancy.scoping import platform_scope
from tests.concurrency.shop import Shop, notify, open_shop, order, payment_of, refund
from tests.factories import fund_wallet, make_customer
from tests.people import Buyer

YUAN = 10_000
SHANGHAI = dt.timezone(dt.timedelta(hours=8))


@pytest.fixture
def shop(main_site: Site, site_a: Site) -> Shop:
    return open_shop(main_site, site_a, keys=60)


def move(order_id: int, at: dt.datetime) -> None:
    """Let an order have been placed and paid at a moment."""
    with platform_scope("test"):
        Order.unscoped.filter(id=order_id).update(placed_at=at)
        Order.unscoped.filter(id=order_id, paid_at__isnull=False).update(paid_at=at)
        Order.unscoped.filter(id=order_id, delivered_at__isnull=False).update(delivered_at=at)


def total(site: Site, *, span: int = 1, grain: int = 1, day: str, hour: int = 0) -> SalesTotal:
    with platform_scope("test"):
        found: SalesTotal = SalesTotal.unscoped.get(
            site_id=site.id, span=span, grain=grain, day=day, hour=hour
        )
        return found


def at(text: str) -> dt.datetime:
    """A moment of Shanghai."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def test_days_end_at_the_sites_midnight(shop: Shop, mei: Buyer, main_site: Site) -> None:
    fund_wallet(mei.customer, 1000 * YUAN)
    late = order(shop, customer=mei.customer, by_wallet=True)
    early = order(shop, customer=mei.customer, by_wallet=True, quantity=2)
    unpaid = order(shop)
    move(late.order_id, at("2026-03-01 23:59:59"))
    move(early.order_id, at("2026-03-02 00:00:00"))
    move(unpaid.order_id, at("2026-03-02 08:15:00"))

    roll_up()

    first, second = total(shop.site, day="2026-03-01"), total(shop.site, day="2026-03-02")
    assert (first.order_count, first.revenue_amount, first.placed_count) == (1, 10 * YUAN, 1)
    assert (second.order_count, second.revenue_amount, second.placed_count) == (1, 20 * YUAN, 2)
    assert total(shop.site, grain=0, day="2026-03-01", hour=23).order_count == 1
    assert total(shop.site, grain=0, day="2026-03-02", hour=0).piece_count == 2
    month = total(main_site, span=2, grain=2, day="2026-03-01")
    assert (month.order_count, month.revenue_amount) == (2, 30 * YUAN)
    # wholesale 9.90 a piece; the margin is the operator's
    assert (month.income_amount, month.margin_amount) == (297_000, 3_000)


def test_a_change_counts_once_however_often_it_is_rolled_up(shop: Shop, mei: Buyer) -> None:
    fund_wallet(mei.customer, 1000 * YUAN)
    placed = order(shop, customer=mei.customer, by_wallet=True)
    move(placed.order_id, at("2026-03-01 12:00:00"))
    roll_up()
    refund(shop, placed, key="k" * 16, amount=5 * YUAN, to_wallet=True)
    before = total(shop.site, day="2026-03-01")

    marked = mark_changed([placed.order_id])
    again = mark_changed([placed.order_id])
    days = roll_up()
    idle = roll_up()

    after = total(shop.site, day="2026-03-01")
    assert (marked, again, days, idle) == (1, 0, 1, 0)
    assert (before.refunded_amount, before.refund_count) == (0, 0)
    assert (after.refunded_amount, after.refund_count, after.margin_amount) == (5 * YUAN, 1, 500)
    assert (after.order_count, after.revenue_amount) == (1, 10 * YUAN)


def test_what_is_not_rolled_up_yet_marks_nothing(shop: Shop, mei: Buyer) -> None:
    fund_wallet(mei.customer, 1000 * YUAN)
    placed = order(shop, customer=mei.customer, by_wallet=True)
    roll_up()

    assert mark_changed([placed.order_id]) == 0


def test_goods_leave_out_what_was_refunded_whole(shop: Shop, mei: Buyer) -> None:
    fund_wallet(mei.customer, 1000 * YUAN)
    kept = order(shop, customer=mei.customer, by_wallet=True, quantity=3)
    back = order(shop, customer=mei.customer, by_wallet=True, quantity=2)
    refund(shop, back, key="k" * 16, amount=20 * YUAN, to_wallet=True)
    for each in (kept, back):
        move(each.order_id, at("2026-03-01 12:00:00"))

    roll_up()

    with platform_scope("test"):
        row = GoodsTotal.unscoped.get(site_id=shop.site.id, span=1, grain=1, day="2026-03-01")
    assert (row.piece_count, row.kept_piece_count) == (5, 3)
    assert (row.revenue_amount, row.refunded_amount) == (50 * YUAN, 20 * YUAN)


def test_buyers_of_a_day_know_their_orders_before(shop: Shop, mei: Buyer) -> None:
    fund_wallet(mei.customer, 1000 * YUAN)
    moments = ("2026-03-01 09:00", "2026-03-01 10:00", "2026-03-04 09:00", "2026-03-07 09:00")
    for moment in moments:
        move(order(shop, customer=mei.customer, by_wallet=True).order_id, at(moment))
    guest = order(shop)
    notify(shop, payment_of(shop, guest))
    move(guest.order_id, at("2026-03-04 11:00"))

    roll_up()

    with platform_scope("test"):
        rows = list(
            BuyerDay.unscoped.filter(is_guest=False)
            .order_by("day")
            .values_list("day", "order_count", "prev_day", "second_day")
        )
        totals = set(
            BuyerTotal.unscoped.filter(
                site_id=shop.site.id, rank=1, grain=1, prev_grain=1
            ).values_list("day", "prev_day", "is_guest", "buyer_count")
        )
    none, day = dt.date(1900, 1, 1), dt.date
    assert rows == [
        (day(2026, 3, 1), 2, none, none),
        (day(2026, 3, 4), 1, day(2026, 3, 1), day(2026, 3, 1)),
        (day(2026, 3, 7), 1, day(2026, 3, 4), day(2026, 3, 1)),
    ]
    assert totals == {
        (day(2026, 3, 1), none, False, 1),
        (day(2026, 3, 4), day(2026, 3, 1), False, 1),
        (day(2026, 3, 4), none, True, 1),
        (day(2026, 3, 7), day(2026, 3, 4), False, 1),
    }


def test_an_order_that_comes_late_goes_between_its_buyers_days(shop: Shop, mei: Buyer) -> None:
    fund_wallet(mei.customer, 1000 * YUAN)
    for moment in ("2026-03-01 09:00", "2026-03-07 09:00"):
        move(order(shop, customer=mei.customer, by_wallet=True).order_id, at(moment))
    roll_up()
    between = order(shop, customer=mei.customer, by_wallet=True)
    move(between.order_id, at("2026-03-04 09:00"))
    mark_changed([between.order_id])

    roll_up()
    grown = sums()
    roll_up_anew()

    assert grown == sums()
    assert any(row[5] == dt.date(2026, 3, 4) for row in grown["buyers"])


def sums() -> dict[str, set[tuple[object, ...]]]:
    """Every roll-up of sales, without the rows that hold nothing."""
    with platform_scope("test"):
        return {
            "buyers": set(
                BuyerTotal.unscoped.exclude(buyer_count=0).values_list(
                    "site_id",
                    "span",
                    "rank",
                    "grain",
                    "prev_grain",
                    "day",
                    "prev_day",
                    "is_guest",
                    "buyer_count",
                )
            ),
            "sales": set(
                SalesTotal.unscoped.exclude(order_count=0, placed_count=0).values_list(
                    "site_id", "span", "grain", "day", "hour", *store.SALES, "placed_count"
                )
            ),
        }


def test_many_small_steps_come_to_the_same_as_one(shop: Shop, mei: Buyer) -> None:
    fund_wallet(mei.customer, 1000 * YUAN)
    other = make_customer(shop.site)
    fund_wallet(other, 1000 * YUAN)
    start = at("2026-02-27 20:00")
    for number in range(12):
        who = mei.customer if number % 3 else other
        placed = order(shop, customer=who, by_wallet=True)
        move(placed.order_id, start + dt.timedelta(hours=7 * number))
    roll_up_anew()
    whole = sums()

    store.begin_anew()
    while store.roll_up(clock.now(), order_count=2)[1]:
        pass

    assert sums() == whole
    assert len(whole["sales"]) > 20


def test_a_site_that_moves_to_another_time_zone_is_counted_anew(shop: Shop, mei: Buyer) -> None:
    fund_wallet(mei.customer, 1000 * YUAN)
    placed = order(shop, customer=mei.customer, by_wallet=True)
    move(placed.order_id, at("2026-03-02 01:00"))
    roll_up()

    Site.objects.filter(id=shop.site.id).update(settings={"timezone": "Europe/Berlin"})
    roll_up()

    assert total(shop.site, day="2026-03-02").order_count == 0
    assert total(shop.site, day="2026-03-01").order_count == 1
    assert total(shop.site, grain=0, day="2026-03-01", hour=18).order_count == 1
