"""Shore: blue and airy, mobile first."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.ready_made import Design, goods, part

DESIGN = Design(
    key="shore",
    name=_("海岸"),
    hint=_("蓝白通透，手机上最好看，适合新店。"),
    tags=(
        _("通用"),
        _("清爽"),
    ),
    look={
        "brand": "#0284c7",
        "accent": "#06b6d4",
        "neutral": "cool",
        "mode": "auto",
        "radius": "round",
        "cards": "shadow",
        "header": "bar",
    },
    footer=part("footer", layout="columns", text=_("付款即到账。")),
    home=(
        part(
            "carousel",
            ratio="normal",
            slides=(
                {"title": _("新店开张"), "text": _("热门商品现货直发"), "tone": "gradient"},
                {"title": _("放心购"), "text": _("没到账全额退"), "tone": "solid"},
            ),
        ),
        part("category_nav", layout="icons"),
        part("notice"),
        part("product_carousel", title=_("热卖"), icon="flame", source=goods("hot", 12)),
        part("product_grid", title=_("新上架"), icon="sparkles", source=goods("new", 10)),
        part("category_shelves"),
        part("trust_badges", ground="card"),
    ),
)
