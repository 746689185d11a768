"""Sources of visits in words: "搜索 · baidu.com", "活动 · spring (wechat)"."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.insight.dashboard import SourceFigure
from kameng.insight.sources import SOURCE_DIRECT, SOURCE_NONE

KINDS: Final = {
    "search": gettext_lazy("搜索"),
    "social": gettext_lazy("社交"),
    "site": gettext_lazy("其他网站"),
    "campaign": gettext_lazy("活动链接"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSource:
    """One line of a table of sources; `keys` are what it sums up."""

    name: str
    keys: tuple[int, ...]
    visitor_count: int
    order_count: int
    net_amount: int


def name_source(source: SourceFigure) -> str:
    """Return a source in words, without its campaign."""
    if source.source_key == SOURCE_NONE:
        return _("没有访问记录")
    if source.source_key == SOURCE_DIRECT:
        return _("直接打开")
    if not source.kind:
        return _("其他来源")
    kind = str(KINDS.get(source.kind, source.kind))
    host = " / ".join(part for part in (source.host, source.medium) if part)
    return f"{kind} · {host}" if host else kind


def name_sources(sources: Iterable[SourceFigure]) -> str:
    """Return several sources in words: their campaign when they share one."""
    found = list(sources)
    campaigns = {each.campaign for each in found}
    if len(campaigns) == 1 and (campaign := campaigns.pop()):
        return campaign
    return "、".join(dict.fromkeys(name_source(each) for each in found))[:120]


def group_sources(sources: Sequence[SourceFigure]) -> list[NamedSource]:
    """Return sources summed up by where they are, without campaigns; the most money first."""
    return _group(sources, name=name_source)


def group_campaigns(sources: Sequence[SourceFigure]) -> list[NamedSource]:
    """Return the campaigns that links named; the most money first."""
    return _group([each for each in sources if each.campaign], name=lambda each: each.campaign)


def _group(sources: Sequence[SourceFigure], *, name: Any) -> list[NamedSource]:
    groups: dict[str, list[SourceFigure]] = {}
    for each in sources:
        groups.setdefault(name(each), []).append(each)
    found = [
        NamedSource(
            name=label,
            keys=tuple(each.source_key for each in members),
            visitor_count=sum(each.visitor_count for each in members),
            order_count=sum(each.order_count for each in members),
            net_amount=sum(each.net_amount for each in members),
        )
        for label, members in groups.items()
    ]
    return sorted(found, key=lambda each: (-each.net_amount, -each.visitor_count, each.name))
