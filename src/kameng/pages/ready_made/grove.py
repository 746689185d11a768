"""Grove: greens and paper, for learning and reading."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.ready_made import Design, goods, part, to

DESIGN = Design(
    key="grove",
    name=_("书林"),
    hint=_("墨绿与米色，适合学习、阅读和考试会员。"),
    tags=(
        _("学习"),
        _("自然"),
    ),
    look={
        "brand": "#2f6b4f",
        "accent": "#c49a4a",
        "neutral": "warm",
        "mode": "auto",
        "type": "song",
        "radius": "soft",
        "density": "airy",
        "cards": "line",
        "header": "center",
    },
    footer=part("footer", layout="center", text=_("学无止境。")),
    home=(
        part(
            "hero",
            title=_("投资自己，从今天开始"),
            text=_("学习会员、题库、电子书，买完就能学。"),
            layout="center",
            tone="light",
            button=_("去看看"),
            link=to("all"),
        ),
        part(
            "columns",
            title=_("怎么选"),
            columns=(
                {"icon": "school", "title": _("备考"), "text": _("题库与网课，按考试找。")},
                {"icon": "book", "title": _("阅读"), "text": _("读书会员与电子书。")},
                {"icon": "world", "title": _("语言"), "text": _("口语与词汇，天天练。")},
            ),
        ),
        part("product_grid", title=_("口碑之选"), source=goods("hot", 8), columns="4"),
        part("category_nav", layout="rows"),
        part("faq"),
        part("customer_service"),
    ),
)
