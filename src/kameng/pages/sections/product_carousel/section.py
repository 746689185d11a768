"""Goods in one row that is pushed sideways: saves height on a phone."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field
from kameng.pages.registry import Section
from kameng.pages.sections.goods import CARDS, GOODS_FIELDS, context_of, products_of

SECTION = Section(
    type="product_carousel",
    version=1,
    name=_("商品横滑"),
    icon="columns-3",
    group="goods",
    hint=_("一排商品左右滑动，手机上省地方。"),
    fields=(
        *GOODS_FIELDS,
        Field(name="card", label=_("卡片样式"), kind="choice", options=CARDS),
    ),
    products=products_of,
    context=context_of,
)
