"""Several banners that follow one another; swiped by hand, moved on by script, still without."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field
from kameng.pages.registry import Section

SECTION = Section(
    type="carousel",
    version=1,
    name=_("轮播横幅"),
    icon="photo",
    group="banner",
    hint=_("几张图片轮流展示，适合同时进行的活动。"),
    fields=(
        Field(
            name="slides",
            label=_("图片"),
            kind="items",
            least=1,
            most=8,
            fields=(
                Field(name="picture", label=_("图片"), kind="image"),
                Field(name="title", label=_("标题"), kind="text", most=30, is_inline=True),
                Field(name="text", label=_("说明"), kind="text", most=60, is_inline=True),
                Field(name="link", label=_("链接"), kind="link"),
                Field(
                    name="tone",
                    label=_("颜色"),
                    kind="choice",
                    options=(
                        ("gradient", _("主色渐变")),
                        ("solid", _("主色")),
                        ("dark", _("深色")),
                        ("light", _("浅色")),
                    ),
                ),
            ),
            default=(
                {"title": _("新店开张"), "text": _("热门商品现货直发")},
                {"title": _("老客回馈"), "text": _("会员专享好价"), "tone": "dark"},
            ),
        ),
        Field(
            name="ratio",
            label=_("比例"),
            kind="choice",
            options=(("wide", _("宽")), ("normal", _("适中")), ("tall", _("高"))),
        ),
        Field(name="moves", label=_("自动切换"), kind="switch", default=True),
    ),
)
