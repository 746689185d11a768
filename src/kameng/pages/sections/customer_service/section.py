"""How to reach the shop: hours, words, a picture with a code for adding it."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field
from kameng.pages.registry import Section

SECTION = Section(
    type="customer_service",
    version=1,
    name=_("联系客服"),
    icon="headset",
    group="trust",
    hint=_("客服时间、联系方式和二维码。"),
    fields=(
        Field(
            name="title",
            label=_("标题"),
            kind="text",
            most=20,
            is_inline=True,
            default=_("有问题，找客服"),
        ),
        Field(
            name="text",
            label=_("说明"),
            kind="lines",
            most=200,
            is_inline=True,
            default=_("每天 9:00 到 24:00，一般 5 分钟内回复。"),
        ),
        Field(
            name="ways",
            label=_("联系方式"),
            kind="items",
            most=6,
            fields=(
                Field(name="icon", label=_("图标"), kind="icon", default="message"),
                Field(name="name", label=_("方式"), kind="text", most=24, is_required=True),
                Field(name="value", label=_("号码"), kind="text", most=60, is_required=True),
            ),
        ),
        Field(name="picture", label=_("添加客服的二维码图片"), kind="image"),
    ),
)
