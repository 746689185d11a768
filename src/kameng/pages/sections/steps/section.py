"""How something goes, step by step: buying, redeeming, returning."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field
from kameng.pages.registry import Section

SECTION = Section(
    type="steps",
    version=1,
    name=_("步骤"),
    icon="checklist",
    group="content",
    hint=_("三四步讲清楚怎么买、怎么用。"),
    fields=(
        Field(
            name="title",
            label=_("标题"),
            kind="text",
            most=20,
            is_inline=True,
            default=_("三步完成购买"),
        ),
        Field(
            name="steps",
            label=_("步骤"),
            kind="items",
            least=2,
            most=6,
            fields=(
                Field(name="icon", label=_("图标"), kind="icon", default="circle-check"),
                Field(
                    name="title",
                    label=_("步骤"),
                    kind="text",
                    most=16,
                    is_required=True,
                    is_inline=True,
                ),
                Field(name="text", label=_("说明"), kind="text", most=60, is_inline=True),
            ),
            default=(
                {"icon": "search", "title": _("选商品"), "text": _("搜名字或拼音首字母")},
                {"icon": "credit-card", "title": _("付款"), "text": _("微信、支付宝都可以")},
                {"icon": "bolt", "title": _("收货"), "text": _("页面上直接看到卡密")},
            ),
        ),
    ),
)
