"""What stands in the way of closing a shop, in words, and where each of it is settled."""

from dataclasses import dataclass
from typing import Final

from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from kameng.insight.hindrances import Hindrance
from kameng.tenancy.selectors import SiteView

Text = str | Promise
# code: (name, what to do, route, query)
WORDS: Final[dict[str, tuple[Text, Text, str, str]]] = {
    "orders": (
        _("没办完的订单"),
        _("发货、取消或退款；没付款的会自动过期。"),
        "orders",
        "",
    ),
    "refunds": (_("没退完的退款"), _("等通道结果；被拒的改退余额或线下退。"), "refunds", ""),
    "gateway_refunds": (_("在路上的通道退款"), _("等支付通道给结果。"), "sent_refunds", ""),
    "top_up_returns": (_("在退的充值"), _("等通道结果；被拒的放回余额或线下退。"), "top_ups", ""),
    "disputes": (_("处理中的争议"), _("举证并等支付平台结案。"), "disputes", ""),
    "odd_payments": (_("金额不符的付款"), _("按应收发货，或退回给付款人。"), "odd_payments", ""),
    "payments": (
        _("正在付款的充值和预存"),
        _("等买家付完或过期，一般不超过半小时。"),
        "payments",
        "",
    ),
    "approvals": (_("等第二个人复核的事"), _("通过或拒绝。"), "approvals", ""),
    "wallets": (
        _("客户余额"),
        _("让客户退回充值；退不了的线下打款后，在客户页扣减并写明凭证。"),
        "customers",
        "",
    ),
    "withdrawals": (_("没办完的提现"), _("等主站打款、驳回，或撤回。"), "settlement", ""),
    "splits": (_("在分的账"), _("等支付通道分账完成。"), "own_splits", ""),
    "split_returns": (_("在回退的分账"), _("等支付通道给结果。"), "own_splits", ""),
    "prepaid": (_("预存货款"), _("申请提现，或由主站更正。"), "prepaid", ""),
    "claim": (_("站长利润"), _("申请提现；剩下的零头或欠款由主站结清。"), "settlement", ""),
    "suspense": (_("还没算到谁头上的钱"), _("处理完退款和金额不符的付款后会清零。"), "ledger", ""),
    "children": (_("没关的下级分站"), _("先关下级分站。"), "overview", ""),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One hindrance as the page shows it."""

    code: str
    name: Text
    advice: Text
    count: int
    amount: int
    url: str


def describe_hindrances(found: list[Hindrance], *, site: SiteView) -> list[Standing]:
    """Return hindrances in words with the page on which each is settled."""
    rows = []
    for each in found:
        name, advice, route, query = WORDS[each.code]
        rows.append(
            Standing(
                code=each.code,
                name=name,
                advice=advice,
                count=each.count,
                amount=each.amount,
                url=reverse(f"console:{route}", args=[site.slug]) + query,
            )
        )
    return rows
