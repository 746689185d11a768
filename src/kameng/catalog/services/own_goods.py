"""Own goods of a sub-site: who may make them, how many, and what the platform may take off sale.

Promises that no more are on sale than the plan allows, whoever lists at the same moment; that a
smaller plan takes nothing off by itself; that what the platform took off sale says why and stays
off until the platform allows it again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.models import Count, Q
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from kameng.catalog.errors import (
    FieldInvalid,
    GoodsTakenDown,
    NotOwner,
    OwnGoodsFull,
    OwnGoodsNotInPlan,
    OwnGoodsTooMany,
    ProductNotFound,
    WordRefused,
)
from kameng.catalog.models import Product, Variant
from kameng.catalog.refused_words import find_refused_word
from kameng.catalog.services.own_goods_notices import tell_operators
from kameng.catalog.services.owning import lock_products
from kameng.catalog.store import lock_own_goods
from kameng.core.audit import Actor, record
from kameng.core.scope import platform_scope, require_site_id
from kameng.tenancy.selectors import PlanLimits, get_limits, get_site_view
from kameng.tenancy.services import bump_catalogue_version

MOST_STORED: Final = 20_000  # products of one sub-site, unlisted ones too
MAX_REASON: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """A site that may make goods; `limits` None: the main site, whom nothing limits."""

    site_id: int
    main_id: int
    limits: PlanLimits | None

    @property
    def shelf_owner_ids(self) -> frozenset[int]:
        """Whose shelves its goods may stand on: its own, and those of the main site."""
        return frozenset((self.site_id, self.main_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnGoodsCount:
    """How many own products a site keeps, and how many of them are on sale."""

    stored_count: int
    listed_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """How many more own products may be kept, and be on sale. None: as many as it likes."""

    stored_left: int | None
    listed_left: int | None


def require_maker() -> Maker:
    """Return the site in force when it may make goods; raise `OwnGoodsNotInPlan` otherwise."""
    view = get_site_view(require_site_id())
    if view.is_main:
        return Maker(site_id=view.site_id, main_id=view.site_id, limits=None)
    limits = get_limits(view.site_id)
    if limits.own_goods_most == 0:
        raise OwnGoodsNotInPlan
    return Maker(site_id=view.site_id, main_id=view.main_id, limits=limits)


def claim_places(count: int, *, maker: Maker, is_listed: bool = True) -> None:
    """Make sure that so many more own products may be kept and, when listed, sold.

    Call inside the transaction that stores them, before any row of goods is locked: takes the
    site's lock of own goods (core.locks), so that two who list at the last place come one after
    the other. Raises `OwnGoodsFull`, `OwnGoodsTooMany`; the main site is not limited.
    """
    if maker.limits is None or not count:
        return
    lock_own_goods(maker.site_id)
    held = _count(maker.site_id)
    if held.stored_count + count > MOST_STORED:
        raise OwnGoodsTooMany(most=MOST_STORED)
    most = maker.limits.own_goods_most
    if is_listed and most is not None and held.listed_count + count > most:
        raise OwnGoodsFull(most=most, count=held.listed_count)


def count_places(maker: Maker, *, is_locked: bool) -> Places:
    """Return how many more products may be kept and sold; locked, it holds until the end of the
    caller's transaction."""
    if maker.limits is None:
        return Places(stored_left=None, listed_left=None)
    if is_locked:
        lock_own_goods(maker.site_id)
    held, most = _count(maker.site_id), maker.limits.own_goods_most
    return Places(
        stored_left=max(MOST_STORED - held.stored_count, 0),
        listed_left=None if most is None else max(most - held.listed_count, 0),
    )


def admit_listing(product_ids: Iterable[int]) -> None:
    """Refuse to put own products of a sub-site on sale that may not be; call in a transaction.

    What is on sale already stays so. Raises `OwnGoodsNotInPlan`, `OwnGoodsFull`, `GoodsTakenDown`,
    `WordRefused`. Takes the lock as `claim_places`, then the products.
    """
    view = get_site_view(require_site_id())
    if view.is_main:
        return
    lock_own_goods(view.site_id)
    rows = [row for row in lock_products(product_ids) if not row.is_listed]
    for row in rows:
        if row.taken_down_reason:
            raise GoodsTakenDown(title=row.title, reason=row.taken_down_reason)
        refuse_words(row)
    if not rows:
        return
    maker = require_maker()
    most = maker.limits.own_goods_most if maker.limits else None
    held = _count(view.site_id)
    if most is not None and held.listed_count + len(rows) > most:
        raise OwnGoodsFull(most=most, count=held.listed_count)


