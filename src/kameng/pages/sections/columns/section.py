"""Short texts side by side: what the shop stands for, how levels differ."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field
from kameng.pages.registry import Section

SECTION = Section(
    type="columns",
    version=1,
    name=_("多栏文字"),
    icon="columns-3",
    group="content",
    hint=_("两到四栏并列的短文。"),
    fields=(
        Field(name="title", label=_("标题"), kind="text", most=30, is_inline=True),
        Field(
            name="columns",
            label=_("栏"),
            kind="items",
            least=2,
            most=4,
            fields=(
                Field(name="icon", label=_("图标"), kind="icon"),
                Field(name="picture", label=_("图片"), kind="image"),
                Field(
                    name="title",
                    label=_("标题"),
                    kind="text",
                    most=20,
                    is_required=True,
                    is_inline=True,
                ),
                Field(name="text", label=_("文字"), kind="lines", most=200, is_inline=True),
                Field(name="link", label=_("链接"), kind="link"),
            ),
            default=(
                {"icon": "star", "title": _("精选货源"), "text": _("只上稳定、可退的商品。")},
                {"icon": "clock", "title": _("全天在线"), "text": _("半夜下单也能马上发货。")},
                {"icon": "heart", "title": _("老店信誉"), "text": _("每一单都可查、可售后。")},
            ),
        ),
    ),
)
