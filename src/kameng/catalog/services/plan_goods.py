"""Plans put on sale: the goods behind them are made here, so that the owner names a price only.

All plans are variants of one product of the main site; it is made with the first of them.
"""

from django.db import transaction
from django.utils.translation import gettext, ngettext

from kameng.catalog.drafts import CategoryDraft, ProductDraft, VariantDraft
from kameng.catalog.errors import NotOwner, VariantNotFound
from kameng.catalog.models import Category, DeliveryKind, Product, Variant
from kameng.catalog.services.editing import (
    add_variant,
    create_category,
    create_product,
    update_variant,
)
from kameng.catalog.services.owning import require_main_site
from kameng.core.audit import Actor
from kameng.pricing.money import ZERO, Amount
from kameng.tenancy.models import Plan

CODE = "SITE-PLAN"
YEAR, MONTH = 365, 30


def put_plan_on_sale(plan: Plan, *, days: int | None, amount: Amount, actor: Actor) -> Variant:
    """Sell a plan for so many days (None: for good) at this price, from now on.

    The same plan and days again changes the price. Raises as `add_variant`.
    """
    site_id = require_main_site()
    with transaction.atomic():
        product = Product.objects.filter(
            site_id=site_id, delivery_kind=DeliveryKind.SITE_PLAN
        ).first() or _make_product(actor)
        known = Variant.objects.filter(product_id=product.id, plan_id=plan.id, term_days=days)
        if days is None:
            known = Variant.objects.filter(
                product_id=product.id, plan_id=plan.id, term_days__isnull=True
            )
        stored = known.first()
        draft = VariantDraft(
            name=stored.name if stored else f"{plan.name} {name_term(days)}"[:40],
            cost_amount=ZERO,
            list_amount=amount,
            position=days or 0,
            plan_id=plan.id,
            term_days=days,
        )
        if stored is None:
            return add_variant(product.id, draft=draft, actor=actor)
        return update_variant(stored.id, draft=draft, actor=actor)


def take_plan_off_sale(variant_id: int, *, actor: Actor) -> Variant:
    """Sell a plan for this time no longer; what was ordered stands. Raises `VariantNotFound`."""
    site_id = require_main_site()
    stored = Variant.objects.filter(id=variant_id, plan__isnull=False).first()
    if stored is None:
        raise VariantNotFound
    if stored.site_id != site_id:
        raise NotOwner
    draft = VariantDraft(
        name=stored.name,
        cost_amount=stored.cost_amount,
        list_amount=stored.list_amount,
        face_amount=stored.face_amount,
        position=stored.position,
        is_listed=False,
        plan_id=stored.plan_id,
        term_days=stored.term_days,
    )
    return update_variant(variant_id, draft=draft, actor=actor)


def name_term(days: int | None) -> str:
    """Return a length of time in the words that people use."""
    if days is None:
        return gettext("永久")
    if days % YEAR == 0:
        return ngettext("%(n)s 年", "%(n)s 年", days // YEAR) % {"n": days // YEAR}
    if days % MONTH == 0:
        return ngettext("%(n)s 个月", "%(n)s 个月", days // MONTH) % {"n": days // MONTH}
    return ngettext("%(n)s 天", "%(n)s 天", days) % {"n": days}


def _make_product(actor: Actor) -> Product:
    name = gettext("开店")
    shelf = Category.objects.filter(name=name).first() or create_category(
        CategoryDraft(name=name, icon="category", position=900), actor=actor
    )
    draft = ProductDraft(
        category_id=shelf.id,
        code=CODE,
        title=gettext("开分站"),
        delivery_kind=DeliveryKind.SITE_PLAN,
        summary=gettext("开一间自己的店，付款后马上营业。"),
    )
    return create_product(draft, variants=(), is_listed=True, actor=actor)
