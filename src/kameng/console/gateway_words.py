"""Why a gateway did not pass its test, in words that say what to do next."""

from typing import Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from kameng.core.errors import Refusal
from kameng.payments.models import Gateway

_REASONS: Final = {
    "unproved": _("还没有测试通过，请先点“测试”。"),
    "unreachable": _("连不上网关地址，请检查地址是否正确、支付平台是否正常。"),
    "timeout": _("支付平台没有及时回应，请稍后再试。"),
    "connection_lost": _("和支付平台的连接中断，请稍后再试。"),
    "too_large": _("支付平台的回应异常，请检查网关地址是否正确。"),
    "bad_status": _("支付平台返回了错误页面，请检查网关地址是否正确。"),
    "address_refused": _("网关地址指向内部网络，不能使用。"),
    "bad_reply": _("支付平台的回应看不懂，请检查网关地址是否正确。"),
    "bad_reply_signature": _("回应的签名不对，请检查支付平台的公钥。"),
    "gateway_busy": _("支付平台正忙，请稍后再试。"),
    "wrong_merchant": _("支付平台回应的商户不是这一个，请检查商户 ID。"),
    "SIGN_ERROR": _("支付平台不认这个签名，请检查商户号、证书序列号和商户私钥是不是同一个商户的。"),
    "APPID_MCHID_NOT_MATCH": _("AppID 没有和这个商户号绑定，请在商户平台绑定后再试。"),
    "bad_api_v3_key": _("APIv3 密钥不能解开平台证书，请核对后重新填写。"),
    "bad_certificates": _("平台证书打不开，请检查 APIv3 密钥。"),
    "bad_signature": _("回应的签名不对，请检查支付平台的公钥。"),
    "unknown_serial": _("支付平台用了另一把密钥签名，请检查公钥 ID 和验签方式。"),
    "stale_timestamp": _("支付平台的时间和这台服务器相差超过 5 分钟，请校准服务器的时间。"),
    "own_gateways_off": _("您的店由主站统一收款，不能启用自己的支付通道。"),
    "merchant_inactive": _("商户在支付平台未启用，请联系支付平台。"),
}
_SAID: Final = {  # of one refund, share or payout
    "processing": _("支付平台正在处理"),
    "refund_not_seen": _("支付平台还没有这笔退款的记录"),
    "payout_not_seen": _("支付平台还没有这笔打款的记录"),
    "payment_not_paid": _("支付平台说这笔没有付款"),
    "partial_refund_unsupported": _("这个通道只能整笔退"),
    "timeout": _("支付平台没有及时回应，请稍后再试。"),
    "connection_lost": _("和支付平台的连接中断，请稍后再试。"),
    "unreachable": _("连不上支付平台"),
    "needs_certificate_mode": _("这个支付宝账户不是证书模式，不能打款"),
    "name_needed": _("没有收款人姓名，支付平台不打款"),
    "name_missing": _("没有收款人姓名，支付平台不打款"),
    "unknown_account_kind": _("这个通道打不到这种账户"),
    "bad_amount": _("支付平台不接受这个金额"),
}


def explain_rest(gateway: Gateway) -> str:
    """Return why a gateway failed last, in words; what is not known by a code is shown as it is."""
    code = gateway.fault_code
    if code in _REASONS:
        return str(_REASONS[code])
    return (
        gettext("支付平台拒绝了（%(code)s），请点“测试”看原因。") % {"code": code} if code else ""
    )


def explain_refusal(refusal: Refusal) -> str:
    """Return why an act on a gateway was refused; what the gateway itself said is kept."""
    why = str(refusal.params.get("why", ""))
    if not why:
        return refusal.text()
    code, _sep, said = why.partition(" ")
    if code not in _REASONS:
        return refusal.text()
    reason = str(_REASONS[code])
    if said:
        words = {"reason": reason, "said": said}
        reason = gettext("%(reason)s（支付平台说：%(said)s）") % words
    return gettext("通道没有通过测试：%(why)s") % {"why": reason}


def explain_said(text: str) -> str:
    """Return what a gateway said of one refund, share or payout; unknown words as they are."""
    code, _sep, said = text.partition(" ")
    if code not in _SAID:
        return text
    words = {"reason": str(_SAID[code]), "said": said}
    if not said:
        return words["reason"]
    return gettext("%(reason)s（支付平台说：%(said)s）") % words
