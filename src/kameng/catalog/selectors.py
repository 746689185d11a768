"""Reads of the catalogue: the snapshot that pages and orders use, and what the back office lists.

The snapshot is kept in the process by site and catalogue version, so a warm read costs no query;
any change of a price or a listing grows a version, which the request reads with its site.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from django.db.models import Count, Q, QuerySet

from kameng.catalog.caching import SnapshotCache
from kameng.catalog.errors import (
    CategoryNotFound,
    ImportNotFound,
    ProductNotFound,
    QuantityInvalid,
    VariantNotFound,
)
from kameng.catalog.loading import (
    load_goods,
    load_listings,
    load_own_goods,
    load_plan_goods,
    load_rules,
    markup_rule,
)
from kameng.catalog.models import (
    Category,
    DeliveryKind,
    ImportJob,
    Listing,
    PriceRule,
    Product,
    Variant,
)
from kameng.catalog.snapshot import (
    Catalogue,
    CatalogueKey,
    Goods,
    ProductView,
    RuleBook,
    VariantView,
    build_catalogue,
)
from kameng.core.scope import open_scope, require_site_id
from kameng.pricing.margins import NO_FEE, FeeTerms
from kameng.pricing.markups import RuleScope
from kameng.pricing.money import Amount
from kameng.pricing.own_goods import quote_own_unit
from kameng.pricing.quote import OrderLine, OrderQuote, UnitQuote, quote_order, quote_unit
from kameng.tenancy.models import Plan
from kameng.tenancy.selectors import SiteView, get_limits, get_site_view, scope_of

FRESH_SECONDS = 60  # how old a count of sales may look
PAGE_LIMIT = 200
CACHED_VARIANTS = 40_000  # about 100 MB in the worst case, when every site is busy at once

_catalogues: SnapshotCache[CatalogueKey, Catalogue] = SnapshotCache(
    weight_limit=CACHED_VARIANTS,
    fresh_seconds=FRESH_SECONDS,
    weigh=lambda catalogue: len(catalogue.variants_by_id) + 1,
)
_goods: SnapshotCache[tuple[int, int], Goods] = SnapshotCache(
    weight_limit=CACHED_VARIANTS,
    fresh_seconds=FRESH_SECONDS,
    weigh=lambda goods: len(goods.products) + 1,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseQuote:
    """What a quantity of one variant costs on a site."""

    product: ProductView
    variant: VariantView
    quantity: int
    quote: OrderQuote


GOODS_ORDERS: Final[dict[str, tuple[str, ...]]] = {
    "": ("-is_pinned", "-weight", "-id"),  # as the shop shows them
    "title": ("title", "-id"),
    "-title": ("-title", "-id"),
    "sold": ("sold_count", "-id"),
    "-sold": ("-sold_count", "-id"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsFilter:
    """What the back office asks for; `state` is all, listed, unlisted or pinned."""

    text: str = ""
    category_id: int | None = None
    delivery_kind: int | None = None
    state: str = "all"
    owner: str = ""  # own, main; empty: both
    order: str = ""  # one of GOODS_ORDERS


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsVariant:
    """A stored variant with its price on the site in force."""

    variant: Variant
    unit: UnitQuote


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsRow:
    """A product as the operator of one site sees it, unlisted ones too.

    `is_listed_by_owner` is the main site's word; where it says no, nobody can list it.
    """

    product: Product
    category_name: str
    is_own: bool
    is_listed: bool
    is_listed_by_owner: bool
    is_pinned: bool
    weight: int
    variants: tuple[GoodsVariant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsPage:
    """One page of goods and how many there are in all."""

    rows: tuple[GoodsRow, ...]
    total_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryRow:
    """A shelf in the back office; every product counts."""

    category: Category
    is_own: bool
    product_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """A mark-up rule with the name of what it covers."""

    rule: PriceRule
    scope: RuleScope
    target_name: str


def get_catalogue(view: SiteView) -> Catalogue:
    """Return what a site sells, at the versions that its view names."""
    key = _key_of(view)
    return _catalogues.get(key, lambda: _load_catalogue(view, key))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOffer:
    """A plan for a time, as it is sold: for how many days (None: for good), at what price."""

    variant_id: int
    plan: Plan
    name: str
    days: int | None
    amount: Amount

    @property
    def is_free(self) -> bool:
        """Tell whether it costs nothing: a trial where it ends, else free for good."""
        return self.amount == 0


def count_own_goods() -> int:
    """Return how many products the site in force has of its own."""
    count: int = Product.objects.filter(site_id=require_site_id()).count()
    return count


def list_plan_offers() -> list[PlanOffer]:
    """Return what the main site, whose scope is open, sells of plans; in the order of the plans."""
    rows = Variant.objects.filter(
        site_id=require_site_id(),
        product__delivery_kind=DeliveryKind.SITE_PLAN,
        product__is_listed=True,
        product__category__is_listed=True,
        is_listed=True,
        plan__is_offered=True,
    ).select_related("plan")
    found = rows.order_by("plan__position", "plan_id", "term_days", "position", "id")
    return [
        PlanOffer(
            variant_id=row.id,
            plan=row.plan,
            name=row.name,
            days=row.term_days,
            amount=Amount(row.list_amount),
        )
        for row in found
    ]


def quote_plan(view: SiteView, *, variant_id: int) -> PurchaseQuote:
    """Quote one plan on the main site at its list price; no mark-up rule touches it.

    Raises `VariantNotFound`.
    """
    with open_scope(scope_of(view)):
        goods = load_plan_goods(view.main_id, version=view.main_version)
    catalogue = build_catalogue(_key_of(view), goods=[goods], rules=RuleBook(), listings={})
    return quote_purchase(catalogue, variant_id=variant_id, quantity=1)


def is_catalogue_at_hand(view: SiteView) -> bool:
    """Tell whether `get_catalogue` answers without a query, as the event loop needs it."""
    return _catalogues.is_fresh(_key_of(view))


def _key_of(view: SiteView) -> CatalogueKey:
    return CatalogueKey(
        site_id=view.site_id,
        main_id=view.main_id,
        version=view.catalogue_version,
        main_version=view.main_version,
    )


def quote_purchase(
    catalogue: Catalogue, *, variant_id: int, quantity: int, fee: FeeTerms = NO_FEE
) -> PurchaseQuote:
    """Quote so many pieces of a variant; raise `VariantNotFound` or `QuantityInvalid`."""
    found = catalogue.find_variant(variant_id)
    if found is None:
        raise VariantNotFound
    product, variant = found
    is_whole = isinstance(quantity, int) and not isinstance(quantity, bool)
    if not is_whole or not product.min_quantity <= quantity <= product.max_quantity:
        raise QuantityInvalid(min=product.min_quantity, max=product.max_quantity)
    quote = quote_order([OrderLine(unit=variant.unit, quantity=quantity)], fee=fee)
    return PurchaseQuote(product=product, variant=variant, quantity=quantity, quote=quote)


def list_goods(filters: GoodsFilter, *, offset: int = 0, limit: int = 50) -> GoodsPage:
    """Return a page of what the site in force owns or may resell, with its prices."""
    rows = _filtered(filters).order_by(*GOODS_ORDERS[filters.order])
    start = max(offset, 0)
    page = list(rows[start : start + min(max(limit, 1), PAGE_LIMIT)])
    return GoodsPage(rows=_goods_rows(page), total_count=rows.count())


def get_goods(product_id: int) -> GoodsRow:
    """Return one product with its prices here; raise `ProductNotFound`."""
    product = _sellable().filter(id=product_id).first()
    if product is None:
        raise ProductNotFound
    return _goods_rows([product])[0]


def get_variant(variant_id: int) -> Variant:
    """Return a stored variant with its product, listed or not; raise `VariantNotFound`."""
    variant = Variant.objects.filter(id=variant_id).select_related("product").first()
    if variant is None:
        raise VariantNotFound
    found: Variant = variant
    return found


def list_card_variants() -> list[Variant]:
    """Return the own variants that are delivered as card keys, with their products."""
    rows = Variant.objects.filter(
        site_id=require_site_id(), product__delivery_kind=DeliveryKind.CARD
    )
    return list(rows.select_related("product").order_by("product__title", "position", "id"))


def get_category(category_id: int) -> Category:
    """Return a shelf; raise `CategoryNotFound`."""
    category = Category.objects.filter(id=category_id).first()
    if category is None:
        raise CategoryNotFound
    found: Category = category
    return found


def list_categories() -> list[CategoryRow]:
    """Return every shelf that the site in force owns or resells from, in the shop's order.

    Another site's shelf of plans, which only that site sells, is not one of them.
    """
    counted = _sellable().values_list("category_id").annotate(count=Count("id"))
    counts = dict(counted.order_by())
    site_id = require_site_id()
    plans = Product.objects.filter(delivery_kind=DeliveryKind.SITE_PLAN).exclude(site_id=site_id)
    closed = set(plans.values_list("category_id", flat=True)) - set(counts)
    return [
        CategoryRow(
            category=row, is_own=row.site_id == site_id, product_count=counts.get(row.id, 0)
        )
        for row in Category.objects.order_by("position", "id")
        if row.id not in closed
    ]


def list_rules() -> list[RuleRow]:
    """Return the mark-up rules of the site in force, the widest first."""
    rules = PriceRule.objects.select_related("category", "product", "variant__product")
    rows = [
        RuleRow(rule=rule, scope=markup_rule(rule).scope, target_name=_target_name(rule))
        for rule in rules
    ]
    return sorted(rows, key=lambda row: (row.scope, row.target_name, row.rule.id))


def get_import(job_id: int) -> ImportJob:
    """Return an import of the site in force; raise `ImportNotFound`."""
    job = ImportJob.objects.filter(id=job_id).first()
    if job is None:
        raise ImportNotFound
    found: ImportJob = job
    return found


def list_imports(
    kind: str, *, before_id: int | None = None, limit: int = 20
) -> Sequence[ImportJob]:
    """Return imports of a kind, newest first, by key set."""
    rows = ImportJob.objects.filter(kind=kind)
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return list(rows.order_by("-id")[: min(max(limit, 1), PAGE_LIMIT)])


def forget_catalogues() -> None:
    """Empty this process's snapshots (tests, and after a fork)."""
    _catalogues.clear()
    _goods.clear()


