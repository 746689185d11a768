"""Reads of the catalogue: the snapshot that pages and orders use, and what the back office lists.

The snapshot is kept in the process by site and catalogue version, so a warm read costs no query;
any change of a price or a listing grows a version, which the request reads with its site.
"""

from dataclasses import dataclass

from kameng.catalog.caching import SnapshotCache
from kameng.catalog.errors import QuantityInvalid, VariantNotFound
from kameng.catalog.loading import load_goods, load_listings, load_rules
from kameng.catalog.snapshot import (
    Catalogue,
    CatalogueKey,
    Goods,
    ProductView,
    VariantView,
    build_catalogue,
)
from kameng.core.scope import open_scope
from kameng.pricing.margins import NO_FEE, FeeTerms
from kameng.pricing.quote import OrderLine, OrderQuote, quote_order
from kameng.tenancy.selectors import SiteView, scope_of

FRESH_SECONDS = 60  # how old a count of sales may look
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


def get_catalogue(view: SiteView) -> Catalogue:
    """Return what a site sells, at the versions that its view names."""
    key = CatalogueKey(
        site_id=view.site_id,
        main_id=view.main_id,
        version=view.catalogue_version,
        main_version=view.main_version,
    )
    return _catalogues.get(key, lambda: _load_catalogue(view, key))


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
            return build_catalogue(key, goods=[main], rules=load_rules(None), listings={})
        rules = load_rules(view.plan_id)
        return build_catalogue(key, goods=[main], rules=rules, listings=load_listings())
