"""Goods side by side: the workhorse of a shop's pages."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field
from kameng.pages.registry import Section
from kameng.pages.sections.goods import CARDS, GOODS_FIELDS, context_of, products_of

SECTION = Section(
    type="product_grid",
    version=1,
    name=_("商品宫格"),
    icon="layout-grid",
    group="goods",
    hint=_("成排展示商品，按热卖、分类、标签或手选。"),
    fields=(
        *GOODS_FIELDS,
        Field(name="card", label=_("卡片样式"), kind="choice", options=CARDS),
        Field(
            name="columns",
            label=_("电脑上每排"),
            kind="choice",
            default="auto",
            options=(
                ("auto", _("自动")),
                ("2", _("2 个")),
                ("3", _("3 个")),
                ("4", _("4 个")),
                ("5", _("5 个")),
                ("6", _("6 个")),
            ),
        ),
    ),
    products=products_of,
    context=context_of,
)
