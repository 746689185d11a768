"""Who may change goods: the site that owns them, under a lock, with the version grown.

Promises that a sub-site never changes a row of the main site: what it may see but not change is
refused as such, what it may not see is not found.
"""

from collections.abc import Iterable
from typing import TypeVar

from kameng.catalog.errors import CategoryNotFound, NotOwner, ProductNotFound, VariantNotFound
from kameng.catalog.models import Category, Product, Variant
from kameng.core.errors import NotFound
from kameng.core.scope import require_site_id
from kameng.tenancy.scoping import SharedDownModel
from kameng.tenancy.selectors import get_site_view

R = TypeVar("R", bound=SharedDownModel)


def require_main_site() -> int:
    """Return the site in force when it is the main one; raise `NotOwner` otherwise."""
    view = get_site_view(require_site_id())
    if not view.is_main:
        raise NotOwner
    return view.site_id


def lock_products(product_ids: Iterable[int]) -> list[Product]:
    """Lock own products by ascending id; raise `ProductNotFound` or `NotOwner`.

    Taken by every edit of a product and by the run and undo of an import of products.
    """
    ids = set(product_ids)
    rows = Product.objects.filter(id__in=ids)
    _check_owned(list(rows.only("site_id")), count=len(ids), missing=ProductNotFound)
    return list(rows.select_for_update(no_key=True).order_by("id"))


def lock_variants(variant_ids: Iterable[int]) -> list[Variant]:
    """Lock own variants by ascending id; raise `VariantNotFound` or `NotOwner`."""
    ids = set(variant_ids)
    rows = Variant.objects.filter(id__in=ids)
    _check_owned(list(rows.only("site_id")), count=len(ids), missing=VariantNotFound)
    return list(rows.select_for_update(no_key=True).order_by("id"))


def lock_category(category_id: int) -> Category:
    """Lock an own category; raise `CategoryNotFound` or `NotOwner`."""
    rows = Category.objects.filter(id=category_id)
    _check_owned(list(rows.only("site_id")), count=1, missing=CategoryNotFound)
    category: Category = rows.select_for_update(no_key=True).get()
    return category


def _check_owned(rows: list[R], *, count: int, missing: type[NotFound]) -> None:
    if len(rows) != count:
        raise missing
    if any(row.site_id != require_site_id() for row in rows):
        raise NotOwner
