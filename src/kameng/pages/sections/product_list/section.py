"""Goods as rows with price and buy button: dense, quick to scan, good for many face values."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field
from kameng.pages.registry import Section
from kameng.pages.sections.goods import GOODS_FIELDS, context_of, products_of

SECTION = Section(
    type="product_list",
    version=1,
    name=_("商品列表"),
    icon="list",
    group="goods",
    hint=_("一行一件，适合面额多、买家直接找的店。"),
    fields=(
        *GOODS_FIELDS,
        Field(
            name="columns",
            label=_("电脑上每排"),
            kind="choice",
            options=(("2", _("2 列")), ("1", _("1 列")), ("3", _("3 列"))),
        ),
        Field(name="shows_rank", label=_("显示名次"), kind="switch"),
    ),
    products=products_of,
    context=context_of,
)
