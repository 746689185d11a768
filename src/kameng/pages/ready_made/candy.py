"""Candy: round and cheerful, for gifts and social."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.ready_made import Design, goods, part, to

DESIGN = Design(
    key="candy",
    name=_("糖果"),
    hint=_("圆润粉彩，适合礼品、社交和直播充值。"),
    tags=(
        _("礼品"),
        _("活泼"),
    ),
    look={
        "brand": "#ec4899",
        "accent": "#a78bfa",
        "neutral": "tint",
        "mode": "auto",
        "type": "round",
        "radius": "round",
        "cards": "shadow",
        "header": "bar",
    },
    footer=part("footer", layout="columns", text=_("甜一点，快乐多一点。")),
    home=(
        part(
            "hero",
            title=_("送 TA 一份小心意"),
            text=_("礼品卡、月卡、钻石，选好就到。"),
            layout="split",
            tone="gradient",
            button=_("挑礼物"),
            link=to("all"),
        ),
        part("category_nav", layout="icons"),
        part("product_carousel", title=_("人气礼物"), icon="heart", source=goods("hot", 12)),
        part(
            "tiles",
            layout="even",
            tiles=(
                {"title": _("直播钻石"), "text": _("秒到账"), "icon": "diamond"},
                {"title": _("社交会员"), "text": _("超值月卡"), "icon": "message-circle"},
                {"title": _("礼品卡"), "text": _("即买即送"), "icon": "gift"},
                {"title": _("音乐会员"), "text": _("畅听全年"), "icon": "music"},
            ),
        ),
        part("product_grid", title=_("新到小礼"), icon="sparkles", source=goods("new", 10)),
        part("steps", ground="soft"),
    ),
)