def _load_catalogue(view: SiteView, key: CatalogueKey) -> Catalogue:
    with open_scope(scope_of(view)):
        main = _goods.get(
            (view.main_id, view.main_version),
            lambda: load_goods(view.main_id, version=view.main_version),
        )
        if view.is_main:
            return build_catalogue(key, goods=[main], rules=load_rules(view), listings={})
        rules = load_rules(view)
        goods = [main]
        own = load_own_goods(view.site_id, main_id=view.main_id, version=view.catalogue_version)
        if own is not None:
            goods.append(own)
            rules = replace(rules, own_share_bps=get_limits(view.site_id).own_goods_share_bps)
        return build_catalogue(key, goods=goods, rules=rules, listings=load_listings())


def _filtered(filters: GoodsFilter) -> QuerySet[Product]:
    rows = _sellable()
    text = filters.text.strip()[:60]
    if text:
        rows = rows.filter(
            Q(title__icontains=text) | Q(brand__icontains=text) | Q(code__iexact=text)
        )
    if filters.category_id is not None:
        rows = rows.filter(category_id=filters.category_id)
    if filters.delivery_kind is not None:
        rows = rows.filter(delivery_kind=filters.delivery_kind)
    if filters.owner == "own":
        rows = rows.filter(site_id=require_site_id())
    elif filters.owner == "main":
        rows = rows.exclude(site_id=require_site_id())
    hidden = Listing.objects.filter(is_listed=False).values("product_id")
    pinned = Listing.objects.filter(is_pinned=True).values("product_id")
    unpinned = Listing.objects.filter(is_pinned=False).values("product_id")
    if filters.state == "listed":
        rows = rows.filter(is_listed=True).exclude(id__in=hidden)
    elif filters.state == "unlisted":
        rows = rows.filter(Q(is_listed=False) | Q(id__in=hidden))
    elif filters.state == "pinned":
        rows = rows.filter(Q(is_pinned=True) | Q(id__in=pinned)).exclude(id__in=unpinned)
    return rows


