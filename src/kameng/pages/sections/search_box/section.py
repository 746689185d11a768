"""A search field in the page, with words to try."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field
from kameng.pages.registry import Section

SECTION = Section(
    type="search_box",
    version=1,
    name=_("搜索框"),
    icon="search",
    group="goods",
    hint=_("商品多的店，把搜索放到最显眼的地方。"),
    fields=(
        Field(
            name="title",
            label=_("标题"),
            kind="text",
            most=30,
            is_inline=True,
            default=_("想充什么，搜一下"),
        ),
        Field(
            name="words",
            label=_("热词"),
            kind="items",
            most=8,
            fields=(Field(name="text", label=_("词"), kind="text", most=24, is_required=True),),
        ),
    ),
)
