"""Every shop beside the others, and each beside its own past: for who runs the platform."""

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any, Final

from django.db.models import F, Q, QuerySet, Sum

from kameng.core.scope import platform_scope
from kameng.insight import store
from kameng.insight.dashboard import COUNTED, EPOCH, Reading, keep
from kameng.insight.facts import Facts, rate_bps
from kameng.insight.models import SalesTotal, Span
from kameng.insight.periods import Days, Period, cover
from kameng.insight.rules import median, robust_tenths
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import SiteView

SHOWN: Final = 100
SPARK_DAYS: Final = 14
PAST_DAYS: Final = 28
ACTIVE_DAYS: Final = 10  # of the past, with an order: less is no habit to differ from
COMPARED_SITES: Final = 2000  # those that sold most in the past
FAR_TENTHS: Final = 35  # robust standard deviations: the usual bound for an outlier
OUTLIERS_SHOWN: Final = 20
KEEP_SECONDS: Final = 60
FRESH_SECONDS: Final = 3
SORTS: Final = ("net", "orders", "average", "refunds", "visitors", "name")
REFUND_LEAST_BPS: Final = 100
ORDERS_LEAST: Final = 2
REFUND_ORDERS_LEAST: Final = 5  # a rate of fewer orders says nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """What one shop sold in a period, and its net amount day by day of late."""

    site: Site
    facts: Facts
    before_amount: int
    days: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlier:
    """A figure of a shop's last full day far from its past; `field` is one of `facts.Facts`."""

    site: Site
    field: str
    day: dt.date
    value: int
    usual: int
    tenths: int


def rank_sites(site: SiteView, *, period: Period, now: dt.datetime, sort: str) -> list[Rank]:
    """Return the shops of a period, at most `SHOWN`; those without any sale or visit are left out.

    What is not rolled up yet is added shop by shop for those that are shown.
    """
    order = sort if sort in SORTS else "net"
    key = ("ranks", site.site_id, period, order)
    return keep(
        key,
        FRESH_SECONDS if period.is_running else KEEP_SECONDS,
        lambda: _rank(site, period, now, order),
    )


def _rank(site: SiteView, period: Period, now: dt.datetime, sort: str) -> list[Rank]:
    with platform_scope("ranking of the shops"):
        found = {row["site_id"]: _facts(row) for row in _sums(period.days)}
        before = {row["site_id"]: _facts(row).net_amount for row in _sums(period.before)}
        tails = _tails(site, period, now)
        for site_id, more in tails.items():
            found[site_id] = found.get(site_id, Facts()) + more
        shown = {site_id: facts for site_id, facts in found.items() if _is_shown(facts)}
        sites = Site.objects.in_bulk(_leading(shown, sort))
        ranked = sorted(sites.values(), key=lambda each: _place(each, found[each.id], sort))[:SHOWN]
        sparks = _sparks([each.id for each in ranked], last=period.today)
    return [
        Rank(
            site=each,
            facts=found[each.id],
            before_amount=before.get(each.id, 0),
            days=tuple(sparks[each.id]),
        )
        for each in ranked
    ]


def _is_shown(facts: Facts) -> bool:
    return bool(facts.order_count or facts.visitor_count or facts.placed_count)


def _leading(shown: dict[int, Facts], sort: str) -> list[int]:
    """Return the shops that stand first, so that of thousands only these are read."""
    if sort == "name":
        rows = Site.objects.filter(id__in=shown).order_by("name", "id")
        return list(rows.values_list("id", flat=True)[:SHOWN])
    return nsmallest(SHOWN, shown, key=lambda site_id: (-_value(shown[site_id], sort), site_id))


def _value(facts: Facts, sort: str) -> int:
    values = {
        "net": facts.net_amount,
        "orders": facts.order_count,
        "average": facts.average_amount or 0,
        "refunds": facts.refund_bps or 0,
        "visitors": facts.visitor_count,
        "name": 0,
    }
    return values[sort]


def _place(site: Site, facts: Facts, sort: str) -> tuple[int, str, int]:
    return (-_value(facts, sort), site.name, site.id)


def _of_shops() -> "QuerySet[Any]":
    """Roll-ups of every shop's own trade; named one by one, so that their index serves."""
    shops: QuerySet[Any] = SalesTotal.unscoped.filter(
        site_id__in=Site.objects.values("id"), span=Span.OWN
    )
    return shops


def _sums(days: Days) -> "QuerySet[Any]":
    wanted = Q()
    for grain, part in cover(days):
        wanted |= Q(grain=grain, day__gte=part.first, day__lte=part.last)
    sums = {f"sum_{name}": Sum(name) for name in COUNTED}
    rows: QuerySet[Any] = _of_shops().filter(wanted).values("site_id").annotate(**sums)
    return rows


