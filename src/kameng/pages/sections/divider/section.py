"""A line between sections, with a word in it if wanted."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field
from kameng.pages.registry import Section

SECTION = Section(
    type="divider",
    version=1,
    name=_("分隔线"),
    icon="minus",
    group="layout",
    hint=_("一条细线，把上下内容分开。"),
    fields=(
        Field(name="text", label=_("线上的文字"), kind="text", most=16, is_inline=True),
        Field(
            name="style",
            label=_("样式"),
            kind="choice",
            options=(("line", _("细线")), ("dots", _("点线")), ("fade", _("渐隐"))),
        ),
    ),
)
