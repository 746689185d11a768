"""What each figure of a dashboard means: one name and one text for each, in every language.

The screen, its help, the export and the documentation say these words and no others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

Text = str | Promise
Unit = Literal["money", "count", "rate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One figure: its field of `facts.Facts`, its name, its meaning, its unit.

    `is_better_low` turns the colour of a rise around. `orders` narrows the list of orders behind.
    """

    field: str
    name: Text
    meaning: Text
    unit: Unit
    is_better_low: bool = False
    orders: str = "paid"


_MARGIN: Final = _(
    "分站卖价减去主站供货价和手续费，再减去退款里属于您的部分；自营商品再减去现在的成本价。"
    "有下级分站的，加上下级卖货时归您的差价。按付款时间计算，之后的退款会改变它。"
)
_PROFIT: Final = _(
    "主站自己卖货和供给分站的收入，减去手续费、退款和成本。成本按现在的成本价估算，"
    "因为下单那天的成本价没有保存。"
)

DEFINITIONS: Final[Mapping[str, Definition]] = {
    each.field: each
    for each in (
        Definition(
            field="net_amount",
            name=_("成交额"),
            meaning=_("这段时间付款的订单金额，减去这些订单的退款（不论哪天退）。"),
            unit="money",
        ),
        Definition(field="kept_amount", name=_("利润"), meaning=_MARGIN, unit="money"),
        Definition(
            field="children_amount",
            name=_("下级差价"),
            meaning=_(
                "下级分站卖货时归您的差价，减去退款里退掉的部分，已经算在利润里。"
                "按下级订单的付款时间计算。"
            ),
            unit="money",
            orders="",
        ),
        Definition(field="profit_amount", name=_("毛利"), meaning=_PROFIT, unit="money"),
        Definition(
            field="order_count",
            name=pgettext_lazy("figure", "订单"),
            meaning=_("这段时间付款的订单数，包括后来退款的。"),
            unit="count",
        ),
        Definition(
            field="buyer_count",
            name=pgettext_lazy("figure", "买家"),
            meaning=_("这段时间付过款的不同的人：客户按账号、游客按联系方式计，一个人只算一次。"),
            unit="count",
        ),
        Definition(
            field="visitor_count",
            name=_("访客"),
            meaning=_(
                "每天打开过店铺页面的浏览器，一天只算一次，几天就加几天。不算自报是程序的、"
                "后台人员和开启“请勿跟踪”的。先记在内存，几秒写入一次；"
                "服务器突然断电会少记几秒。"
            ),
            unit="count",
            orders="",
        ),
        Definition(
            field="conversion_bps",
            name=_("转化率"),
            meaning=_("每天付款的买家加起来，除以访客。"),
            unit="rate",
        ),
        Definition(
            field="average_amount",
            name=_("平均每单"),
            meaning=_("成交额除以订单数。"),
            unit="money",
        ),
        Definition(
            field="arpu_amount",
            name=_("平均每位买家（ARPU）"),
            meaning=_("成交额除以买家数。"),
            unit="money",
        ),
        Definition(
            field="repeat_bps",
            name=_("复购率"),
            meaning=_("这段时间买了两单或更多的买家，占全部买家的比例。"),
            unit="rate",
        ),
        Definition(
            field="refunded_amount",
            name=pgettext_lazy("figure", "退款"),
            meaning=_("这段时间付款的订单，到现在一共退了多少（包括正在退的）。"),
            unit="money",
            is_better_low=True,
            orders="refunded",
        ),
        Definition(
            field="refund_bps",
            name=_("退款率"),
            meaning=_("退款除以退款前的成交额。"),
            unit="rate",
            is_better_low=True,
            orders="refunded",
        ),
        Definition(
            field="new_count",
            name=_("新买家"),
            meaning=_("这段时间第一次付款的买家，以前从没在这家店付过款。"),
            unit="count",
        ),
        Definition(
            field="returning_count",
            name=_("老买家"),
            meaning=_("这段时间付款、以前也在这家店付过款的买家。"),
            unit="count",
        ),
        Definition(
            field="guest_count",
            name=_("游客"),
            meaning=_("没有登录账号、只留联系方式的买家，同时也算在新买家或老买家里。"),
            unit="count",
            orders="guest",
        ),
        Definition(
            field="product_count",
            name=_("看过商品"),
            meaning=_("访客里打开过商品页的。"),
            unit="count",
            orders="",
        ),
        Definition(
            field="checkout_count",
            name=_("到结算页"),
            meaning=_("访客里打开过结算页的。"),
            unit="count",
            orders="",
        ),
        Definition(
            field="placed_count",
            name=_("下单"),
            meaning=_("这段时间提交的订单数，付没付款都算。"),
            unit="count",
            orders="placed",
        ),
        Definition(
            field="delivered_count",
            name=_("发货"),
            meaning=_("这段时间付款的订单里，已经发货的。"),
            unit="count",
            orders="delivered",
        ),
    )
}

SOURCES: Final = _(
    "访客当天第一次从店外来的地方：链接上的 utm 标记，或来源网页的网站。订单算给下单人当天的来源；"
    "没有记录到访问的订单（接口下单、请勿跟踪）单独列出。"
)
OUTLIERS: Final = _(
    "和这家店自己过去四周比，离中位数很远的才列出来（稳健标准分 3.5 以上），最近一天的数字。"
)
