"""The queries behind a catalogue: an owner's goods, a site's rules and its overrides.

Promises a fixed number of queries whatever the number of goods: three for goods (categories,
products, variants), two for a site (rules, listings), one for its plan.
"""

import logging
from collections import OrderedDict, defaultdict
from typing import Final

from django.db.models import QuerySet

from kameng.catalog.inputs import load_fields
from kameng.catalog.models import (
    Category,
    DeliveryKind,
    Listing,
    PriceRule,
    Product,
    Variant,
)
from kameng.catalog.snapshot import (
    Goods,
    LazyIndex,
    RuleBook,
    StoredCategory,
    StoredListing,
    StoredProduct,
    StoredVariant,
)
from kameng.pricing.markups import (
    Ending,
    MarkupKind,
    MarkupRule,
    RuleInvalid,
    RuleScope,
    WholesalePlan,
)
from kameng.pricing.money import Amount
from kameng.tenancy.selectors import SiteView, get_plan

_log = logging.getLogger(__name__)
KEPT_INDEXES: Final = 500
_indexes: OrderedDict[int, LazyIndex] = OrderedDict()


def load_goods(owner_id: int, *, version: int) -> Goods:
    """Return the listed goods of an owner; a site scope that reads them must be open.

    Plans are not among them: they are sold on the page that asks for which site.
    """
    categories = _load_categories(owner_id)
    names = {row.id: row.name for row in categories}
    rows = Product.objects.exclude(delivery_kind=DeliveryKind.SITE_PLAN)
    products = _load_products(owner_id, frozenset(names), rows=rows)
    index = LazyIndex(products, names=names, version=version)
    return Goods(
        owner_id=owner_id,
        categories=categories,
        products=products,
        index=_keep_index(owner_id, index),
    )


def load_plan_goods(owner_id: int, *, version: int) -> Goods:
    """Return the listed goods of the main site that open or prolong sites; its scope is open."""
    categories = _load_categories(owner_id)
    rows = Product.objects.filter(delivery_kind=DeliveryKind.SITE_PLAN)
    products = _load_products(owner_id, frozenset(row.id for row in categories), rows=rows)
    index = LazyIndex((), names={}, version=version)
    return Goods(owner_id=owner_id, categories=categories, products=products, index=index)


def _keep_index(owner_id: int, index: LazyIndex) -> LazyIndex:
    """Return the index already known for this version, else this one with its readings."""
    before = _indexes.get(owner_id)
    if before is not None and before.version == index.version:
        _indexes.move_to_end(owner_id)
        return before
    if before is not None:
        index.succeed(before)
    _indexes[owner_id] = index
    _indexes.move_to_end(owner_id)
    if len(_indexes) > KEPT_INDEXES:  # of sub-sites with goods of their own there may be many
        _indexes.popitem(last=False)
    return index


def load_own_goods(site_id: int, *, main_id: int, version: int) -> Goods | None:
    """Return the listed goods of a sub-site's own; None, after one query, where it has none.

    A shelf of the main site on which they stand comes with them, shown by the main site or not:
    what an operator sells does not vanish because another owner put a shelf away.
    """
    own = Product.objects.filter(site_id=site_id, is_listed=True)
    shelf_ids = set(own.order_by().values_list("category_id", flat=True).distinct())
    if not shelf_ids:
        return None
    rows = Category.objects.filter(id__in=shelf_ids).order_by("position", "id")
    categories = tuple(
        StoredCategory(
            id=row.id, owner_id=row.site_id, name=row.name, icon=row.icon, position=row.position
        )
        for row in rows
        if row.is_listed or row.site_id != site_id
    )
    names = {row.id: row.name for row in categories}
    products = _load_products(site_id, frozenset(names), rows=Product.objects.all())
    index = LazyIndex(
        products, names=names, version=version, find_lender=lambda: _indexes.get(main_id)
    )
    return Goods(
        owner_id=site_id,
        categories=categories,
        products=products,
        index=_keep_index(site_id, index),
    )


