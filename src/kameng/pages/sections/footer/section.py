"""The foot of every page. Licence lines and the language choice are the frame's and cannot go."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field
from kameng.pages.models import PageKind
from kameng.pages.registry import Section

SECTION = Section(
    type="footer",
    version=1,
    name=_("页脚"),
    icon="layout-bottombar",
    group="layout",
    hint=_("每一页最下面：链接、联系方式。"),
    kinds=frozenset({PageKind.LOOK}),
    is_single=True,
    fields=(
        Field(name="text", label=_("一句话介绍"), kind="lines", most=120, is_inline=True),
        Field(
            name="layout",
            label=_("样式"),
            kind="choice",
            options=(("columns", _("分栏")), ("center", _("居中")), ("line", _("一行"))),
        ),
        Field(
            name="columns",
            label=_("链接栏"),
            kind="items",
            most=4,
            fields=(
                Field(name="title", label=_("栏名"), kind="text", most=24, is_required=True),
                Field(
                    name="links",
                    label=_("链接"),
                    kind="items",
                    most=8,
                    fields=(
                        Field(name="text", label=_("文字"), kind="text", most=16, is_required=True),
                        Field(name="link", label=_("链接"), kind="link", is_required=True),
                    ),
                ),
            ),
        ),
    ),
)