def _sellable() -> QuerySet[Product]:
    """Return own products and those of the main site that may be resold: plans may not."""
    rows: QuerySet[Product] = Product.objects.all()
    return rows.exclude(~Q(site_id=require_site_id()) & Q(delivery_kind=DeliveryKind.SITE_PLAN))


def _goods_rows(products: Sequence[Product]) -> tuple[GoodsRow, ...]:
    view = get_site_view(require_site_id())
    ids = [product.id for product in products]
    listings = load_listings()
    names = dict(Category.objects.values_list("id", "name"))
    variants = _priced_variants(view, ids)
    rows = []
    for product in products:
        listing = listings.get(product.id)
        is_pinned, weight, is_listed = product.is_pinned, product.weight, product.is_listed
        if listing is not None:
            is_pinned = is_pinned if listing.is_pinned is None else listing.is_pinned
            weight += listing.weight
            is_listed = is_listed and listing.is_listed
        rows.append(
            GoodsRow(
                product=product,
                category_name=names.get(product.category_id, ""),
                is_own=product.site_id == view.site_id,
                is_listed=is_listed,
                is_listed_by_owner=product.is_listed,
                is_pinned=is_pinned,
                weight=weight,
                variants=tuple(variants[product.id]),
            )
        )
    return tuple(rows)


def _priced_variants(view: SiteView, product_ids: Iterable[int]) -> dict[int, list[GoodsVariant]]:
    rules = load_rules(view)
    rows = Variant.objects.filter(product_id__in=list(product_ids)).select_related("product")
    variants = list(rows.order_by("position", "id"))
    if not view.is_main and any(row.site_id == view.site_id for row in variants):
        rules = replace(rules, own_share_bps=get_limits(view.site_id).own_goods_share_bps)
    found: dict[int, list[GoodsVariant]] = defaultdict(list)
    for variant in variants:
        unit = _quote_variant(variant, view=view, rules=rules)
        found[variant.product_id].append(GoodsVariant(variant=variant, unit=unit))
    return found


def _quote_variant(variant: Variant, *, view: SiteView, rules: RuleBook) -> UnitQuote:
    is_own = variant.site_id == view.site_id
    if is_own and not view.is_main:
        return quote_own_unit(
            cost_amount=Amount(variant.cost_amount),
            list_amount=Amount(variant.list_amount),
            share_bps=rules.own_share_bps,
        )
    return quote_unit(
        cost_amount=Amount(variant.cost_amount),
        list_amount=Amount(variant.list_amount),
        plan=None if is_own else rules.plan,
        upline=None if is_own else rules.upline,
        rules=rules.rules_of(
            variant.id,
            product_id=variant.product_id,
            category_id=variant.product.category_id,
        ),
    )


def _target_name(rule: PriceRule) -> str:
    if rule.variant is not None:
        return f"{rule.variant.product.title} {rule.variant.name}"
    if rule.product is not None:
        return str(rule.product.title)
    return str(rule.category.name) if rule.category is not None else ""
