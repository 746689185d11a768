"""The bytes of WeChat Pay API v3, without a network: build, verify, read.

Promises that no answer is believed before its signature over the raw body, that a refusal is told
from an unknown outcome, and that a callback counts only for our merchant, app and currency.
"""

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from kameng.core.http import HttpReply, HttpRequest
from kameng.payments.providers.decoding import (
    MAX_CALLBACK_BYTES,
    bound_text,
    clean_subject,
    digest_callback,
    digest_reply,
    is_number,
)
from kameng.payments.providers.port import (
    CallbackRejected,
    CallbackRequest,
    Confirmation,
    Notice,
    OtherNotice,
    PaidStatus,
    PayInstruction,
    PayRequest,
    ProviderRefused,
    ProviderUncertain,
    RefundNotice,
    RefundOutcome,
    RefundRequest,
    RefundStatus,
)
from kameng.payments.providers.wechat import signing
from kameng.payments.providers.wechat.config import Config
from kameng.payments.providers.wechat.signing import PlatformKey, SignatureFault
from kameng.pricing.money import FEN, ZERO, Amount, from_fen, to_fen

BEIJING: Final = dt.timezone(dt.timedelta(hours=8))
DESCRIPTION_BYTES: Final = 127
REASON_BYTES: Final = 80
ALGORITHM: Final = "AEAD_AES_256_GCM"
UNKNOWN_SERIAL: Final = "unknown_serial"
Keys = Mapping[str, PlatformKey]

