"""Alipay's split settlement (分账): who may receive, what is handed over and what comes back.

Pure. `alipay.trade.royalty.relation.bind` and `unbind`, `alipay.trade.order.settle` with its query,
and a return by `alipay.trade.refund` with `refund_royalty_parameters`. Promises that code 10000 is
never read as moved money: only the detail of the very share with its state is.
"""

from typing import Any, Final

from django.utils.translation import gettext, gettext_lazy

from kameng.payments.providers.abilities import (
    Receiver,
    SplitRequest,
    SplitReturnRequest,
    TransferOutcome,
    TransferStatus,
)
from kameng.payments.providers.alipay import wire
from kameng.payments.providers.alipay.config import Config
from kameng.payments.providers.decoding import bound_text, clean_subject
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain
from kameng.pricing.money import Amount, format_yuan, parse_fen_yuan

BIND: Final = "alipay.trade.royalty.relation.bind"
UNBIND: Final = "alipay.trade.royalty.relation.unbind"
SETTLE: Final = "alipay.trade.order.settle"
SETTLE_QUERY: Final = "alipay.trade.order.settle.query"
USER_ID: Final = "userId"
RECEIVER_KINDS: Final = (
    (USER_ID, gettext_lazy("支付宝用户号（2088 开头）")),
    ("loginName", gettext_lazy("支付宝登录号（手机或邮箱）")),
    ("openId", gettext_lazy("支付宝 openid")),
)
# Alipay allows 30 % by default; a higher part is agreed on with it, and refused by it otherwise.
MAX_SPLIT_BPS: Final = 3000
DESCRIPTION_BYTES: Final = 200

_ALREADY = ("ACQ.RELATION_ALREADY_EXIST", "ACQ.USER_RELATION_ALREADY_EXIST")
_ABSENT = ("ACQ.RELATION_NOT_EXIST", "ACQ.USER_RELATION_NOT_EXIST")
_SETTLE_ABSENT = ("ACQ.SETTLE_NOT_EXIST", "ACQ.TRADE_SETTLE_NOT_EXIST", "ACQ.ORDER_NOT_EXIST")
_STATES = {
    "SUCCESS": TransferStatus.DONE,
    "FAIL": TransferStatus.REFUSED,
    "PROCESSING": TransferStatus.PROCESSING,
}


def describe_relation(method: str, receiver: Receiver, *, request_no: str) -> dict[str, Any]:
    """Return the content of a bind or unbind under a number that was never used.

    Doing either again is no harm, but a number that was heard before is answered from memory: who
    was bound, unbound and bound again would not be known. Raises ProviderRefused.
    """
    if method == BIND and receiver.account_kind == "loginName" and not receiver.name:
        raise ProviderRefused("name_missing", gettext("用登录号添加时要填写姓名。"))
    entry = {"type": receiver.account_kind, "account": receiver.account, "memo": "Kameng"}
    if receiver.name:
        entry["name"] = receiver.name
    return {
        "out_request_no": request_no,
        "receiver_list": [entry],
    }


def parse_relation(config: Config, method: str, body: bytes) -> None:
    """Read a bind or unbind; raise ProviderRefused or ProviderUncertain.

    A receiver that is known already, or unknown already, is what was asked for.
    """
    answer = wire.read_reply(config, method=method, body=body)
    accepted = _ALREADY if method == BIND else _ABSENT
    if answer.get("code") == "10000":
        if answer.get("result_code", "SUCCESS") != "SUCCESS":
            raise ProviderUncertain("gateway_busy")
        return
    if answer.get("sub_code") not in accepted:
        raise wire.refuse(answer)


def describe_split(config: Config, request: SplitRequest) -> dict[str, Any]:
    """Return the content of a split; the last one frees what is left."""
    return {
        "out_request_no": request.split_no,
        "trade_no": request.external_no,
        "royalty_parameters": [
            {
                "royalty_type": "transfer",
                "trans_out": config.seller_id,
                "trans_out_type": "userId",
                "trans_in": request.receiver.account,
                "trans_in_type": request.receiver.account_kind,
                "amount": format_yuan(request.amount),
                "desc": clean_subject(request.reason, byte_limit=DESCRIPTION_BYTES),
            }
        ],
        "extend_params": {"royalty_finish": "true" if request.is_last else "false"},
        "royalty_mode": "sync",
    }


def describe_finish(request: SplitRequest) -> dict[str, Any]:
    """Return the content that frees the rest of a payment without a share."""
    return {
        "out_request_no": request.split_no,
        "trade_no": request.external_no,
        "royalty_parameters": [],
        "extend_params": {"royalty_finish": "true"},
        "royalty_mode": "sync",
    }


def parse_settle(config: Config, body: bytes) -> TransferOutcome | None:
    """Read a settle: None when it was taken (ask what became of it), else the refusal."""
    answer = wire.read_reply(config, method=SETTLE, body=body)
    if answer.get("code") == "10000":
        return None
    return TransferOutcome(status=TransferStatus.REFUSED, reason=str(wire.refuse(answer)))


