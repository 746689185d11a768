"""The bytes of UnionPay's gateway, without a network: sign, build, verify, read.

Sign rule of ACP 5.1.0: sort the fields by name, join raw `k=v` by `&`, take the SHA-256 in lower
hex, sign that text with RSA-SHA256. Who verifies finds the signer's certificate in the message and
believes it by its chain alone. Promises that no reply is believed before its signature, and that
what UnionPay leaves open (03, 04, 05 …) is never told as a failure.
"""

import base64
import binascii
import datetime as dt
import hashlib
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from kameng.core.http import HttpRequest
from kameng.payments.providers.decoding import (
    bound_text,
    clean_subject,
    digest_callback,
    digest_reply,
    is_number,
    read_callback_fields,
    require_number,
    require_text,
)
from kameng.payments.providers.port import (
    CallbackRejected,
    CallbackRequest,
    Confirmation,
    Notice,
    PaidStatus,
    PayRequest,
    ProviderRefused,
    ProviderUncertain,
    RefundNotice,
    RefundOutcome,
    RefundRequest,
    RefundStatus,
)
from kameng.payments.providers.unionpay.certificates import read_signer
from kameng.payments.providers.unionpay.config import Config
from kameng.pricing.money import FEN, ZERO, Amount, from_fen, to_fen

BEIJING: Final = dt.timezone(dt.timedelta(hours=8))
TIME_FORMAT: Final = "%Y%m%d%H%M%S"
SUBJECT_BYTES: Final = 120
NO_NOTICE_URL: Final = "http://www.specialUrl.com"  # the documents' word for "send none"

PAY, REFUND, CANCEL, QUERY, FILE = "01", "04", "31", "00", "76"
DONE_CODES: Final = frozenset({"00", "A6"})  # A6: done with a defect, the money has moved
OPEN_CODES: Final = frozenset({"03", "04", "05"})
_BUSY_CODES: Final = OPEN_CODES | {"02", "06", "37", "99"}
_TURNED_AWAY: Final = frozenset({"10", "11", "13", "31", "32"})  # these answers carry no signature
_NOT_FOUND: Final = "34"
_REPEATED: Final = "12"
_ORDER_NO = re.compile(r"[A-Za-z0-9]{8,32}")
_FEN = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)


def join_fields(fields: Mapping[str, bytes]) -> bytes:
    """Return what a signature covers."""
    named = ((name.encode(), value) for name, value in sorted(fields.items()))
    return b"&".join(name + b"=" + value for name, value in named if name != b"signature")


def sign_fields(fields: Mapping[str, str], key: rsa.RSAPrivateKey) -> dict[str, str]:
    """Return the fields that say something, with their signature."""
    kept = {name: value for name, value in fields.items() if value}
    text = join_fields({name: value.encode() for name, value in kept.items()})
    digest = hashlib.sha256(text).hexdigest().encode()
    signature = base64.b64encode(key.sign(digest, padding.PKCS1v15(), SHA256())).decode()
    return {**kept, "signature": signature}


def has_valid_signature(message: bytes, *, signature: str, public_key: rsa.RSAPublicKey) -> bool:
    """Verify a signature in base64 over the message's digest."""
    digest = hashlib.sha256(message).hexdigest().encode()
    try:
        public_key.verify(
            base64.b64decode(signature, validate=True), digest, padding.PKCS1v15(), SHA256()
        )
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _find_fault(config: Config, fields: Mapping[str, bytes], *, now: dt.datetime) -> str:
    """Return why a message proves nothing, or an empty text."""
    if fields.get("signMethod") != b"01" or fields.get("version") != b"5.1.0":
        return "bad_sign_type"
    if fields.get("encoding", b"").lower() not in (b"utf-8", b"utf8"):
        return "bad_charset"
    public_key = read_signer(
        fields.get("signPubKeyCert", b"").decode(errors="replace"),
        roots=config.root_cert,
        middles=config.middle_cert,
        owners=config.owners,
        now=now,
    )
    if public_key is None:
        return "bad_certificate"
    signature = fields.get("signature", b"").decode(errors="replace")
    if not has_valid_signature(join_fields(fields), signature=signature, public_key=public_key):
        return "bad_signature"
    return ""


