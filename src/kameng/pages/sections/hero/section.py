"""The first thing a buyer sees: what the shop is, with a button that leads on."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from kameng.catalog.snapshot import Catalogue, ProductView
from kameng.pages.fields import Field, Props
from kameng.pages.registry import Section, World

COVERS = 3
LAYOUTS = (
    ("split", _("左文右图")),
    ("center", _("居中")),
    ("full", _("整幅图片")),
    ("card", _("图上文字卡")),
)


def _products(props: Props, catalogue: Catalogue) -> Sequence[ProductView]:
    """Return goods of different shelves, to fan out their covers where no picture was chosen."""
    if props["picture"] is not None or not props["shows_covers"]:
        return ()
    chosen: dict[int, ProductView] = {}
    for product in catalogue.list_hot():
        chosen.setdefault(product.category_id, product)
    return list(chosen.values())[:COVERS]


def _context(props: Props, world: World) -> Mapping[str, Any]:
    products = _products(props, world.catalogue)
    return {"covers": [world.cards[p.id].cover_url for p in products if p.id in world.cards]}


SECTION = Section(
    type="hero",
    version=1,
    name=_("主横幅"),
    icon="photo",
    group="banner",
    hint=_("放在首页最上面，一句话说清店铺卖什么。"),
    fields=(
        Field(
            name="title",
            label=_("标题"),
            kind="text",
            most=40,
            is_required=True,
            is_inline=True,
            default=_("付款即到账，省心又实惠"),
        ),
        Field(
            name="text",
            label=_("说明"),
            kind="lines",
            most=160,
            is_inline=True,
            default=_("游戏点卡、视频会员、话费充值，七天二十四小时自动发货。"),
        ),
        Field(name="layout", label=_("样式"), kind="choice", options=LAYOUTS),
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
        Field(
            name="height",
            label=_("高度"),
            kind="choice",
            options=(("normal", _("适中")), ("low", _("矮")), ("tall", _("高"))),
        ),
        Field(name="picture", label=_("图片"), kind="image"),
        Field(
            name="shows_covers",
            label=_("没有图片时展示热卖商品封面"),
            kind="switch",
            default=True,
        ),
        Field(name="button", label=_("按钮文字"), kind="text", most=24, is_inline=True),
        Field(name="link", label=_("按钮链接"), kind="link"),
        Field(name="second", label=_("第二个按钮文字"), kind="text", most=24, is_inline=True),
        Field(name="second_link", label=_("第二个按钮链接"), kind="link"),
        Field(
            name="points",
            label=_("卖点"),
            kind="items",
            most=4,
            fields=(
                Field(name="icon", label=_("图标"), kind="icon", default="bolt"),
                Field(name="text", label=_("文字"), kind="text", most=32, is_required=True),
            ),
            default=(
                {"icon": "bolt", "text": _("自动发货")},
                {"icon": "shield-check", "text": _("没发货全额退")},
                {"icon": "headset", "text": _("真人客服")},
            ),
        ),
    ),
    products=_products,
    context=_context,
)