def parse_settle_query(config: Config, request: SplitRequest, body: bytes) -> TransferOutcome:
    """Read what became of a share; a settle that is not known is UNKNOWN, never refused."""
    answer = _read_settle(config, request, body)
    if answer is None:
        return TransferOutcome(status=TransferStatus.UNKNOWN, reason="split_not_seen")
    details = [each for each in _list(answer, "royalty_detail_list") if _is_share(each, request)]
    if not details:
        return TransferOutcome(status=TransferStatus.UNKNOWN, reason="split_not_seen")
    detail = details[0]
    if not _is_amount(detail.get("amount"), request.amount):
        raise ProviderUncertain("other_split")
    status = _STATES.get(str(detail.get("state")))
    if status is None:
        raise ProviderUncertain("bad_reply")
    reason = bound_text(detail.get("error_desc") or detail.get("error_code"))
    external_no = bound_text(detail.get("detail_id"), limit=64)
    return TransferOutcome(status=status, external_no=external_no, reason=reason)


def parse_finish_query(config: Config, request: SplitRequest, body: bytes) -> TransferOutcome:
    """Read what became of an ending: it is done once the gateway knows its number."""
    answer = _read_settle(config, request, body)
    if answer is None:
        return TransferOutcome(status=TransferStatus.UNKNOWN, reason="split_not_seen")
    return TransferOutcome(status=TransferStatus.DONE)


def _read_settle(config: Config, request: SplitRequest, body: bytes) -> dict[str, Any] | None:
    answer = wire.read_reply(config, method=SETTLE_QUERY, body=body)
    if answer.get("code") != "10000":
        if answer.get("sub_code") in (*_SETTLE_ABSENT, wire.NOT_EXIST):
            return None
        raise wire.refuse(answer)
    if answer.get("out_request_no") != request.split_no:
        raise ProviderUncertain("other_split")
    return answer


def describe_return(config: Config, request: SplitReturnRequest) -> dict[str, Any]:
    """Return the content of a refund that gives the buyer nothing and takes a share back."""
    return {
        "out_trade_no": request.payment_no,
        "refund_amount": "0.00",
        "refund_reason": clean_subject(request.reason, byte_limit=wire.SUBJECT_BYTES),
        "out_request_no": request.return_no,
        "refund_royalty_parameters": [
            {
                "royalty_type": "transfer",
                "trans_out": request.receiver.account,
                "trans_out_type": request.receiver.account_kind,
                "trans_in": config.seller_id,
                "trans_in_type": "userId",
                "amount": format_yuan(request.amount),
                "desc": clean_subject(request.reason, byte_limit=DESCRIPTION_BYTES),
            }
        ],
    }


def describe_return_query(request: SplitReturnRequest) -> dict[str, Any]:
    """Return the content that asks what became of a return."""
    return {
        "out_trade_no": request.payment_no,
        "out_request_no": request.return_no,
        "query_options": ["refund_royaltys"],
    }


def parse_return_query(config: Config, request: SplitReturnRequest, body: bytes) -> TransferOutcome:
    """Read what became of a return: the row of the very receiver and amount says it."""
    method = "alipay.trade.fastpay.refund.query"
    answer = wire.read_reply(config, method=method, body=body)
    if answer.get("code") != "10000":
        if answer.get("sub_code") in (wire.NOT_EXIST, "TRADE_NOT_EXIST"):
            return TransferOutcome(status=TransferStatus.UNKNOWN, reason="return_not_seen")
        raise wire.refuse(answer)
    if answer.get("out_request_no", request.return_no) != request.return_no:
        raise ProviderUncertain("other_return")
    rows = [
        row
        for row in _list(answer, "refund_royaltys")
        if _names(request.receiver, row.get("trans_out"), said_kind=row.get("trans_out_type"))
    ]
    if not rows:
        return TransferOutcome(status=TransferStatus.UNKNOWN, reason="return_not_seen")
    if not _is_amount(rows[0].get("refund_amount"), request.amount):
        raise ProviderUncertain("other_return")
    status = _STATES.get(str(rows[0].get("result_code")))
    if status is None:
        return TransferOutcome(
            status=TransferStatus.REFUSED, reason=bound_text(rows[0].get("result_code"))
        )
    return TransferOutcome(status=status, external_no=bound_text(answer.get("trade_no"), limit=64))


def _is_share(detail: dict[str, Any], request: SplitRequest) -> bool:
    is_transfer = detail.get("operation_type", "transfer") == "transfer"
    return is_transfer and _names(
        request.receiver, detail.get("trans_in"), said_kind=detail.get("trans_in_type")
    )


def _names(receiver: Receiver, said: object, *, said_kind: object) -> bool:
    """Tell whether an answer about our own number, which has one share, means its receiver.

    Alipay names accounts by their user number, whatever they were given by: what was given as a
    login or an openid can be compared only where it is said in the same way.
    """
    kind = str(said_kind or USER_ID)
    return receiver.account_kind != kind or said == receiver.account


def _list(answer: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = answer.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _is_amount(text: object, amount: Amount) -> bool:
    try:
        return parse_fen_yuan(str(text)) == amount
    except ValueError:
        return False
