"""The catalogue of one site as an immutable value: what is listed, at which prices.

Owns the shape that pages, checkout and docking read, and the arithmetic from a site's rules to the
price of each variant. Promises that a catalogue never changes once built, holds listed goods only,
and that each price comes with the steps that led to it. Pure: rows in, value out.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from kameng.catalog.inputs import InputField
from kameng.catalog.pinyin import PinyinBook
from kameng.catalog.search import Hit, SearchEntry, SearchIndex
from kameng.pricing.markups import MarkupRule, RuleInvalid, WholesalePlan
from kameng.pricing.money import Amount, MoneyInvalid
from kameng.pricing.own_goods import quote_own_unit
from kameng.pricing.quote import UnitQuote, quote_unit

_log = logging.getLogger(__name__)
HOT_LIMIT = 12
SEARCH_LIMIT = 60
SUGGEST_LIMIT = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantView:
    """What is sold: one face value with its price on this site."""

    id: int
    product_id: int
    name: str
    unit: UnitQuote
    face_amount: Amount | None
    list_amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductView:
    """A product as a buyer sees it on one site. `owner_id` is the site that owns the goods."""

    id: int
    owner_id: int
    code: str
    title: str
    brand: str
    category_id: int
    summary: str
    description: str
    tutorial: str
    after_sale: str
    delivery_kind: int
    input_fields: tuple[InputField, ...]
    min_quantity: int
    max_quantity: int
    tags: tuple[str, ...]
    is_pinned: bool
    weight: int
    sold_count: int
    updated_at: datetime
    variants: tuple[VariantView, ...]

    @property
    def lowest_amount(self) -> Amount:
        """The price of the cheapest variant."""
        return min(variant.unit.price_amount for variant in self.variants)

    @property
    def highest_amount(self) -> Amount:
        """The price of the dearest variant."""
        return max(variant.unit.price_amount for variant in self.variants)


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryView:
    """A shelf with the number of products that this site lists in it."""

    id: int
    owner_id: int
    name: str
    icon: str
    product_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredVariant:
    """A variant as stored by the owner of the goods."""

    id: int
    name: str
    cost_amount: Amount
    list_amount: Amount
    face_amount: Amount | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredProduct:
    """A listed product as stored by the owner of the goods, with its listed variants."""

    id: int
    owner_id: int
    code: str
    title: str
    brand: str
    category_id: int
    summary: str
    description: str
    tutorial: str
    after_sale: str
    delivery_kind: int
    input_fields: tuple[InputField, ...]
    min_quantity: int
    max_quantity: int
    tags: tuple[str, ...]
    keywords: str
    weight: int
    is_pinned: bool
    sold_count: int
    updated_at: datetime
    variants: tuple[StoredVariant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCategory:
    """A listed category as stored by the owner of the goods."""

    id: int
    owner_id: int
    name: str
    icon: str
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Goods:
    """The listed goods of one owner: shared by all sites that sell them."""

    owner_id: int
    categories: tuple[StoredCategory, ...]
    products: tuple[StoredProduct, ...]
    index: "LazyIndex" = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredListing:
    """How a site's view of one product differs."""

    is_listed: bool
    is_pinned: bool | None
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """A site's mark-up rules by what they cover, and what it pays for the main site's goods."""

    site: MarkupRule | None = None
    categories: Mapping[int, MarkupRule] = field(default_factory=dict)
    products: Mapping[int, MarkupRule] = field(default_factory=dict)
    variants: Mapping[int, MarkupRule] = field(default_factory=dict)
    plan: WholesalePlan | None = None
    own_share_bps: int = 0  # the platform's part of what a sub-site's own goods are sold for
    upline: WholesalePlan | None = None  # what a child pays over that, to the site above it

    def rules_of(self, variant_id: int, *, product_id: int, category_id: int) -> list[MarkupRule]:
        """Return every rule that covers a variant; `pricing` chooses among them."""
        covering = (
            self.site,
            self.categories.get(category_id),
            self.products.get(product_id),
            self.variants.get(variant_id),
        )
        return [rule for rule in covering if rule is not None]


