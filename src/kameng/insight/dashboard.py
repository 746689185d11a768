"""The dashboard of a site: the figures of a period, how they came, and of what.

Reads the roll-ups for what has ended and the orders themselves, by their index, for the last hour.
The mark between both is read before and after: when a roll-up moved it meanwhile, all is read
again, so that no hour is counted twice or left out. Kept in the process for two seconds while the
period runs, for a minute once it is over; so are the days that today is compared with.
"""

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from django.db.models import Q, QuerySet, Sum

from kameng.catalog.models import Variant
from kameng.insight import store
from kameng.insight.facts import Facts
from kameng.insight.models import BuyerTotal, GoodsTotal, SalesTotal, Source, SourceTotal, Span
from kameng.insight.periods import GRAIN_DAY, GRAIN_MONTH, Days, Period, cover
from kameng.insight.rules import Window, day_start
from kameng.insight.sources import SOURCE_DIRECT, SOURCE_NONE, SOURCE_OTHER
from kameng.insight.store import Stretch
from kameng.tenancy.selectors import SiteView

FRESH_SECONDS: Final = 2
OVER_SECONDS: Final = 60
KEEP_MOST: Final = 500
TRIES: Final = 5
NONE_DAY: Final = dt.date(1900, 1, 1)
EPOCH: Final = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
VISITS: Final = ("visitor_count", "product_count", "checkout_count")
COUNTED: Final = (*store.SALES, "placed_count", *VISITS)
T = TypeVar("T")
_kept: dict[Hashable, tuple[int, Any]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Whose dashboard, at which moment, and up to where the roll-ups reach."""

    site: SiteView
    span: int
    now: dt.datetime
    rolled_until: dt.datetime

    def stretch(self, since: dt.datetime, until: dt.datetime) -> Stretch:
        """Return a stretch of time of this trade."""
        return Stretch(site_id=self.site.site_id, span=self.span, since=since, until=until)

    def window(self, days: Days) -> Window:
        """Return days as moments, cut at now."""
        zone = self.site.settings.zone
        ends = days.last + dt.timedelta(days=1)
        return Window(
            since=dt.datetime.combine(days.first, dt.time(), tzinfo=zone),
            until=min(self.now, dt.datetime.combine(ends, dt.time(), tzinfo=zone)),
        )

    def tail(self, days: Days) -> Stretch | None:
        """Return what of these days is not rolled up; None when all is."""
        window = self.window(days)
        since = max(self.rolled_until, window.since)
        return self.stretch(since, window.until) if since < window.until else None

    def read_tail(self, days: Days) -> "Tail | None":
        """Read what of these days is not rolled up."""
        stretch = self.tail(days)
        if stretch is None:
            return None
        return Tail(
            stretch=stretch, sales=store.tail_sales(stretch), placed=store.tail_placed(stretch)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """What of some days is not rolled up: the stretch, what was paid in it, what was placed."""

    stretch: Stretch
    sales: list[tuple[Any, ...]]
    placed: list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One hour, day or month of the drawing."""

    day: dt.date
    hour: int
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsFigure:
    """What one product sold."""

    product_id: int
    order_count: int
    piece_count: int
    net_amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFigure:
    """What came from one source, in words; a key of 0 is no recorded visit."""

    source_key: int
    kind: str
    host: str
    medium: str
    campaign: str
    visitor_count: int
    order_count: int
    net_amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """Everything that one page of a dashboard shows."""

    period: Period
    span: int
    now: dt.datetime  # in the site's time zone
    facts: Facts
    before: Facts
    last_week: Facts | None  # only for today
    points: tuple[Point, ...]
    before_points: tuple[Point, ...]
    goods: tuple[GoodsFigure, ...]
    sources: tuple[SourceFigure, ...]


def read_dashboard(
    site: SiteView, *, period: Period, now: dt.datetime, is_all: bool = False
) -> Dashboard:
    """Return the dashboard of the site in force; `is_all`: of every shop, for the main site."""
    span = Span.ALL if is_all and site.is_main else Span.OWN
    seconds = FRESH_SECONDS if period.is_running else OVER_SECONDS
    key = ("dashboard", site.site_id, site.settings.timezone, int(span), period)
    return keep(key, seconds, lambda: _settled(site, int(span), now, period))


def forget_figures() -> None:
    """Empty what this process keeps."""
    _kept.clear()


def keep(key: Hashable, seconds: int, read: Callable[[], T]) -> T:
    """Return what the process keeps under a key, read anew once it is too old."""
    moment = int(time.monotonic())
    known = _kept.get(key)
    if known is not None and known[0] > moment:
        value: T = known[1]
        return value
    value = read()
    if len(_kept) >= KEEP_MOST:
        _kept.clear()
    _kept[key] = (moment + seconds, value)
    return value


def _settled(site: SiteView, span: int, now: dt.datetime, period: Period) -> Dashboard:
    """Read until the mark stood still from beginning to end."""
    mark = store.rolled_until() or EPOCH
    for _ in range(TRIES):
        reading = Reading(site=site, span=span, now=now, rolled_until=mark)
        found = _read(reading, period)
        before, mark = mark, store.rolled_until() or EPOCH
        if mark == before:
            return found
    return _read(Reading(site=site, span=span, now=now, rolled_until=mark), period)


def _read(reading: Reading, period: Period) -> Dashboard:
    tail, earlier = reading.read_tail(period.days), reading.read_tail(period.before)
    points = list_points(reading, period.days, step=period.step, tail=tail)
    facts = read_facts(reading, period.days, tail=tail)
    last_week = None
    if period.is_today:
        before = _keep_cut(reading, back_days=1)
        last_week = _keep_cut(reading, back_days=7)
    else:
        pieces, _goods = _read_goods(reading, period.before)
        cost = _cost_of(pieces, site=reading.site)
        before = replace(read_facts(reading, period.before, tail=earlier), cost_amount=cost)
    pieces, goods = _read_goods(reading, period.days)
    facts = replace(facts, cost_amount=_cost_of(pieces, site=reading.site))
    return Dashboard(
        period=period,
        span=reading.span,
        now=reading.now.astimezone(reading.site.settings.zone),
        facts=facts,
        before=before,
        last_week=last_week,
        points=tuple(points),
        before_points=tuple(list_points(reading, period.before, step=period.step, tail=earlier)),
        goods=tuple(goods),
        sources=tuple(_read_sources(reading, period.days)),
    )


def read_facts(reading: Reading, days: Days, *, tail: Tail | None) -> Facts:
    """Return the figures of whole days (the last of which may not be over), but their cost."""
    sums = _within(SalesTotal.objects.all(), reading, days).aggregate(
        **{name: Sum(name, default=0) for name in COUNTED}
    )
    facts = Facts(**{name: int(value) for name, value in sums.items()})
    if tail is not None:
        facts += _add_up(tail.sales, tail.placed)
    return facts + _read_buyers(reading, days, tail.stretch if tail else None)


def _within(rows: "QuerySet[Any]", reading: Reading, days: Days) -> "QuerySet[Any]":
    """Narrow roll-ups to days: whole months from their own rows."""
    wanted = Q()
    for grain, part in cover(days):
        wanted |= Q(grain=grain, day__gte=part.first, day__lte=part.last)
    return rows.filter(wanted, span=reading.span)


def _add_up(sales: list[tuple[Any, ...]], placed: list[tuple[Any, ...]]) -> Facts:
    facts = Facts(placed_count=sum(int(row[2]) for row in placed))
    for row in sales:
        facts += _sold(row)
    return facts


def _sold(row: tuple[Any, ...]) -> Facts:
    return Facts(**dict(zip(store.SALES, map(int, row[2:]), strict=True)))


def _pairs(days: Days) -> Q:
    """Choose days within, with one before outside: both by whole months as far as they go."""
    wanted, month = Q(), days.first.replace(day=1)
    for grain, part in cover(days):
        within = Q(grain=grain, day__gte=part.first, day__lte=part.last)
        wanted |= within & Q(prev_grain=GRAIN_MONTH, prev_day__lt=month)
        if month < days.first:
            between = Q(prev_day__gte=month, prev_day__lt=days.first)
            wanted |= within & Q(prev_grain=GRAIN_DAY) & between
    return wanted


def _read_buyers(reading: Reading, days: Days, tail: Stretch | None) -> Facts:
    """Return the different buyers of days: orders whose last one before lies before these days."""
    rows = (
        BuyerTotal.objects.filter(_pairs(days), span=reading.span, rank__in=(0, 1, 2))
        .values("rank", "is_guest")
        .annotate(people=Sum("buyer_count"), fresh=Sum("buyer_count", filter=Q(prev_day=NONE_DAY)))
        .values_list("rank", "is_guest", "people", "fresh")
    )
    people: Counter[int] = Counter()
    guests = new = 0
    for rank, is_guest, count, fresh in rows:
        people[rank] += int(count)
        if rank == 1:
            new += int(fresh or 0)
            guests += int(count) if is_guest else 0
    facts = Facts(
        buyer_count=people[1],
        guest_count=guests,
        new_count=new,
        repeat_count=people[2] - people[1],
        buyer_day_count=people[0],
    )
    if tail is not None:
        for is_guest, buyers, repeating, fresh, by_day in store.tail_buyers(
            tail, first_day=days.first
        ):
            facts += Facts(
                buyer_count=buyers,
                guest_count=buyers if is_guest else 0,
                new_count=fresh,
                repeat_count=repeating,
                buyer_day_count=by_day,
            )
    return facts


def _keep_cut(reading: Reading, *, back_days: int) -> Facts:
    """Return an earlier day up to the present minute: days that are over are read once a minute."""
    cut = replace(reading, now=reading.now.replace(second=0, microsecond=0))
    site = (cut.site.site_id, cut.site.settings.timezone, cut.span)
    key = ("cut", *site, back_days, cut.now, cut.rolled_until)
    return keep(key, OVER_SECONDS, lambda: read_cut(cut, back_days=back_days))


def read_cut(reading: Reading, *, back_days: int) -> Facts:
    """Return the figures of an earlier day up to the present time of day.

    Visitors are known by the hour alone: those of the full hours are counted.
    """
    zone = reading.site.settings.zone
    local = reading.now.astimezone(zone).replace(tzinfo=None) - dt.timedelta(days=back_days)
    until = local.replace(tzinfo=zone)
    start = day_start(until, zone=zone)
    rolled = min(until, reading.rolled_until).astimezone(zone)
    since = max(start, rolled.replace(minute=0, second=0, microsecond=0))
    ended = {name: Q(hour__lt=since.astimezone(zone).hour) for name in COUNTED}
    ended |= {name: Q(hour__lt=local.hour) for name in VISITS}
    hours = SalesTotal.objects.filter(span=reading.span, grain=0, day=local.date())
    sums = hours.aggregate(
        **{name: Sum(name, filter=until_hour, default=0) for name, until_hour in ended.items()}
    )
    facts = Facts(**{name: int(value) for name, value in sums.items()})
    rest, whole = reading.stretch(since, until), reading.stretch(start, until)
    facts += _add_up(store.tail_sales(rest), store.tail_placed(rest))
    for is_guest, buyers, repeating, fresh in store.count_buyers(whole):
        facts += Facts(
            buyer_count=buyers,
            guest_count=buyers if is_guest else 0,
            new_count=fresh,
            repeat_count=repeating,
            buyer_day_count=buyers,
        )
    pieces = Counter({row[0]: int(row[4]) for row in store.tail_goods(whole)})
    return replace(facts, cost_amount=_cost_of(pieces, site=reading.site))


def list_points(reading: Reading, days: Days, *, step: str, tail: Tail | None) -> list[Point]:
    """Return the figures of each hour, day or month of days, without buyers and cost."""
    grain = {"hour": 0, "day": 1, "month": 2}[step]
    first = days.first.replace(day=1) if step == "month" else days.first
    rows = SalesTotal.objects.filter(
        span=reading.span, grain=grain, day__gte=first, day__lte=days.last
    ).values_list("day", "hour", *COUNTED)
    found: dict[tuple[dt.date, int], Facts] = {}
    for row in rows:
        found[row[0], row[1]] = Facts(**dict(zip(COUNTED, row[2:], strict=True)))
    if tail is not None:
        _add_tail(found, tail, step=step)
    places = _places(days, step)
    return [Point(day=d, hour=h, facts=found.get((d, h), Facts())) for d, h in places]


def _add_tail(found: dict[tuple[dt.date, int], Facts], tail: Tail, *, step: str) -> None:
    def add(day: dt.date, hour: int, more: Facts) -> None:
        key = (day.replace(day=1) if step == "month" else day, hour if step == "hour" else 0)
        found[key] = found.get(key, Facts()) + more

    for row in tail.sales:
        add(row[0], row[1], _sold(row))
    for day, hour, placed in tail.placed:
        add(day, hour, Facts(placed_count=int(placed)))


def _places(days: Days, step: str) -> list[tuple[dt.date, int]]:
    if step == "hour":
        return [(days.first, hour) for hour in range(24)]
    if step == "day":
        return [(day, 0) for day in days]
    return [(day, 0) for day in dict.fromkeys(day.replace(day=1) for day in days)]


def _read_goods(reading: Reading, days: Days) -> tuple[Counter[int], list[GoodsFigure]]:
    """Return the pieces that were kept by variant, and what each product sold, best first."""
    rows = list(
        _within(GoodsTotal.objects.all(), reading, days)
        .values("variant_id", "product_id")
        .annotate(
            orders=Sum("order_count"),
            pieces=Sum("piece_count"),
            kept=Sum("kept_piece_count"),
            revenue=Sum("revenue_amount"),
            refunded=Sum("refunded_amount"),
        )
        .values_list("variant_id", "product_id", "orders", "pieces", "kept", "revenue", "refunded")
    )
    tail = reading.tail(days)
    if tail is not None:
        rows += store.tail_goods(tail)
    kept: Counter[int] = Counter()
    products: dict[int, list[int]] = {}
    for variant_id, product_id, orders, pieces, kept_pieces, revenue, refunded in rows:
        kept[variant_id] += int(kept_pieces)
        sums = products.setdefault(product_id, [0, 0, 0])
        sums[0] += int(orders)
        sums[1] += int(pieces)
        sums[2] += int(revenue) - int(refunded)
    found = [
        GoodsFigure(product_id=key, order_count=sums[0], piece_count=sums[1], net_amount=sums[2])
        for key, sums in products.items()
        if sums[0]
    ]
    return kept, sorted(found, key=lambda each: (-each.net_amount, each.product_id))


def _cost_of(pieces: "Counter[int]", *, site: SiteView) -> int:
    """Return what pieces of a site's own goods cost it now; what they cost then is not kept.

    What a sub-site resells it pays for by the wholesale price, and the main site's part of a
    sub-site's own goods costs the main site nothing.
    """
    if not pieces:
        return 0
    own = Variant.objects.filter(id__in=list(pieces), site_id=site.site_id)
    return sum(int(cost) * pieces[each] for each, cost in own.values_list("id", "cost_amount"))


def _read_sources(reading: Reading, days: Days) -> list[SourceFigure]:
    """Return what came from each source, the most money first."""
    sums: dict[int, list[int]] = {}
    rows = (
        _within(SourceTotal.objects.all(), reading, days)
        .values("source_key")
        .annotate(
            visitors=Sum("visitor_count"),
            orders=Sum("order_count"),
            revenue=Sum("revenue_amount"),
            refunded=Sum("refunded_amount"),
        )
        .values_list("source_key", "visitors", "orders", "revenue", "refunded")
    )
    for key, visitors, orders, revenue, refunded in rows:
        sums[key] = [int(visitors), int(orders), int(revenue) - int(refunded)]
    tail = reading.tail(days)
    for key, orders, revenue, refunded in store.tail_sources(tail) if tail else ():
        known = sums.setdefault(key, [0, 0, 0])
        known[1] += int(orders)
        known[2] += int(revenue) - int(refunded)
    words = {row.source_key: row for row in Source.objects.filter(source_key__in=list(sums))}
    found = [_figure(key, words.get(key), tuple(each)) for key, each in sums.items()]  # type: ignore[arg-type]
    shown = [each for each in found if each.visitor_count or each.order_count]
    return sorted(shown, key=lambda each: (-each.net_amount, -each.visitor_count, each.source_key))


def list_source_words(keys: tuple[int, ...]) -> list[SourceFigure]:
    """Return the sources of the site in force with these keys, in words, without figures."""
    words = {row.source_key: row for row in Source.objects.filter(source_key__in=keys)}
    return [_figure(key, words.get(key), (0, 0, 0)) for key in keys]


def _figure(key: int, word: Source | None, sums: tuple[int, int, int]) -> SourceFigure:
    return SourceFigure(
        source_key=key if word or key in {SOURCE_NONE, SOURCE_DIRECT} else SOURCE_OTHER,
        kind=word.kind if word else "",
        host=word.host if word else "",
        medium=word.medium if word else "",
        campaign=word.campaign if word else "",
        visitor_count=sums[0],
        order_count=sums[1],
        net_amount=sums[2],
    )
