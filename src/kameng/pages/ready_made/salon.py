"""Salon: violet and cream, for memberships."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.ready_made import Design, goods, part, to

DESIGN = Design(
    key="salon",
    name=_("沙龙"),
    hint=_("紫调雅致，适合视频、音乐会员和礼品卡。"),
    tags=(
        _("会员"),
        _("雅致"),
    ),
    look={
        "brand": "#6d4bc3",
        "accent": "#e59bb8",
        "neutral": "warm",
        "mode": "light",
        "type": "song",
        "radius": "round",
        "density": "airy",
        "cards": "flat",
        "header": "center",
    },
    footer=part("footer", layout="center", text=_("把喜欢的，都留给自己。")),
    home=(
        part(
            "hero",
            title=_("好内容，值得一张会员"),
            text=_("影音、阅读、学习，官方直充，全程可查。"),
            layout="split",
            tone="light",
            height="tall",
            button=_("选会员"),
            link=to("all"),
            points=[],
        ),
        part(
            "columns",
            columns=(
                {
                    "icon": "star",
                    "title": _("官方直充"),
                    "text": _("不共享、不租号，充到您自己的账号。"),
                },
                {
                    "icon": "shield-check",
                    "title": _("没到账就退"),
                    "text": _("超时未到账，原路退回。"),
                },
                {"icon": "headset", "title": _("真人售后"), "text": _("每天 9 点到 24 点在线。")},
            ),
        ),
        part(
            "product_grid", title=_("热门会员"), source=goods("hot", 6), card="poster", columns="3"
        ),
        part("compare", title=_("档位怎么选"), best=4),
        part("product_carousel", title=_("新上架"), source=goods("new", 12)),
        part("faq", ground="soft"),
    ),
    about=(
        part(
            "rich_text",
            title=_("关于我们"),
            body=_("<p>我们只做官方渠道的会员与礼品卡，每一单都能查、能售后。</p>"),
        ),
        part("trust_badges", layout="cards"),
    ),
)