def refuse_words(product: Product, *, more: Iterable[str] = ()) -> None:
    """Raise `WordRefused` when a product's texts name what the platform does not allow."""
    names = Variant.objects.filter(product_id=product.id).values_list("name", flat=True)
    texts = (product.title, product.brand, product.summary, product.description)
    refuse_texts((*texts, product.keywords, *product.tags, *names, *more))


def refuse_texts(texts: Iterable[str]) -> None:
    """Raise `WordRefused` when one of the texts names what the platform does not allow."""
    found = find_refused_word(texts)
    if found is not None:
        raise WordRefused(word=found.word, group=gettext(found.group))


def take_down_goods(product_id: int, *, reason: str, actor: Actor) -> Product:
    """Take a sub-site's own product off sale, in the main site's scope; audited on both sites.

    Its operator reads the reason and cannot list it again. Raises `NotOwner` outside the main site,
    `ProductNotFound`, `FieldInvalid` without a reason. Orders that stand go on.
    """
    reason = clean_reason(reason)
    return _judge(product_id, reason=reason, action="own_goods.taken_down", actor=actor)


def clean_reason(reason: str) -> str:
    """Return the reason of a take-down as operators read it. Raises `FieldInvalid`."""
    reason = " ".join(reason.split())
    if not 2 <= len(reason) <= MAX_REASON:
        raise FieldInvalid(label=_("原因"), reason=_("请写 2 到 200 个字，店主会看到。"))
    return reason


def allow_goods_again(product_id: int, *, actor: Actor) -> Product:
    """Let the operator of a product that was taken down list it again; raises as above."""
    return _judge(product_id, reason="", action="own_goods.allowed_again", actor=actor)


def _judge(product_id: int, *, reason: str, action: str, actor: Actor) -> Product:
    main = get_site_view(require_site_id())
    if not main.is_main:
        raise NotOwner
    with transaction.atomic(), platform_scope("the platform judges a sub-site's own goods"):
        product = lock_judged_product(product_id, main_id=main.site_id)
        if product.taken_down_reason == reason and not product.scan_word:
            return product  # the same again: nothing to tell
        is_news = product.taken_down_reason != reason
        product.taken_down_reason = reason
        product.scan_word = ""  # a person has decided
        names = ["taken_down_reason", "scan_word"]
        if reason:
            product.is_listed = False
            names.append("is_listed")
        product.save(update_fields=names)
        Product.unscoped.filter(id=product_id).update(updated_at=Now())
        detail = {"title": product.title, "reason": reason, "site_id": product.site_id}
        for site_id in (main.site_id, product.site_id):
            record(
                action,
                actor=actor,
                site_id=site_id,
                subject=("product", product_id),
                detail=detail,
            )
        bump_catalogue_version(product.site_id)
        if is_news:
            kind = "goods_taken" if reason else "goods_allowed"
            tell_operators([product], kind=kind, reason=reason)
    return product


def lock_judged_product(product_id: int, *, main_id: int) -> Product:
    """Lock a sub-site's own product in the platform's scope; raise `ProductNotFound`.

    Taken by the platform's verdicts; its operator's edits take the same row in `lock_products`.
    """
    rows = Product.unscoped.filter(id=product_id).exclude(site_id=main_id)
    product: Product | None = rows.select_for_update(no_key=True).first()
    if product is None:
        raise ProductNotFound
    return product


def count_own_goods() -> OwnGoodsCount:
    """Return how many products of its own the site in force keeps and has on sale."""
    return _count(require_site_id())


def _count(site_id: int) -> OwnGoodsCount:
    found = Product.objects.filter(site_id=site_id).aggregate(
        stored=Count("id"), listed=Count("id", filter=Q(is_listed=True))
    )
    return OwnGoodsCount(stored_count=found["stored"], listed_count=found["listed"])
