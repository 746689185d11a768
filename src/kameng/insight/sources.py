"""Where visits come from: words for it, and a number for the words. Pure."""

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final
from urllib.parse import parse_qsl, urlsplit

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
