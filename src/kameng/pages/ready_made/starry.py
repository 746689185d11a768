"""Starry: dark, for game cards and top-ups."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.ready_made import Design, goods, part, to

DESIGN = Design(
    key="starry",
    name=_("星河"),
    hint=_("深色科技感，适合游戏点卡和代充。"),
    tags=(
        _("游戏"),
        _("深色"),
    ),
    look={
        "brand": "#7c5cff",
        "accent": "#22d3ee",
        "neutral": "tint",
        "mode": "dark",
        "radius": "round",
        "cards": "flat",
        "header": "dark",
    },
    footer=part("footer", layout="columns", text=_("为玩家准备的充值小站。")),
    home=(
        part(
            "hero",
            title=_("开黑之前，先把弹药备齐"),
            text=_("点卡、皮肤、月卡，付款后秒到账。"),
            tone="gradient",
            height="tall",
            button=_("现在去充"),
            link=to("all"),
            second=_("查订单"),
            second_link=to("lookup"),
        ),
        part("category_nav", layout="tiles"),
        part(
            "product_grid",
            title=_("本周热卖"),
            icon="flame",
            source=goods("hot", 6),
            card="poster",
            columns="3",
        ),
        part("product_carousel", title=_("新上架"), icon="sparkles", source=goods("new", 12)),
        part("category_shelves", each=5),
        part("trust_badges", ground="card"),
    ),
)
