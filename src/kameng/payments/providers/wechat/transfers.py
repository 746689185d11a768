"""Shares, their returns and payouts to persons, in WeChat Pay's words. Pure.

Promises that PROCESSING is never told as done, and that an answer about another number, amount or
receiver is no answer.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from django.utils.translation import gettext

from kameng.payments.providers.abilities import (
    WAITS_FOR_RECEIVER,
    PayoutRequest,
    Receiver,
    SplitRequest,
    SplitReturnRequest,
    TransferOutcome,
    TransferStatus,
)
from kameng.payments.providers.decoding import bound_text, clean_subject
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain
from kameng.payments.providers.wechat.config import Config
from kameng.payments.providers.wechat.wire import NOT_FOUND, TURNED_AWAY, Answer, read_fen
from kameng.pricing.money import FEN, Amount, to_fen

MERCHANT: Final = "MERCHANT_ID"
OPENID: Final = "PERSONAL_OPENID"
TEXT_BYTES: Final = 80
PACKAGE_MAX: Final = 1024
NAME_FROM: Final = Amount(20_000_000)  # from ¥2000 a transfer must name its receiver
NAME_BELOW: Final = Amount(3000)  # below ¥0.30 it must not
_SPLIT_PATH = "/v3/profitsharing/orders"
_RETURN_PATH = "/v3/profitsharing/return-orders"
_PAYOUT_PATH = "/v3/fund-app/mch-transfer/transfer-bills"
SPLIT_PATH, RETURN_PATH, PAYOUT_PATH = _SPLIT_PATH, _RETURN_PATH, _PAYOUT_PATH
ADD_PATH: Final = "/v3/profitsharing/receivers/add"
DELETE_PATH: Final = "/v3/profitsharing/receivers/delete"
FINISH_PATH: Final = "/v3/profitsharing/orders/unfreeze"
_SCENES = {
    "1005": (("岗位类型", "推广人员"), ("报酬说明", "")),
    "1000": (("活动名称", "推广奖励"), ("奖励说明", "")),
}
_RESULTS = {
    "SUCCESS": TransferStatus.DONE,
    "PENDING": TransferStatus.PROCESSING,
    "PROCESSING": TransferStatus.PROCESSING,
    "CLOSED": TransferStatus.REFUSED,
    "FAILED": TransferStatus.REFUSED,
}
_PAYOUTS = {
    "ACCEPTED": TransferStatus.PROCESSING,
    "PROCESSING": TransferStatus.PROCESSING,
    "WAIT_USER_CONFIRM": TransferStatus.PROCESSING,
    "TRANSFERING": TransferStatus.PROCESSING,
    "CANCELING": TransferStatus.PROCESSING,
    "SUCCESS": TransferStatus.DONE,
    "FAIL": TransferStatus.REFUSED,
    "CANCELLED": TransferStatus.REFUSED,
}


def build_receiver(config: Config, receiver: Receiver, *, sealed_name: str) -> dict[str, Any]:
    """Return the content that makes a receiver known; its name is sealed for the platform."""
    if receiver.account_kind not in {MERCHANT, OPENID}:
        raise ProviderRefused("unknown_account_kind")
    if receiver.account_kind == MERCHANT and not receiver.name:
        raise ProviderRefused("name_missing")
    content = {
        "appid": config.appid,
        "type": receiver.account_kind,
        "account": receiver.account,
        "relation_type": "DISTRIBUTOR",
    }
    return {**content, "name": sealed_name} if sealed_name else content


def build_forgotten(config: Config, receiver: Receiver) -> dict[str, Any]:
    """Return the content that makes the platform forget a receiver."""
    return {"appid": config.appid, "type": receiver.account_kind, "account": receiver.account}


def read_receiver(answer: Answer, *, is_gone: bool) -> None:
    """Take a receiver's answer; what was so already is no fault. Raise ProviderRefused."""
    # The platform answers the adding of a known receiver with success, the deleting of an
    # unknown one with a refusal that says so.
    if answer.code and not (is_gone and answer.code in NOT_FOUND):
        raise answer.refuse()