def load_rules(view: SiteView) -> RuleBook:
    """Return the rules of the site in force, and what its plan and its upline make it pay."""
    site: MarkupRule | None = None
    maps: dict[RuleScope, dict[int, MarkupRule]] = defaultdict(dict)
    for row in PriceRule.objects.all():
        try:
            rule = markup_rule(row)
        except (RuleInvalid, ValueError) as fault:
            # The site goes on selling at list prices; saving a rule checks what is read here.
            _log.warning("price rule %s is not usable: %s", row.id, fault)
            continue
        if rule.scope is RuleScope.SITE:
            site = rule
        else:
            maps[rule.scope][row.variant_id or row.product_id or row.category_id or 0] = rule
    return RuleBook(
        site=site,
        categories=maps[RuleScope.CATEGORY],
        products=maps[RuleScope.PRODUCT],
        variants=maps[RuleScope.VARIANT],
        plan=load_plan(None if view.is_main else view.plan_id),
        upline=upline_terms(view),
    )


def load_plan(plan_id: int | None) -> WholesalePlan | None:
    """Return the terms of a plan; None for the main site, which buys at cost."""
    if plan_id is None:
        return None
    plan = get_plan(plan_id)
    return WholesalePlan(
        markup_bps=plan.wholesale_markup_bps,
        minimum_margin_amount=Amount(plan.wholesale_minimum_amount),
    )


def upline_terms(view: SiteView) -> WholesalePlan | None:
    """Return what a child pays over its upline's wholesale price; None for any other site."""
    if view.upline_id is None:
        return None
    return WholesalePlan(
        markup_bps=view.child_markup_bps,
        minimum_margin_amount=Amount(view.child_minimum_amount),
    )


def load_listings() -> dict[int, StoredListing]:
    """Return the overrides of the site in force by product."""
    rows = Listing.objects.values_list("product_id", "is_listed", "is_pinned", "weight")
    return {
        product_id: StoredListing(is_listed=is_listed, is_pinned=is_pinned, weight=weight)
        for product_id, is_listed, is_pinned, weight in rows
    }


def markup_rule(row: PriceRule) -> MarkupRule:
    """Return a stored rule as `pricing` knows it."""
    if row.variant_id is not None:
        scope = RuleScope.VARIANT
    elif row.product_id is not None:
        scope = RuleScope.PRODUCT
    elif row.category_id is not None:
        scope = RuleScope.CATEGORY
    else:
        scope = RuleScope.SITE
    return MarkupRule(
        rule_id=row.id,
        scope=scope,
        kind=MarkupKind(row.kind),
        rate_bps=row.rate_bps,
        amount=Amount(row.amount),
        ending=Ending(row.rounding),
        cap_bps=row.cap_bps,
    )


def _load_categories(owner_id: int) -> tuple[StoredCategory, ...]:
    rows = Category.objects.filter(site_id=owner_id, is_listed=True).order_by("position", "id")
    return tuple(
        StoredCategory(id=row_id, owner_id=owner_id, name=name, icon=icon, position=position)
        for row_id, name, icon, position in rows.values_list("id", "name", "icon", "position")
    )


_PRODUCT_COLUMNS = (
    "code",
    "title",
    "brand",
    "summary",
    "description",
    "tutorial",
    "after_sale",
    "delivery_kind",
    "min_quantity",
    "max_quantity",
    "keywords",
    "weight",
    "is_pinned",
    "sold_count",
    "updated_at",
)


def _load_products(
    owner_id: int, category_ids: frozenset[int], *, rows: QuerySet[Product]
) -> tuple[StoredProduct, ...]:
    variants = _load_variants(owner_id)
    rows = rows.filter(site_id=owner_id, is_listed=True)
    return tuple(
        StoredProduct(
            id=row_id,
            owner_id=owner_id,
            category_id=category_id,
            input_fields=load_fields(input_fields),
            tags=tuple(tags),
            variants=tuple(variants[row_id]),
            **dict(zip(_PRODUCT_COLUMNS, values, strict=True)),
        )
        for row_id, category_id, input_fields, tags, *values in rows.values_list(
            "id", "category_id", "input_fields", "tags", *_PRODUCT_COLUMNS
        )
        if category_id in category_ids and row_id in variants
    )


def _load_variants(owner_id: int) -> dict[int, list[StoredVariant]]:
    found: dict[int, list[StoredVariant]] = defaultdict(list)
    rows = Variant.objects.filter(site_id=owner_id, is_listed=True).order_by("position", "id")
    for product_id, row_id, name, cost, listed, face in rows.values_list(
        "product_id", "id", "name", "cost_amount", "list_amount", "face_amount"
    ):
        found[product_id].append(
            StoredVariant(
                id=row_id, name=name, cost_amount=cost, list_amount=listed, face_amount=face
            )
        )
    return found
