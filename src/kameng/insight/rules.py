"""What the figures mean, in one place. Pure.

GMV (成交额): what buyers paid for orders of a period, refunds of those orders taken off.
Margin (利润) of a sub-site: GMV less wholesale price and gateway fees, refunds taken off part by
part. Profit of the main site: its own GMV less fees, plus wholesale income, less what the goods
cost it now (an estimate: the cost of the day is not kept with the order).
Buyers: different customers, and different contacts of guests, who paid.
"""

import datetime as dt
import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

BPS = 10_000
HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time, `until` not included."""

    since: dt.datetime
    until: dt.datetime


def day_start(now: dt.datetime, *, zone: ZoneInfo) -> dt.datetime:
    """Return the midnight at which the day of `now` began in a time zone."""
    local = now.astimezone(zone)
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def same_hour_before(now: dt.datetime, *, zone: ZoneInfo, days: int) -> Window:
    """Return the day so many days before, cut at the same time of day."""
    start = day_start(now, zone=zone)
    local = now.astimezone(zone)
    began = (start - dt.timedelta(days=days)).replace(tzinfo=zone)
    ended = (local.replace(tzinfo=None) - dt.timedelta(days=days)).replace(tzinfo=zone)
    return Window(since=began, until=ended)


def change_bps(now: int, *, before: int) -> int | None:
    """Return how much `now` differs from `before` in basis points; None when nothing was before."""
    if before <= 0:
        return None
    return (now - before) * BPS // before


# Sources of visits. Key 0: an order whose visit was not recorded; 1: a visit from nowhere else; 2:
# the rest, once a day has brought more than `SOURCES_A_DAY` new ones.
SOURCE_NONE: Final = 0
SOURCE_DIRECT: Final = 1
SOURCE_OTHER: Final = 2
SOURCES_A_DAY: Final = 200
SEARCH_HOSTS: Final = (
    *("baidu.com", "sogou.com", "so.com", "sm.cn", "toutiao.com", "google.com", "bing.com"),
    *("duckduckgo.com", "yandex.com", "yandex.ru", "yahoo.com", "ecosia.org"),
)
SOCIAL_HOSTS: Final = (
    *("weixin.qq.com", "wx.qq.com", "qq.com", "weibo.com", "weibo.cn", "douyin.com", "t.co"),
    *("kuaishou.com", "xiaohongshu.com", "xhslink.com", "zhihu.com", "bilibili.com", "b23.tv"),
    *("tieba.com", "douban.com", "facebook.com", "x.com", "twitter.com", "reddit.com", "t.me"),
    *("telegram.org", "discord.com", "youtube.com", "instagram.com", "linkedin.com"),
)
SOCIAL_ABOVE: Final = ("tieba.baidu.com",)  # below a host of search
HOST_MAX, MEDIUM_MAX, CAMPAIGN_MAX = 80, 40, 60
# Who says so himself is no visitor: programs name themselves by one of these words.
BOTS: Final = re.compile(
    r"bot|crawl|spider|slurp|preview|monitor|curl|wget|python|java/|go-http|okhttp|axios|headless"
    r"|lighthouse|scan|feed|fetch|http-?client",
    re.IGNORECASE,
)
ODD: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\ufffd]")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceWords:
    """Where a visit came from: a kind, a host or a name of a campaign's source, its medium, itself.

    Kinds: search, social, site (another one), campaign (named by the link itself).
    """

    kind: str
    host: str = ""
    medium: str = ""
    campaign: str = ""

    @property
    def key(self) -> int:
        """Return the number of these words, the same for every site and process; above 2."""
        text = "\x1f".join((self.kind, self.host, self.medium, self.campaign))
        number = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
        return number if number > SOURCE_OTHER else number + 10


def find_source(*, referrer: str, query: str, own_host: str) -> SourceWords | None:
    """Return where a visit came from; None from nowhere else. Short; no path is kept."""
    named = dict(parse_qsl(query, max_num_fields=50)) if "utm_" in query else {}
    source = _tidy(named.get("utm_source", ""), HOST_MAX).lower()
    campaign = _tidy(named.get("utm_campaign", ""), CAMPAIGN_MAX)
    if source or campaign:
        medium = _tidy(named.get("utm_medium", ""), MEDIUM_MAX).lower()
        return SourceWords(kind="campaign", host=source, medium=medium, campaign=campaign)
    host = host_of(referrer)
    if not host or host == own_host:
        return None
    if _is_below(host, SOCIAL_ABOVE):
        return SourceWords(kind="social", host=host[:HOST_MAX])
    kind = "site"
    if _is_below(host, SEARCH_HOSTS):
        kind = "search"
    elif _is_below(host, SOCIAL_HOSTS):
        kind = "social"
    return SourceWords(kind=kind, host=host[:HOST_MAX])


def host_of(url: str) -> str:
    """Return the host of an address in lower case without `www.`; empty when it has none."""
    try:
        host = (urlsplit(url[:2000]).hostname or "") if "://" in url[:12] else ""
    except ValueError:
        return ""
    return _tidy(host.lower().removeprefix("www."), HOST_MAX)


def _is_below(host: str, names: tuple[str, ...]) -> bool:
    return any(host == name or host.endswith("." + name) for name in names)


def _tidy(text: str, limit: int) -> str:
    return ODD.sub("", text).strip()[:limit]


def median(values: list[int]) -> int:
    """Return the middle value, the lower of two."""
    return sorted(values)[(len(values) - 1) // 2] if values else 0


def robust_tenths(value: int, *, past: list[int], least: int) -> int:
    """Return how far a value is from its past in tenths of a robust standard deviation.

    1.4826 times the median of the distances from the median (MAD); `least` is what the deviation is
    taken for at least, so that a quiet past does not make every ripple an alarm.
    """
    middle = median(past)
    deviation = max(least, median([abs(each - middle) for each in past]) * 14_826 // 10_000)
    return (value - middle) * 10 // max(1, deviation)
