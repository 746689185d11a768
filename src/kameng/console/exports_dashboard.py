"""The tables of a dashboard as files: the same figures as on the screen, all of their rows."""

from collections.abc import Callable, Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.console.dashboard_page import (
    BUYER_TILES,
    MAIN_TILES,
    SMALL_TILES,
    Screen,
    list_lines,
    list_stages,
    make_tile,
    name_goods,
    say_days,
    say_point,
)
from kameng.console.exports import Export
from kameng.console.sheets import Column
from kameng.console.source_words import group_campaigns, group_sources
from kameng.insight.definitions import DEFINITIONS
from kameng.pricing.money import Amount, format_yuan

SOURCES_MOST: Final = 5000
BPS_OF_PERCENT: Final = 100


def export_figures(screen: Screen) -> Export:
    """Return every figure with its meaning, now and before."""
    columns = (
        Column(label=_("指标")),
        Column(label=_("本期")),
        Column(label=_("上期")),
        Column(label=_("含义")),
    )
    tiles = [make_tile(screen, code) for code in (*MAIN_TILES, *SMALL_TILES, *BUYER_TILES)]
    fields = [tile.code for tile in tiles if tile is not None]
    fields += [stage.definition.field for stage in list_stages(screen)]
    board = screen.board
    rows = [
        (
            str(DEFINITIONS[field].name),
            _say(field, getattr(board.facts, field)),
            _say(field, getattr(board.before, field)),
            str(DEFINITIONS[field].meaning),
        )
        for field in dict.fromkeys(fields)
    ]
    return Export(code="figures", name=_name(screen, _("经营数据")), columns=columns, rows=rows)


def _say(field: str, value: int | None) -> str:
    if value is None:
        return ""
    match DEFINITIONS[field].unit:
        case "money":
            return format_yuan(Amount(value))
        case "rate":
            return f"{value // BPS_OF_PERCENT}.{value % BPS_OF_PERCENT:02d}%"
        case _:
            return str(value)


def export_days(screen: Screen) -> Export:
    """Return the figures of each hour, day or month."""
    columns = [
        Column(label=_("时间")),
        Column(label=_("付款金额"), kind="yuan"),
        Column(label=_("退款"), kind="yuan"),
        Column(label=_("成交额"), kind="yuan"),
        Column(label=_("订单"), kind="whole"),
        Column(label=_("件数"), kind="whole"),
        Column(label=_("下单"), kind="whole"),
        Column(label=_("访客"), kind="whole"),
    ]
    period = screen.period
    rows = [
        (
            say_point(point, period) if period.step != "day" else point.day.isoformat(),
            point.facts.revenue_amount,
            point.facts.refunded_amount,
            point.facts.net_amount,
            point.facts.order_count,
            point.facts.piece_count,
            point.facts.placed_count,
            point.facts.visitor_count,
        )
        for point in screen.board.points
    ]
    return Export(code="days", name=_name(screen, _("走势")), columns=columns, rows=rows)


def export_goods(screen: Screen) -> Export:
    """Return what every product sold."""
    columns = (
        Column(label=_("商品")),
        Column(label=_("订单"), kind="whole"),
        Column(label=_("成交额"), kind="yuan"),
    )
    rows = [
        (each.name, each.order_count, each.amount)
        for each in name_goods(screen, screen.board.goods)
    ]
    return Export(code="goods", name=_name(screen, _("商品排行")), columns=columns, rows=rows)


def export_sources(screen: Screen) -> Export:
    """Return every source of visits and orders, then every campaign."""
    columns = (
        Column(label=_("来源")),
        Column(label=_("访客"), kind="whole"),
        Column(label=_("订单"), kind="whole"),
        Column(label=_("成交额"), kind="yuan"),
    )
    groups = (group_sources(screen.board.sources), group_campaigns(screen.board.sources))
    rows = [
        (each.name, each.visitor_count, each.order_count, each.amount)
        for group in groups
        for each in list_lines(screen, group, SOURCES_MOST)
    ]
    return Export(code="sources", name=_name(screen, _("来源")), columns=columns, rows=rows)


def _name(screen: Screen, name: str) -> str:
    return f"{name} {say_days(screen.period)}"


EXPORTS: Final[Mapping[str, tuple[str | Promise, Callable[[Screen], Export]]]] = {
    "figures": (gettext_lazy("经营数据"), export_figures),
    "days": (gettext_lazy("走势"), export_days),
    "goods": (gettext_lazy("商品排行"), export_goods),
    "sources": (gettext_lazy("来源和活动"), export_sources),
}
