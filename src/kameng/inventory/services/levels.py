"""Counted stock of what has no keys: set by hand, lowered by sales, absent when not limited."""

from django.db import transaction
from django.db.models import F, Sum

from kameng.catalog.errors import NotOwner
from kameng.catalog.models import DeliveryKind, Variant
from kameng.catalog.selectors import get_variant
from kameng.core.audit import Actor, record
from kameng.core.scope import require_site_id
from kameng.inventory.errors import LevelInvalid, NotCardGoods, NotCountedGoods
from kameng.inventory.models import CountedClaim, StockLevel
from kameng.inventory.selectors import forget_stock

MAX_LEVEL = 1_000_000


def set_stock_level(variant_id: int, *, available_count: int | None, actor: Actor) -> None:
    """Set the stock of an own service; None lifts the limit. Raises `NotCountedGoods` for keys."""
    if available_count is not None and (
        isinstance(available_count, bool)
        or not isinstance(available_count, int)
        or not 0 <= available_count <= MAX_LEVEL
    ):
        raise LevelInvalid
    variant = require_own_variant(variant_id)
    if variant.product.delivery_kind == DeliveryKind.CARD:
        raise NotCountedGoods
    site_id = require_site_id()
    with transaction.atomic():
        before = lock_level(variant_id)
        if available_count is None:
            StockLevel.objects.filter(variant_id=variant_id).delete()
        else:
            StockLevel.objects.bulk_create(
                [
                    StockLevel(
                        site_id=site_id, variant_id=variant_id, available_count=available_count
                    )
                ],
                update_conflicts=True,
                update_fields=["available_count"],
                unique_fields=["variant_id"],
            )
            _note_supply(variant_id)
        record(
            "stock.level.set",
            actor=actor,
            site_id=site_id,
            subject=("variant", variant_id),
            detail={"before": before, "after": available_count},
        )
    forget_stock()


def _note_supply(variant_id: int) -> None:
    """Keep what a level and the orders that took of it add up to; call with the level just written,
    so locked: no order takes of it meanwhile."""
    taken = CountedClaim.objects.filter(variant_id=variant_id).aggregate(sum=Sum("count"))["sum"]
    StockLevel.objects.filter(variant_id=variant_id).update(
        supplied_count=F("available_count") + (taken or 0)
    )


def lock_level(variant_id: int) -> int | None:
    """Lock a level and return it; sales take the same row in their claim."""
    rows = StockLevel.objects.select_for_update(no_key=True).filter(variant_id=variant_id)
    level: int | None = rows.values_list("available_count", flat=True).first()
    return level


def require_own_variant(variant_id: int) -> Variant:
    """Return a variant of the site in force; raise `VariantNotFound` or `NotOwner`."""
    variant = get_variant(variant_id)
    if variant.site_id != require_site_id():
        raise NotOwner
    return variant


def require_card_variant(variant_id: int) -> Variant:
    """Return an own variant that is delivered as keys; raise `NotCardGoods` otherwise."""
    variant = require_own_variant(variant_id)
    if variant.product.delivery_kind != DeliveryKind.CARD:
        raise NotCardGoods
    return variant
