"""Figures of a day: what counts, for whom, and that refunds are taken off."""

import datetime as dt

import pytest

from kameng.core import clock
from kameng.insight.customers import summarize_customers
from kameng.insight.figures import (
    compare_figures,
    forget_figures,
    list_daily_revenue,
    list_last_sales,
    list_top_goods,
    rank_sites,
    read_today,
)
from kameng.orders.models import Order
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, site_scope
from tests.concurrency.shop import Shop, notify, open_shop, order, payment_of, refund
from tests.factories import fund_wallet, make_customer
from tests.people import Buyer

YUAN = 10_000


@pytest.fixture
def shop(main_site: Site, site_a: Site) -> Shop:
    forget_figures()
    return open_shop(main_site, site_a, keys=30)


def later() -> dt.datetime:
    """A moment behind every order of this test, still today."""
    return clock.now() + dt.timedelta(seconds=1)


def sell(shop: Shop, mei: Buyer) -> None:
    """Mei buys two pieces for 20 yuan by wallet, a guest one for 10 by gateway."""
    fund_wallet(mei.customer, 1000 * YUAN)
    order(shop, customer=mei.customer, by_wallet=True, quantity=2)
    notify(shop, payment_of(shop, order(shop)))
    order(shop)  # unpaid: counts nowhere


def test_day_of_a_sub_site(shop: Shop, mei: Buyer) -> None:
    sell(shop, mei)

    with site_scope(shop.site.id) as view:
        today = read_today(view, now=later()).today

    assert (today.order_count, today.revenue_amount, today.buyer_count) == (2, 30 * YUAN, 2)
    # 3 × (10.00 - 9.90) less the gateway's 0.06
    assert today.profit_amount == 2_400
    assert sum(today.hourly.revenue) == 30 * YUAN


def test_day_of_the_main_site_counts_its_income_over_all_sites(
    shop: Shop, mei: Buyer, main_site: Site
) -> None:
    sell(shop, mei)

    with site_scope(main_site.id) as view:
        today = read_today(view, now=later()).today

    assert (today.order_count, today.revenue_amount) == (0, 0)
    # wholesale 3 × 9.90, less the cost of 3 × 9.00
    assert today.profit_amount == 27_000


def test_refund_is_taken_off_part_by_part(shop: Shop, mei: Buyer) -> None:
    fund_wallet(mei.customer, 100 * YUAN)
    placed = order(shop, customer=mei.customer, by_wallet=True)
    refund(shop, placed, key="k" * 16, amount=5 * YUAN, to_wallet=True)

    with site_scope(shop.site.id) as view:
        today = read_today(view, now=later()).today

    assert today.revenue_amount == 5 * YUAN
    assert today.profit_amount == 500
    assert today.order_count == 1


def test_yesterday_at_this_hour_is_the_comparison(shop: Shop, mei: Buyer) -> None:
    fund_wallet(mei.customer, 100 * YUAN)
    early = order(shop, customer=mei.customer, by_wallet=True)
    late = order(shop, customer=mei.customer, by_wallet=True)
    order(shop, customer=mei.customer, by_wallet=True, quantity=3)
    zone = get_site_view(shop.site.id).settings.zone
    noon = clock.now().astimezone(zone).replace(hour=12, minute=0, second=0, microsecond=0)
    with site_scope(shop.site.id) as view:
        Order.objects.filter(paid_at__isnull=False).update(paid_at=noon - dt.timedelta(hours=1))
        for placed, hours in ((early, 25), (late, 23)):
            when = noon - dt.timedelta(hours=hours)
            Order.objects.filter(id=placed.order_id).update(paid_at=when)

        days = read_today(view, now=noon)

    assert days.today.order_count == 1
    assert days.yesterday.order_count == 1  # the one after noon is not yet due
    assert days.last_week.order_count == 0
    assert compare_figures(days.today, before=days.yesterday, figure="revenue_amount") == 2000
    assert compare_figures(days.today, before=days.last_week, figure="order_count") is None


def test_top_goods_last_sales_and_ranking(shop: Shop, mei: Buyer, main_site: Site) -> None:
    sell(shop, mei)

    with site_scope(shop.site.id) as view:
        top = list_top_goods(view, now=later())
        last = list_last_sales()
        daily = list_daily_revenue(view, now=later())
    with site_scope(main_site.id) as view:
        ranks = rank_sites(view, now=later())

    assert [(goods.piece_count, goods.revenue_amount) for goods in top] == [(3, 30 * YUAN)]
    assert len(last) == 2
    assert len(daily) == 14
    assert daily[-1][1] == 30 * YUAN
    assert [(rank.site.id, rank.order_count) for rank in ranks] == [(shop.site.id, 2)]


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
