"""The bytes of epay v2, without a network: sign, build, verify, read.

Sign rule: drop `sign`, `sign_type`, empty values and lists, sort by name, join raw `k=v` by `&`,
SHA256 with RSA (PKCS#1 v1.5), base64; the same both ways, and every message names its second.
Promises that no good answer is believed before its signature and its time: a refusal carries
neither, and is taken for no more than that.
"""

import base64
import binascii
import datetime as dt
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

from kameng.core.http import HttpRequest
from kameng.payments.providers.alipay.config import load_private_key, load_public_key
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
from kameng.payments.providers.epay2.config import Config
from kameng.payments.providers.port import (
    CallbackRejected,
    CallbackRequest,
    Confirmation,
    PaidStatus,
    PayInstruction,
    PayRequest,
    ProviderRefused,
    ProviderUncertain,
    RefundOutcome,
    RefundRequest,
    RefundStatus,
)
from kameng.pricing.money import FEN, ZERO, format_yuan, parse_fen_yuan

NAME_BYTES: Final = 127
SKEW_SECONDS: Final = 300
SHANGHAI: Final = dt.timezone(dt.timedelta(hours=8))
SCHEMES: Final = ("https://", "http://", "weixin://", "alipays://", "alipay://", "mqqapi://")

_CALLBACK_STATUS = {"TRADE_SUCCESS": PaidStatus.PAID, "TRADE_FINISHED": PaidStatus.PAID}
# 0 unpaid, 1 paid, 2 refunded, 3 frozen by the platform, 4 authorised only. 2 and 3 were paid once.
_ORDER_STATUS = {
    "0": PaidStatus.PENDING,
    "1": PaidStatus.PAID,
    "2": PaidStatus.CLOSED,
    "3": PaidStatus.PAID,
    "4": PaidStatus.PENDING,
}
_STAMP = re.compile(r"[0-9]{10}", re.ASCII)


def join_fields(fields: Mapping[str, bytes]) -> bytes:
    """Return what a signature covers."""
    return b"&".join(
        name.encode() + b"=" + value
        for name, value in sorted(fields.items())
        if value.strip() and name not in ("sign", "sign_type")
    )


def has_valid_signature(message: bytes, *, signature: str, public_key: str) -> bool:
    """Verify a signature in base64."""
    try:
        load_public_key(public_key).verify(
            base64.b64decode(signature, validate=True), message, padding.PKCS1v15(), SHA256()
        )
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def is_fresh(stamp: str, *, now: dt.datetime) -> bool:
    """Say whether a message is of these five minutes."""
    return bool(_STAMP.fullmatch(stamp)) and abs(int(stamp) - now.timestamp()) <= SKEW_SECONDS


def sign_fields(config: Config, fields: Mapping[str, str], *, now: dt.datetime) -> dict[str, str]:
    """Return the fields with account, time and signature."""
    said = {name: value for name, value in fields.items() if value}
    said |= {"pid": config.pid, "timestamp": str(int(now.timestamp()))}
    text = join_fields({name: value.encode() for name, value in said.items()})
    key = load_private_key(config.merchant_private_key)
    sign = base64.b64encode(key.sign(text, padding.PKCS1v15(), SHA256())).decode()
    return {**said, "sign": sign, "sign_type": "RSA"}


def describe_payment(request: PayRequest) -> dict[str, str]:
    """Return the fields that both ways to open a payment share."""
    if request.amount <= 0 or request.amount % FEN:
        raise ProviderRefused("bad_amount")
    return {
        "type": request.method,
        "out_trade_no": request.payment_no,
        "notify_url": request.notify_url,
        "return_url": request.return_url,
        "name": clean_subject(request.subject, byte_limit=NAME_BYTES),
        "money": format_yuan(request.amount),
    }


