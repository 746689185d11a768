"""A sub-site with goods of its own, for the tests of several apps."""

from typing import Any

from kameng.catalog.models import Category, DeliveryKind, Product, Variant
from kameng.core.audit import SYSTEM
from kameng.core.scope import platform_scope
from kameng.tenancy.models import Plan, SettlementWay, Site
from kameng.tenancy.services import PlanDraft, save_plan
from tests.factories import make_card_keys, make_category, make_product, make_variant

SHARE_BPS = 500
PRICE = 1_000_000  # a hundred yuan
SHARE = 50_000  # five yuan of it


def allow_own_goods(site: Site, *, most: int | None = 5, share_bps: int = SHARE_BPS) -> Plan:
    """Put a site on a plan of its own that lets it sell so many goods of its own."""
    plan: Plan = Plan.objects.create(
        name=f"自营版 {site.slug}",
        wholesale_markup_bps=1000,
        own_goods_most=most,
        own_goods_share_bps=share_bps,
    )
    Site.objects.filter(id=site.id).update(plan=plan, catalogue_version=site.id * 1_000)
    return plan


def change_plan(plan: Plan, **changes: Any) -> None:
    """Let a plan say something else from now on, as its form does."""
    names = ("own_goods_most", "own_goods_share_bps")
    kept = {name: getattr(Plan.objects.get(id=plan.id), name) for name in names}
    draft = PlanDraft(name=plan.name, markup_bps=1000, **(kept | changes))
    with platform_scope("a test changes a plan"):
        save_plan(draft, plan_id=plan.id, actor=SYSTEM)


def make_own_variant(
    site: Site,
    *,
    kind: DeliveryKind = DeliveryKind.CARD,
    keys: int = 6,
    title: str = "自营会员",
    category: Category | None = None,
    is_listed: bool = True,
) -> Variant:
    """Make a sub-site's own product of one variant at 100 yuan that cost 60, with keys."""
    product: Product = make_product(
        site,
        title=title,
        delivery_kind=kind,
        is_listed=is_listed,
        category=category or make_category(site),
    )
    variant = make_variant(product, name="标准", cost_amount=600_000, list_amount=PRICE)
    if kind == DeliveryKind.CARD and keys:
        make_card_keys(variant, keys)
    return variant


def settle_by(site: Site, way: SettlementWay) -> None:
    """Let a site settle in one way, without what its change asks of a living shop."""
    Site.objects.filter(id=site.id).update(settlement_way=way)
