"""What the look of a site puts around every page: logo, icon of the tab, menu, footer.

Drawn once for each look, catalogue and language, and kept in the process: pages of one person,
which are never kept, pay nothing for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language

from kameng.catalog.caching import SnapshotCache
from kameng.catalog.selectors import get_catalogue
from kameng.pages.content import Content
from kameng.pages.drawing import draw_content
from kameng.pages.registry import PictureView, World
from kameng.pages.selectors import list_page_addresses, list_pictures
from kameng.pages.templatetags.sections import find_address
from kameng.tenancy.selectors import SiteView

FRESH_SECONDS: Final = 300
KEPT_MOST: Final = 5_000
DIGEST_CHARS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class MenuLink:
    """One entry of the menu."""

    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What stands around a page. Addresses are empty where the look names no picture."""

    logo_url: str
    logo_width: int
    logo_height: int
    favicon_url: str
    shows_name: bool
    menu: tuple[MenuLink, ...]
    footer: SafeString


_headings: SnapshotCache[tuple[Any, ...], Heading] = SnapshotCache(
    weight_limit=KEPT_MOST, fresh_seconds=FRESH_SECONDS, weigh=lambda _heading: 1
)


def get_heading(site: SiteView, look: Content, *, now: datetime) -> Heading:
    """Return the heading of the published look, kept; at most four queries when it is drawn."""
    key = (site.site_id, site.catalogue_version, site.main_version, get_language())
    return _headings.get(key, lambda: draw_heading(site, look, now=now))


def forget_headings() -> None:
    """Empty this process's headings (tests, and after a fork)."""
    _headings.clear()


def draw_heading(
    site: SiteView, look: Content, *, now: datetime, is_editing: bool = False
) -> Heading:
    """Return the heading of a look."""
    root = look["root"]
    named = {value["id"] for value in (root["logo"], root["favicon"]) if value}
    pictures = list_pictures(named) if named else {}
    logo = _find(root["logo"], pictures)
    url, width, height = _sized(logo, 480) if logo else ("", 0, 0)
    icon = _find(root["favicon"], pictures)
    return Heading(
        logo_url=url,
        logo_width=width,
        logo_height=height,
        favicon_url=_sized(icon, 1)[0] if icon else "",
        shows_name=root["shows_name"] or logo is None,
        menu=tuple(_menu(root["menu"], site, now=now)),
        footer=mark_safe(draw_content(look, site=site, now=now, is_editing=is_editing)),  # noqa: S308 - drawn by templates
    )


def _menu(rows: list[Mapping[str, Any]], site: SiteView, *, now: datetime) -> list[MenuLink]:
    links = [row["link"] for row in rows if row["link"]]
    has_page = any(link["to"] == "page" for link in links)
    world = World(
        site=site,
        catalogue=get_catalogue(site),
        now=now,
        cards={},
        pictures={},
        pages=list_page_addresses() if has_page else {},
    )
    found = [(row["text"], find_address(row["link"], world)) for row in rows]
    return [MenuLink(text=text, url=url) for text, url in found if text and url]


def _find(
    value: Mapping[str, Any] | None, pictures: Mapping[int, PictureView]
) -> PictureView | None:
    return pictures.get(value["id"]) if value else None


def _sized(picture: PictureView, least: int) -> tuple[str, int, int]:
    """Return the address and the sides of the smallest file that is wide enough, or the widest."""
    width = next((each for each in picture.widths if each >= least), picture.widths[-1])
    address = reverse("storefront:picture", args=(picture.id, picture.digest[:DIGEST_CHARS], width))
    return address, width, max(1, round(picture.height * width / picture.width))
