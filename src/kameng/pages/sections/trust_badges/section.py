"""Why one can buy here: promises in a row. Only what the shop keeps."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field
from kameng.pages.registry import Section

SECTION = Section(
    type="trust_badges",
    version=1,
    name=_("服务承诺"),
    icon="shield-check",
    group="trust",
    hint=_("一排承诺，写真做得到的。"),
    fields=(
        Field(
            name="badges",
            label=_("承诺"),
            kind="items",
            least=1,
            most=6,
            fields=(
                Field(name="icon", label=_("图标"), kind="icon", default="shield-check"),
                Field(
                    name="title",
                    label=_("承诺"),
                    kind="text",
                    most=12,
                    is_required=True,
                    is_inline=True,
                ),
                Field(name="text", label=_("说明"), kind="text", most=40, is_inline=True),
            ),
            default=(
                {"icon": "bolt", "title": _("秒级发货"), "text": _("付款后自动发货")},
                {"icon": "shield-check", "title": _("没货必退"), "text": _("发不了货全额退款")},
                {"icon": "lock", "title": _("信息加密"), "text": _("卡密加密保存")},
                {"icon": "headset", "title": _("真人客服"), "text": _("有问题找得到人")},
            ),
        ),
        Field(
            name="layout",
            label=_("样式"),
            kind="choice",
            options=(("row", _("横排")), ("cards", _("卡片")), ("line", _("一行小字"))),
        ),
    ),
)
