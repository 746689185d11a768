"""What the shop's own pages of goods show: a shelf, a product.

Shared by the storefront, whose pages these are, and the editor, which shows them between the
sections that are being made.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _

from kameng.catalog.snapshot import Catalogue, ProductView, VariantView
from kameng.pages.shelf import (
    OUT,
    Level,
    category_names,
    cover_url,
    make_cards,
    promise_of,
    was_amount,
)
from kameng.pricing.quote import OrderLine, quote_line
from kameng.web.slots import make_slots

PAGE_SIZE: Final = 40
RELATED: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A variant on its product's page."""

    variant: VariantView
    level: Level
    most: int
    was_amount: int | None


SORTS: Final[dict[str, Callable[[ProductView], int]]] = {
    "sold": lambda product: -product.sold_count,
    "cheap": lambda product: product.lowest_amount,
    "new": lambda product: -product.id,
}


def _sort_links(base: str, chosen: str) -> list[dict[str, object]]:
    names = {"": _("综合"), "sold": _("销量"), "cheap": _("价格从低到高"), "new": _("新上架")}
    return [
        {"name": name, "url": f"{base}?sort={key}" if key else base, "is_on": key == chosen}
        for key, name in names.items()
    ]


def list_values(
    catalogue: Catalogue, products: Sequence[ProductView], *, base: str, sort: str, page: int
) -> dict[str, Any]:
    """Return what a list of goods shows of one of its pages, 1 being the first. Counts stock."""
    if sort:
        products = sorted(products, key=SORTS[sort])
    start = (page - 1) * PAGE_SIZE
    shown = products[start : start + PAGE_SIZE]

    def url_of(number: int) -> str:
        query = {**({"sort": sort} if sort else {}), **({"page": number} if number > 1 else {})}
        return f"{base}?{urlencode(query)}" if query else base

    return {
        "cards": make_cards(catalogue, shown),
        "found_count": len(products),
        "total_count": len(catalogue.products),
        "sorts": _sort_links(base, sort),
        "newer_url": url_of(page - 1) if page > 1 else "",
        "older_url": url_of(page + 1) if start + PAGE_SIZE < len(products) else "",
        "empty_title": _("这里还没有商品"),
        "empty_text": _("店铺正在上货，过一会儿再来看看。"),
        "empty_url": reverse("storefront:home"),
        "empty_action": _("回到首页"),
        "tab": "list",
    }


def product_values(
    catalogue: Catalogue, found: ProductView, *, levels: Sequence[Level], chosen: int
) -> dict[str, Any]:
    """Return what a product's page shows; `chosen` is the position of a variant, -1 leaves it."""
    options = [
        Option(
            variant=variant,
            level=level,
            most=found.max_quantity if level.most is None else min(found.max_quantity, level.most),
            was_amount=was_amount(variant),
        )
        for variant, level in zip(found.variants, levels, strict=True)
    ]
    in_stock = [option for option in options if option.level.word != OUT]
    wanted = options[chosen] if chosen >= 0 and options[chosen].level.word != OUT else None
    first = wanted or (in_stock or options)[0]
    line = quote_line(OrderLine(unit=first.variant.unit, quantity=found.min_quantity))
    category_name = category_names(catalogue.categories).get(found.category_id, "")
    others = [each for each in catalogue.by_category(found.category_id) if each.id != found.id]
    return {
        "product": found,
        "category_name": category_name,
        "cover_url": cover_url(found, category_name=category_name),
        "options": options,
        "chosen": first,
        "is_sold_out": not in_stock,
        "first_total": line.total_amount,
        "slots": make_slots(found.input_fields, {}, is_checked=False),
        "promise": promise_of(found.delivery_kind),
        "cards": make_cards(catalogue, others[:RELATED]),
        "description": found.summary,
        "nav": found.category_id,
        "tab": "list",
    }
