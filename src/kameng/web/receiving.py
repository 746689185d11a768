"""What a page shows to the receiver of a payout that they confirm inside WeChat.

The shop's page for who has the link and the operator's page in the back office share it.
"""

import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from kameng.settlement.services.receiving import Receiving, bridge_fields
from kameng.tenancy.addresses import site_url
from kameng.web.devices import device_of
from kameng.web.qr import draw_qr

HERE: Final = "wechat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of a payout, in words."""

    title: str
    text: str
    icon: str
    css_class: str = ""


def receiving_path(route: str, receiving: Receiving) -> str:
    """Return the path of a page of the receiver, with the token that opens it."""
    path = reverse(f"storefront:{route}", args=[receiving.withdrawal.withdrawal_no])
    return f"{path}?{urlencode({'t': receiving.token})}"


def receiving_context(request: HttpRequest, receiving: Receiving) -> dict[str, Any]:
    """Return the bridge's fields inside WeChat, elsewhere a QR code that leads there.

    Whoever gets the answer must say that nobody keeps it: see `keep_secret`.
    """
    context: dict[str, Any] = {"receiving": receiving, "told": tell(receiving)}
    if not receiving.is_open:
        return context
    if device_of(request) == HERE:
        return {**context, "receive_bridge": json.dumps(dict(bridge_fields(receiving)))}
    url = site_url(receiving.withdrawal.site_id) + receiving_path("receive", receiving)
    return {**context, "receive_url": url, "receive_qr": draw_qr(url, title=_("收款二维码"))}


def keep_secret(response: HttpResponse) -> HttpResponse:
    """Forbid everybody to keep an answer that holds a receiver's link or what WeChat needs."""
    response["Cache-Control"] = "no-store"
    return response


def tell(receiving: Receiving) -> Told:
    """Return where a payout stands for its receiver, in plain words."""
    words = {
        "preparing": Told(
            title=_("正在准备收款"),
            text=_("正在向微信取收款信息，准备好后这里会自动更新。"),
            icon="hourglass",
            css_class="outcome-info",
        ),
        "open": Told(
            title=_("等收款人在微信里确认"), text="", icon="clock", css_class="outcome-info"
        ),
        "closing": Told(
            title=_("确认时间已过"),
            text=_("微信正在关闭这笔转账，结果出来后这里会自动更新。没有收到的钱会退回。"),
            icon="clock",
            css_class="outcome-warn",
        ),
        "taken": Told(title=_("已收款"), text=_("钱已进入微信零钱。"), icon="check"),
        "expired": Told(
            title=_("已过期，没有收款"),
            text=_("24 小时内没有确认，微信已关闭这笔转账，钱已退回可提现金额，可以重新申请提现。"),
            icon="clock",
            css_class="outcome-warn",
        ),
        "failed": Told(
            title=_("没有收到款"),
            text=_("微信没有完成这笔转账，钱已退回可提现金额，可以重新申请提现。"),
            icon="alert-circle",
            css_class="outcome-warn",
        ),
        "over": Told(
            title=_("链接已失效"),
            text=_("这笔转账早已结束，这里不再显示。"),
            icon="clock",
            css_class="outcome-warn",
        ),
    }
    return words[receiving.receipt.value]