def build_page(config: Config, request: PayRequest, *, now: dt.datetime) -> PayInstruction:
    """Return the address of the platform's cashier; its time is good for five minutes."""
    fields = sign_fields(config, describe_payment(request), now=now)
    url = f"{config.gateway_url}api/pay/submit?{urlencode(fields)}"
    return PayInstruction(kind="redirect", url=url)


def build_opening(
    config: Config, request: PayRequest, *, method: str, now: dt.datetime
) -> HttpRequest:
    """Return the call that opens a payment: `jump` gives an address, `web` what fits the device."""
    more = {"method": method, "device": request.device, "clientip": request.client_ip}
    return build_call(config, "pay/create", {**describe_payment(request), **more}, now=now)


def build_call(
    config: Config, path: str, fields: Mapping[str, str], *, now: dt.datetime
) -> HttpRequest:
    """Return one signed call."""
    return HttpRequest(
        method="POST",
        url=f"{config.gateway_url}api/{path}",
        body=urlencode(sign_fields(config, fields, now=now)).encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )


def name_payment(payment_no: str, external_no: str) -> dict[str, str]:
    """Return how the platform is told which payment: by its own number, else by ours."""
    return {"trade_no": external_no} if external_no else {"out_trade_no": payment_no}


def name_refund(request: RefundRequest) -> dict[str, str]:
    """Return the fields of a refund."""
    return {
        "trade_no": request.external_no,
        "out_trade_no": request.payment_no,
        "money": format_yuan(request.amount),
        "out_refund_no": request.refund_no,
    }


def parse_callback(config: Config, callback: CallbackRequest, *, now: dt.datetime) -> Confirmation:
    """Verify and read a callback; raise CallbackRejected."""
    fields = read_callback_fields(callback)
    if fields.get("sign_type") != b"RSA":
        raise CallbackRejected("bad_sign_type")
    signature = require_text(fields, "sign")
    if not has_valid_signature(
        join_fields(fields), signature=signature, public_key=config.platform_public_key
    ):
        raise CallbackRejected("bad_signature")
    if not is_fresh(require_text(fields, "timestamp"), now=now):
        raise CallbackRejected("stale")
    if require_text(fields, "pid") != config.pid:
        raise CallbackRejected("wrong_merchant")
    status = _CALLBACK_STATUS.get(require_text(fields, "trade_status"), PaidStatus.PENDING)
    return Confirmation(
        payment_no=require_number(fields, "out_trade_no"),
        external_no=require_number(fields, "trade_no"),
        amount=require_amount(fields, "money"),
        status=status,
        paid_at=_read_time(fields.get("endtime", b"").decode(errors="replace")),
        payer=bound_text(fields.get("buyer", b"").decode(errors="replace"), limit=64),
        raw_digest=digest_callback(callback),
    )


def read_reply(config: Config, body: bytes, *, now: dt.datetime) -> dict[str, Any]:
    """Verify a reply that says yes (`code` 0); raise ProviderRefused or ProviderUncertain."""
    try:
        reply = read_json_object(body)
    except ValueError:
        raise ProviderUncertain("bad_reply") from None
    code = reply.get("code")
    if not isinstance(code, str):
        raise ProviderUncertain("bad_reply")
    if code != "0":
        message = bound_text(reply.get("msg"))
        raise ProviderRefused(f"epay_{bound_text(code, limit=16)}", message)
    # Numbers are text already, exactly as they stood; a list or an object is not signed.
    texts = {name: value for name, value in reply.items() if isinstance(value, str)}
    signed = join_fields({name: value.encode() for name, value in texts.items()})
    if not has_valid_signature(
        signed, signature=texts.get("sign", ""), public_key=config.platform_public_key
    ):
        raise ProviderUncertain("bad_reply_signature")
    if not is_fresh(texts.get("timestamp", ""), now=now):
        raise ProviderUncertain("stale_reply")
    return texts


