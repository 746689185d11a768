"""Edits of own goods: categories, products, variants and their prices.

Every edit is checked, audited and grows the owner's catalogue version in its transaction, so that
each process sees it with the next request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext

from kameng.catalog.drafts import (
    CategoryDraft,
    ProductDraft,
    VariantDraft,
    check_category,
    check_product,
    check_variant,
)
from kameng.catalog.errors import (
    CategoryInUse,
    CategoryNotFound,
    CodeTaken,
    FieldInvalid,
    NameTaken,
    NotOwner,
)
from kameng.catalog.inputs import dump_fields
from kameng.catalog.models import Category, DeliveryKind, PriceRule, Product, Variant
from kameng.catalog.services.own_goods import (
    Maker,
    claim_places,
    refuse_words,
    require_maker,
)
from kameng.catalog.services.owning import lock_category, lock_products, lock_variants
from kameng.core.audit import Actor, record
from kameng.core.scope import platform_scope, require_site_id
from kameng.pricing.money import Amount
from kameng.tenancy.selectors import get_plan, get_site_view
from kameng.tenancy.services import bump_catalogue_version


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceChange:
    """New cost and list price of one own variant."""

    variant_id: int
    cost_amount: Amount
    list_amount: Amount


def create_category(draft: CategoryDraft, *, actor: Actor) -> Category:
    """Create a shelf of the site in force.

    Raises `NameTaken`, `OwnGoodsNotInPlan` on a sub-site whose plan has none, `FieldInvalid`.
    """
    draft = check_category(draft)
    site_id = require_maker().site_id
    try:
        with transaction.atomic():
            category: Category = Category.objects.create(
                site_id=site_id,
                name=draft.name,
                icon=draft.icon,
                position=draft.position,
                is_listed=draft.is_listed,
            )
            _close("category.created", actor=actor, subject=category, detail={"name": draft.name})
    except IntegrityError as fault:
        raise NameTaken(value=draft.name) from fault
    return category


def update_category(category_id: int, *, draft: CategoryDraft, actor: Actor) -> Category:
    """Rename, move, list or unlist an own category; raise as `create_category`."""
    draft = check_category(draft)
    try:
        with transaction.atomic():
            category = lock_category(category_id)
            before = {"name": category.name, "is_listed": category.is_listed}
            for name in ("name", "icon", "position", "is_listed"):
                setattr(category, name, getattr(draft, name))
            category.save(update_fields=["name", "icon", "position", "is_listed"])
            detail = {
                "before": before,
                "after": {"name": draft.name, "is_listed": draft.is_listed},
            }
            _close("category.changed", actor=actor, subject=category, detail=detail)
    except IntegrityError as fault:
        raise NameTaken(value=draft.name) from fault
    return category


def delete_category(category_id: int, *, actor: Actor) -> None:
    """Delete an empty own category; raise `CategoryInUse` while it holds products."""
    with transaction.atomic():
        category = lock_category(category_id)
        with platform_scope("goods on a shelf that is to go, a sub-site's own ones too"):
            count = Product.unscoped.filter(category_id=category_id).count()
        if count:
            raise CategoryInUse(count=count)
        _close("category.deleted", actor=actor, subject=category, detail={"name": category.name})
        with platform_scope("rules of a deleted category, on every site that had one"):
            PriceRule.unscoped.filter(category_id=category_id).delete()
        Category.objects.filter(id=category_id).delete()


def create_product(
    draft: ProductDraft, *, variants: Sequence[VariantDraft], is_listed: bool, actor: Actor
) -> Product:
    """Create a product of the site in force with its variants.

    Raises `CodeTaken`, `OwnGoodsFull` when it is to be listed beyond the plan, `WordRefused`, and
    as `create_category`.
    """
    draft = check_product(draft)
    maker = require_maker()
    if draft.delivery_kind == DeliveryKind.SITE_PLAN and maker.limits is not None:
        raise NotOwner  # sites are opened by the main site's goods alone
    try:
        with transaction.atomic():
            claim_places(1, maker=maker, is_listed=is_listed)
            _require_shelf(draft.category_id, maker=maker)
            product: Product = Product.objects.create(
                site_id=maker.site_id, is_listed=is_listed, **product_columns(draft)
            )
            for each in variants:
                _create_variant(product, each)
            if is_listed and maker.limits is not None:
                refuse_words(product)
            _close("product.created", actor=actor, subject=product, detail={"code": draft.code})
    except IntegrityError as fault:
        raise CodeTaken(value=draft.code) from fault
    return product


def update_product(product_id: int, *, draft: ProductDraft, actor: Actor) -> Product:
    """Change the texts and terms of an own product; raise as `create_product`."""
    draft = check_product(draft)
    columns = product_columns(draft)
    try:
        with transaction.atomic():
            (product,) = lock_products([product_id])
            _require_shelf(draft.category_id, maker=_owner())
            _keep_kind(product, draft.delivery_kind)
            changed = sorted(
                name for name, value in columns.items() if getattr(product, name) != value
            )
            Product.objects.filter(id=product_id).update(**columns, updated_at=Now())
            _refuse_listed(product_id)
            _close("product.changed", actor=actor, subject=product, detail={"names": changed})
    except IntegrityError as fault:
        raise CodeTaken(value=draft.code) from fault
    product.refresh_from_db()
    return product


def move_products(product_ids: Sequence[int], *, category_id: int, actor: Actor) -> int:
    """Put own products on another shelf; return how many moved."""
    with transaction.atomic():
        products = lock_products(product_ids)
        _require_shelf(category_id, maker=_owner())
        rows = Product.objects.filter(id__in=[product.id for product in products])
        count: int = rows.update(category_id=category_id, updated_at=Now())
        record(
            "product.moved",
            actor=actor,
            site_id=require_site_id(),
            subject=("category", category_id),
            detail={"product_ids": [product.id for product in products]},
        )
        bump_catalogue_version(require_site_id())
    return count


def add_variant(product_id: int, *, draft: VariantDraft, actor: Actor) -> Variant:
    """Add a face value to an own product; raise `NameTaken`, `NotOwner`, `PriceBelowCost`."""
    try:
        with transaction.atomic():
            (product,) = lock_products([product_id])
            variant = _create_variant(product, draft)
            _refuse_listed(product_id)
            _close("variant.created", actor=actor, subject=variant, detail=_price_detail(variant))
    except IntegrityError as fault:
        raise NameTaken(value=draft.name) from fault
    return variant


def update_variant(variant_id: int, *, draft: VariantDraft, actor: Actor) -> Variant:
    """Change an own face value, its prices and whether it is listed; raise as `add_variant`."""
    draft = check_variant(draft)
    names = ["name", "cost_amount", "list_amount", "face_amount", "position", "is_listed"]
    names += ["plan_id", "term_days"]
    try:
        with transaction.atomic():
            (variant,) = lock_variants([variant_id])
            before = _price_detail(variant)
            _check_plan(draft, kind=variant.product.delivery_kind)
            for name in names:
                setattr(variant, name, getattr(draft, name))
            variant.save(update_fields=names)  # plan_id names the column of `plan`
            _refuse_listed(variant.product_id)
            detail = {"before": before, "after": _price_detail(variant)}
            _close("variant.changed", actor=actor, subject=variant, detail=detail)
    except IntegrityError as fault:
        raise NameTaken(value=draft.name) from fault
    return variant


def change_prices(changes: Sequence[PriceChange], *, actor: Actor) -> int:
    """Set cost and list price of own variants together; all or none. Return how many changed."""
    wanted = {change.variant_id: change for change in changes}
    with transaction.atomic():
        variants = lock_variants(wanted)
        steps = []
        for variant in variants:
            change, before = wanted[variant.id], _price_detail(variant)
            check_variant(
                VariantDraft(
                    name=variant.name,
                    cost_amount=change.cost_amount,
                    list_amount=change.list_amount,
                )
            )
            variant.cost_amount, variant.list_amount = change.cost_amount, change.list_amount
            if _price_detail(variant) != before:
                steps.append({"before": before, "after": _price_detail(variant)})
        Variant.objects.bulk_update(variants, ["cost_amount", "list_amount"], batch_size=500)
        site_id = require_site_id()
        record(
            "prices.changed",
            actor=actor,
            site_id=site_id,
            subject=("variant", variants[0].id if len(variants) == 1 else ""),
            detail={"changes": steps},
        )
        bump_catalogue_version(site_id)
    return len(steps)


def product_columns(draft: ProductDraft) -> dict[str, object]:
    """Return what a checked draft says, by column."""
    return {
        "category_id": draft.category_id,
        "code": draft.code,
        "title": draft.title,
        "brand": draft.brand,
        "summary": draft.summary,
        "description": draft.description,
        "tutorial": draft.tutorial,
        "after_sale": draft.after_sale,
        "delivery_kind": draft.delivery_kind,
        "input_fields": dump_fields(draft.input_fields),
        "min_quantity": draft.min_quantity,
        "max_quantity": draft.max_quantity,
        "tags": list(draft.tags),
        "keywords": draft.keywords,
        "weight": draft.weight,
    }


def _create_variant(product: Product, draft: VariantDraft) -> Variant:
    draft = check_variant(draft)
    _check_plan(draft, kind=product.delivery_kind)
    if Variant.objects.filter(product_id=product.id, name=draft.name).exists():
        raise NameTaken(value=draft.name)
    variant: Variant = Variant.objects.create(
        site_id=product.site_id,
        product_id=product.id,
        name=draft.name,
        cost_amount=draft.cost_amount,
        list_amount=draft.list_amount,
        face_amount=draft.face_amount,
        position=draft.position,
        is_listed=draft.is_listed,
        plan_id=draft.plan_id,
        term_days=draft.term_days,
    )
    return variant


def _keep_kind(product: Product, kind: int) -> None:
    """Plans stay plans: their variants mean something else than those of other goods."""
    if kind != product.delivery_kind and DeliveryKind.SITE_PLAN in {kind, product.delivery_kind}:
        raise FieldInvalid(
            label=gettext("发货方式"), reason=gettext("开店套餐不能和其他发货方式互换。")
        )


def _check_plan(draft: VariantDraft, *, kind: int) -> None:
    """Goods that open sites say which plan they are of; no other goods do."""
    is_plan = kind == DeliveryKind.SITE_PLAN
    if is_plan != (draft.plan_id is not None) or (draft.term_days is not None and not is_plan):
        raise FieldInvalid(label=gettext("套餐"), reason=gettext("请选择它开通哪个套餐。"))
    if draft.plan_id is not None:
        get_plan(draft.plan_id)


def _owner() -> Maker:
    """Return the site in force as the owner of goods that it has already, whatever its plan."""
    view = get_site_view(require_site_id())
    return Maker(site_id=view.site_id, main_id=view.main_id, limits=None)


def _require_shelf(category_id: int, *, maker: Maker) -> None:
    """Raise unless goods may stand there: on an own shelf, or a sub-site's on one of the main's."""
    owner_id = Category.objects.filter(id=category_id).values_list("site_id", flat=True).first()
    if owner_id is None:
        raise CategoryNotFound
    if owner_id not in maker.shelf_owner_ids:
        raise NotOwner


def _refuse_listed(product_id: int) -> None:
    """Raise `WordRefused` when a sub-site's product is on sale under texts that may not be."""
    product = Product.objects.get(id=product_id)
    if product.is_listed and not get_site_view(product.site_id).is_main:
        refuse_words(product)


def _price_detail(variant: Variant) -> dict[str, object]:
    return {
        "variant_id": variant.id,
        "name": variant.name,
        "cost_amount": variant.cost_amount,
        "list_amount": variant.list_amount,
        "is_listed": variant.is_listed,
    }


def _close(
    action: str,
    *,
    actor: Actor,
    subject: Category | Product | Variant,
    detail: Mapping[str, object],
) -> None:
    """End an edit inside its transaction: audit, then the version, whose row is locked shortest."""
    site_id = require_site_id()
    kind = type(subject).__name__.lower()
    record(action, actor=actor, site_id=site_id, subject=(kind, subject.id), detail=detail)
    bump_catalogue_version(site_id)
