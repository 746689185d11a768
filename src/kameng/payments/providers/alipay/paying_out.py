"""Alipay's transfers to a person's account (转账): the content, and what little a reply means.

Pure. `alipay.fund.trans.uni.transfer` and `alipay.fund.trans.common.query`; both work in
certificate mode only. Promises that a refusal is believed only when the query confirms it.
"""

from typing import Any, Final

from django.utils.translation import gettext_lazy

from kameng.payments.providers.abilities import PayoutRequest, TransferOutcome, TransferStatus
from kameng.payments.providers.alipay import wire
from kameng.payments.providers.alipay.config import Config
from kameng.payments.providers.decoding import bound_text, clean_subject
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain
from kameng.pricing.money import FEN, format_yuan, parse_fen_yuan

TRANSFER: Final = "alipay.fund.trans.uni.transfer"
QUERY: Final = "alipay.fund.trans.common.query"
PRODUCT: Final = {"product_code": "TRANS_ACCOUNT_NO_PWD", "biz_scene": "DIRECT_TRANSFER"}
ACCOUNT_KINDS: Final = (
    ("ALIPAY_LOGON_ID", gettext_lazy("支付宝账号（手机或邮箱）")),
    ("ALIPAY_USER_ID", gettext_lazy("支付宝用户号（2088 开头）")),
)
ABSENT: Final = "ORDER_NOT_EXIST"
NEEDS_CERTIFICATE: Final = "needs_certificate_mode"
_TITLE_BYTES: Final = 120

_STATES = {
    "SUCCESS": TransferStatus.DONE,
    "DEALING": TransferStatus.PROCESSING,
    "INIT": TransferStatus.PROCESSING,
    "WAIT_PAY": TransferStatus.PROCESSING,
    "FAIL": TransferStatus.REFUSED,
    "REFUND": TransferStatus.RETURNED,
    "CLOSED": TransferStatus.REFUSED,
}


def describe_payout(config: Config, request: PayoutRequest) -> dict[str, Any]:
    """Return the content of a transfer; raise ProviderRefused for what cannot be sent."""
    if not config.has_certificates:
        raise ProviderRefused(NEEDS_CERTIFICATE)
    if request.amount <= 0 or request.amount % FEN:
        raise ProviderRefused("bad_amount")
    if request.account_kind not in {code for code, _ in ACCOUNT_KINDS}:
        raise ProviderRefused("unknown_account_kind")
    if not request.account or not request.name:
        # Without the name a mistyped number pays a stranger.
        raise ProviderRefused("name_needed")
    return {
        "out_biz_no": request.payout_no,
        "trans_amount": format_yuan(request.amount),
        **PRODUCT,
        "order_title": clean_subject(request.reason, byte_limit=_TITLE_BYTES),
        "payee_info": {
            "identity": request.account,
            "identity_type": request.account_kind,
            "name": request.name,
        },
        "remark": clean_subject(request.reason, byte_limit=_TITLE_BYTES),
    }


def describe_payout_query(request: PayoutRequest) -> dict[str, Any]:
    """Return the content that asks for a transfer by our number."""
    return {"out_biz_no": request.payout_no, **PRODUCT}


def parse_payout(config: Config, request: PayoutRequest, body: bytes) -> TransferOutcome:
    """Read a transfer's reply; REFUSED is to be confirmed by the query."""
    answer = wire.read_reply(config, method=TRANSFER, body=body)
    if answer.get("code") != "10000":
        return TransferOutcome(status=TransferStatus.REFUSED, reason=str(wire.refuse(answer)))
    if answer.get("out_biz_no") != request.payout_no:
        raise ProviderUncertain("other_payout")
    return _read_state(answer)


def parse_payout_query(
    config: Config, request: PayoutRequest, body: bytes
) -> TransferOutcome | None:
    """Read what became of a transfer; None when the gateway has never heard of it."""
    answer = wire.read_reply(config, method=QUERY, body=body)
    if answer.get("code") != "10000":
        if answer.get("sub_code") == ABSENT:
            return None
        raise wire.refuse(answer)
    try:
        is_same = parse_fen_yuan(str(answer.get("trans_amount"))) == request.amount
    except ValueError:
        raise ProviderUncertain("bad_reply") from None
    if answer.get("out_biz_no") != request.payout_no or not is_same:
        raise ProviderUncertain("other_payout")
    return _read_state(answer)


def _read_state(answer: dict[str, Any]) -> TransferOutcome:
    status = _STATES.get(str(answer.get("status")))
    if status is None:
        raise ProviderUncertain("bad_reply")
    reason = ""
    if status in {TransferStatus.REFUSED, TransferStatus.RETURNED}:
        said = answer.get("fail_reason") or answer.get("error_code") or answer["status"]
        reason = bound_text(said)
    return TransferOutcome(
        status=status,
        external_no=bound_text(answer.get("order_id") or answer.get("pay_fund_order_id"), limit=64),
        reason=reason,
    )
