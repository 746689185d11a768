"""What the sections that show goods have in common: the fields, the cards, the link to all."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from kameng.catalog.snapshot import Catalogue, ProductView
from kameng.pages.choosing import choose_products
from kameng.pages.fields import Field, Props
from kameng.pages.registry import World

CARDS = (
    ("cover", _("封面卡片")),
    ("poster", _("大图")),
    ("price", _("价格突出")),
    ("plain", _("纯文字")),
)
GOODS_FIELDS = (
    Field(name="title", label=_("标题"), kind="text", most=20, is_inline=True),
    Field(name="note", label=_("副标题"), kind="text", most=40, is_inline=True),
    Field(name="icon", label=_("图标"), kind="icon"),
    Field(name="source", label=_("商品"), kind="products"),
    Field(name="shows_more", label=_("显示“全部”链接"), kind="switch", default=True),
)


def products_of(props: Props, catalogue: Catalogue) -> Sequence[ProductView]:
    """Return the goods of the section's source."""
    return choose_products(props["source"], catalogue)


def context_of(props: Props, world: World) -> Mapping[str, Any]:
    """Return the cards of the section's goods, what is sold out last, and where the rest is."""
    found = [
        world.cards[product.id]
        for product in products_of(props, world.catalogue)
        if product.id in world.cards
    ]
    return {
        "cards": sorted(found, key=lambda card: card.level_word == "out"),
        "more_url": _more_url(props["source"]),
    }


def _more_url(source: Props) -> str:
    if source["by"] == "category" and source["id"]:
        return reverse("storefront:category", args=(source["id"],))
    sort = {"hot": "?sort=sold", "new": "?sort=new", "cheap": "?sort=cheap"}
    return reverse("storefront:search") + sort.get(source["by"], "")
