"""Leads to the shelves of the shop, all or chosen ones."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field, Props
from kameng.pages.registry import Section, World


def _context(props: Props, world: World) -> Mapping[str, Any]:
    categories = world.catalogue.categories
    if props["categories"]["by"] == "hand":
        found = (world.catalogue.find_category(each) for each in props["categories"]["ids"])
        return {"shown": [category for category in found if category is not None]}
    return {"shown": categories}


SECTION = Section(
    type="category_nav",
    version=1,
    name=_("分类导航"),
    icon="category",
    group="goods",
    hint=_("让买家一眼找到要的分类。"),
    fields=(
        Field(name="title", label=_("标题"), kind="text", most=20, is_inline=True),
        Field(
            name="layout",
            label=_("样式"),
            kind="choice",
            options=(
                ("icons", _("图标")),
                ("chips", _("标签")),
                ("tiles", _("色块")),
                ("rows", _("列表")),
            ),
        ),
        Field(name="categories", label=_("分类"), kind="categories"),
    ),
    context=_context,
)