def _facts(row: dict[str, Any]) -> Facts:
    return Facts(**{name: int(row[f"sum_{name}"]) for name in COUNTED})


def _tails(site: SiteView, period: Period, now: dt.datetime) -> dict[int, Facts]:
    """Return what every shop sold since the last roll-up."""
    mark = store.rolled_until() or EPOCH
    reading = Reading(site=site, span=int(Span.ALL), now=now, rolled_until=mark)
    tail = reading.tail(period.days)
    if tail is None:
        return {}
    found: dict[int, Facts] = defaultdict(Facts)
    for row in store.tail_by_site(tail):
        found[row[0]] += Facts(**dict(zip(store.SALES, map(int, row[1:]), strict=True)))
    return found


def _sparks(site_ids: list[int], *, last: dt.date) -> dict[int, list[int]]:
    first = last - dt.timedelta(days=SPARK_DAYS - 1)
    found: dict[int, list[int]] = defaultdict(lambda: [0] * SPARK_DAYS)
    rows = SalesTotal.unscoped.filter(
        site_id__in=site_ids, span=Span.OWN, grain=1, day__gte=first, day__lte=last
    ).values_list("site_id", "day", F("revenue_amount") - F("refunded_amount"))
    for site_id, day, net in rows:
        found[site_id][(day - first).days] = int(net)
    return found


def find_outliers(site: SiteView, *, today: dt.date) -> list[Outlier]:
    """Return shops whose last full day is far from their own past four weeks, farthest first."""
    key = ("outliers", site.site_id, today)
    return keep(key, KEEP_SECONDS, lambda: _find_outliers(today))


def _find_outliers(today: dt.date) -> list[Outlier]:
    day = today - dt.timedelta(days=1)
    first = day - dt.timedelta(days=PAST_DAYS)
    with platform_scope("outliers among the shops"):
        leading = list(
            _of_shops()
            .filter(grain=1, day__gte=first, day__lt=day, order_count__gt=0)
            .values("site_id")
            .annotate(net=Sum(F("revenue_amount") - F("refunded_amount")))
            .order_by("-net", "site_id")
            .values_list("site_id", flat=True)[:COMPARED_SITES]
        )
        histories: dict[int, dict[dt.date, Facts]] = defaultdict(dict)
        rows = SalesTotal.unscoped.filter(
            site_id__in=leading, span=Span.OWN, grain=1, day__gte=first, day__lte=day
        ).values_list("site_id", "day", "order_count", "revenue_amount", "refunded_amount")
        for site_id, when, orders, revenue, refunded in rows:
            histories[site_id][when] = Facts(
                order_count=int(orders), revenue_amount=int(revenue), refunded_amount=int(refunded)
            )
        sites = Site.objects.in_bulk(list(histories))
    past_days = [first + dt.timedelta(days=number) for number in range(PAST_DAYS)]
    found = [
        outlier
        for site_id, history in histories.items()
        for outlier in _compare(sites[site_id], history, past_days, day)
    ]
    return sorted(found, key=lambda each: (-abs(each.tenths), each.site.id))[:OUTLIERS_SHOWN]


def _compare(
    site: Site, history: dict[dt.date, Facts], past_days: list[dt.date], day: dt.date
) -> list[Outlier]:
    past = [history.get(each, Facts()) for each in past_days]
    if sum(bool(each.order_count) for each in past) < ACTIVE_DAYS:
        return []
    last = history.get(day, Facts())
    found = []
    for field in ("net_amount", "order_count"):
        values = [int(getattr(each, field)) for each in past]
        least = max(ORDERS_LEAST if field == "order_count" else 1, median(values) // 10)
        found.append((field, int(getattr(last, field)), values, least))
    if last.order_count >= REFUND_ORDERS_LEAST:
        rates = [each.refund_bps for each in past if each.refund_bps is not None]
        rate = rate_bps(last.refunded_amount, last.revenue_amount) or 0
        found.append(("refund_bps", rate, rates, REFUND_LEAST_BPS))
    outliers = []
    for field, value, values, least in found:
        tenths = robust_tenths(value, past=values, least=least)
        is_bad = tenths >= FAR_TENTHS if field == "refund_bps" else abs(tenths) >= FAR_TENTHS
        if is_bad:
            outliers.append(
                Outlier(
                    site=site,
                    field=field,
                    day=day,
                    value=value,
                    usual=median(values),
                    tenths=tenths,
                )
            )
    return outliers
