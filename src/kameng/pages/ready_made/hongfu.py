"""Hongfu: red and gold, for festivals."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.ready_made import Design, goods, part

DESIGN = Design(
    key="hongfu",
    name=_("鸿福"),
    hint=_("红金喜庆，适合春节、年货和大促。"),
    tags=(
        _("节日"),
        _("喜庆"),
    ),
    look={
        "brand": "#d4281f",
        "accent": "#e2541e",
        "neutral": "warm",
        "mode": "light",
        "radius": "round",
        "cards": "shadow",
        "header": "brand",
    },
    footer=part("footer", layout="columns", text=_("恭喜发财，万事如意。")),
    home=(
        part("notice", text=_("新春好礼，热门点卡限时优惠。"), tone="good"),
        part(
            "carousel",
            slides=(
                {"title": _("新春充值季"), "text": _("好运连连，福气到账"), "tone": "gradient"},
                {"title": _("送礼首选"), "text": _("礼品卡即买即送"), "tone": "solid"},
            ),
            ratio="wide",
        ),
        part("trust_badges", layout="row", ground="card"),
        part(
            "tiles",
            title=_("年货专区"),
            layout="lead",
            tiles=(
                {"title": _("话费充值"), "text": _("给家人充话费"), "icon": "phone"},
                {"title": _("视频会员"), "text": _("春节看个够"), "icon": "player-play"},
                {"title": _("礼品卡"), "text": _("送礼不踩雷"), "icon": "gift"},
            ),
        ),
        part(
            "product_grid",
            title=_("爆款抢购"),
            icon="flame",
            source=goods("hot", 10),
            card="price",
            columns="5",
        ),
        part("category_shelves", each=5),
    ),
)