def print_time(moment: dt.datetime) -> str:
    """Return a moment as UnionPay writes it: Beijing time, to the second."""
    return moment.astimezone(BEIJING).strftime(TIME_FORMAT)


def build_fields(config: Config, kind: str, **more: str) -> dict[str, str]:
    """Return the signed fields of one message of a kind (txnType)."""
    fields = {
        "version": "5.1.0",
        "encoding": "UTF-8",
        "signMethod": "01",
        "txnType": kind,
        "txnSubType": "00",
        "bizType": "000000",
        "accessType": "0",
        "channelType": "07",
        "merId": config.mer_id,
        "certId": config.merchant.cert_id,
    }
    return sign_fields({**fields, **more}, config.merchant.key)


def build_payment(config: Config, request: PayRequest) -> dict[str, str]:
    """Return the signed form with which the buyer's browser opens the front page."""
    if request.amount <= 0 or request.amount % FEN:
        raise ProviderRefused("bad_amount")
    if request.opened_at is None:
        raise ProviderRefused("time_unknown")
    if not _ORDER_NO.fullmatch(request.payment_no):
        raise ProviderRefused("bad_number")
    subject = clean_subject(request.subject, byte_limit=SUBJECT_BYTES).translate(_BRACES)
    return build_fields(
        config,
        PAY,
        txnSubType="01",
        bizType="000201",
        channelType="07" if request.device == "pc" else "08",
        orderId=request.payment_no,
        txnTime=print_time(request.opened_at),
        txnAmt=str(to_fen(request.amount)),
        currencyCode="156",
        frontUrl=request.return_url,
        backUrl=request.notify_url,
        payTimeout=print_time(request.expires_at),
        riskRateInfo=f"{{commodityName={subject}}}",
    )


_BRACES = str.maketrans({"{": "｛", "}": "｝", "[": "［", "]": "］"})


def build_query(
    config: Config, number: str, *, sent_at: dt.datetime, external_no: str = ""
) -> HttpRequest:
    """Return the query of one message of ours: a payment or a refund."""
    fields = build_fields(
        config, QUERY, orderId=number, txnTime=print_time(sent_at), queryId=external_no
    )
    return _post(f"{config.gateway_url}gateway/api/queryTrans.do", fields)


def build_refund(
    config: Config, request: RefundRequest, *, external_no: str, sent_at: dt.datetime
) -> HttpRequest:
    """Return the refund of a payment that UnionPay knows as `external_no`; or its cancel."""
    if not _ORDER_NO.fullmatch(request.refund_no):
        raise ProviderRefused("bad_number")
    fields = build_fields(
        config,
        CANCEL if is_cancel(config, request) else REFUND,
        bizType="000201",
        orderId=request.refund_no,
        txnTime=print_time(sent_at),
        txnAmt=str(to_fen(request.amount)),
        currencyCode="156",
        origQryId=external_no,
        backUrl=request.notify_url or NO_NOTICE_URL,
    )
    return _post(f"{config.gateway_url}gateway/api/backTransReq.do", fields)


def is_cancel(config: Config, request: RefundRequest) -> bool:
    """Say whether a refund goes as a same-day cancel: always the same answer for one refund.

    A settlement day ends at 23:00 in Beijing; later the payment can only be refunded.
    """
    if config.same_day != "cancel" or request.amount != request.total_amount:
        return False
    if request.opened_at is None or request.asked_at is None:
        return False
    return _settle_day(request.opened_at) == _settle_day(request.asked_at)


def _settle_day(moment: dt.datetime) -> dt.date:
    return (moment.astimezone(BEIJING) + dt.timedelta(hours=1)).date()


def build_file_request(config: Config, day: dt.date, *, now: dt.datetime) -> HttpRequest:
    """Return the call for the reconciliation files of a settlement day."""
    fields = build_fields(
        config,
        FILE,
        txnSubType="01",
        channelType="",
        txnTime=print_time(now),
        settleDate=day.strftime("%m%d"),
        fileType="00",
    )
    return _post(config.file_url, fields)


