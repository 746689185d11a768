"""Bazaar: warm night colours, for sales."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.ready_made import Design, goods, part, to

DESIGN = Design(
    key="bazaar",
    name=_("夜市"),
    hint=_("暖橙夜色，热闹促销风，适合天天有活动的店。"),
    tags=(
        _("促销"),
        _("热闹"),
    ),
    look={
        "brand": "#f97316",
        "accent": "#dc2626",
        "neutral": "warm",
        "mode": "dark",
        "radius": "soft",
        "cards": "shadow",
        "header": "dark",
    },
    footer=part("footer", layout="columns", text=_("越夜越便宜。")),
    home=(
        part(
            "tiles",
            layout="strip",
            tiles=(
                {"title": _("今日特价"), "text": _("先到先得"), "icon": "flame"},
                {"title": _("新品上架"), "text": _("尝鲜价"), "icon": "sparkles"},
                {"title": _("会员专区"), "text": _("更省一点"), "icon": "crown"},
            ),
        ),
        part(
            "hero",
            title=_("今晚好价"),
            text=_("热门点卡、会员，趁热下手。"),
            tone="gradient",
            height="normal",
            button=_("马上抢"),
            link=to("all"),
        ),
        part(
            "product_grid",
            title=_("低价爆款"),
            icon="percentage",
            source=goods("cheap", 10),
            card="price",
            columns="5",
        ),
        part("product_carousel", title=_("热卖"), icon="flame", source=goods("hot", 12)),
        part("category_nav", layout="tiles"),
        part("trust_badges", ground="dark"),
    ),
)
