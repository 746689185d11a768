"""Gazette: big pictures and serif, like a magazine."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.ready_made import Design, goods, part

DESIGN = Design(
    key="gazette",
    name=_("画报"),
    hint=_("大图与宋体，像一本杂志，适合讲故事的店。"),
    tags=(
        _("综合"),
        _("大图"),
    ),
    look={
        "brand": "#b3472f",
        "accent": "#2f5d50",
        "neutral": "warm",
        "mode": "light",
        "type": "song",
        "radius": "square",
        "density": "airy",
        "cards": "flat",
        "header": "minimal",
    },
    footer=part("footer", layout="center", text=_("每周一期，好物推荐。")),
    home=(
        part(
            "carousel",
            ratio="tall",
            slides=(
                {"title": _("本周封面：热门游戏上新"), "text": _("首发当天就能充"), "tone": "dark"},
                {
                    "title": _("专栏：会员怎么买最划算"),
                    "text": _("三种买法对比"),
                    "tone": "gradient",
                },
            ),
        ),
        part(
            "product_grid",
            title=_("编辑精选"),
            note=_("每周更新"),
            source=goods("hot", 4),
            card="poster",
            columns="2",
            shows_more=False,
        ),
        part(
            "rich_text",
            title=_("写在前面"),
            align="center",
            body=_("<p>我们挑选商品只有两个标准：官方渠道、售后找得到人。</p>"),
        ),
        part("tiles", layout="even"),
        part("product_grid", title=_("新刊"), source=goods("new", 6), card="poster", columns="3"),
        part("customer_service"),
    ),
)
