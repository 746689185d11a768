"""Lists of sites by page, filter and search, at one price however many sites there are.

Pages begin behind or before a site, by an index; what fits is counted up to a bound; a search looks
up the characters and pairs of characters of the text (sql/grams.sql).
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from django.contrib.postgres.fields import ArrayField
from django.db.models import F, Func, Q, QuerySet, TextField, Value

from kameng.core import clock
from kameng.tenancy.models import Site, SiteKind, SiteState

SITES_MOST: Final = 200  # of one page
COUNTED_MOST: Final = 1000
SOON: Final = dt.timedelta(days=14)
TEXT_MOST: Final = 60
BY_FAMILY: Final = (F("family_id").desc(), F("upline_id").asc(nulls_first=True), F("id").desc())
BY_FAMILY_BACK: Final = (
    F("family_id").asc(),
    F("upline_id").desc(nulls_last=True),
    F("id").asc(),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFilter:
    """Which sites the back office lists; `view` is all, ending (in 14 days), over or suspended."""

    text: str = ""
    view: str = "all"

    @property
    def is_by_end(self) -> bool:
        """Tell whether what ends first stands first."""
        return self.view in {"ending", "over"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SitePage:
    """Some sites in a row of the list, and the sites that its neighbours begin before or behind."""

    rows: list[Site]
    count: int  # of all that fit, at most COUNTED_MOST
    is_counted: bool  # False: there are more than `count`
    newer_id: int | None  # the page before ends before this site; None on the first one
    older_id: int | None  # the page after begins behind this site; None on the last one


def list_sites_filtered(
    wanted: SiteFilter,
    *,
    after_id: int | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> SitePage:
    """Return a page of sites: the main one first, children behind their upline, else the newest.

    Where they are listed by their end, what ends first. A site to begin at that is none: page one.
    """
    limit = min(limit, SITES_MOST)
    fitting = _fitting(wanted)
    rows = fitting if wanted.is_by_end else fitting.filter(kind=SiteKind.BRANCH)
    start = Site.objects.filter(id=after_id or before_id or 0).first()
    if start is not None and wanted.is_by_end and start.expires_at is None:
        start = None
    is_back = start is not None and after_id is None
    if start is not None:
        rows = rows.filter(_beside(start, is_back=is_back, is_by_end=wanted.is_by_end))
    found = list(_ordered(rows, wanted, is_back=is_back)[: limit + 1])
    is_more, found = len(found) > limit, found[:limit]
    if is_back:
        found.reverse()
    is_first = start is None or (is_back and not is_more)
    count = fitting.order_by()[: COUNTED_MOST + 1].count()
    return SitePage(
        rows=[*(_main_of(fitting) if is_first and not wanted.is_by_end else []), *found],
        count=min(count, COUNTED_MOST),
        is_counted=count <= COUNTED_MOST,
        newer_id=found[0].id if found and not is_first else None,
        older_id=found[-1].id if found and (is_more or is_back) else None,
    )


def list_sites_newest(*, text: str = "", limit: int = 12) -> list[Site]:
    """Return the main site and the newest sub-sites, or those whose name or slug holds `text`."""
    rows = search(Site.objects.select_related("plan"), text)
    newest = rows.filter(kind=SiteKind.BRANCH).order_by("-id")
    return [*_main_of(rows), *newest[:limit]][:limit]


def list_sites_oldest(*, limit: int) -> list[Site]:
    """Return the main site, which is the first, and those opened after it."""
    return list(Site.objects.order_by("id")[:limit])


def search(rows: "QuerySet[Site]", text: str) -> "QuerySet[Site]":
    """Return those of these sites whose name or slug holds a text; all for an empty one."""
    text = text.strip()[:TEXT_MOST]
    if not text:
        return rows
    grams: ArrayField[Any, Any] = ArrayField(TextField())
    held = Func(F("name"), F("slug"), function="tenancy_grams", output_field=grams)
    asked = Func(
        Value(text, output_field=TextField()),
        Value("", output_field=TextField()),
        function="tenancy_grams",
        output_field=grams,
    )
    held_rows = rows.alias(grams=held).filter(grams__contains=asked)
    return held_rows.filter(Q(name__icontains=text) | Q(slug__icontains=text))


def _fitting(wanted: SiteFilter) -> "QuerySet[Site]":
    now = clock.now()
    rows = search(Site.objects.all(), wanted.text)
    if wanted.view == "ending":
        return rows.filter(expires_at__gt=now, expires_at__lte=now + SOON)
    if wanted.view == "over":
        return rows.filter(expires_at__lte=now)
    if wanted.view == "suspended":
        return rows.filter(Q(state=SiteState.SUSPENDED) | Q(lapses_at__lte=now))
    return rows


def _ordered(rows: "QuerySet[Site]", wanted: SiteFilter, *, is_back: bool) -> "QuerySet[Site]":
    rows = rows.select_related("plan", "upline")
    if wanted.is_by_end:
        return rows.order_by(*(("-expires_at", "-id") if is_back else ("expires_at", "id")))
    return rows.order_by(*(BY_FAMILY_BACK if is_back else BY_FAMILY))


def _beside(start: Site, *, is_back: bool, is_by_end: bool) -> Q:
    """Return what stands before or behind a site in the order of `_ordered`."""
    if is_by_end:
        ends_at = start.expires_at
        if is_back:
            return Q(expires_at__lte=ends_at) & (Q(expires_at__lt=ends_at) | Q(id__lt=start.id))
        return Q(expires_at__gte=ends_at) & (Q(expires_at__gt=ends_at) | Q(id__gt=start.id))
    family, is_child = start.family_id, start.upline_id is not None
    if is_back:
        sooner = Q(upline=None) | Q(id__gt=start.id) if is_child else Q(id__in=[])
        return Q(family_id__gte=family) & (Q(family_id__gt=family) | sooner)
    later = Q(upline__isnull=False, id__lt=start.id) if is_child else Q(upline__isnull=False)
    return Q(family_id__lte=family) & (Q(family_id__lt=family) | later)


def _main_of(rows: "QuerySet[Site]") -> list[Site]:
    return list(rows.filter(kind=SiteKind.MAIN)[:1])
