"""The dashboard of a period in words and shapes: tiles, drawing, funnel and tables.

Owns what the screen shows of `insight.dashboard`, and the address of the orders behind each figure.
Margins are shown to who may see money.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy

from kameng.catalog.selectors import get_catalogue
from kameng.console.charts import Columns, Spark, draw_columns, draw_spark
from kameng.console.forms.orders import SOURCE_JOINT, SOURCES_MOST
from kameng.console.source_words import NamedSource, group_campaigns, group_sources
from kameng.insight.dashboard import Dashboard, GoodsFigure, Point
from kameng.insight.definitions import DEFINITIONS, SOURCES, Definition
from kameng.insight.facts import Facts, change_bps, rate_bps
from kameng.insight.models import Span
from kameng.insight.periods import Period
from kameng.tenancy.selectors import SiteView

Text = str | Promise
SHOWN: Final = 8
PERIODS: Final[Mapping[str, Text]] = {
    "today": gettext_lazy("今天"),
    "yesterday": gettext_lazy("昨天"),
    "7": gettext_lazy("近 7 天"),
    "30": gettext_lazy("近 30 天"),
    "90": gettext_lazy("近 90 天"),
    "month": gettext_lazy("本月"),
    "own": gettext_lazy("自选"),
}
MAIN_TILES: Final = ("net_amount", "margin", "order_count", "buyer_count")
SMALL_TILES: Final = (
    "visitor_count",
    "conversion_bps",
    "average_amount",
    "arpu_amount",
    "repeat_bps",
    "refunded_amount",
    "children_amount",
)
BUYER_TILES: Final = ("new_count", "returning_count", "guest_count")
SERIES: Final = {  # figures that are drawn: what of each hour, day or month
    "net_amount": "net_amount",
    "kept_amount": "earned_amount",
    "profit_amount": "income_amount",
    "order_count": "order_count",
    "visitor_count": "visitor_count",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How a figure differs: up, down or level, whether that is good, and by how much."""

    direction: str
    tone: str
    text: str
    against: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """A table with its definition."""

    name: Text
    meaning: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One figure with its definition, its comparisons and the orders behind it."""

    code: str
    definition: Definition
    value: int | None
    changes: tuple[Change, ...]
    spark: Spark | None
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of the funnel: its share of the widest in tenths of a percent, of the one before."""

    name: Text
    definition: Definition
    count: int
    tenths: int
    of_before_bps: int | None
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of a table of goods, sources or campaigns."""

    name: str
    visitor_count: int | None
    order_count: int
    amount: int
    tenths: int  # of the largest
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What is needed to say a dashboard: whose, for whom, of what."""

    site: SiteView
    board: Dashboard
    sees_money: bool
    sees_orders: bool
    sees_children: bool = False

    @property
    def is_all(self) -> bool:
        """Tell whether every shop is counted."""
        return self.board.span == Span.ALL

    @property
    def period(self) -> Period:
        """Return the period shown."""
        return self.board.period


def describe(screen: Screen) -> dict[str, Any]:
    """Return what the template of the figures needs."""
    board = screen.board
    return {
        "board": board,
        "period": board.period,
        "is_all": screen.is_all,
        "tiles": [tile for code in MAIN_TILES if (tile := make_tile(screen, code))],
        "small_tiles": [tile for code in SMALL_TILES if (tile := make_tile(screen, code))],
        "buyer_tiles": [tile for code in BUYER_TILES if (tile := make_tile(screen, code))],
        "chart": draw_chart(board),
        "stages": list_stages(screen),
        "goods": name_goods(screen, board.goods[:SHOWN]),
        "sources": list_lines(screen, group_sources(board.sources)),
        "campaigns": list_lines(screen, group_campaigns(board.sources)),
        "sources_meaning": Meaning(name=_("买家从哪里来"), meaning=SOURCES),
        "has_visits": bool(board.facts.visitor_count or board.before.visitor_count),
        "days_text": say_days(board.period),
        "before_text": say_before(board.period),
    }