def build_split(config: Config, request: SplitRequest, *, sealed_name: str) -> dict[str, Any]:
    """Return the content of a split of one share."""
    receiver: dict[str, Any] = {
        "type": request.receiver.account_kind,
        "account": request.receiver.account,
        "amount": _fen(request.amount),
        "description": _describe(request.reason),
    }
    if sealed_name:
        receiver["name"] = sealed_name
    return {
        "appid": config.appid,
        "transaction_id": _require(request.external_no),
        "out_order_no": request.split_no,
        "receivers": [receiver],
        "unfreeze_unsplit": request.is_last,
    }


def build_finish(request: SplitRequest) -> dict[str, Any]:
    """Return the content that frees what is left of a payment."""
    return {
        "transaction_id": _require(request.external_no),
        "out_order_no": request.split_no,
        "description": _describe(request.reason),
    }


def split_target(request: SplitRequest) -> str:
    """Return path and query that ask for a split or an ending."""
    query = urlencode({"transaction_id": _require(request.external_no)})
    return f"{_SPLIT_PATH}/{quote(request.split_no, safe='')}?{query}"


def read_split(
    request: SplitRequest, answer: Answer, *, is_ending: bool = False
) -> TransferOutcome:
    """Return what became of a split; an ending has no share of its own."""
    if refusal := _refusal(answer):
        return refusal
    data = answer.data
    ours = (request.split_no, request.external_no)
    if (data.get("out_order_no"), data.get("transaction_id")) != ours:
        raise ProviderUncertain("other_split")
    external_no = bound_text(data.get("order_id"), limit=64)
    if is_ending or not request.receiver.account:
        done = data.get("state") == "FINISHED"
        status = TransferStatus.DONE if done else TransferStatus.PROCESSING
        return TransferOutcome(status=status, external_no=external_no)
    share = _find_share(request, data)
    # A share may still wait although the order is through, and the other way round.
    status_of_share = _RESULTS.get(str(share.get("result")))
    if status_of_share is None:
        raise ProviderUncertain("bad_reply")
    reason = bound_text(share.get("fail_reason"))
    if status_of_share is TransferStatus.PROCESSING:
        reason = ""
    return TransferOutcome(status=status_of_share, external_no=external_no, reason=reason)


def _find_share(request: SplitRequest, data: Mapping[str, Any]) -> Mapping[str, Any]:
    for share in data.get("receivers") or ():
        named = (share.get("type"), share.get("account"))
        if named != (request.receiver.account_kind, request.receiver.account):
            continue
        try:
            amount = read_fen(share.get("amount"))
        except ValueError:
            break
        if amount == request.amount:
            return dict(share)
    raise ProviderUncertain("other_split")


def build_return(request: SplitReturnRequest) -> dict[str, Any]:
    """Return the content that takes a share back from a merchant."""
    if request.receiver.account_kind != MERCHANT:
        raise ProviderRefused("not_returnable", gettext("分给个人的款项不能原路回退。"))
    return {
        "out_order_no": request.split_no,
        "out_return_no": request.return_no,
        "return_mchid": request.receiver.account,
        "amount": _fen(request.amount),
        "description": _describe(request.reason),
    }


def return_target(request: SplitReturnRequest) -> str:
    """Return path and query that ask for a return."""
    query = urlencode({"out_order_no": request.split_no})
    return f"{_RETURN_PATH}/{quote(request.return_no, safe='')}?{query}"


def read_return(request: SplitReturnRequest, answer: Answer) -> TransferOutcome:
    """Return what became of a return."""
    if refusal := _refusal(answer):
        return refusal
    data = answer.data
    status = _RESULTS.get(str(data.get("result")))
    try:
        amount = read_fen(data.get("amount"))
    except ValueError:
        raise ProviderUncertain("bad_reply") from None
    ours = (request.return_no, request.split_no, request.amount)
    if (data.get("out_return_no"), data.get("out_order_no"), amount) != ours:
        raise ProviderUncertain("other_return")
    if status is None:
        raise ProviderUncertain("bad_reply")
    return TransferOutcome(
        status=status,
        external_no=bound_text(data.get("return_id"), limit=64),
        reason=bound_text(data.get("fail_reason")),
    )