def parse_opening(config: Config, body: bytes, *, now: dt.datetime) -> PayInstruction | None:
    """Read where the buyer goes; None: only the platform's own page can show that way to pay.

    An answer to `create` is not signed by every program: it leads the buyer, it moves no money.
    """
    try:
        reply = read_reply(config, body, now=now)
    except ProviderUncertain as fault:
        if fault.code != "bad_reply_signature":
            raise
        reply = read_json_object(body)
        if "sign" in reply:
            raise
    kind, place = str(reply.get("pay_type")), str(reply.get("pay_info") or "")
    if kind in ("jump", "urlscheme") and place.startswith(SCHEMES):
        return PayInstruction(kind="redirect", url=place[:2000])
    if kind == "qrcode" and place:
        return PayInstruction(kind="qr", qr_text=place[:2000])
    if kind in ("html", "jsapi", "app", "wxplugin", "wxapp", "scan"):
        return None
    raise ProviderUncertain("bad_reply")


def parse_order(
    config: Config, body: bytes, *, payment_no: str, external_no: str = "", now: dt.datetime
) -> Confirmation:
    """Read an order query; a payment that the platform does not know is NOT_FOUND."""
    try:
        reply = read_reply(config, body, now=now)
    except ProviderRefused as refusal:
        if "订单" in refusal.message and "不存在" in refusal.message:
            return _not_found(payment_no, body)
        raise
    found_no = reply.get("trade_no", "")
    is_ours = reply.get("pid") == config.pid and reply.get("out_trade_no") == payment_no
    if not is_ours or external_no not in ("", found_no):
        raise ProviderUncertain("other_payment")
    status = _ORDER_STATUS.get(reply.get("status", "0"))  # some programs leave out what is empty
    if status is None or not is_number(found_no):
        raise ProviderUncertain("bad_reply")
    try:
        amount = parse_fen_yuan(reply.get("money", ""))
    except ValueError:
        raise ProviderUncertain("bad_reply") from None
    return Confirmation(
        payment_no=payment_no,
        external_no=found_no,
        amount=amount,
        status=status,
        paid_at=_read_time(reply.get("endtime")) if status is not PaidStatus.PENDING else None,
        payer=bound_text(reply.get("buyer"), limit=64),
        raw_digest=digest_reply(body),
    )


def parse_refund(
    config: Config, body: bytes, *, request: RefundRequest, now: dt.datetime
) -> RefundOutcome:
    """Read a refund's answer or query; UNKNOWN where the platform has not done it yet."""
    reply = read_reply(config, body, now=now)
    try:
        is_same = parse_fen_yuan(reply.get("money", "")) == request.amount
    except ValueError:
        raise ProviderUncertain("bad_reply") from None
    if reply.get("out_refund_no") != request.refund_no or not is_same:
        raise ProviderUncertain("other_refund")
    external_no = bound_text(reply.get("refund_no"), limit=64)
    # 0 says "failed", and the same number asked again is tried again.
    if reply.get("status", "1") != "1":
        return RefundOutcome(
            status=RefundStatus.UNKNOWN, external_no=external_no, reason="refund_not_done"
        )
    return RefundOutcome(status=RefundStatus.DONE, external_no=external_no)


def parse_refund_query(
    config: Config, body: bytes, *, request: RefundRequest, now: dt.datetime
) -> RefundOutcome:
    """Read the query of a refund; one that the platform does not know is UNKNOWN."""
    try:
        return parse_refund(config, body, request=request, now=now)
    except ProviderRefused as refusal:
        if "退款" in refusal.message and "不存在" in refusal.message:
            return RefundOutcome(status=RefundStatus.UNKNOWN, reason="refund_not_seen")
        raise


def parse_merchant(config: Config, body: bytes, *, now: dt.datetime) -> None:
    """Read the merchant query; raise ProviderRefused if it is not our account or not active."""
    reply = read_reply(config, body, now=now)
    if reply.get("pid") != config.pid:
        raise ProviderRefused("wrong_merchant")
    if reply.get("status", "1") != "1" or reply.get("pay_status", "1") == "0":
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