class LazyIndex:
    """A search index that is built when someone first searches, since that takes half a second.

    `version` names the state of the goods; the index before lends its readings of known words. A
    sub-site's own goods borrow those of the main site: the dictionary of single characters alone
    would be a MiB for each of them. The lender is asked for when it is needed, not kept.
    """

    def __init__(
        self,
        products: Sequence[StoredProduct],
        *,
        names: Mapping[int, str],
        version: int,
        find_lender: "Callable[[], LazyIndex | None] | None" = None,
    ) -> None:
        self.version = version
        self._find_lender = find_lender
        self._products = products
        self._names = names
        self._book: PinyinBook | None = None
        self._index: SearchIndex | None = None
        self._lock = threading.Lock()

    def query(self, text: str, limit: int) -> list[int]:
        """Return the ids of the products that fit, best first."""
        return [hit.id for hit in self.query_hits(text, limit)]

    def query_hits(self, text: str, limit: int) -> list[Hit]:
        """Return the hits with their scores, best first, to be merged with another owner's."""
        index = self._index
        if index is None:
            with self._lock:
                index = self._index = self._index or self._build()
        return index.query(text, limit)

    def succeed(self, before: "LazyIndex") -> None:
        """Take over the readings that the index before has looked up."""
        self._book = before.known_readings()

    def known_readings(self) -> PinyinBook | None:
        """Return the readings that have been looked up, if any."""
        return self._book if self._index is None else self._index.book

    def _build(self) -> SearchIndex:
        entries = [
            SearchEntry(
                id=row.id,
                title=row.title,
                brand=row.brand,
                category=self._names.get(row.category_id, ""),
                keywords=row.keywords,
                weight=row.weight,
                sold_count=row.sold_count,
            )
            for row in self._products
        ]
        book, lender = self._book, self._find_lender() if self._find_lender else None
        if book is None and lender is not None:
            book = lender.known_readings()
        return SearchIndex.build(entries, book=book)


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Everything one site sells, in the order of the shop: pinned, weight, sales, newest."""

    site_id: int
    main_id: int
    version: int
    main_version: int
    categories: tuple[CategoryView, ...]
    products: tuple[ProductView, ...]
    hot: tuple[ProductView, ...] = field(repr=False)
    goods: tuple[Goods, ...] = field(repr=False)
    products_by_id: Mapping[int, ProductView] = field(repr=False)
    variants_by_id: Mapping[int, tuple[ProductView, VariantView]] = field(repr=False)
    products_by_category: Mapping[int, tuple[ProductView, ...]] = field(repr=False)

    def find_product(self, product_id: int) -> ProductView | None:
        """Return a listed product, or None."""
        return self.products_by_id.get(product_id)

    def find_variant(self, variant_id: int) -> tuple[ProductView, VariantView] | None:
        """Return a listed variant with its product, or None."""
        return self.variants_by_id.get(variant_id)

    def find_category(self, category_id: int) -> CategoryView | None:
        """Return a category that has listed products, or None."""
        return next((each for each in self.categories if each.id == category_id), None)

    def by_category(self, category_id: int) -> tuple[ProductView, ...]:
        """Return the listed products of a category in the order of the shop."""
        return self.products_by_category.get(category_id, ())

    def list_pinned(self) -> tuple[ProductView, ...]:
        """Return the pinned products."""
        return tuple(product for product in self.products if product.is_pinned)

    def list_hot(self, limit: int = HOT_LIMIT) -> tuple[ProductView, ...]:
        """Return what sells best, then what has weight."""
        return self.hot[:limit]

    def search(self, text: str, limit: int = SEARCH_LIMIT) -> list[ProductView]:
        """Return the listed products that fit the text, best first."""
        text = text.strip()[:64]
        if not text:
            return []
        hits = [hit for goods in self.goods for hit in goods.index.query_hits(text, limit * 2)]
        if len(self.goods) > 1:
            hits.sort(key=lambda hit: -hit.score)  # stable: within an owner as its index says
        # The index holds the owner's goods; what this site hides falls out here.
        found = (self.find_product(hit.id) for hit in hits)
        return [product for product in found if product is not None][:limit]

    def suggest(self, text: str, limit: int = SUGGEST_LIMIT) -> list[ProductView]:
        """Return the few products to offer while someone types."""
        return self.search(text, limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueKey:
    """Which state of the goods a catalogue shows."""

    site_id: int
    main_id: int
    version: int
    main_version: int


def build_catalogue(
    key: CatalogueKey,
    *,
    goods: Sequence[Goods],
    rules: RuleBook,
    listings: Mapping[int, StoredListing],
) -> Catalogue:
    """Put the owners' goods, the site's rules and its sparse overrides together."""
    products: list[ProductView] = []
    for owner in goods:
        own = owner.owner_id == key.site_id
        for row in owner.products:
            listing = None if own else listings.get(row.id)
            if listing is None or listing.is_listed:
                variants = (
                    _price_own(row, share_bps=rules.own_share_bps)
                    if own and key.site_id != key.main_id
                    else _price_variants(row, rules=rules, own=own)
                )
                if variants:
                    products.append(_product_view(row, listing=listing, variants=variants))
    products.sort(key=lambda each: (not each.is_pinned, -each.weight, -each.sold_count, -each.id))
    shelves: dict[int, list[ProductView]] = defaultdict(list)
    for product in products:
        shelves[product.category_id].append(product)
    return Catalogue(
        site_id=key.site_id,
        main_id=key.main_id,
        version=key.version,
        main_version=key.main_version,
        categories=_category_views(goods, shelves),
        products=tuple(products),
        hot=tuple(sorted(products, key=lambda each: (-each.sold_count, -each.weight, -each.id))),
        goods=tuple(goods),
        products_by_id=MappingProxyType({product.id: product for product in products}),
        variants_by_id=MappingProxyType(
            {variant.id: (product, variant) for product in products for variant in product.variants}
        ),
        products_by_category=MappingProxyType(
            {shelf: tuple(members) for shelf, members in shelves.items()}
        ),
    )


def _category_views(
    goods: Sequence[Goods], shelves: Mapping[int, Sequence[ProductView]]
) -> tuple[CategoryView, ...]:
    # A sub-site's goods on a shelf of the main site: both name it, the main site's word counts.
    known = {
        row.id: row for owner in reversed(goods) for row in owner.categories if row.id in shelves
    }
    rows = sorted(known.values(), key=lambda row: (row.position, row.id))
    return tuple(
        CategoryView(
            id=row.id,
            owner_id=row.owner_id,
            name=row.name,
            icon=row.icon,
            product_count=len(shelves[row.id]),
        )
        for row in rows
    )


def _price_variants(
    product: StoredProduct, *, rules: RuleBook, own: bool
) -> tuple[VariantView, ...]:
    views = []
    for row in product.variants:
        try:
            unit = quote_unit(
                cost_amount=row.cost_amount,
                list_amount=row.list_amount,
                plan=None if own else rules.plan,
                upline=None if own else rules.upline,
                rules=rules.rules_of(
                    row.id, product_id=product.id, category_id=product.category_id
                ),
            )
        except (MoneyInvalid, RuleInvalid) as fault:
            # No price, no sale; the neighbours go on selling.
            _log.warning("variant %s has no price: %s", row.id, fault)
            continue
        views.append(
            VariantView(
                id=row.id,
                product_id=product.id,
                name=row.name,
                unit=unit,
                face_amount=row.face_amount,
                list_amount=row.list_amount,
            )
        )
    return tuple(views)


def _price_own(product: StoredProduct, *, share_bps: int) -> tuple[VariantView, ...]:
    """Return the variants of a sub-site's own product at its operator's prices."""
    return tuple(
        VariantView(
            id=row.id,
            product_id=product.id,
            name=row.name,
            unit=quote_own_unit(
                cost_amount=row.cost_amount, list_amount=row.list_amount, share_bps=share_bps
            ),
            face_amount=row.face_amount,
            list_amount=row.list_amount,
        )
        for row in product.variants
    )


def _product_view(
    row: StoredProduct, *, listing: StoredListing | None, variants: tuple[VariantView, ...]
) -> ProductView:
    is_pinned, weight = row.is_pinned, row.weight
    if listing is not None:
        is_pinned = is_pinned if listing.is_pinned is None else listing.is_pinned
        weight += listing.weight
    return ProductView(
        id=row.id,
        owner_id=row.owner_id,
        code=row.code,
        title=row.title,
        brand=row.brand,
        category_id=row.category_id,
        summary=row.summary,
        description=row.description,
        tutorial=row.tutorial,
        after_sale=row.after_sale,
        delivery_kind=row.delivery_kind,
        input_fields=row.input_fields,
        min_quantity=row.min_quantity,
        max_quantity=row.max_quantity,
        tags=row.tags,
        is_pinned=is_pinned,
        weight=weight,
        sold_count=row.sold_count,
        updated_at=row.updated_at,
        variants=variants,
    )
