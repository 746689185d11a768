"""The time until something begins or ends; counts by script, says the moment in words without."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field, Props, parse_moment
from kameng.pages.registry import Section, World


def _context(props: Props, world: World) -> Mapping[str, Any]:
    moment = parse_moment(props["until"]) if props["until"] else None
    is_over = moment is not None and moment <= world.now
    return {"moment": moment, "is_over": is_over, "is_gone": is_over and props["ends"] == "hide"}


SECTION = Section(
    type="countdown",
    version=1,
    name=_("倒计时"),
    icon="hourglass",
    group="sale",
    hint=_("活动开始或结束前的倒计时。只用于真实的时间。"),
    fields=(
        Field(
            name="title",
            label=_("标题"),
            kind="text",
            most=30,
            is_required=True,
            is_inline=True,
            default=_("距活动结束还有"),
        ),
        Field(name="text", label=_("说明"), kind="text", most=60, is_inline=True),
        Field(name="until", label=_("到什么时候"), kind="moment", is_required=True),
        Field(
            name="ends",
            label=_("到时间后"),
            kind="choice",
            options=(("hide", _("不再显示")), ("say", _("显示“已结束”"))),
        ),
        Field(name="button", label=_("按钮文字"), kind="text", most=24),
        Field(name="link", label=_("按钮链接"), kind="link"),
    ),
    context=_context,
)
