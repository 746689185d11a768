"""What a section is, and which there are: one folder each under `sections/`.

A folder holds `section.py` (the schema, what it needs to be drawn), `template.html`,
`preview.json` (props that show it at its best, for the palette and the tests).
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from kameng.catalog.snapshot import Catalogue, ProductView
from kameng.pages.fields import Field, Props, Text
from kameng.pages.models import PageKind
from kameng.pages.shelf import Card
from kameng.tenancy.selectors import SiteView


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What there is to draw with: the site, its goods, the time, pictures and cards at hand."""

    site: SiteView
    catalogue: Catalogue
    now: datetime
    cards: Mapping[int, Card]
    pictures: Mapping[int, "PictureView"]
    pages: Mapping[int, str]  # addresses of this site's own pages
    sales: Sequence["RecentSale"] = ()
    is_editing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureView:
    """A picture as a page shows it."""

    id: int
    digest: str
    width: int
    height: int
    widths: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentSale:
    """That a product was sold, and when."""

    product_id: int
    sold_at: datetime


def _same(props: Props, _version: int) -> Props:
    return props


def _no_products(_props: Props, _catalogue: Catalogue) -> Sequence[ProductView]:
    return ()


def _plain(_props: Props, _world: World) -> Mapping[str, Any]:
    return {}


GROUPS: Final = {
    "banner": _("横幅"),
    "goods": _("商品"),
    "sale": _("营销"),
    "content": _("图文"),
    "trust": _("信任与服务"),
    "layout": _("版式"),
}

GROUNDS: Final = (
    ("none", _("无")),
    ("card", _("卡片")),
    ("soft", _("浅色")),
    ("brand", _("主色")),
    ("dark", _("深色")),
)
COMMON: Final = (
    Field(name="ground", label=_("背景"), kind="choice", options=GROUNDS),
    Field(
        name="space",
        label=_("上下间距"),
        kind="choice",
        options=(("normal", _("适中")), ("tight", _("紧凑")), ("airy", _("宽松"))),
    ),
    Field(
        name="device",
        label=_("显示在"),
        kind="choice",
        options=(("all", _("手机和电脑")), ("phone", _("仅手机")), ("desktop", _("仅电脑"))),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One type of section. `version` grows when the meaning of stored props changes."""

    type: str
    version: int
    name: Text
    icon: str
    group: str  # one of GROUPS
    hint: Text  # when to use it, one sentence
    fields: tuple[Field, ...]
    kinds: frozenset[int] = frozenset(set(PageKind) - {PageKind.LOOK})
    is_single: bool = False
    needs_sales: bool = False  # fetches what was sold lately
    upgrade: Callable[[Props, int], Props] = _same
    products: Callable[[Props, Catalogue], Sequence[ProductView]] = _no_products
    context: Callable[[Props, World], Mapping[str, Any]] = _plain

    @property
    def all_fields(self) -> tuple[Field, ...]:
        """Its own fields and those that every section has."""
        return (*self.fields, *COMMON)

    def stands_on(self, kind: int) -> bool:
        """Tell whether it may stand on a page of this kind."""
        return kind in self.kinds


TYPES: Final = (
    "hero",
    "carousel",
    "tiles",
    "product_grid",
    "product_list",
    "product_carousel",
    "category_shelves",
    "category_nav",
    "search_box",
    "countdown",
    "notice",
    "rich_text",
    "picture",
    "hot_spots",
    "video",
    "columns",
    "compare",
    "steps",
    "faq",
    "trust_badges",
    "sales_ticker",
    "customer_service",
    "spacer",
    "divider",
    "footer",
)


@cache
def all_sections() -> Mapping[str, Section]:
    """Return the sections by type, in the palette's order."""
    found = {}
    for name in TYPES:
        section = import_module(f"kameng.pages.sections.{name}.section").SECTION
        found[section.type] = section
    return found


def find_section(name: str) -> Section | None:
    """Return the section of a type, or None."""
    return all_sections().get(name)


def preview_section(section: Section) -> Props:
    """Return a section as a content has it, with the props of its `preview.json`."""
    text = files(f"kameng.pages.sections.{section.type}").joinpath("preview.json").read_text()
    return {
        "id": "preview",
        "type": section.type,
        "version": section.version,
        "props": json.loads(text),
    }
