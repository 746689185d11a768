"""Paper: white, wide and quiet, for software keys and memberships."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.ready_made import Design, goods, part, to

DESIGN = Design(
    key="paper",
    name=_("素白"),
    hint=_("大量留白、细线和宋体标题，适合软件和会员。"),
    tags=(
        _("软件"),
        _("极简"),
    ),
    look={
        "brand": "#1f2430",
        "accent": "#8a8f99",
        "neutral": "pure",
        "mode": "light",
        "type": "song",
        "radius": "square",
        "density": "airy",
        "cards": "line",
        "header": "center",
    },
    footer=part("footer", layout="center", text=_("少而精。")),
    home=(
        part(
            "hero",
            title=_("正版授权，一次付清"),
            text=_("软件与会员，购买后立即得到激活码。"),
            layout="center",
            tone="light",
            shows_covers=False,
            points=[],
            button=_("浏览全部"),
            link=to("all"),
        ),
        part(
            "product_grid",
            title=_("精选"),
            source=goods("hot", 6),
            card="plain",
            columns="2",
            shows_more=False,
        ),
        part("divider", text=_("按类别")),
        part("category_nav", layout="rows"),
        part("product_grid", title=_("最近更新"), source=goods("new", 8), columns="4"),
        part("faq"),
    ),
)
