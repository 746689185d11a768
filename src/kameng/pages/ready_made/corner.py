"""Corner shop: dense and quick, prices first."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.ready_made import Design, goods, part

DESIGN = Design(
    key="corner",
    name=_("便利店"),
    hint=_("信息密集、价格醒目，适合品类多、老客多的店。"),
    tags=(
        _("综合"),
        _("紧凑"),
    ),
    look={
        "brand": "#1d6fe0",
        "accent": "#ff7a1a",
        "neutral": "cool",
        "mode": "auto",
        "radius": "small",
        "density": "compact",
        "cards": "line",
        "header": "brand",
    },
    footer=part("footer", layout="columns", text=_("什么都有，随到随充。")),
    home=(
        part("notice"),
        part("category_nav", layout="chips"),
        part(
            "product_list",
            title=_("销量榜"),
            icon="trending-up",
            source=goods("hot", 12),
            columns="3",
            shows_rank=True,
        ),
        part(
            "product_grid",
            title=_("特价"),
            icon="percentage",
            source=goods("cheap", 12),
            card="price",
            columns="6",
        ),
        part("category_shelves", each=6, card="plain", most=12),
        part("trust_badges", layout="line"),
    ),
)
