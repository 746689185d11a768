"""A film at Bilibili or Tencent Video: a picture with a button; the player loads when pressed.

Nothing of another host is fetched before; `players.py` names the hosts that a page may frame.
"""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field, Props
from kameng.pages.players import find_player
from kameng.pages.registry import Section, World


def _context(props: Props, _world: World) -> Mapping[str, Any]:
    return {"player_url": find_player(props["address"])}


SECTION = Section(
    type="video",
    version=1,
    name=_("视频"),
    icon="video",
    group="content",
    hint=_("放教程或介绍视频，支持哔哩哔哩和腾讯视频。"),
    fields=(
        Field(
            name="address",
            label=_("视频网址"),
            kind="text",
            most=200,
            is_required=True,
            help=_("粘贴视频页面的网址，例如 https://www.bilibili.com/video/BV…"),
        ),
        Field(name="title", label=_("标题"), kind="text", most=40, is_inline=True),
        Field(name="picture", label=_("封面图片"), kind="image"),
    ),
    context=_context,
)
