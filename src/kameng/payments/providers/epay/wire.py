"""The bytes of epay v1, without a network: sign, build, verify, read.

Sign rule: drop `sign`, `sign_type` and empty values, sort by name, join raw `k=v` by `&`, append
the key, lower-case MD5. Works on bytes throughout, because gateways cut a name inside a character
and sign what is left. Promises constant-time comparison and one reading only of every callback.
"""

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from kameng.core.http import HttpRequest
from kameng.payments.providers.decoding import (
    bound_text,
    clean_subject,
    digest_callback,
    digest_reply,
    is_number,
    read_callback_fields,
    read_json_object,
    require_amount,
    require_number,
    require_text,
)
from kameng.payments.providers.epay.config import Config
from kameng.payments.providers.port import (
    CallbackRejected,
    CallbackRequest,
    Confirmation,
    Device,
    PaidStatus,
    PayInstruction,
    PayRequest,
    ProviderRefused,
    ProviderUncertain,
    RefundRequest,
)
from kameng.pricing.money import FEN, ZERO, format_yuan, parse_fen_yuan

NAME_BYTES: Final = 127
SHANGHAI: Final = dt.timezone(dt.timedelta(hours=8))

_CALLBACK_STATUS = {"TRADE_SUCCESS": PaidStatus.PAID, "TRADE_FINISHED": PaidStatus.PAID}
# 0 unpaid, 1 paid, 2 refunded, 3 frozen by the platform, 4 authorised only. 2 and 3 were paid once.
_ORDER_STATUS = {
    "0": PaidStatus.PENDING,
    "1": PaidStatus.PAID,
    "2": PaidStatus.CLOSED,
    "3": PaidStatus.PAID,
    "4": PaidStatus.PENDING,
}
SCHEMES: Final = ("https://", "http://", "weixin://", "alipays://", "alipay://", "mqqapi://")
_MD5 = re.compile(rb"[0-9a-f]{32}")


def sign_fields(fields: Mapping[str, bytes], key: str) -> str:
    """Return the MD5 signature of the fields under the merchant's key."""
    parts = [
        name.encode() + b"=" + value
        for name, value in sorted(fields.items())
        if value and name not in ("sign", "sign_type")
    ]
    message = b"&".join(parts) + key.encode()
    return hashlib.md5(message, usedforsecurity=False).hexdigest()


def has_valid_signature(fields: Mapping[str, bytes], key: str) -> bool:
    """Verify the signature in constant time; an empty key verifies nothing."""
    given = fields.get("sign", b"")
    if not key or not _MD5.fullmatch(given):
        return False
    return hmac.compare_digest(sign_fields(fields, key).encode(), given)


def build_payment_fields(config: Config, request: PayRequest) -> dict[str, str]:
    """Return the signed fields of a payment for `submit.php`."""
    if request.amount <= 0 or request.amount % FEN:
        raise ProviderRefused("bad_amount")
    fields = {
        "pid": config.pid,
        "type": request.method,
        "out_trade_no": request.payment_no,
        "notify_url": request.notify_url,
        "return_url": request.return_url,
        "name": clean_subject(request.subject, byte_limit=NAME_BYTES),
        "money": format_yuan(request.amount),
    }
    return _add_signature(fields, config.key)


def _add_signature(fields: dict[str, str], key: str) -> dict[str, str]:
    sign = sign_fields({name: value.encode() for name, value in fields.items()}, key)
    return {**fields, "sign": sign, "sign_type": "MD5"}


def build_page_url(config: Config, request: PayRequest) -> str:
    """Return the address of the gateway's cashier for this payment."""
    return f"{config.gateway_url}submit.php?{urlencode(build_payment_fields(config, request))}"


def build_opening(config: Config, request: PayRequest) -> HttpRequest:
    """Return the `mapi.php` call that opens a payment without leaving our page."""
    fields = build_payment_fields(config, request)
    fields |= {"clientip": request.client_ip, "device": request.device}
    unsigned = {k: v for k, v in fields.items() if k not in ("sign", "sign_type")}
    return _post(f"{config.gateway_url}mapi.php", _add_signature(unsigned, config.key))


def build_order_query(config: Config, payment_no: str, *, external_no: str = "") -> HttpRequest:
    """Return the query of one payment, by our number or the gateway's.

    The key travels in it: never log its address.
    """
    named = {"trade_no": external_no} if external_no else {"out_trade_no": payment_no}
    return _build_api_query(config, {"act": "order", **named})


def build_merchant_query(config: Config) -> HttpRequest:
    """Return the query of our own merchant account."""
    return _build_api_query(config, {"act": "query"})


def build_refund(config: Config, request: RefundRequest) -> HttpRequest:
    """Return the refund call of a whole payment."""
    numbers = {"out_trade_no": request.payment_no, "trade_no": request.external_no}
    fields = {
        "pid": config.pid,
        "key": config.key,
        "money": format_yuan(request.amount),
        **{name: number for name, number in numbers.items() if number},
    }
    return _post(f"{config.gateway_url}api.php?act=refund", fields)


def _build_api_query(config: Config, fields: dict[str, str]) -> HttpRequest:
    signed_in = {**fields, "pid": config.pid, "key": config.key}
    query = "&".join(f"{name}={quote_plus(value)}" for name, value in signed_in.items())
    return HttpRequest(method="GET", url=f"{config.gateway_url}api.php?{query}")


def _post(url: str, fields: Mapping[str, str]) -> HttpRequest:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return HttpRequest(method="POST", url=url, body=urlencode(fields).encode(), headers=headers)