def _post(url: str, fields: Mapping[str, str]) -> HttpRequest:
    headers = {"Content-Type": "application/x-www-form-urlencoded;charset=UTF-8"}
    return HttpRequest(method="POST", url=url, body=urlencode(fields).encode(), headers=headers)


def parse_callback(config: Config, callback: CallbackRequest, *, now: dt.datetime) -> Notice:
    """Verify and read a back notification; raise CallbackRejected."""
    fields = read_callback_fields(callback)
    fault = _find_fault(config, fields, now=now)
    if fault:
        raise CallbackRejected(fault)
    if require_text(fields, "merId") != config.mer_id:
        raise CallbackRejected("wrong_merchant")
    if require_text(fields, "currencyCode") != "156":
        raise CallbackRejected("wrong_currency")
    kind, code = require_text(fields, "txnType"), require_text(fields, "respCode")
    number, external_no = require_number(fields, "orderId"), require_number(fields, "queryId")
    amount = _require_fen(fields)
    digest = digest_callback(callback)
    if kind in (REFUND, CANCEL):
        return RefundNotice(
            refund_no=number,
            external_no=external_no,
            status=_read_refund_code(code),
            amount=amount,
            raw_digest=digest,
        )
    if kind != PAY:
        raise CallbackRejected("unknown_type")
    is_paid = code in DONE_CODES
    texts = {name: value.decode(errors="replace") for name, value in fields.items()}
    return Confirmation(
        payment_no=number,
        external_no=external_no,
        amount=amount,
        status=PaidStatus.PAID if is_paid else PaidStatus.PENDING,
        paid_at=_read_time(texts) if is_paid else None,
        payer=bound_text(texts.get("accNo"), limit=64),
        raw_digest=digest,
    )


def _require_fen(fields: Mapping[str, bytes]) -> Amount:
    text = require_text(fields, "txnAmt")
    if not _FEN.fullmatch(text):
        raise CallbackRejected("bad_amount")
    return from_fen(int(text))


def _read_refund_code(code: str) -> RefundStatus:
    if code in DONE_CODES:
        return RefundStatus.DONE
    return RefundStatus.PROCESSING if code in OPEN_CODES else RefundStatus.REFUSED


def read_reply(config: Config, body: bytes, *, now: dt.datetime) -> dict[str, str]:
    """Verify a reply and return its fields, whatever its code; raise ProviderUncertain.

    Raise ProviderRefused when the call itself was turned away: those answers carry no signature.
    """
    fields = _split_reply(body)
    code = fields.get("respCode", b"").decode(errors="replace")
    if "signature" not in fields and code in _TURNED_AWAY:
        raise _refuse(fields)
    fault = _find_fault(config, fields, now=now)
    if fault:
        raise ProviderUncertain("bad_reply" if not code else f"{fault}_in_reply")
    texts = {name: value.decode(errors="replace") for name, value in fields.items()}
    if texts.get("merId") != config.mer_id:
        raise ProviderUncertain("other_merchant")
    return texts


def _split_reply(body: bytes) -> dict[str, bytes]:
    """Split `k=v&k=v`, raw and not escaped; an `&` inside braces belongs to its value."""
    fields: dict[str, bytes] = {}
    depth, held = 0, b""
    for part in body.strip().split(b"&"):
        held = held + b"&" + part if held else part
        depth += part.count(b"{") - part.count(b"}")
        if depth > 0:
            continue
        name, equals, value = held.partition(b"=")
        if not equals or depth < 0 or not name.isascii() or name.decode() in fields:
            raise ProviderUncertain("bad_reply")
        fields[name.decode()], held = value, b""
    if held or len(fields) < 2:
        raise ProviderUncertain("bad_reply")
    return fields


def _refuse(fields: Mapping[str, bytes]) -> ProviderRefused:
    texts = {name: value.decode(errors="replace") for name, value in fields.items()}
    return refuse(texts["respCode"], texts.get("respMsg", ""))


def refuse(code: str, message: str) -> ProviderRefused:
    """Return UnionPay's no, in its own words."""
    return ProviderRefused(f"unionpay_{bound_text(code, limit=8)}", bound_text(message))


