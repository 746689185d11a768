"""Reads of pages: the published design of a site, kept in the process; what the editor lists.

The design is kept by site and catalogue version, so a warm page costs no query; publishing grows
the version. The product tables of other apps are read through their selectors.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.urls import reverse
from django.utils.translation import get_language

from kameng.catalog.caching import SnapshotCache
from kameng.core import clock
from kameng.pages.content import Content, tidy
from kameng.pages.defaults import default_content
from kameng.pages.errors import PageNotFound, RevisionNotFound
from kameng.pages.looks import Sheet, complete_look, sheet_of
from kameng.pages.models import (
    MANY_KINDS,
    Decoration,
    Page,
    PageKind,
    Picture,
    PictureFile,
    Publication,
    Revision,
    Sale,
    Skin,
)
from kameng.pages.registry import PictureView, RecentSale
from kameng.tenancy.selectors import SiteView

FRESH_SECONDS: Final = 300
CACHED_SECTIONS: Final = 20_000  # of all sites together, about 40 MB in the worst case
REVISIONS_SHOWN: Final = 100
SALES_SHOWN: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinSpan:
    """A festive skin and when it is worn."""

    kind: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """Everything published on a site. `contents` by (kind, category id, slug)."""

    look: Content
    sheet: Sheet
    contents: Mapping[tuple[int, int, str], Content]
    titles: Mapping[tuple[int, int, str], str]
    skins: tuple[SkinSpan, ...]

    def skin_at(self, moment: datetime) -> str:
        """Return the skin worn at a moment, the one that began last; empty for none."""
        worn = [skin for skin in self.skins if skin.starts_at <= moment < skin.ends_at]
        return max(worn, key=lambda skin: skin.starts_at).kind if worn else ""


_designs: SnapshotCache[tuple[int, int, str | None], Design] = SnapshotCache(
    weight_limit=CACHED_SECTIONS,
    fresh_seconds=FRESH_SECONDS,
    weigh=lambda design: 1 + sum(len(c["sections"]) for c in design.contents.values()),
)


def get_design(site: SiteView) -> Design:
    """Return what is published on a site; the built-in pages where nothing is."""
    key = (site.site_id, site.catalogue_version, get_language())
    return _designs.get(key, lambda: _load_design(site))


def forget_designs() -> None:
    """Empty this process's designs (tests, and after a fork)."""
    _designs.clear()


def _load_design(site: SiteView) -> Design:
    pages = Page.in_site().filter(revision__isnull=False).select_related("revision")
    contents: dict[tuple[int, int, str], Content] = {}
    titles: dict[tuple[int, int, str], str] = {}
    for page in pages:
        if page.revision is None:
            continue
        key = (page.kind, page.category_id, page.slug)
        contents[key] = tidy(page.revision.content, kind=page.kind)
        titles[key] = page.title
    for kind in (PageKind.LOOK, PageKind.HOME, PageKind.ABOUT):
        key = (int(kind), 0, "")
        if key not in contents:
            contents[key] = tidy(default_content(kind, site), kind=kind)
    now = clock.now()
    skins = Skin.in_site().filter(ends_at__gt=now).order_by("starts_at")[:50]
    look = contents[PageKind.LOOK, 0, ""]
    return Design(
        look=look,
        sheet=sheet_of(complete_look(look["root"])),
        contents=contents,
        titles=titles,
        skins=tuple(
            SkinSpan(kind=skin.kind, starts_at=skin.starts_at, ends_at=skin.ends_at)
            for skin in skins
        ),
    )


def list_pages() -> list[Page]:
    """Return the pages that the site has rows of."""
    return list(Page.in_site().select_related("revision").order_by("kind", "category_id", "id"))


def find_page(kind: int, *, category_id: int = 0, slug: str = "") -> Page | None:
    """Return a page of the site, or None while nothing was changed on it."""
    found: Page | None = (
        Page.in_site()
        .select_related("revision")
        .filter(kind=kind, category_id=category_id, slug=slug)
        .first()
    )
    return found


def decorated_kinds() -> set[int]:
    """Return the kinds of page that the site published: its settings draw them no longer."""
    return set(Page.in_site().filter(revision__isnull=False).values_list("kind", flat=True))


