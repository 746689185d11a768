"""Turns a content into markup: one query for the cards of all its sections, one for its pictures.

Each section is drawn by its own template inside one frame; what fails to be drawn is left out and
logged, so that one bad section never takes a shop's page down.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import structlog
from django.template.loader import get_template
from django.utils.safestring import SafeString, mark_safe

from kameng.catalog.selectors import get_catalogue
from kameng.catalog.snapshot import Catalogue
from kameng.pages.content import Content
from kameng.pages.fields import Field, Props, is_sound
from kameng.pages.registry import PictureView, Section, World, find_section
from kameng.pages.selectors import list_page_addresses, list_pictures, list_recent_sales
from kameng.pages.shelf import make_cards
from kameng.tenancy.selectors import SiteView

AT_ONCE: Final = 2  # sections that a screen shows before anybody scrolls
log = structlog.get_logger("kameng.pages")


def draw_content(
    content: Content, *, site: SiteView, now: datetime, is_editing: bool = False
) -> SafeString:
    """Return the markup of a content's sections. Two queries, or three where it links to pages."""
    world = make_world(content, site=site, now=now, is_editing=is_editing)
    drawn = (
        draw_section(section, world, is_first=number < AT_ONCE)
        for number, section in enumerate(content["sections"])
    )
    return mark_safe("".join(drawn))  # noqa: S308 - each is a template's


def draw_section(section: Props, world: World, *, is_first: bool = False) -> SafeString:
    """Return the markup of one section; of an unknown one nothing, or its place in the editor.

    Pictures of what `is_first` are fetched at once, others when they come near the screen.
    """
    known = _find_drawable(section)
    if known is None:
        return _frame(section, None, "") if world.is_editing else mark_safe("")
    if section.get("hidden") and not world.is_editing:
        return mark_safe("")
    try:
        inside = get_template(f"sections/{known.type}/template.html").render(
            {
                "s": section["props"],
                "section_id": section["id"],
                "world": world,
                "site": world.site,
                "site_name": world.site.name,
                "is_editing": world.is_editing,
                "is_first": is_first,
                **known.context(section["props"], world),
            }
        )
    except Exception:
        log.exception("section_not_drawn", section_type=known.type, site_id=world.site.site_id)
        if not world.is_editing:
            return mark_safe("")
        inside = ""
    if not inside.strip() and not world.is_editing:
        return mark_safe("")
    return _frame(section, known, inside)


def _frame(section: Props, known: Section | None, inside: str) -> SafeString:
    drawn: SafeString = get_template("sections/frame.html").render(  # type: ignore[assignment]
        {
            "section": section,
            "known": known,
            "inside": mark_safe(inside),  # noqa: S308 - a template made it
        }
    )
    return drawn


def make_world(
    content: Content, *, site: SiteView, now: datetime, is_editing: bool = False
) -> World:
    """Return everything that a content needs to be drawn, fetched in bulk."""
    catalogue = get_catalogue(site)
    products = {
        product.id: product
        for section, known in _known(content)
        for product in known.products(section["props"], catalogue)
    }
    cards = make_cards(catalogue, list(products.values())) if products else []
    ids = {value["id"] for value in _values(content, "image") if value}
    links = [value for value in _values(content, "link") if value and value["to"] == "page"]
    needs_sales = any(known.needs_sales for _section, known in _known(content))
    return World(
        site=site,
        catalogue=catalogue,
        now=now,
        cards={card.product.id: card for card in cards},
        pictures=list_pictures(ids) if ids else {},
        pages=list_page_addresses() if links else {},
        sales=list_recent_sales() if needs_sales else (),
        is_editing=is_editing,
    )


def cards_of(products: Iterable[Any], world: World) -> list[Any]:
    """Return the cards of products in their order, what is sold out last."""
    found = [world.cards[product.id] for product in products if product.id in world.cards]
    return sorted(found, key=lambda card: card.level_word == "out")


def _known(content: Content) -> Iterator[tuple[Props, Section]]:
    for section in content["sections"]:
        known = _find_drawable(section)
        if known is not None:
            yield section, known


def _find_drawable(section: Props) -> Section | None:
    """Return what draws a section; None for a newer version, or values of the wrong shape.

    A type that an older program kept unread may hold anything once a newer one knows it.
    """
    known = find_section(section["type"])
    if known is None or section["version"] > known.version:
        return None
    return known if is_sound(known.all_fields, section["props"]) else None


def _values(content: Content, kind: str) -> Iterator[Any]:
    """Yield the values of every field of a kind, in lists too."""
    for section, known in _known(content):
        yield from _in_fields(known.all_fields, section["props"], kind)


def _in_fields(fields: Iterable[Field], props: Mapping[str, Any], kind: str) -> Iterator[Any]:
    for field in fields:
        if field.kind == kind:
            yield props[field.name]
        elif field.kind == "items":
            for item in props[field.name]:
                yield from _in_fields(field.fields, item, kind)


__all__ = ["Catalogue", "PictureView", "cards_of", "draw_content", "draw_section", "make_world"]
