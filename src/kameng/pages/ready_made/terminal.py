"""Terminal: monospaced and dark, for keys and tools."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.ready_made import Design, goods, part

DESIGN = Design(
    key="terminal",
    name=_("终端"),
    hint=_("等宽字体、深色底，适合软件激活码和开发工具。"),
    tags=(
        _("软件"),
        _("深色"),
    ),
    look={
        "brand": "#22c55e",
        "accent": "#0ea5e9",
        "neutral": "cool",
        "mode": "dark",
        "type": "mono",
        "radius": "small",
        "density": "compact",
        "cards": "line",
        "header": "dark",
    },
    footer=part("footer", layout="line", text=_("正版密钥，即买即用。")),
    home=(
        part(
            "hero",
            title=_("正版密钥，秒级交付"),
            text=_("搜索、付款、复制，三步结束。"),
            layout="center",
            tone="dark",
            height="low",
            shows_covers=False,
            points=[],
        ),
        part(
            "search_box",
            title=_("要找哪一款"),
            words=({"text": "Windows"}, {"text": "Office"}, {"text": "Steam"}),
        ),
        part(
            "product_list", title=_("热门"), source=goods("hot", 12), columns="2", shows_rank=True
        ),
        part("category_nav", layout="chips"),
        part("product_list", title=_("新到"), source=goods("new", 9), columns="3"),
        part("faq"),
    ),
)
