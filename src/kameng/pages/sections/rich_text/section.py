"""Words with headings, lists and links: stories, rules, instructions."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field
from kameng.pages.registry import Section

SECTION = Section(
    type="rich_text",
    version=1,
    name=_("图文段落"),
    icon="align-left",
    group="content",
    hint=_("标题、列表、链接，写介绍或说明。"),
    fields=(
        Field(name="title", label=_("标题"), kind="text", most=40, is_inline=True),
        Field(
            name="body",
            label=_("正文"),
            kind="rich",
            most=8000,
            is_required=True,
            is_inline=True,
            default=_("<p>在这里写店铺介绍、购买须知或活动规则。</p>"),
        ),
        Field(
            name="align",
            label=_("对齐"),
            kind="choice",
            options=(("left", _("左对齐")), ("center", _("居中"))),
        ),
    ),
)
