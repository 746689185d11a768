"""Pictures side by side, each leading somewhere: campaigns, series, brands."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field
from kameng.pages.registry import Section

SECTION = Section(
    type="tiles",
    version=1,
    name=_("图片橱窗"),
    icon="layout-grid",
    group="banner",
    hint=_("两到四张小横幅并排，每张通向一个专题。"),
    fields=(
        Field(name="title", label=_("标题"), kind="text", most=20, is_inline=True),
        Field(
            name="layout",
            label=_("样式"),
            kind="choice",
            options=(("even", _("等宽")), ("lead", _("一大两小")), ("strip", _("细条"))),
        ),
        Field(
            name="tiles",
            label=_("橱窗"),
            kind="items",
            least=1,
            most=6,
            fields=(
                Field(name="picture", label=_("图片"), kind="image"),
                Field(name="title", label=_("标题"), kind="text", most=20, is_inline=True),
                Field(name="text", label=_("说明"), kind="text", most=30, is_inline=True),
                Field(name="link", label=_("链接"), kind="link"),
                Field(name="icon", label=_("图标"), kind="icon", default="star"),
            ),
            default=(
                {"title": _("游戏点卡"), "text": _("秒到账"), "icon": "device-gamepad-2"},
                {"title": _("视频会员"), "text": _("官方直充"), "icon": "player-play"},
                {"title": _("软件激活"), "text": _("正版授权"), "icon": "key"},
            ),
        ),
    ),
)
