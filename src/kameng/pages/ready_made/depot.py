"""Depot: sober blue, for wholesale and business buyers."""

from django.utils.translation import gettext_lazy as _

from kameng.pages.ready_made import Design, goods, part, to

DESIGN = Design(
    key="depot",
    name=_("货仓"),
    hint=_("稳重蓝灰，适合批发、企业采购。"),
    tags=(
        _("批发"),
        _("商务"),
    ),
    look={
        "brand": "#24508c",
        "accent": "#4b8bd6",
        "neutral": "cool",
        "mode": "light",
        "radius": "small",
        "density": "compact",
        "cards": "line",
        "header": "bar",
    },
    footer=part("footer", layout="columns", text=_("企业采购、批量充值，可开发票。")),
    home=(
        part(
            "hero",
            title=_("批量采购，一站配齐"),
            text=_("稳定货源，对公结算，专人跟单。"),
            layout="split",
            tone="solid",
            height="low",
            button=_("看货单"),
            link=to("all"),
            second=_("联系我们"),
            second_link=to("help"),
        ),
        part(
            "trust_badges",
            layout="cards",
            badges=(
                {"icon": "package", "title": _("现货充足"), "text": _("常备库存")},
                {"icon": "receipt", "title": _("明细可查"), "text": _("每单留痕")},
                {"icon": "shield-check", "title": _("先行赔付"), "text": _("缺货即退")},
                {"icon": "headset", "title": _("专人跟单"), "text": _("工作日在线")},
            ),
        ),
        part("product_list", title=_("热销货单"), source=goods("hot", 14), columns="2"),
        part("category_shelves", each=8, card="plain"),
        part(
            "compare",
            title=_("合作方式"),
            head=_("项目|零售|批发|企业"),
            rows=(
                {"cells": _("起订量|1 件|100 件|面议")},
                {"cells": _("结算|在线支付|预存|对公")},
                {"cells": _("跟单|自助|客服|专人")},
            ),
            best=4,
        ),
        part("faq"),
    ),
)
