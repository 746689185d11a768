"""The figures of a site's day: what was sold, earned, by how many, against the days before.

Read from the orders themselves over the index (site, paid_at): no roll-up that could be wrong. The
history behind the chart changes little and is kept in the process for a minute.
"""

import datetime as dt
import time
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Case, Count, F, Max, Min, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce, Least, TruncDate, TruncHour

from kameng.catalog.models import Variant
from kameng.core.fields import AmountField
from kameng.core.scope import platform_scope
from kameng.insight.rules import HOURS, Window, change_bps, day_start, same_hour_before
from kameng.orders.models import Order, OrderRefund, OrderState
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import SiteView

KEEP_SECONDS = 60
KEEP_LIMIT = 500
TOP = 5

_LEFT = F("total_amount") - F("refunded_amount")
_GROSS = (
    F("total_amount")
    - F("wholesale_amount")
    - Coalesce(F("upline_amount"), Value(0, output_field=AmountField()))
)
# What the selling site keeps: on the main site everything but the fee.
_KEPT = Case(
    When(site_id=F("main_site_id"), then=F("total_amount") - F("fee_amount")),
    default=_GROSS - Least(F("fee_amount"), _GROSS),
)
_BUYERS = {
    "customers": Count("customer_id", distinct=True),
    "guests": Count("contact_digest", distinct=True, filter=Q(customer_id__isnull=True)),
}
_kept: dict[tuple[int, str], tuple[int, list[tuple[dt.date, int]]]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The four figures of a stretch of time, and how they came hour by hour.

    Hour by hour profit is before refunds and cost, and a buyer counts in each hour of a purchase.
    """

    order_count: int
    revenue_amount: int
    profit_amount: int
    buyer_count: int
    hourly: "Hourly"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hourly:
    """Twenty-four values of each figure."""

    revenue: tuple[int, ...]
    profit: tuple[int, ...]
    orders: tuple[int, ...]
    buyers: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """Today so far, and the same part of yesterday and of this weekday last week."""

    now: dt.datetime
    today: Figures
    yesterday: Figures
    last_week: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class TopGoods:
    """What sold best."""

    title: str
    product_id: int
    piece_count: int
    revenue_amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteRank:
    """What one site sold today."""

    site: Site
    order_count: int
    revenue_amount: int


def read_today(site: SiteView, *, now: dt.datetime) -> Today:
    """Return the figures of the site in force for today and the days it is compared with."""
    zone = site.settings.zone
    today = Window(since=day_start(now, zone=zone), until=now)
    return Today(
        now=now,
        today=read_figures(site, window=today),
        yesterday=read_figures(site, window=same_hour_before(now, zone=zone, days=1)),
        last_week=read_figures(site, window=same_hour_before(now, zone=zone, days=7)),
    )


def compare_figures(now: Figures, *, before: Figures, figure: str) -> int | None:
    """Return how much a figure differs in tenths of a percent; None when nothing was before."""
    bps = change_bps(getattr(now, figure), before=getattr(before, figure))
    return None if bps is None else bps // 10


def read_figures(site: SiteView, *, window: Window) -> Figures:
    """Return the figures of the site in force for a stretch of one day."""
    orders = _paid(Order.objects.all(), window)
    hourly = _read_hourly(orders, zone=site.settings.zone)
    buyers = orders.aggregate(**_BUYERS)
    return Figures(
        order_count=sum(hourly.orders),
        revenue_amount=sum(hourly.revenue),
        profit_amount=_whole_fen(_main_profit(window) if site.is_main else _branch_margin(window)),
        buyer_count=buyers["customers"] + buyers["guests"],
        hourly=hourly,
    )


def _read_hourly(orders: "QuerySet[Any]", *, zone: ZoneInfo) -> Hourly:
    rows = (
        orders.annotate(hour=TruncHour("paid_at", tzinfo=zone))
        .values("hour")
        .annotate(count=Count("id"), revenue=Sum(_LEFT), kept=Sum(_KEPT), **_BUYERS)
    )
    series = {name: [0] * HOURS for name in ("revenue", "profit", "orders", "buyers")}
    for row in rows:
        hour = row["hour"].hour
        series["revenue"][hour] += int(row["revenue"])
        series["profit"][hour] += int(row["kept"])
        series["orders"][hour] += row["count"]
        series["buyers"][hour] += row["customers"] + row["guests"]
    return Hourly(**{name: tuple(values) for name, values in series.items()})


def _paid(rows: "QuerySet[Any]", window: Window) -> "QuerySet[Any]":
    return rows.filter(paid_at__gte=window.since, paid_at__lt=window.until)


def _whole_fen(amount: int) -> int:
    """Leave out what is below a fen: a headline figure needs no more."""
    return amount - amount % 100


def _branch_margin(window: Window) -> int:
    """What the operator keeps: the sale's margin less the fee it bears and its part of refunds."""
    sold = _paid(Order.objects.all(), window).aggregate(
        margin=Sum(_GROSS - Least(F("fee_amount"), _GROSS))
    )
    back = _refunds(OrderRefund.objects.all(), window).aggregate(amount=Sum("margin_amount"))
    return int(sold["margin"] or 0) - int(back["amount"] or 0)


def _main_profit(window: Window) -> int:
    """What the main site earns over all sites, less the present cost of what went out."""
    with platform_scope("profit of the main site over all sites"):
        orders = _paid(Order.unscoped.filter(site_id__in=_all_sites()), window)
        own_fee = Least(F("wholesale_amount"), F("fee_amount") - Least(F("fee_amount"), _GROSS))
        income = orders.aggregate(amount=Sum(F("wholesale_amount") - own_fee))["amount"]
        refunds = _refunds(OrderRefund.unscoped.filter(site_id__in=_all_sites()), window)
        back = refunds.aggregate(amount=Sum("own_amount"))["amount"]
        kept = orders.exclude(state__in=(OrderState.REFUNDING, OrderState.REFUNDED))
        pieces: dict[int, int] = dict(
            kept.values("variant_id")
            .annotate(count=Sum("quantity"))
            .values_list("variant_id", "count")
        )
        costs: dict[int, int] = dict(
            Variant.unscoped.filter(id__in=list(pieces)).values_list("id", "cost_amount")
        )
    cost = sum(costs.get(variant_id, 0) * count for variant_id, count in pieces.items())
    return int(income or 0) - int(back or 0) - int(cost)


def _all_sites() -> "QuerySet[Any]":
    """Every site, so that the index (site, paid_at) serves a question over all of them."""
    return Site.objects.values("id")


def _refunds(rows: "QuerySet[Any]", window: Window) -> "QuerySet[Any]":
    return rows.filter(order__paid_at__gte=window.since, order__paid_at__lt=window.until)


def list_daily_revenue(site: SiteView, *, now: dt.datetime) -> list[tuple[dt.date, int]]:
    """Return the revenue of the last 14 days of the site in force, oldest first, today last.

    Kept in the process for a minute.
    """
    zone: ZoneInfo = site.settings.zone
    last = now.astimezone(zone).date()
    key, moment = (site.site_id, last.isoformat()), int(time.monotonic())
    known = _kept.get(key)
    if known is not None and known[0] > moment:
        return known[1]
    first = last - dt.timedelta(days=13)
    since = dt.datetime.combine(first, dt.time(), tzinfo=zone)
    rows = dict(
        Order.objects.filter(paid_at__gte=since)
        .annotate(day=TruncDate("paid_at", tzinfo=zone))
        .values("day")
        .annotate(revenue=Sum(_LEFT))
        .values_list("day", "revenue")
    )
    days = [first + dt.timedelta(days=number) for number in range(14)]
    found = [(day, int(rows.get(day, 0))) for day in days]
    if len(_kept) >= KEEP_LIMIT:
        _kept.clear()
    _kept[key] = (moment + KEEP_SECONDS, found)
    return found


def forget_figures() -> None:
    """Empty what this process keeps."""
    _kept.clear()


def list_top_goods(site: SiteView, *, now: dt.datetime) -> list[TopGoods]:
    """Return what sold best today on the site in force, by revenue."""
    window = Window(since=day_start(now, zone=site.settings.zone), until=now)
    rows = (
        _paid(Order.objects.all(), window)
        .values("variant_id")
        .annotate(
            title=Max("title"),
            product=Min("product_id"),
            pieces=Sum("quantity"),
            revenue=Sum(_LEFT),
        )
        .filter(revenue__gt=0)
        .order_by("-revenue", "variant_id")[:TOP]
    )
    return [
        TopGoods(
            title=row["title"],
            product_id=row["product"],
            piece_count=row["pieces"],
            revenue_amount=int(row["revenue"]),
        )
        for row in rows
    ]


def rank_sites(site: SiteView, *, now: dt.datetime, limit: int = 8) -> list[SiteRank]:
    """Return the sites that sold most today, for the platform's own eyes."""
    window = Window(since=day_start(now, zone=site.settings.zone), until=now)
    with platform_scope("ranking of the sites"):
        rows = list(
            _paid(Order.unscoped.filter(site_id__in=_all_sites()), window)
            .values("site_id")
            .annotate(count=Count("id"), revenue=Sum(_LEFT))
            .order_by("-revenue", "site_id")[:limit]
        )
        sites = Site.objects.in_bulk([row["site_id"] for row in rows])
    return [
        SiteRank(
            site=sites[row["site_id"]],
            order_count=row["count"],
            revenue_amount=int(row["revenue"]),
        )
        for row in rows
    ]


def list_last_sales(limit: int = 6) -> list[Order]:
    """Return the newest paid orders of the site in force."""
    recent = Order.objects.order_by("-id")[: limit * 10]  # unpaid ones in between are left out
    return [order for order in recent if order.paid_at is not None][:limit]
