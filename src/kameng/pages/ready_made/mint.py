"""Mint: fresh and light, for phone and data top-ups."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.ready_made import Design, goods, part

DESIGN = Design(
    key="mint",
    name=_("薄荷"),
    hint=_("清爽明快，适合话费、流量和生活充值。"),
    tags=(
        _("充值"),
        _("清新"),
    ),
    look={
        "brand": "#0ea57f",
        "accent": "#38bdf8",
        "neutral": "tint",
        "mode": "auto",
        "type": "round",
        "radius": "round",
        "cards": "shadow",
        "header": "minimal",
    },
    footer=part("footer", layout="line", text=_("生活缴费，一处搞定。")),
    home=(
        part(
            "search_box",
            title=_("想充什么，搜一下"),
            words=({"text": _("话费")}, {"text": _("流量")}, {"text": _("加油卡")}),
        ),
        part("category_nav", layout="icons"),
        part("steps", ground="soft"),
        part(
            "product_grid",
            title=_("大家都在充"),
            icon="bolt",
            source=goods("hot", 8),
            card="price",
            columns="4",
        ),
        part("product_list", title=_("低价优选"), icon="tag", source=goods("cheap", 8)),
        part("customer_service"),
    ),
)
