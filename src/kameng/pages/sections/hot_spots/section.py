"""A picture with points on it, each with a word and a link: a scene, a map, a set of goods.

The points are an SVG over the picture: they stand where they are put without any inline style.
"""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from kameng.pages.fields import Field, Props
from kameng.pages.registry import Section, World

WIDTH = 1000


def _context(props: Props, world: World) -> Mapping[str, Any]:
    found = world.pictures.get(props["picture"]["id"]) if props["picture"] else None
    if found is None:
        return {"height": 0, "spots": []}
    height = round(WIDTH * found.height / found.width)
    spots = [
        {**spot, "cx": spot["x"] * WIDTH // 100, "cy": spot["y"] * height // 100}
        for spot in props["spots"]
    ]
    return {"height": height, "spots": spots}


SECTION = Section(
    type="hot_spots",
    version=1,
    name=_("图片热点"),
    icon="target-arrow",
    group="content",
    hint=_("在一张图上标出几个点，点开就到商品。"),
    fields=(
        Field(name="picture", label=_("图片"), kind="image", is_required=True),
        Field(
            name="spots",
            label=_("热点"),
            kind="items",
            least=1,
            most=12,
            fields=(
                Field(name="text", label=_("名称"), kind="text", most=16, is_required=True),
                Field(name="x", label=_("离左边（%）"), kind="number", most=100, default=50),
                Field(name="y", label=_("离上边（%）"), kind="number", most=100, default=50),
                Field(name="link", label=_("链接"), kind="link", is_required=True),
            ),
        ),
    ),
    context=_context,
)
