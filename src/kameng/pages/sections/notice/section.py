"""One line that buyers should read: a holiday, a delay, a new rule."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field
from kameng.pages.registry import Section

SECTION = Section(
    type="notice",
    version=1,
    name=_("公告条"),
    icon="speakerphone",
    group="content",
    hint=_("一行要紧的话：放假、延迟、新规定。"),
    fields=(
        Field(
            name="text",
            label=_("公告"),
            kind="text",
            most=120,
            is_required=True,
            is_inline=True,
            default=_("本店 24 小时自动发货，有问题随时找客服。"),
        ),
        Field(name="link", label=_("链接"), kind="link"),
        Field(
            name="tone",
            label=_("语气"),
            kind="choice",
            options=(("plain", _("普通")), ("warn", _("提醒")), ("good", _("好消息"))),
        ),
    ),
)
