"""The shops of the platform in words: their ranking, and what of them is unusual and why."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.console.charts import Spark, draw_line
from kameng.insight.definitions import DEFINITIONS, OUTLIERS
from kameng.insight.facts import Facts, change_bps
from kameng.insight.periods import Period
from kameng.insight.ranking import Outlier, Rank, find_outliers, rank_sites
from kameng.pricing.money import Amount, format_yuan
from kameng.tenancy.selectors import SiteView

Text = str | Promise
HEADINGS: Final[dict[str, Text]] = {
    "name": gettext_lazy("店铺"),
    "net": gettext_lazy("成交额"),
    "orders": gettext_lazy("订单"),
    "average": gettext_lazy("平均每单"),
    "refunds": gettext_lazy("退款率"),
    "visitors": gettext_lazy("访客"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A column that the table can be sorted by."""

    code: str
    name: Text
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRow:
    """One shop: its place, figures, change and the line of its last two weeks."""

    place: int
    name: str
    facts: Facts
    tenths: int | None
    spark: Spark
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlierRow:
    """One unusual figure in a sentence."""

    name: str
    text: str
    tone: str
    url: str


def describe_ranks(
    site: SiteView, *, period: Period, now: dt.datetime, sort: str
) -> dict[str, Any]:
    """Return what the page of the shops shows."""
    ranks = rank_sites(site, period=period, now=now, sort=sort)
    current = sort if sort in HEADINGS else "net"
    kept = {"period": period.code}
    if period.code == "own":
        kept |= {"first": period.days.first.isoformat(), "last": period.days.last.isoformat()}
    query = urlencode(kept)
    return {
        "headings": [
            Heading(code=code, name=name, url=f"?{query}&sort={code}", is_current=code == current)
            for code, name in HEADINGS.items()
        ],
        "ranks": [_row(number, each, query) for number, each in enumerate(ranks, 1)],
        "outliers": [_outlier(each) for each in find_outliers(site, today=period.today)],
        "outliers_meaning": OUTLIERS,
    }


def _row(number: int, rank: Rank, query: str) -> RankRow:
    bps = change_bps(rank.facts.net_amount, before=rank.before_amount)
    return RankRow(
        place=number,
        name=rank.site.name,
        facts=rank.facts,
        tenths=None if bps is None else bps // 10,
        spark=draw_line(rank.days),
        url=reverse("console:overview", args=[rank.site.slug]) + f"?{query}",
    )


def _outlier(each: Outlier) -> OutlierRow:
    definition = DEFINITIONS[each.field]
    text = _("%(figure)s %(value)s，平时 %(usual)s") % {
        "figure": definition.name,
        "value": _say(each.field, each.value),
        "usual": _say(each.field, each.usual),
    }
    is_bad = (each.tenths > 0) == definition.is_better_low
    days = {"period": "own", "first": each.day.isoformat(), "last": each.day.isoformat()}
    return OutlierRow(
        name=each.site.name,
        text=f"{each.day:%m-%d} {text}",
        tone="bad" if is_bad else "ok",
        url=reverse("console:overview", args=[each.site.slug]) + "?" + urlencode(days),
    )


def _say(field: str, value: int) -> str:
    match DEFINITIONS[field].unit:
        case "money":
            return "¥" + format_yuan(Amount(value))
        case "rate":
            return f"{value // 100}.{value % 100 // 10}%"
        case _:
            return str(value)
