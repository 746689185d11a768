"""What the shop's pages show of goods: cards, variants with their stock, covers.

Reads the catalogue's snapshot and the cached counts of stock; decides on words alone (sold out,
nearly out), never on prices.
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.urls import reverse
from django.utils.translation import gettext as _

from kameng.catalog.models import DeliveryKind
from kameng.catalog.selectors import get_catalogue
from kameng.catalog.snapshot import Catalogue, CategoryView, ProductView, VariantView
from kameng.inventory.selectors import Stock, stock_of
from kameng.tenancy.selectors import SiteView

LOW_COUNT: Final = 10  # from here on the buyer is told how few are left
STEP: Final = 10  # counts above are told in steps, so that a page is not drawn anew for each sale
OUT, LOW, ENOUGH = "out", "low", "enough"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How much of something there is, as far as a buyer needs to know. `most` None: no limit."""

    word: str
    most: int | None

    @property
    def text(self) -> str:
        """Say it to the buyer."""
        if self.word == OUT:
            return _("已售罄")
        if self.word == LOW:
            return _("仅剩 %(count)s 件") % {"count": self.most}
        return _("库存充足")


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One product on a shelf."""

    product: ProductView
    category_name: str
    level_word: str
    was_amount: int | None

    @property
    def url(self) -> str:
        """The address of its page."""
        return reverse("storefront:product", args=(self.product.id,))

    @property
    def cover_url(self) -> str:
        """The address of its cover."""
        return cover_url(self.product, category_name=self.category_name)

    @property
    def has_range(self) -> bool:
        """Tell whether variants differ in price."""
        return self.product.lowest_amount != self.product.highest_amount


def level_of(stock: Stock | None) -> Level:
    """Return what a buyer is told of a count."""
    if stock is None or not stock.is_counted:
        return Level(word=ENOUGH, most=None)
    if stock.count <= 0:
        return Level(word=OUT, most=0)
    if stock.count <= LOW_COUNT:
        return Level(word=LOW, most=stock.count)
    if stock.has_more:
        return Level(word=ENOUGH, most=None)
    return Level(word=ENOUGH, most=-(-stock.count // STEP) * STEP)


def levels_of(product: ProductView) -> tuple[Level, ...]:
    """Return the levels of a product's variants, in their order."""
    stock = stock_of([variant.id for variant in product.variants])
    found = (level_of(stock.get(variant.id)) for variant in product.variants)
    return tuple(_without_idle_limit(level, product.max_quantity) for level in found)


def make_cards(catalogue: Catalogue, products: Sequence[ProductView]) -> list[Card]:
    """Return the cards of products, their stock counted in one query."""
    stock = stock_of([variant.id for product in products for variant in product.variants])
    names = category_names(catalogue.categories)
    return [
        Card(
            product=product,
            category_name=names.get(product.category_id, ""),
            level_word=_best_level(product.variants, stock),
            was_amount=was_amount(product.variants[0]) if len(product.variants) == 1 else None,
        )
        for product in products
    ]


def was_amount(variant: VariantView) -> int | None:
    """Return the suggested price where the shop asks less, to be struck out."""
    return variant.list_amount if variant.list_amount > variant.unit.price_amount else None


def category_names(categories: Iterable[CategoryView]) -> dict[int, str]:
    """Return the names of shelves by id."""
    return {category.id: category.name for category in categories}


def category_name_of(view: SiteView, product: ProductView) -> str:
    """Return the name of a product's shelf on a site."""
    category = get_catalogue(view).find_category(product.category_id)
    return category.name if category else ""


def cover_version(product: ProductView, *, category_name: str) -> str:
    """Return the digest of everything that a cover shows: another cover, another address."""
    return f"{zlib.crc32(f'{product.title}|{category_name}'.encode()):08x}"


def cover_url(product: ProductView, *, category_name: str) -> str:
    """Return the address under which a cover may be kept for good."""
    version = cover_version(product, category_name=category_name)
    return reverse("storefront:cover", args=(product.id, version))


def promise_of(delivery_kind: int) -> str:
    """Say how and when goods of a kind arrive."""
    if delivery_kind == DeliveryKind.CARD:
        return _("付款后约 3 秒自动发货，卡密直接显示在页面上")
    if delivery_kind == DeliveryKind.TOP_UP:
        return _("付款后为您充值到账号，一般 10 分钟内到账")
    return _("付款后由客服人工处理，一般 30 分钟内完成")


def consent_of(delivery_kind: int) -> str:
    """Say what the buyer agrees to before paying: opened digital goods are not taken back."""
    if delivery_kind == DeliveryKind.CARD:
        return _("我已知晓：卡密一经查看，不支持无理由退换")
    if delivery_kind == DeliveryKind.TOP_UP:
        return _("我已核对充值账号，并知晓：充值成功后不支持退换")
    return _("我已知晓：服务开始处理后不支持无理由退换")


def _without_idle_limit(level: Level, max_quantity: int) -> Level:
    """Drop a limit that nobody can reach in one order: the page need not follow it."""
    if level.word == ENOUGH and level.most is not None and level.most >= max_quantity:
        return Level(word=ENOUGH, most=None)
    return level


def _best_level(variants: Iterable[VariantView], stock: Mapping[int, Stock]) -> str:
    words = {level_of(stock.get(variant.id)).word for variant in variants}
    return next((word for word in (ENOUGH, LOW) if word in words), OUT)