def get_page(page_id: int) -> Page:
    """Return one page of the site; raise `PageNotFound`."""
    page: Page | None = Page.in_site().select_related("revision").filter(id=page_id).first()
    if page is None:
        raise PageNotFound
    return page


def current_content(page: Page, *, site: SiteView) -> Content:
    """Return what the editor opens: the draft, else what is published, else the built-in page."""
    if page.draft is not None:
        return tidy(page.draft, kind=page.kind)
    if page.revision is not None:
        return tidy(page.revision.content, kind=page.kind)
    return tidy(default_content(page.kind, site), kind=page.kind)


def list_revisions(page_id: int) -> list[Revision]:
    """Return the newest revisions of a page, without their contents."""
    rows = Revision.in_site().filter(page_id=page_id).defer("content").order_by("-number")
    return list(rows[:REVISIONS_SHOWN])


def get_revision(page_id: int, *, number: int) -> Revision:
    """Return one revision of a page; raise `RevisionNotFound`."""
    found: Revision | None = Revision.in_site().filter(page_id=page_id, number=number).first()
    if found is None:
        raise RevisionNotFound
    return found


def find_publication(page_id: int) -> Publication | None:
    """Return the timed publication that waits for a page, or None."""
    found: Publication | None = (
        Publication.in_site().filter(page_id=page_id, state=0).select_related("revision").first()
    )
    return found


def list_page_addresses() -> dict[int, str]:
    """Return the addresses of the site's published landing and custom pages by id."""
    rows = Page.in_site().filter(kind__in=MANY_KINDS, revision__isnull=False)
    return {
        page_id: reverse("storefront:page", args=(slug,))
        for page_id, slug in rows.values_list("id", "slug")
    }


def list_pictures(ids: Iterable[int]) -> dict[int, PictureView]:
    """Return pictures of the site by id, with the sizes that there are. Two queries."""
    wanted = list(ids)
    widths: dict[int, list[int]] = {}
    sizes = PictureFile.in_site().filter(picture_id__in=wanted).order_by("width")
    for picture_id, width in sizes.values_list("picture_id", "width"):
        widths.setdefault(picture_id, []).append(width)
    return {
        row.id: PictureView(
            id=row.id,
            digest=row.digest,
            width=row.width,
            height=row.height,
            widths=tuple(widths.get(row.id, (row.width,))),
        )
        for row in Picture.in_site().filter(id__in=wanted)
    }


def list_library(*, before_id: int = 0, limit: int = 60) -> list[Picture]:
    """Return the pictures that the site offers, the newest first."""
    rows = Picture.in_site().filter(removed_at__isnull=True).order_by("-id")
    return list((rows.filter(id__lt=before_id) if before_id else rows)[:limit])


def find_last_decoration() -> Decoration | None:
    """Return the decoration that was applied last, undone or not."""
    found: Decoration | None = Decoration.in_site().order_by("-id").first()
    return found


def find_picture_data(picture_id: int, *, digest: str, width: int) -> bytes | None:
    """Return one file of a picture, or None; the digest must be its own."""
    row: Any = (
        PictureFile.in_site()
        .filter(picture_id=picture_id, width=width, picture__digest__startswith=digest)
        .values_list("data", flat=True)
        .first()
    )
    return None if row is None else bytes(row)


def list_publications() -> list[Publication]:
    """Return the timed publications that wait."""
    return list(Publication.in_site().filter(state=0).order_by("publish_at"))


def list_recent_sales() -> list[RecentSale]:
    """Return what was sold on the site lately, the newest first. One query by index."""
    rows = Sale.in_site().order_by("-sold_at").values_list("product_id", "sold_at")
    return [RecentSale(product_id=row[0], sold_at=row[1]) for row in rows[:SALES_SHOWN]]


def list_skins() -> list[Skin]:
    """Return the skins worn and planned, and those of the last months."""
    return list(Skin.in_site().order_by("-ends_at")[:60])


def find_picture(picture_id: int) -> Picture | None:
    """Return one picture of the site, offered or not; None where it is another's."""
    found: Picture | None = Picture.in_site().filter(id=picture_id).first()
    return found