def parse_query(
    config: Config,
    body: bytes,
    *,
    payment_no: str,
    external_no: str = "",
    now: dt.datetime,
) -> Confirmation:
    """Read a payment's query. A buyer whose card was turned down may try again: PENDING."""
    reply = _read_answer(config, body, now=now)
    if reply is None:
        return _confirm(payment_no, body)
    names_other = external_no not in ("", reply.get("queryId"))
    if reply.get("orderId") != payment_no or reply.get("txnType") != PAY or names_other:
        raise ProviderUncertain("other_payment")
    if reply.get("origRespCode") not in DONE_CODES:
        return _confirm(payment_no, body, status=PaidStatus.PENDING)
    if reply.get("currencyCode") != "156":
        raise ProviderUncertain("wrong_currency")
    amount, found_no = reply.get("txnAmt", ""), reply.get("queryId", "")
    if not _FEN.fullmatch(amount) or not is_number(found_no):
        raise ProviderUncertain("bad_reply")
    return Confirmation(
        payment_no=payment_no,
        external_no=found_no,
        amount=from_fen(int(amount)),
        status=PaidStatus.PAID,
        paid_at=_read_time(reply),
        payer=bound_text(reply.get("accNo"), limit=64),
        raw_digest=digest_reply(body),
    )


def _confirm(
    payment_no: str, body: bytes, *, status: PaidStatus = PaidStatus.NOT_FOUND
) -> Confirmation:
    return Confirmation(
        payment_no=payment_no,
        external_no="",
        amount=ZERO,
        status=status,
        paid_at=None,
        payer="",
        raw_digest=digest_reply(body),
    )


def _read_answer(config: Config, body: bytes, *, now: dt.datetime) -> dict[str, str] | None:
    """Return a query's answer; None: UnionPay knows nothing of the number."""
    reply = read_reply(config, body, now=now)
    code = reply.get("respCode", "")
    if code == _NOT_FOUND:
        return None
    if code in _BUSY_CODES:
        raise ProviderUncertain("gateway_busy")
    if code not in DONE_CODES:
        raise refuse(code, reply.get("respMsg", ""))
    return reply


def parse_refund(config: Config, body: bytes, *, now: dt.datetime) -> RefundOutcome | None:
    """Read the answer to a refund; None: it was taken, or had been, and the query says more."""
    reply = read_reply(config, body, now=now)
    code = reply.get("respCode", "")
    if code in DONE_CODES or code in OPEN_CODES or code == _REPEATED:
        return None
    if code in _BUSY_CODES:
        raise ProviderUncertain("gateway_busy")
    reason = str(refuse(code, reply.get("respMsg", "")))
    return RefundOutcome(status=RefundStatus.REFUSED, reason=reason)


def parse_refund_query(
    config: Config, body: bytes, *, request: RefundRequest, now: dt.datetime
) -> RefundOutcome:
    """Read the query of a refund."""
    reply = _read_answer(config, body, now=now)
    if reply is None:
        return RefundOutcome(status=RefundStatus.UNKNOWN, reason="refund_not_seen")
    is_refund = reply.get("txnType") in (REFUND, CANCEL)
    is_same = reply.get("orderId") == request.refund_no
    if not is_refund or not is_same or reply.get("txnAmt") != str(to_fen(request.amount)):
        raise ProviderUncertain("other_refund")
    code = reply.get("origRespCode", "")
    status = _read_refund_code(code)
    reason = str(refuse(code, reply.get("origRespMsg", ""))) if status == "refused" else ""
    external_no = bound_text(reply.get("queryId"), limit=64)
    return RefundOutcome(status=status, external_no=external_no, reason=reason)


def _read_time(fields: Mapping[str, str]) -> dt.datetime | None:
    """Return when the money moved: `traceTime` has no year, the order's own time has."""
    sent, moved = fields.get("txnTime", ""), fields.get("traceTime", "")
    try:
        start = dt.datetime.strptime(sent, TIME_FORMAT).replace(tzinfo=BEIJING)
        text = f"{start.year}{moved or sent[4:]}"
        end = dt.datetime.strptime(text, TIME_FORMAT).replace(tzinfo=BEIJING)
    except ValueError:
        return None
    if end < start - dt.timedelta(days=180):
        end = end.replace(year=end.year + 1)
    return end.astimezone(dt.UTC)
