"""A row of goods for each shelf: new shelves appear by themselves."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from kameng.catalog.snapshot import Catalogue, CategoryView, ProductView
from kameng.pages.fields import Field, Props
from kameng.pages.registry import Section, World
from kameng.pages.sections.goods import CARDS


def _shelves(props: Props, catalogue: Catalogue) -> list[tuple[CategoryView, list[ProductView]]]:
    chosen: Sequence[CategoryView] = catalogue.categories
    if props["categories"]["by"] == "hand":
        found = (catalogue.find_category(each) for each in props["categories"]["ids"])
        chosen = [category for category in found if category is not None]
    rows = (
        (category, list(catalogue.by_category(category.id)[: props["each"]]))
        for category in chosen[: props["most"]]
    )
    return [(category, products) for category, products in rows if products]


def _products(props: Props, catalogue: Catalogue) -> Sequence[ProductView]:
    return [product for _category, row in _shelves(props, catalogue) for product in row]


def _context(props: Props, world: World) -> Mapping[str, Any]:
    shelves = []
    for category, products in _shelves(props, world.catalogue):
        cards = [world.cards[product.id] for product in products if product.id in world.cards]
        shelves.append(
            {
                "category": category,
                "url": reverse("storefront:category", args=(category.id,)),
                "cards": sorted(cards, key=lambda card: card.level_word == "out"),
            }
        )
    return {"shelves": shelves}


SECTION = Section(
    type="category_shelves",
    version=1,
    name=_("分类货架"),
    icon="layout-list",
    group="goods",
    hint=_("每个分类一排商品，上新分类会自动出现。"),
    fields=(
        Field(name="categories", label=_("分类"), kind="categories"),
        Field(name="most", label=_("最多几个分类"), kind="number", least=1, most=20, default=6),
        Field(
            name="each", label=_("每个分类几件商品"), kind="number", least=2, most=20, default=10
        ),
        Field(name="card", label=_("卡片样式"), kind="choice", options=CARDS),
    ),
    products=_products,
    context=_context,
)