def make_tile(screen: Screen, code: str) -> Tile | None:
    """Return the tile of a figure; None where the person may not see it."""
    if code == "margin":
        if not screen.sees_money:
            return None
        code = "profit_amount" if screen.site.is_main else "kept_amount"
    if code == "children_amount" and not _shows_below(screen):
        return None
    definition = DEFINITIONS[code]
    return Tile(
        code=code,
        definition=definition,
        value=getattr(screen.board.facts, code),
        changes=tuple(_changes(screen.board, definition)),
        spark=_spark(screen.board, code),
        url=_children_url(screen)
        if code == "children_amount"
        else orders_url(screen, definition.orders),
    )


def _shows_below(screen: Screen) -> bool:
    """Tell whether child sites brought the site anything, and the person may know."""
    board = screen.board
    brought = (board.facts.children_amount, board.before.children_amount)
    return screen.sees_money and not screen.site.is_main and any(brought)


def _children_url(screen: Screen) -> str:
    if not screen.sees_children:
        return ""
    return reverse("console:children", args=[screen.site.slug])


def _changes(board: Dashboard, definition: Definition) -> list[Change]:
    if not board.period.is_today:
        return [_change(board, definition, board.before, _("比上期"))]
    if definition.field == "conversion_bps":  # visitors of a part of an hour are not known
        return []
    found = [_change(board, definition, board.before, _("比昨天此时"))]
    if board.last_week is not None:
        found.append(_change(board, definition, board.last_week, _("比上周同日")))
    return found


def _change(board: Dashboard, definition: Definition, before: Facts, against: str) -> Change:
    now_value, before_value = _values(board, definition.field, before)
    if now_value is None or before_value is None:
        return Change(direction="", tone="", text=_("无可比"), against=against)
    if definition.unit == "rate":
        return _rate_change(now_value - before_value, definition, against)
    bps = change_bps(now_value, before=before_value)
    if bps is None:
        text = _("无可比") if now_value else _("持平")
        return Change(direction="", tone="", text=text, against=against)
    tenths = abs(bps) // 10
    if not tenths:
        return Change(direction="", tone="", text=_("持平"), against=against)
    text = f"{tenths // 10}.{tenths % 10}%"
    return _signed(bps > 0, definition, text, against)


def _values(board: Dashboard, field: str, before: Facts) -> tuple[int | None, int | None]:
    """Return a figure now and before; of visitors those of full hours, where days are cut."""
    if board.period.is_today and field == "visitor_count":
        ended = [each for each in board.points if each.hour < board.now.hour]
        full = sum(each.facts.visitor_count for each in ended)
        return full, before.visitor_count
    return getattr(board.facts, field), getattr(before, field)


def _rate_change(points: int, definition: Definition, against: str) -> Change:
    if abs(points) < 10:
        return Change(direction="", tone="", text=_("持平"), against=against)
    size = abs(points) // 10
    text = _("%(points)s 个百分点") % {"points": f"{size // 10}.{size % 10}"}
    return _signed(points > 0, definition, text, against)


def _signed(is_up: bool, definition: Definition, text: str, against: str) -> Change:  # noqa: FBT001
    is_good = is_up is not definition.is_better_low
    direction = "up" if is_up else "down"
    return Change(
        direction=direction, tone="good" if is_good else "poor", text=text, against=against
    )


def _spark(board: Dashboard, code: str) -> Spark | None:
    field = SERIES.get(code)
    if field is None:
        return None
    return draw_spark(
        [getattr(point.facts, field) for point in _so_far(board)],
        [getattr(point.facts, field) for point in board.before_points],
    )


def _so_far(board: Dashboard) -> Sequence[Point]:
    """Return the points without those to come."""
    if not board.period.is_today:
        return board.points
    return [each for each in board.points if each.hour <= board.now.hour]