def parse_callback(config: Config, callback: CallbackRequest) -> Confirmation:
    """Verify and read a callback; raise CallbackRejected."""
    fields = read_callback_fields(callback)
    if fields.get("sign_type", b"MD5") != b"MD5":
        raise CallbackRejected("bad_sign_type")
    if not has_valid_signature(fields, config.key):
        raise CallbackRejected("bad_signature")
    if require_text(fields, "pid") != config.pid:
        raise CallbackRejected("wrong_merchant")
    status = _CALLBACK_STATUS.get(require_text(fields, "trade_status"), PaidStatus.PENDING)
    return Confirmation(
        payment_no=require_number(fields, "out_trade_no"),
        external_no=require_number(fields, "trade_no"),
        amount=require_amount(fields, "money"),
        status=status,
        paid_at=None,
        payer="",
        raw_digest=digest_callback(callback),
    )


def read_reply(config: Config, body: bytes) -> dict[str, Any]:
    """Read a reply that says yes (`code` 1); raise ProviderRefused or ProviderUncertain."""
    try:
        reply = read_json_object(body)
    except ValueError:
        raise ProviderUncertain("bad_reply") from None
    code = reply.get("code")
    if not isinstance(code, str):
        raise ProviderUncertain("bad_reply")
    if code != "1":
        # Some gateways repeat the key in their complaint.
        message = str(reply.get("msg", "")).replace(config.key, "***")
        raise ProviderRefused(f"epay_{bound_text(code, limit=16)}", bound_text(message))
    return reply


def parse_opening(config: Config, body: bytes, *, device: Device) -> PayInstruction | None:
    """Read where the buyer goes from a `mapi.php` reply; None: it names nothing that can be shown.

    Some platforms name several ways: a desktop shows the QR code, a phone goes to the page.
    """
    reply = _unwrap(read_reply(config, body))
    addresses = [str(reply.get(name) or "") for name in ("payurl", "urlscheme", "payurl2")]
    address = next((each for each in addresses if each.startswith(SCHEMES)), "")
    qr_text = str(reply.get("qrcode") or "")
    if qr_text.startswith("data:"):  # a picture of the code, which says nothing that we can read
        qr_text = ""
    if qr_text and (device == "pc" or not address):
        return PayInstruction(kind="qr", qr_text=qr_text[:2000])
    return PayInstruction(kind="redirect", url=address[:2000]) if address else None


def _unwrap(reply: dict[str, Any]) -> dict[str, Any]:
    """Return what a reply says; some forks put it into a member `data`."""
    inner = reply.get("data")
    return {**reply, **inner} if isinstance(inner, dict) else reply


def parse_order(config: Config, payment_no: str, body: bytes) -> Confirmation:
    """Read an order query; a payment that the gateway does not know is NOT_FOUND."""
    try:
        reply = read_reply(config, body)
    except ProviderRefused as refusal:
        if "订单" in refusal.message and "不存在" in refusal.message:
            return _not_found(payment_no, body)
        raise
    reply = _unwrap(reply)
    same_merchant = str(reply.get("pid", config.pid)) == config.pid
    number = str(reply.get("out_trade_no", payment_no))
    if not same_merchant or (payment_no and number != payment_no):
        raise ProviderUncertain("other_payment")
    status = _ORDER_STATUS.get(str(reply.get("status")))
    external_no = str(reply.get("trade_no") or "")
    if status is None or (external_no and not is_number(external_no)):
        raise ProviderUncertain("bad_reply")
    try:
        amount = parse_fen_yuan(str(reply.get("money")))
    except ValueError:
        raise ProviderUncertain("bad_reply") from None
    return Confirmation(
        payment_no=payment_no,
        external_no=external_no,
        amount=amount,
        status=status,
        paid_at=_read_time(reply.get("endtime")) if status is not PaidStatus.PENDING else None,
        payer=bound_text(reply.get("buyer"), limit=64),
        raw_digest=digest_reply(body),
    )


def is_refunded(config: Config, body: bytes) -> bool:
    """Say whether an order query shows a refunded payment."""
    return str(_unwrap(read_reply(config, body)).get("status")) == "2"


def parse_refund(config: Config, body: bytes) -> None:
    """Read a refund's answer; raise ProviderRefused or ProviderUncertain.

    Most programs say yes by 1. The newest say it by 0, which in others is a no: there the words
    decide.
    """
    try:
        read_reply(config, body)
    except ProviderRefused as refusal:
        if refusal.code != "epay_0" or not refusal.message.startswith("退款成功"):
            raise


def parse_merchant(config: Config, body: bytes) -> None:
    """Read the merchant query; raise ProviderRefused if it is not our account or not active."""
    reply = _unwrap(read_reply(config, body))
    if str(reply.get("pid")) != config.pid:
        raise ProviderRefused("wrong_merchant")
    if str(reply.get("active", "1")) != "1":
        raise ProviderRefused("merchant_inactive")


def _not_found(payment_no: str, body: bytes) -> Confirmation:
    return Confirmation(
        payment_no=payment_no,
        external_no="",
        amount=ZERO,
        status=PaidStatus.NOT_FOUND,
        paid_at=None,
        payer="",
        raw_digest=digest_reply(body),
    )


def _read_time(text: object) -> dt.datetime | None:
    try:
        local = dt.datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=SHANGHAI)
    except ValueError:
        return None
    return local.astimezone(dt.UTC)
