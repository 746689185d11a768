"""Listing, pinning and ranking, one verb for both kinds of goods.

On goods of its own a site changes the product; on the main site's goods a sub-site writes a sparse
override of its own, and an override that says nothing is removed.
"""

from collections.abc import Sequence

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from kameng.catalog.drafts import MAX_WEIGHT
from kameng.catalog.errors import FieldInvalid, ProductNotFound
from kameng.catalog.models import Listing, Product
from kameng.catalog.services.own_goods import admit_listing
from kameng.catalog.services.owning import lock_products
from kameng.core.audit import Actor, record
from kameng.core.scope import require_site_id
from kameng.tenancy.services import bump_catalogue_version

MAX_BULK = 2_000


def set_listed(product_ids: Sequence[int], *, is_listed: bool, actor: Actor) -> int:
    """List or unlist products on the site in force; return how many; raise `ProductNotFound`.

    Own goods of a sub-site are refused as `admit_listing` says, the whole request with them.
    """
    return _set(product_ids, values={"is_listed": is_listed}, action="product.listed", actor=actor)


def set_pinned(product_ids: Sequence[int], *, is_pinned: bool, actor: Actor) -> int:
    """Pin or unpin products on the site in force; return how many; raise `ProductNotFound`."""
    return _set(product_ids, values={"is_pinned": is_pinned}, action="product.pinned", actor=actor)


def set_weight(product_ids: Sequence[int], *, weight: int, actor: Actor) -> int:
    """Rank products by hand; on a sub-site the weight is added to the main site's own."""
    if isinstance(weight, bool) or not -MAX_WEIGHT <= weight <= MAX_WEIGHT:
        raise FieldInvalid(label=_("排序权重"), reason=_("应在 -10000 到 10000 之间。"))
    return _set(product_ids, values={"weight": weight}, action="product.ranked", actor=actor)


def _set(
    product_ids: Sequence[int], *, values: dict[str, bool | int], action: str, actor: Actor
) -> int:
    ids = sorted(set(product_ids))[: MAX_BULK + 1]
    if len(ids) > MAX_BULK:
        raise FieldInvalid(label=_("商品"), reason=_("一次最多 2000 个。"))
    site_id = require_site_id()
    with transaction.atomic():
        owners = dict(Product.objects.filter(id__in=ids).values_list("id", "site_id"))
        if len(owners) != len(ids):
            raise ProductNotFound
        for write, members in (
            (_write_own, [each for each in ids if owners[each] == site_id]),
            (_write_overrides, [each for each in ids if owners[each] != site_id]),
        ):
            if members:
                write(members, values)
        record(
            action,
            actor=actor,
            site_id=site_id,
            subject=("product", ids[0] if len(ids) == 1 else ""),
            detail={"product_ids": ids, **values},
        )
        bump_catalogue_version(site_id)
    return len(ids)


def _write_own(product_ids: list[int], values: dict[str, bool | int]) -> None:
    if values.get("is_listed"):
        admit_listing(product_ids)
    lock_products(product_ids)
    Product.objects.filter(id__in=product_ids).update(**values, updated_at=Now())


def _write_overrides(product_ids: list[int], values: dict[str, bool | int]) -> None:
    site_id = require_site_id()
    Listing.objects.bulk_create(
        [Listing(site_id=site_id, product_id=each, **values) for each in product_ids],
        update_conflicts=True,
        update_fields=list(values),
        unique_fields=["site", "product"],
    )
    Listing.objects.filter(
        product_id__in=product_ids, is_listed=True, is_pinned__isnull=True, weight=0
    ).delete()