def orders_url(screen: Screen, trait: str, **more: str) -> str:
    """Return the address of the orders behind a figure; empty when there is no such list."""
    if not trait or screen.is_all or not screen.sees_orders:
        return ""
    days = screen.period.days
    names = ("from", "until") if trait == "placed" else ("paid_from", "paid_until")
    query = dict(zip(names, (days.first.isoformat(), days.last.isoformat()), strict=True))
    if trait not in {"paid", "placed"}:
        query["trait"] = trait
    return f"{reverse('console:orders', args=[screen.site.slug])}?{urlencode(query | more)}"


def list_stages(screen: Screen) -> list[Stage]:
    """Return the funnel from visits to deliveries; without visits it begins with orders."""
    facts = screen.board.facts
    codes = ["placed_count", "order_count", "delivered_count"]
    if facts.visitor_count:
        codes = ["visitor_count", "product_count", "checkout_count", *codes]
    counts = [int(getattr(facts, code)) for code in codes]
    widest = max([1, *counts])
    found = []
    for number, (code, count) in enumerate(zip(codes, counts, strict=True)):
        definition = DEFINITIONS[code]
        found.append(
            Stage(
                name=pgettext_lazy("funnel", "付款") if code == "order_count" else definition.name,
                definition=definition,
                count=count,
                tenths=count * 1000 // widest,
                of_before_bps=rate_bps(count, counts[number - 1]) if number else None,
                url=orders_url(screen, definition.orders),
            )
        )
    return found


def name_goods(screen: Screen, goods: Sequence[GoodsFigure]) -> list[Line]:
    """Return goods with their titles of today."""
    catalogue = get_catalogue(screen.site)
    largest = max([1, *(each.net_amount for each in goods)])
    lines = []
    for each in goods:
        product = catalogue.find_product(each.product_id)
        lines.append(
            Line(
                name=product.title if product else _("商品 %(id)s") % {"id": each.product_id},
                visitor_count=None,
                order_count=each.order_count,
                amount=each.net_amount,
                tenths=max(0, each.net_amount) * 1000 // largest,
                url=orders_url(screen, "paid", product=str(each.product_id)),
            )
        )
    return lines


def list_lines(screen: Screen, sources: Sequence[NamedSource], most: int = SHOWN) -> list[Line]:
    """Return sources as rows, each with its orders."""
    shown = sources[:most]
    largest = max([1, *(each.net_amount for each in shown)])
    return [
        Line(
            name=each.name,
            visitor_count=each.visitor_count,
            order_count=each.order_count,
            amount=each.net_amount,
            tenths=max(0, each.net_amount) * 1000 // largest,
            url=orders_url(screen, "paid", source=SOURCE_JOINT.join(map(str, each.keys)))
            if len(each.keys) <= SOURCES_MOST
            else "",
        )
        for each in shown
    ]


def draw_chart(board: Dashboard) -> Columns:
    """Return the drawing of the net amount, with the period before behind it."""
    points = board.points
    return draw_columns(
        [say_point(point, board.period) for point in points],
        now=[point.facts.net_amount for point in points],
        before=[point.facts.net_amount for point in board.before_points][: len(points)],
    )


def say_point(point: Point, period: Period) -> str:
    """Return the name of an hour, day or month."""
    if period.step == "hour":
        return f"{point.hour}:00"
    if period.step == "month":
        return f"{point.day:%Y-%m}"
    return f"{point.day:%m-%d}" if period.days.count > 7 else date_format(point.day, "m-d D")


def say_days(period: Period) -> str:
    """Return the days of a period."""
    return _say(period.days.first, period.days.last)


def say_before(period: Period) -> str:
    """Return what the period is compared with."""
    if period.is_today:
        return _("昨天")
    return _say(period.before.first, period.before.last)


def _say(first: dt.date, last: dt.date) -> str:
    if first == last:
        return first.isoformat()
    days = (last - first).days + 1
    count = ngettext("%(count)s 天", "%(count)s 天", days) % {"count": days}
    return _("%(first)s 至 %(last)s，%(count)s") % {"first": first, "last": last, "count": count}
