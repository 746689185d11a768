"""Reads of sub-sites' own goods: who makes goods, the places left, and the list of the platform."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, Q, QuerySet

from kameng.catalog.errors import ProductNotFound
from kameng.catalog.models import Category, DeliveryKind, Product, Variant
from kameng.core.scope import open_scope, platform_scope, require_site_id
from kameng.pricing.money import Amount
from kameng.pricing.own_goods import platform_share
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import SiteView, get_limits, list_sites_by_id, scope_of

KEPT_ANSWERS: Final = 5_000
PAGE_LIMIT: Final = 200
EXAMPLE: Final = Amount(1_000_000)  # a hundred yuan, the example of every explanation
_makes: dict[tuple[int, int], bool] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnGoodsState:
    """What a sub-site's plan says of own goods, and how far it has used it."""

    may_make: bool
    most: int | None  # on sale at once; None: as many as it likes
    listed_count: int
    stored_count: int
    share_bps: int
    example_amount: Amount
    example_share_amount: Amount

    @property
    def is_full(self) -> bool:
        """Tell whether nothing more can be put on sale."""
        return self.most is not None and self.listed_count >= self.most

    @property
    def example_rest_amount(self) -> Amount:
        """What the operator gets of the example, before the gateway's fee."""
        return Amount(self.example_amount - self.example_share_amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnGoodsFilter:
    """What the platform asks for; `state` is all, listed, unlisted, taken_down or scanned."""

    text: str = ""
    site_id: int | None = None
    state: str = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnGoodsRow:
    """A sub-site's own product as the platform sees it. No card keys, no cost."""

    product: Product
    site: Site
    category_name: str
    price_amounts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnGoodsPage:
    """One page and how many there are in all."""

    rows: tuple[OwnGoodsRow, ...]
    total_count: int


def makes_goods(site: SiteView) -> bool:
    """Tell whether a site makes goods or has made some: kept in the process by its version."""
    if site.is_main:
        return True
    key = (site.site_id, site.catalogue_version)
    known = _makes.get(key)
    if known is None:
        with open_scope(scope_of(site)):
            known = get_limits(site.site_id).own_goods_most != 0
            known = known or Product.objects.filter(site_id=site.site_id).exists()
        if len(_makes) >= KEPT_ANSWERS:
            _makes.clear()
        _makes[key] = known
    return known


def list_plan_shelf_ids() -> set[int]:
    """Return the shelves on which plans stand: nothing else belongs there."""
    rows = Product.objects.filter(delivery_kind=DeliveryKind.SITE_PLAN).order_by()
    return set(rows.values_list("category_id", flat=True))


def is_own_product(product_id: int) -> bool:
    """Tell whether a product is the site's own, in whose scope this is called."""
    rows = Product.objects.filter(id=product_id, site_id=require_site_id())
    return bool(rows.exists())


def read_own_goods(site: SiteView) -> OwnGoodsState | None:
    """Return what concerns own goods on a sub-site; None where it has and makes none."""
    if site.is_main or not makes_goods(site):
        return None
    limits = get_limits(site.site_id)
    held = Product.objects.filter(site_id=site.site_id).aggregate(
        stored=Count("id"), listed=Count("id", filter=Q(is_listed=True))
    )
    return OwnGoodsState(
        may_make=limits.own_goods_most != 0,
        most=limits.own_goods_most,
        listed_count=held["listed"],
        stored_count=held["stored"],
        share_bps=limits.own_goods_share_bps,
        example_amount=EXAMPLE,
        example_share_amount=platform_share(EXAMPLE, share_bps=limits.own_goods_share_bps),
    )


def list_own_goods(filters: OwnGoodsFilter, *, offset: int, limit: int = 50) -> OwnGoodsPage:
    """Return sub-sites' own goods for the main site, newest first. Four queries a page.

    Call as the main site, for a person who may oversee goods.
    """
    main_id = require_site_id()
    with platform_scope("the platform looks at sub-sites' own goods"):
        rows = _filtered(filters, main_id=main_id)
        start = max(offset, 0)
        page = list(rows.order_by("-id")[start : start + min(max(limit, 1), PAGE_LIMIT)])
        return OwnGoodsPage(rows=_rows(page), total_count=rows.count())


def count_scanned(*, limit: int) -> int:
    """Count own goods that a scan took off sale and nobody of the platform has judged, to a limit.

    Call as the main site.
    """
    with platform_scope("the platform counts what a scan found"):
        return int(Product.unscoped.exclude(scan_word="")[:limit].count())


def get_own_goods(product_id: int) -> OwnGoodsRow:
    """Return one sub-site's own product for the main site; raise `ProductNotFound`."""
    main_id = require_site_id()
    with platform_scope("the platform looks at a sub-site's own product"):
        found = list(_filtered(OwnGoodsFilter(), main_id=main_id).filter(id=product_id))
        if not found:
            raise ProductNotFound
        return _rows(found)[0]


def _filtered(filters: OwnGoodsFilter, *, main_id: int) -> "QuerySet[Product]":
    rows: QuerySet[Product] = Product.unscoped.exclude(site_id=main_id)
    text = filters.text.strip()[:60]
    if text:
        rows = rows.filter(
            Q(title__icontains=text) | Q(brand__icontains=text) | Q(code__iexact=text)
        )
    if filters.site_id is not None:
        rows = rows.filter(site_id=filters.site_id)
    if filters.state == "listed":
        rows = rows.filter(is_listed=True)
    elif filters.state == "unlisted":
        rows = rows.filter(is_listed=False, taken_down_reason="")
    elif filters.state == "taken_down":
        rows = rows.exclude(taken_down_reason="")
    elif filters.state == "scanned":
        rows = rows.exclude(scan_word="")
    return rows


def _rows(products: Sequence[Product]) -> tuple[OwnGoodsRow, ...]:
    sites = {row.id: row for row in list_sites_by_id([product.site_id for product in products])}
    shelves = dict(
        Category.unscoped.filter(id__in={product.category_id for product in products}).values_list(
            "id", "name"
        )
    )
    prices: dict[int, list[int]] = {product.id: [] for product in products}
    variants = Variant.unscoped.filter(product_id__in=list(prices)).order_by("list_amount")
    for product_id, amount in variants.values_list("product_id", "list_amount"):
        prices[product_id].append(amount)
    return tuple(
        OwnGoodsRow(
            product=product,
            site=sites[product.site_id],
            category_name=shelves.get(product.category_id, ""),
            price_amounts=tuple(prices[product.id]),
        )
        for product in products
    )