def build_payout(config: Config, request: PayoutRequest, *, sealed_name: str) -> dict[str, Any]:
    """Return the content of a transfer to a user, who confirms it in WeChat."""
    if request.account_kind != "openid":
        raise ProviderRefused("unknown_account_kind")
    if request.amount >= NAME_FROM and not request.name:
        raise ProviderRefused("name_missing")
    remark = clean_subject(request.reason, byte_limit=96)
    content: dict[str, Any] = {
        "appid": config.appid,
        "out_bill_no": request.payout_no,
        "transfer_scene_id": config.transfer_scene,
        "openid": request.account,
        "transfer_amount": _fen(request.amount),
        "transfer_remark": remark,
        "transfer_scene_report_infos": [
            {"info_type": name, "info_content": text or remark}
            for name, text in _SCENES[config.transfer_scene]
        ],
    }
    if sealed_name and request.amount >= NAME_BELOW:
        content["user_name"] = sealed_name
    return content


def payout_target(request: PayoutRequest) -> str:
    """Return the path that asks for a payout by our number."""
    return f"{_PAYOUT_PATH}/out-bill-no/{quote(request.payout_no, safe='')}"


def read_payout(request: PayoutRequest, answer: Answer) -> TransferOutcome:
    """Return what became of a payout.

    The first answer about one that waits for its receiver holds what their WeChat needs to show
    it; an answer to a query does not.
    """
    if answer.code == "ALREADY_EXISTS":  # made before, with other words: only the query tells
        raise ProviderUncertain(answer.code)
    if refusal := _refusal(answer):
        return refusal
    data = answer.data
    said = str(data.get("state"))
    status = _PAYOUTS.get(said)
    if data.get("out_bill_no") != request.payout_no or status is None:
        raise ProviderUncertain("other_payout" if status else "bad_reply")
    if "transfer_amount" in data and data["transfer_amount"] != str(_fen(request.amount)):
        raise ProviderUncertain("other_payout")
    reason = bound_text(data.get("fail_reason"))
    waits = said == WAITS_FOR_RECEIVER
    return TransferOutcome(
        status=status,
        external_no=bound_text(data.get("transfer_bill_no"), limit=64),
        reason=said if waits else reason,
        confirmation=_read_package(data.get("package_info")) if waits else "",
    )


def _read_package(value: object) -> str:
    """Return what a receiver's WeChat is handed, whole: cut short it would open nothing."""
    text = value if isinstance(value, str) else ""
    return text if len(text) <= PACKAGE_MAX and text.isascii() and text.isprintable() else ""


def confirm_fields(config: Config, confirmation: str) -> dict[str, str]:
    """Return what WeChat's bridge takes for `requestMerchantTransfer`."""
    return {"mchId": config.mchid, "appId": config.appid, "package": confirmation}


def unseen(answer: Answer) -> bool:
    """Tell whether the platform knows nothing of what was asked about."""
    return answer.code in NOT_FOUND


def _refusal(answer: Answer) -> TransferOutcome | None:
    if not answer.code:
        return None
    if answer.code in TURNED_AWAY or answer.status == 401:
        raise answer.refuse()
    return TransferOutcome(status=TransferStatus.REFUSED, reason=str(answer.refuse()))


def _fen(amount: Amount) -> int:
    if amount <= 0 or amount % FEN:
        raise ProviderRefused("bad_amount")
    return to_fen(amount)


def _require(external_no: str) -> str:
    if not external_no:
        raise ProviderRefused("external_no_missing")
    return external_no


def _describe(text: str) -> str:
    return clean_subject(text, byte_limit=TEXT_BYTES)
