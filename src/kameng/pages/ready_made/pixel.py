"""Pixel: thick lines and flat colour, retro."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.ready_made import Design, goods, part, to

DESIGN = Design(
    key="pixel",
    name=_("像素"),
    hint=_("粗线撞色，复古游戏风。"),
    tags=(
        _("游戏"),
        _("复古"),
    ),
    look={
        "brand": "#111827",
        "accent": "#f59e0b",
        "neutral": "pure",
        "mode": "light",
        "type": "mono",
        "radius": "square",
        "cards": "bold",
        "header": "brand",
    },
    footer=part("footer", layout="line", text=_("按下开始键。")),
    home=(
        part(
            "hero",
            title=_("按下开始键"),
            text=_("点卡、礼包、月卡，随取随用。"),
            layout="center",
            tone="solid",
            height="normal",
            shows_covers=False,
            button=_("开始"),
            link=to("all"),
        ),
        part("category_nav", layout="chips"),
        part(
            "product_grid",
            title=_("排行榜"),
            icon="crown",
            source=goods("hot", 8),
            card="price",
            columns="4",
        ),
        part("divider", style="dots", text=_("新关卡")),
        part("product_grid", title=_("新上架"), source=goods("new", 8), columns="4"),
        part("trust_badges", layout="line"),
    ),
)
