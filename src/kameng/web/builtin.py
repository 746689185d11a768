"""The built-in part of a page that operators put sections around, drawn while they make it.

The list of goods, a product and the help are drawn by the templates and values that buyers get,
of a real category or product of the shop; a shop without goods shows what will stand there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.urls import reverse
from django.utils.translation import gettext as _

from kameng.catalog.selectors import get_catalogue
from kameng.catalog.snapshot import Catalogue, CategoryView, ProductView
from kameng.pages.models import PageKind
from kameng.pages.shelf import levels_of
from kameng.tenancy.selectors import SiteView
from kameng.web.shelves import list_values, product_values

PLAIN: Final = "storefront/page.html"
OFFERED_MOST: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIn:
    """A page's template with its values; `shown_id` is the category or product it is shown of."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    shown_id: int = 0
    shown_name: str = ""


def find_built_in(site: SiteView, kind: int, *, shown_id: int = 0) -> BuiltIn:
    """Return the built-in part of a kind of page, of the category or product named, else of one.

    A kind that has none is a plain page. Counts the stock of what is shown in one query or two.
    """
    catalogue = get_catalogue(site)
    if kind == PageKind.CATEGORY:
        return _shelf(catalogue, catalogue.find_category(shown_id) or _fullest(catalogue))
    if kind == PageKind.PRODUCT:
        product = catalogue.find_product(shown_id) or next(iter(catalogue.list_hot(1)), None)
        return _product(catalogue, product)
    if kind == PageKind.HELP:
        return BuiltIn(template="storefront/help.html", values={"tab": ""})
    return BuiltIn(template=PLAIN)


def offered_for(site: SiteView, kind: int) -> list[tuple[int, str]]:
    """Return what a page may be shown of, as ids and names: categories, or the goods sold most."""
    catalogue = get_catalogue(site)
    if kind == PageKind.CATEGORY:
        return [(each.id, each.name) for each in catalogue.categories]
    if kind == PageKind.PRODUCT:
        return [(each.id, each.title) for each in catalogue.list_hot(OFFERED_MOST)]
    return []


def _fullest(catalogue: Catalogue) -> CategoryView | None:
    return max(catalogue.categories, key=lambda each: each.product_count, default=None)


def _shelf(catalogue: Catalogue, category: CategoryView | None) -> BuiltIn:
    if category is None:
        products, base = catalogue.products, reverse("storefront:search")
    else:
        products = catalogue.by_category(category.id)
        base = reverse("storefront:category", args=(category.id,))
    name = category.name if category else _("全部商品")
    return BuiltIn(
        template="storefront/list.html",
        values={
            **list_values(catalogue, products, base=base, sort="", page=1),
            "title": name,
            "nav": category.id if category else "all",
        },
        shown_id=category.id if category else 0,
        shown_name=name if category else "",
    )


def _product(catalogue: Catalogue, product: ProductView | None) -> BuiltIn:
    if product is None:
        return BuiltIn(template=PLAIN, values={"awaits_goods": True})
    values = product_values(catalogue, product, levels=levels_of(product), chosen=-1)
    return BuiltIn(
        template="storefront/product.html",
        values=values,
        shown_id=product.id,
        shown_name=product.title,
    )