_FEN = re.compile(r"0|[1-9][0-9]{0,11}", re.ASCII)
_STATUS = {
    "SUCCESS": PaidStatus.PAID,
    "NOTPAY": PaidStatus.PENDING,
    "USERPAYING": PaidStatus.PENDING,
    "ACCEPT": PaidStatus.PENDING,
    "CLOSED": PaidStatus.CLOSED,
    "REVOKED": PaidStatus.CLOSED,
    "PAYERROR": PaidStatus.CLOSED,
    # Paid, and given back in part or whole: it never takes back what was PAID before.
    "REFUND": PaidStatus.CLOSED,
}
_REFUND_STATUS = {
    "SUCCESS": RefundStatus.DONE,
    "PROCESSING": RefundStatus.PROCESSING,
    # The buyer's card is gone: the owner sends the money by hand at the platform; not lost.
    "ABNORMAL": RefundStatus.PROCESSING,
    "CLOSED": RefundStatus.REFUSED,
}
NOT_FOUND: Final = frozenset({"ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS"})
# The platform stumbled or had too much to do: it may have acted, or may do so when asked again.
UNSURE: Final = frozenset(
    {"SYSTEM_ERROR", "SYSTEMERROR", "FREQUENCY_LIMITED", "FREQUENCY_LIMIT_EXCEED"}
    | {"RATELIMIT_EXCEEDED", "RATE_LIMITED", "BANK_ERROR", "BIZERR_NEED_RETRY"}
)
# The call itself was turned away: who calls, not what was asked for.
TURNED_AWAY: Final = frozenset(
    {"SIGN_ERROR", "NO_AUTH", "MCH_NOT_EXISTS", "APPID_MCHID_NOT_MATCH", "INVALID_SERIAL"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A verified answer, or a refusal with its `code`; `is_signed` proves the platform's key."""

    status: int
    data: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    message: str = ""
    is_signed: bool = True
    body: bytes = field(default=b"", repr=False)

    def refuse(self) -> ProviderRefused:
        """Return the refusal in the port's words."""
        return ProviderRefused(self.code, self.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the API; `target` is path and query, or the whole address of a bill.

    `serial` names the platform's key under which fields are encrypted and the answer is wanted.
    """

    method: str
    target: str
    content: Mapping[str, Any] | None = None
    serial: str = ""


def build_request(config: Config, call: Call, *, now: dt.datetime, nonce: str) -> HttpRequest:
    """Return a call, signed."""
    url = call.target if call.target.startswith("http") else config.gateway_url + call.target
    body = b"" if call.content is None else dump_json(call.content)
    timestamp = str(int(now.timestamp()))
    text = signing.join_request(
        method=call.method, url=url, timestamp=timestamp, nonce=nonce, body=body
    )
    parts = {
        "mchid": config.mchid,
        "nonce_str": nonce,
        "signature": signing.sign_text(text, config.merchant_private_key),
        "timestamp": timestamp,
        "serial_no": config.merchant_serial_no,
    }
    token = ",".join(f'{name}="{value}"' for name, value in parts.items())
    headers = {"Authorization": f"{signing.SCHEME} {token}", "Accept": "application/json"}
    if body:
        headers["Content-Type"] = "application/json"
    if call.serial:
        headers["Wechatpay-Serial"] = call.serial
    return HttpRequest(method=call.method, url=url, body=body, headers=headers)


def dump_json(content: Mapping[str, Any]) -> bytes:
    """Return an object as the compact JSON that is signed and sent."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def read_answer(reply: HttpReply, *, keys: Keys, now: dt.datetime) -> Answer:
    """Verify and read a reply; raise ProviderUncertain for all that says nothing certain.

    Raises SignatureFault `unknown_serial` when another key of the platform may be needed. A refusal
    may be unsigned (one of the signature itself is), but not signed wrongly.
    """
    if reply.status == 429:
        raise ProviderUncertain("gateway_busy")
    is_good = reply.status in {200, 204}
    if not is_good and not 400 <= reply.status < 500:
        raise ProviderUncertain("bad_status")
    is_signed = is_good or any(name.lower() == "wechatpay-signature" for name in reply.headers)
    if is_signed:
        try:
            signing.verify_signed(
                signing.read_headers(reply.headers), reply.body, keys=keys, now=now
            )
        except SignatureFault as fault:
            if fault.code == UNKNOWN_SERIAL:
                raise
            raise ProviderUncertain(fault.code) from None
    try:
        data = read_json(reply.body) if reply.body else {}
    except ValueError:
        raise ProviderUncertain("bad_reply") from None
    if is_good:
        return Answer(status=reply.status, data=data, body=reply.body)
    code = bound_text(data.get("code"), limit=64)
    if not code or code in UNSURE:
        raise ProviderUncertain("gateway_busy" if code else "bad_reply")
    return Answer(
        status=reply.status,
        code=code,
        message=bound_text(data.get("message")),
        is_signed=is_signed,
        body=reply.body,
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("doubled member")
    return members


def _refuse_constant(text: str) -> Any:
    raise ValueError(text)


# Numbers stay text, so that no amount goes by way of a float; a doubled member is refused.
_DECODER = json.JSONDecoder(
    parse_float=str, parse_int=str, parse_constant=_refuse_constant, object_pairs_hook=_unique
)


def read_json(body: bytes) -> dict[str, Any]:
    """Read a JSON object whose numbers stay text and whose members are single; raise ValueError."""
    try:
        found = _DECODER.decode(body.decode("utf-8"))
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(found, dict):
        raise ValueError("no object")
    return found


def member(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return an object inside an object; empty when there is none."""
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def read_fen(text: object) -> Amount:
    """Return an amount that stands as whole fen; raise ValueError."""
    if not isinstance(text, str) or not _FEN.fullmatch(text):
        raise ValueError("money")
    return from_fen(int(text))


def read_time(text: object) -> dt.datetime | None:
    """Return the moment of an RFC 3339 text in UTC, or None."""
    try:
        moment = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment.astimezone(dt.UTC) if moment.tzinfo else None


# --- opening ---------------------------------------------------------------------------------


def build_order(
    config: Config, request: PayRequest, *, soonest: dt.datetime
) -> tuple[str, dict[str, Any]]:
    """Return path and content that open a payment; raise ProviderRefused for what cannot be.

    It does not end before `soonest`.
    """
    if request.amount <= 0 or request.amount % FEN:
        raise ProviderRefused("bad_amount")
    if request.method not in _PATHS:
        raise ProviderRefused("unknown_method")
    if request.method == "jsapi" and not request.payer_id:
        raise ProviderRefused("payer_unknown")
    content: dict[str, Any] = {
        "appid": config.appid,
        "mchid": config.mchid,
        "description": clean_subject(request.subject, byte_limit=DESCRIPTION_BYTES),
        "out_trade_no": request.payment_no,
        "time_expire": max(request.expires_at, soonest)
        .astimezone(BEIJING)
        .isoformat(timespec="seconds"),
        "notify_url": request.notify_url,
        "amount": {"total": to_fen(request.amount), "currency": "CNY"},
    }
    if request.client_ip:
        content["scene_info"] = {"payer_client_ip": request.client_ip}
    if request.method == "jsapi":
        content["payer"] = {"openid": request.payer_id}
    if request.method == "h5":
        content["scene_info"] = {
            "payer_client_ip": request.client_ip or "127.0.0.1",
            "h5_info": {"type": "Wap"},
        }
    if request.will_split:
        content["settle_info"] = {"profit_sharing": True}
    return _PATHS[request.method], content


_PATHS = {
    "native": "/v3/pay/transactions/native",
    "jsapi": "/v3/pay/transactions/jsapi",
    "h5": "/v3/pay/transactions/h5",
}


def read_order(
    config: Config, request: PayRequest, answer: Answer, *, now: dt.datetime, nonce: str
) -> PayInstruction:
    """Return where the buyer pays; raise ProviderRefused or ProviderUncertain."""
    if answer.code:
        raise answer.refuse()
    if request.method == "native":
        code_url = str(answer.data.get("code_url", ""))
        is_ours = code_url.startswith("weixin://") or is_same_host(code_url, config.gateway_url)
        if not is_ours or len(code_url) > 512:
            raise ProviderUncertain("bad_reply")
        return PayInstruction(kind="qr", qr_text=code_url)
    if request.method == "h5":
        url = str(answer.data.get("h5_url", ""))
        good = url.startswith("https://") or is_same_host(url, config.gateway_url)
        if not good or len(url) > 512:
            raise ProviderUncertain("bad_reply")
        joint = "&" if "?" in url else "?"
        address = f"{url}{joint}redirect_url={quote(request.return_url, safe='')}"
        return PayInstruction(kind="redirect", url=address)
    prepay_id = str(answer.data.get("prepay_id", ""))
    if not prepay_id or len(prepay_id) > 64:
        raise ProviderUncertain("bad_reply")
    return PayInstruction(kind="jsapi", fields=sign_bridge(config, prepay_id, now=now, nonce=nonce))


def sign_bridge(config: Config, prepay_id: str, *, now: dt.datetime, nonce: str) -> dict[str, str]:
    """Return what the page inside WeChat hands to its payment bridge, signed."""
    timestamp, package = str(int(now.timestamp())), f"prepay_id={prepay_id}"
    text = f"{config.appid}\n{timestamp}\n{nonce}\n{package}\n"
    return {
        "appId": config.appid,
        "timeStamp": timestamp,
        "nonceStr": nonce,
        "package": package,
        "signType": "RSA",
        "paySign": signing.sign_text(text, config.merchant_private_key),
    }


def is_same_host(url: str, base: str) -> bool:
    """Tell whether an address lies where the gateway lies."""
    try:
        one, other = urlsplit(url), urlsplit(base)
        return (one.scheme, one.netloc) == (other.scheme, other.netloc)
    except ValueError:
        return False


# --- callbacks -------------------------------------------------------------------------------


READ_EVENTS = ("", "TRANSACTION", "REFUND")
READ_KINDS = ("", "transaction", "refund")


def parse_callback(
    config: Config, callback: CallbackRequest, *, keys: Keys, now: dt.datetime
) -> Notice:
    """Verify a callback over its raw body, open it and read it; raise CallbackRejected."""
    if len(callback.body) > MAX_CALLBACK_BYTES:
        raise CallbackRejected("too_large")
    if callback.method != "POST" or not callback.body or callback.query:
        raise CallbackRejected("malformed")
    try:
        signed = signing.read_headers(callback.headers)
        signing.verify_signed(signed, callback.body, keys=keys, now=now)
    except SignatureFault as fault:
        raise CallbackRejected(fault.code) from None
    event, kind, resource = open_callback(config, callback.body)
    readers: dict[tuple[str, str], Callable[..., Notice]] = {
        ("TRANSACTION", "transaction"): _read_transaction,
        ("REFUND", "refund"): _read_refund_notice,
    }
    reader = readers.get((event.partition(".")[0], kind))
    if reader is None:
        if event.partition(".")[0] in READ_EVENTS or kind in READ_KINDS:
            raise CallbackRejected("unknown_event")
        # A split or a transfer, which are asked about, or a kind to come.
        return OtherNotice(kind=event[:64], raw_digest=digest_callback(callback))
    if resource.get("mchid") != config.mchid:
        raise CallbackRejected("wrong_merchant")
    return reader(config, resource, digest=digest_callback(callback), nonce=signed.nonce)


def open_callback(config: Config, body: bytes) -> tuple[str, str, dict[str, Any]]:
    """Return event, kind and opened resource of a verified callback; raise CallbackRejected."""
    try:
        outer = read_json(body)
        sealed = member(outer, "resource")
        if sealed.get("algorithm") != ALGORITHM:
            raise CallbackRejected("bad_algorithm")
        plain = signing.open_sealed(
            config.api_v3_key,
            nonce=str(sealed.get("nonce", "")),
            associated=str(sealed.get("associated_data") or ""),
            ciphertext=str(sealed.get("ciphertext", "")),
        )
        resource = read_json(plain)
    except ValueError:
        raise CallbackRejected("bad_resource") from None
    return str(outer.get("event_type", "")), str(sealed.get("original_type", "")), resource


def _read_transaction(
    config: Config, resource: Mapping[str, Any], *, digest: str, nonce: str
) -> Confirmation:
    if resource.get("appid") != config.appid:
        raise CallbackRejected("wrong_merchant")
    payment_no = _require_number(resource, "out_trade_no")
    amounts = member(resource, "amount")
    try:
        amount = read_fen(amounts.get("total"))
    except ValueError:
        raise CallbackRejected("bad_amount") from None
    if amount <= 0:
        raise CallbackRejected("bad_amount")
    if amounts.get("currency", "CNY") != "CNY":
        raise CallbackRejected("other_currency")
    status = _STATUS.get(str(resource.get("trade_state")), PaidStatus.PENDING)
    return Confirmation(
        payment_no=payment_no,
        external_no=_require_number(resource, "transaction_id"),
        amount=amount,
        status=status,
        paid_at=read_time(resource.get("success_time")) if status is PaidStatus.PAID else None,
        payer=bound_text(member(resource, "payer").get("openid"), limit=64),
        raw_digest=digest,
        nonce=nonce,
    )


def _read_refund_notice(
    _config: Config, resource: Mapping[str, Any], *, digest: str, nonce: str
) -> RefundNotice:
    try:
        amount = read_fen(member(resource, "amount").get("refund"))
    except ValueError:
        raise CallbackRejected("bad_amount") from None
    return RefundNotice(
        refund_no=_require_number(resource, "out_refund_no"),
        external_no=_require_number(resource, "refund_id"),
        status=_REFUND_STATUS.get(str(resource.get("refund_status")), RefundStatus.UNKNOWN),
        amount=amount,
        raw_digest=digest,
        nonce=nonce,
    )


def _require_number(resource: Mapping[str, Any], name: str) -> str:
    number = resource.get(name)
    if not number:
        raise CallbackRejected(f"missing_{name}")
    if not isinstance(number, str) or not is_number(number):
        raise CallbackRejected(f"bad_{name}")
    return number


# --- asking, closing, refunding --------------------------------------------------------------


def query_target(config: Config, payment_no: str, *, external_no: str = "") -> str:
    """Return path and query that ask for a payment, by our number or the platform's."""
    way, number = ("id", external_no) if external_no else ("out-trade-no", payment_no)
    named = quote(number, safe="")
    return f"/v3/pay/transactions/{way}/{named}?{urlencode({'mchid': config.mchid})}"


def read_query(
    config: Config, payment_no: str, answer: Answer, *, external_no: str = ""
) -> Confirmation:
    """Return what the platform says of that very payment; raise Uncertain or Refused."""
    if answer.code in NOT_FOUND:
        return Confirmation(
            payment_no=payment_no,
            external_no="",
            amount=ZERO,
            status=PaidStatus.NOT_FOUND,
            paid_at=None,
            payer="",
            raw_digest=digest_reply(answer.body),
        )
    if answer.code:
        raise answer.refuse()
    data = answer.data
    ours = (config.mchid, config.appid, payment_no)
    if (data.get("mchid"), data.get("appid"), data.get("out_trade_no")) != ours:
        raise ProviderUncertain("other_payment")
    found_no = str(data.get("transaction_id") or "")
    status = _STATUS.get(str(data.get("trade_state")))
    is_odd = status is None or (found_no and not is_number(found_no))
    is_odd = is_odd or (status is PaidStatus.PAID and not found_no)
    if is_odd or (external_no and found_no != external_no):
        raise ProviderUncertain("bad_reply")
    amounts = member(data, "amount")
    try:
        amount = read_fen(amounts["total"]) if "total" in amounts else ZERO
    except ValueError:
        raise ProviderUncertain("bad_reply") from None
    if amounts.get("currency", "CNY") != "CNY":
        raise ProviderUncertain("other_currency")
    assert status is not None  # noqa: S101 - said above
    return Confirmation(
        payment_no=payment_no,
        external_no=found_no,
        amount=amount,
        status=status,
        paid_at=read_time(data.get("success_time")) if status is PaidStatus.PAID else None,
        payer=bound_text(member(data, "payer").get("openid"), limit=64),
        raw_digest=digest_reply(answer.body),
    )


def read_close(answer: Answer) -> PaidStatus:
    """Return what a payment is after its closing was asked for; raise ProviderRefused."""
    if not answer.code or answer.code in {"ORDER_CLOSED", "ORDERCLOSED"}:
        return PaidStatus.CLOSED
    if answer.code in {"ORDERPAID", "ORDER_PAID", "ORDER_PAYED"}:
        return PaidStatus.PAID
    if answer.code in NOT_FOUND:
        return PaidStatus.NOT_FOUND
    raise answer.refuse()


def build_refund(request: RefundRequest) -> dict[str, Any]:
    """Return the content of a refund; raise ProviderRefused for parts of a fen."""
    if request.amount <= 0 or request.amount % FEN or request.total_amount % FEN:
        raise ProviderRefused("bad_amount")
    named = (
        {"out_trade_no": request.payment_no}
        if request.payment_no
        else {"transaction_id": request.external_no}
    )
    content: dict[str, Any] = {
        **named,
        "out_refund_no": request.refund_no,
        "reason": clean_subject(request.reason, byte_limit=REASON_BYTES),
        "amount": {
            "refund": to_fen(request.amount),
            "total": to_fen(request.total_amount),
            "currency": "CNY",
        },
    }
    if request.notify_url:
        content["notify_url"] = request.notify_url
    return content


def read_refund(request: RefundRequest, answer: Answer) -> RefundOutcome:
    """Return what became of a refund that was asked for.

    A refusal of the call itself is raised, one of the refund is an outcome.
    """
    if answer.code in TURNED_AWAY or answer.status == 401:
        raise answer.refuse()
    if answer.code:
        return RefundOutcome(status=RefundStatus.REFUSED, reason=str(answer.refuse()))
    return _read_refund_state(request, answer.data)


def read_refund_query(request: RefundRequest, answer: Answer) -> RefundOutcome:
    """Return what became of a refund; one that the platform does not know is UNKNOWN."""
    if answer.code in NOT_FOUND:
        return RefundOutcome(status=RefundStatus.UNKNOWN, reason="refund_not_seen")
    if answer.code:
        raise answer.refuse()
    return _read_refund_state(request, answer.data)


def _read_refund_state(request: RefundRequest, data: Mapping[str, Any]) -> RefundOutcome:
    try:
        is_same = read_fen(member(data, "amount").get("refund")) == request.amount
    except ValueError:
        raise ProviderUncertain("bad_reply") from None
    if request.payment_no:
        is_same = is_same and data.get("out_trade_no") == request.payment_no
    else:
        is_same = is_same and data.get("transaction_id") == request.external_no
    if data.get("out_refund_no") != request.refund_no or not is_same:
        raise ProviderUncertain("other_refund")
    said = str(data.get("status"))
    status = _REFUND_STATUS.get(said)
    if status is None:
        raise ProviderUncertain("bad_reply")
    reason = "" if status is RefundStatus.DONE else said.lower()
    external_no = bound_text(data.get("refund_id"), limit=64)
    return RefundOutcome(status=status, external_no=external_no, reason=reason)


def read_openid(body: bytes) -> str:
    """Return the openid for a code; raise ProviderRefused (a used code) or ProviderUncertain."""
    try:
        data = read_json(body)
    except ValueError:
        raise ProviderUncertain("bad_reply") from None
    code = data.get("errcode")
    if code not in {None, "0"}:
        if code == "-1":  # busy
            raise ProviderUncertain("busy")
        raise ProviderRefused(f"oauth_{bound_text(code, limit=16)}", bound_text(data.get("errmsg")))
    openid = data.get("openid")
    if not isinstance(openid, str) or not is_number(openid):
        raise ProviderUncertain("bad_reply")
    return openid
