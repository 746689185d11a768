"""The platform judges many own goods of sub-sites at once, and takes it back within an hour.

Promises that an act over many is whole or not at all, that operators are told once of each, and
that what is taken back is only what nobody has judged since: goods that were on sale come back on
sale where the plan still has a place and no word is refused. Locks: own goods of the sites
(ascending), products (ascending), then the sites' versions.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.models.functions import Now

from kameng.catalog.errors import NotOwner
from kameng.catalog.models import Product, Variant
from kameng.catalog.refused_words import RefusedWord, find_refused_word
from kameng.catalog.services.own_goods import clean_reason
from kameng.catalog.services.own_goods_notices import tell_operators
from kameng.catalog.store import lock_own_goods
from kameng.core.audit import Actor, record
from kameng.core.scope import platform_scope, require_site_id
from kameng.tenancy.selectors import get_limits, get_site_view
from kameng.tenancy.services import bump_catalogue_version

MOST_AT_ONCE: Final = 200
REASON: Final = "the platform judges sub-sites' own goods"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenDown:
    """One product that an act took off sale, and whether it was on sale before."""

    product_id: int
    was_listed: bool


def take_down_many(product_ids: Collection[int], *, reason: str, actor: Actor) -> list[TakenDown]:
    """Take sub-sites' own goods off sale, as the main site; audited on both sites.

    What was taken down before is left as it is. Returns what this act took down. Raises
    `NotOwner` outside the main site, `FieldInvalid` without a reason.
    """
    main_id, reason = _require_main(), clean_reason(reason)
    with transaction.atomic(), platform_scope(REASON):
        rows = [
            row
            for row in lock_judged_goods(product_ids, main_id=main_id)
            if not row.taken_down_reason
        ]
        taken = [TakenDown(product_id=row.id, was_listed=row.is_listed) for row in rows]
        take_off_sale(rows, reason=reason, actor=actor, main_id=main_id)
    return taken


def undo_take_downs(taken: Sequence[TakenDown], *, reason: str, actor: Actor) -> int:
    """Take an act back as the main site; return how many goods are allowed again by it.

    Raises `NotOwner` outside the main site.
    """
    main_id, reason = _require_main(), clean_reason(reason)
    was_listed = {each.product_id: each.was_listed for each in taken}
    with transaction.atomic(), platform_scope(REASON):
        known = Product.unscoped.filter(id__in=was_listed).exclude(site_id=main_id)
        site_ids = sorted(set(known.values_list("site_id", flat=True)))
        for site_id in site_ids:
            lock_own_goods(site_id)
        rows = [
            row
            for row in lock_judged_goods(was_listed, main_id=main_id)
            if row.taken_down_reason == reason and not row.scan_word
        ]
        places = {site_id: _places(site_id) for site_id in site_ids}
        words = find_words(rows)
        for row in rows:
            place = places[row.site_id]
            row.taken_down_reason = ""
            row.is_listed = was_listed[row.id] and row.id not in words and place != 0
            if row.is_listed and place is not None:
                places[row.site_id] = place - 1
            row.save(update_fields=["taken_down_reason", "is_listed"])
        _close(rows, action="own_goods.allowed_again", reason="", actor=actor, main_id=main_id)
        tell_operators(rows, kind="goods_allowed")
    return len(rows)


def take_off_sale(
    rows: Sequence[Product],
    *,
    reason: str,
    actor: Actor,
    main_id: int,
    words: Mapping[int, RefusedWord] | None = None,
) -> None:
    """Take locked goods off sale and tell their operators; `words` says why a scan did."""
    for row in rows:
        row.taken_down_reason, row.is_listed = reason, False
        row.scan_word = words[row.id].word if words else ""
        row.save(update_fields=["taken_down_reason", "is_listed", "scan_word"])
    _close(rows, action="own_goods.taken_down", reason=reason, actor=actor, main_id=main_id)
    tell_operators(rows, kind="goods_taken", reason=reason)


def lock_judged_goods(product_ids: Collection[int], *, main_id: int) -> list[Product]:
    """Lock sub-sites' own goods by ascending id; in the platform's scope, in a transaction."""
    ids = sorted(product_ids)[:MOST_AT_ONCE]
    rows = Product.unscoped.filter(id__in=ids).exclude(site_id=main_id)
    return list(rows.select_for_update(no_key=True).order_by("id"))


def find_words(rows: Sequence[Product]) -> dict[int, RefusedWord]:
    """Return the first refused word of each product that has one; in the platform's scope."""
    names: dict[int, list[str]] = {row.id: [] for row in rows}
    found = Variant.unscoped.filter(product_id__in=list(names)).order_by("id")
    for product_id, name in found.values_list("product_id", "name"):
        names[product_id].append(name)
    words: dict[int, RefusedWord] = {}
    for row in rows:
        texts = (row.title, row.brand, row.summary, row.description, row.keywords, *row.tags)
        word = find_refused_word((*texts, *names[row.id]))
        if word is not None:
            words[row.id] = word
    return words


def _require_main() -> int:
    view = get_site_view(require_site_id())
    if not view.is_main:
        raise NotOwner
    return view.site_id


def _places(site_id: int) -> int | None:
    most = get_limits(site_id).own_goods_most
    if most is None:
        return None
    return max(most - Product.unscoped.filter(site_id=site_id, is_listed=True).count(), 0)


def _close(
    rows: Sequence[Product], *, action: str, reason: str, actor: Actor, main_id: int
) -> None:
    """Stamp, audit on both sites, and let every process see it."""
    Product.unscoped.filter(id__in=[row.id for row in rows]).update(updated_at=Now())
    for row in rows:
        detail = {"title": row.title, "reason": reason, "site_id": row.site_id}
        for site_id in (main_id, row.site_id):
            record(action, actor=actor, site_id=site_id, subject=("product", row.id), detail=detail)
    for site_id in sorted({row.site_id for row in rows}):
        bump_catalogue_version(site_id)
