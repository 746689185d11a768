"""The bytes of Alipay's gateway, without a network: sign, build, verify, read.

Requests are signed with RSA2 (SHA256 with RSA, PKCS#1 v1.5) over the sorted `k=v`; a reply is
signed over the exact source text of its `<method>_response` member; a callback over its sorted
fields without `sign` and `sign_type`. Promises that no reply is believed before its signature.
In certificate mode a reply names the certificate that it was signed with.
"""

import base64
import binascii
import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

from kameng.core.http import HttpRequest
from kameng.payments.providers.alipay import certificates, trusting
from kameng.payments.providers.alipay.config import Config, load_private_key, load_public_key
from kameng.payments.providers.decoding import (
    bound_text,
    clean_subject,
    digest_callback,
    digest_reply,
    is_number,
    read_callback_fields,
    read_json_spans,
    require_amount,
    require_number,
    require_text,
)
from kameng.payments.providers.port import (
    CallbackRejected,
    CallbackRequest,
    Confirmation,
    PaidStatus,
    PayRequest,
    ProviderRefused,
    ProviderUncertain,
    RefundOutcome,
    RefundRequest,
    RefundStatus,
)
from kameng.pricing.money import FEN, ZERO, format_yuan, parse_fen_yuan

BEIJING: Final = dt.timezone(dt.timedelta(hours=8))
SUBJECT_BYTES: Final = 240
TIME_FORMAT: Final = "%Y-%m-%d %H:%M:%S"

_STATUS = {
    "TRADE_SUCCESS": PaidStatus.PAID,
    "TRADE_FINISHED": PaidStatus.PAID,
    "WAIT_BUYER_PAY": PaidStatus.PENDING,
    "TRADE_CLOSED": PaidStatus.CLOSED,
}
NOT_EXIST: Final = "ACQ.TRADE_NOT_EXIST"
# The gateway stumbled or had too much to do; it may have acted.
_UNSURE = ("ACQ.SYSTEM_ERROR", "SYSTEM_ERROR")
_UNSURE_FAMILIES = ("isp.", "aop.")
NO_BILL: Final = ("isp.bill_not_exist", "isp.bill-not-exist")
BILL_QUERY: Final = "alipay.data.dataservice.bill.downloadurl.query"
CERTIFICATE_DOWNLOAD: Final = "alipay.open.app.alipaycert.download"
MAX_ADDRESS: Final = 2000
UNSIGNED_CODES: Final = ("40001", "40002", "40003", "40006")


class UnknownCertificate(ProviderUncertain):
    """A reply was signed with a certificate that is not at hand; `sn` is its number."""

    def __init__(self, sn: str) -> None:
        super().__init__("unknown_certificate")
        self.sn = sn


def sign_text(text: str, private_key: str) -> str:
    """Return the RSA2 signature of a text in base64."""
    key = load_private_key(private_key)
    return base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), SHA256())).decode()


def has_valid_signature(message: bytes, *, signature: str, public_key: str) -> bool:
    """Verify an RSA2 signature in base64."""
    try:
        load_public_key(public_key).verify(
            base64.b64decode(signature, validate=True), message, padding.PKCS1v15(), SHA256()
        )
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def join_fields(fields: Mapping[str, str]) -> str:
    """Return the text that a request's signature covers."""
    return "&".join(f"{k}={v}" for k, v in sorted(fields.items()) if v and k != "sign")


def build_fields(
    config: Config,
    *,
    method: str,
    content: Mapping[str, Any],
    now: dt.datetime,
    addresses: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the signed fields of one gateway call; `addresses` are notify_url and return_url."""
    fields = {
        "app_id": config.app_id,
        "method": method,
        "format": "JSON",
        "charset": "utf-8",
        "sign_type": "RSA2",
        "timestamp": now.astimezone(BEIJING).strftime(TIME_FORMAT),
        "version": "1.0",
        "biz_content": json.dumps(content, ensure_ascii=False, separators=(",", ":")),
        **_name_certificates(config),
        **{name: address for name, address in (addresses or {}).items() if address},
    }
    return {**fields, "sign": sign_text(join_fields(fields), config.app_private_key)}


def _name_certificates(config: Config) -> dict[str, str]:
    if not config.has_certificates:
        return {}
    return {
        "app_cert_sn": certificates.number_first(config.app_cert),
        "alipay_root_cert_sn": certificates.number_roots(config.alipay_root_cert),
    }


def build_call(
    config: Config, *, method: str, content: Mapping[str, Any], now: dt.datetime
) -> HttpRequest:
    """Return one server-to-server call."""
    return build_post(config, build_fields(config, method=method, content=content, now=now))


def build_post(config: Config, fields: Mapping[str, str]) -> HttpRequest:
    """Return signed fields as a POST to the gateway."""
    return HttpRequest(
        method="POST",
        url=f"{config.gateway_url}?charset=utf-8",
        body=urlencode(fields).encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded;charset=utf-8"},
    )


def describe_payment(config: Config, request: PayRequest) -> dict[str, Any]:
    """Return the business content that every way to open a payment shares.

    What will be split is frozen at the gateway until its split, or its end.
    """
    if request.amount <= 0 or request.amount % FEN:
        raise ProviderRefused("bad_amount")
    extended = {"extend_params": {"royalty_freeze": "true"}} if request.will_split else {}
    return {
        "out_trade_no": request.payment_no,
        "total_amount": format_yuan(request.amount),
        "subject": clean_subject(request.subject, byte_limit=SUBJECT_BYTES),
        "seller_id": config.seller_id,
        "time_expire": request.expires_at.astimezone(BEIJING).strftime(TIME_FORMAT),
        **extended,
    }


def build_precreate(config: Config, request: PayRequest, *, now: dt.datetime) -> HttpRequest:
    """Return the call that gives a QR code."""
    fields = build_fields(
        config,
        method="alipay.trade.precreate",
        content=describe_payment(config, request),
        now=now,
        addresses={"notify_url": request.notify_url},
    )
    return build_post(config, fields)


def build_page_url(config: Config, request: PayRequest, *, now: dt.datetime) -> str:
    """Return the address of Alipay's own pay page: `page` for a desktop, `wap` for a phone.

    A page that was asked for on a phone is the phone's: the desktop's cannot be used there.
    """
    is_phone = request.method == "wap" or request.device != "pc"
    product_code = "QUICK_WAP_WAY" if is_phone else "FAST_INSTANT_TRADE_PAY"
    content = {**describe_payment(config, request), "product_code": product_code}
    if is_phone:
        content["quit_url"] = request.return_url
    fields = build_fields(
        config,
        method="alipay.trade.wap.pay" if is_phone else "alipay.trade.page.pay",
        content=content,
        now=now,
        addresses={"notify_url": request.notify_url, "return_url": request.return_url},
    )
    return f"{config.gateway_url}?{urlencode(fields)}"


def parse_callback(config: Config, callback: CallbackRequest) -> Confirmation:
    """Verify and read a callback; raise CallbackRejected."""
    fields = read_callback_fields(callback)
    if fields.get("sign_type") != b"RSA2":
        raise CallbackRejected("bad_sign_type")
    if fields.get("charset", b"utf-8").lower() != b"utf-8":
        raise CallbackRejected("bad_charset")
    message = b"&".join(
        name.encode() + b"=" + value
        for name, value in sorted(fields.items())
        if value and name not in ("sign", "sign_type")
    )
    signature = require_text(fields, "sign")
    named = fields.get("alipay_cert_sn", b"").decode(errors="replace")
    if not any(
        has_valid_signature(message, signature=signature, public_key=key)
        for key in trusting.list_keys(config, named)
    ):
        raise CallbackRejected("bad_signature")
    if require_text(fields, "app_id") != config.app_id:
        raise CallbackRejected("wrong_merchant")
    if require_text(fields, "seller_id") != config.seller_id:
        raise CallbackRejected("wrong_merchant")
    if fields.get("trans_currency", b"CNY") != b"CNY":
        raise CallbackRejected("wrong_currency")
    return Confirmation(
        payment_no=require_number(fields, "out_trade_no"),
        external_no=require_number(fields, "trade_no"),
        amount=require_amount(fields, "total_amount"),
        status=_STATUS.get(require_text(fields, "trade_status"), PaidStatus.PENDING),
        paid_at=read_time(fields.get("gmt_payment", b"").decode(errors="replace")),
        payer=bound_text(fields.get("buyer_logon_id", b"").decode(errors="replace"), limit=64),
        raw_digest=digest_callback(callback),
    )


def read_reply(config: Config, *, method: str, body: bytes) -> dict[str, Any]:
    """Verify a reply and return its member, whatever its code; raise ProviderUncertain.

    Raise ProviderRefused when the gateway turned the call itself away (wrong app, signature,
    permission): it answers those without a signature. Raise UnknownCertificate where it signed
    with another certificate than the ones at hand.
    """
    answer, source, signature, named = split_reply(method, body)
    code, sub_code = str(answer.get("code")), str(answer.get("sub_code", ""))
    if not signature and code in UNSIGNED_CODES:
        raise refuse(answer)
    keys = trusting.list_keys(config, named)
    if not keys:
        raise UnknownCertificate(named)
    if not any(
        has_valid_signature(source.encode(), signature=signature, public_key=key) for key in keys
    ):
        raise ProviderUncertain("bad_reply_signature")
    is_unsure = sub_code in _UNSURE or (
        sub_code.startswith(_UNSURE_FAMILIES) and sub_code not in NO_BILL
    )
    if code in ("20000", "10003") or is_unsure:
        raise ProviderUncertain("gateway_busy")
    return answer


def split_reply(method: str, body: bytes) -> tuple[dict[str, Any], str, str, str]:
    """Return a reply's member, its source text, its signature and the certificate it names.

    Nothing is verified. Raise ProviderUncertain when it is no reply.
    """
    try:
        members = read_json_spans(body.decode("utf-8"))
    except ValueError:
        raise ProviderUncertain("bad_reply") from None
    name = method.replace(".", "_") + "_response"
    answer, source = members.get(name) or members.get("error_response") or (None, "")
    signature = members.get("sign", ("", ""))[0]
    named = members.get("alipay_cert_sn", ("", ""))[0]
    texts = isinstance(signature, str) and isinstance(named, str)
    if not isinstance(answer, dict) or not texts:
        raise ProviderUncertain("bad_reply")
    return answer, source, signature, named


def read_success(config: Config, *, method: str, body: bytes) -> dict[str, Any]:
    """Return the member of a reply with code 10000; raise ProviderRefused or ProviderUncertain."""
    answer = read_reply(config, method=method, body=body)
    if answer.get("code") != "10000":
        raise refuse(answer)
    return answer


def refuse(answer: Mapping[str, Any]) -> ProviderRefused:
    """Return a refusal in the gateway's own words, bounded."""
    code = bound_text(answer.get("sub_code") or answer.get("code"), limit=64)
    return ProviderRefused(code, bound_text(answer.get("sub_msg") or answer.get("msg")))


def parse_precreate(config: Config, payment_no: str, body: bytes) -> str:
    """Return the text of the QR code."""
    answer = read_success(config, method="alipay.trade.precreate", body=body)
    qr_text = answer.get("qr_code")
    if answer.get("out_trade_no") != payment_no or not isinstance(qr_text, str) or not qr_text:
        raise ProviderUncertain("bad_reply")
    return qr_text[:2000]


def parse_query(config: Config, payment_no: str, body: bytes) -> Confirmation:
    """Read a query; a payment that the buyer has not opened yet is NOT_FOUND."""
    answer = read_reply(config, method="alipay.trade.query", body=body)
    found = answer.get("code") == "10000"
    if not found and answer.get("sub_code") != NOT_EXIST:
        raise refuse(answer)
    if found and answer.get("out_trade_no") != payment_no:
        raise ProviderUncertain("other_payment")
    status = _STATUS.get(str(answer.get("trade_status"))) if found else PaidStatus.NOT_FOUND
    external_no = str(answer.get("trade_no", "")) if found else ""
    if status is None or (external_no and not is_number(external_no)):
        raise ProviderUncertain("bad_reply")
    try:
        amount = parse_fen_yuan(str(answer.get("total_amount"))) if found else ZERO
    except ValueError:
        raise ProviderUncertain("bad_reply") from None
    return Confirmation(
        payment_no=payment_no,
        external_no=external_no,
        amount=amount,
        status=status,
        paid_at=read_time(answer.get("send_pay_date")) if status is PaidStatus.PAID else None,
        payer=bound_text(answer.get("buyer_logon_id"), limit=64),
        raw_digest=digest_reply(body),
    )


def parse_close(config: Config, body: bytes) -> PaidStatus | None:
    """Read a close: CLOSED, NOT_FOUND, or None when the state forbids it (ask by query)."""
    answer = read_reply(config, method="alipay.trade.close", body=body)
    if answer.get("code") == "10000":
        return PaidStatus.CLOSED
    if answer.get("sub_code") == NOT_EXIST:
        return PaidStatus.NOT_FOUND
    if answer.get("sub_code") in ("ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID"):
        return None
    raise refuse(answer)


def parse_refund(config: Config, body: bytes) -> RefundOutcome:
    """Read a refund: DONE only if money moved now; UNKNOWN asks for the refund query."""
    answer = read_reply(config, method="alipay.trade.refund", body=body)
    if answer.get("code") != "10000":
        return RefundOutcome(status=RefundStatus.REFUSED, reason=str(refuse(answer)))
    external_no = bound_text(answer.get("trade_no"), limit=64)
    if answer.get("fund_change") == "Y":
        return RefundOutcome(status=RefundStatus.DONE, external_no=external_no)
    return RefundOutcome(
        status=RefundStatus.UNKNOWN, external_no=external_no, reason="no_fund_change"
    )


def parse_refund_query(config: Config, request: RefundRequest, body: bytes) -> RefundOutcome:
    """Read a refund query; code 10000 means that the query worked, not that money went back."""
    answer = read_reply(config, method="alipay.trade.fastpay.refund.query", body=body)
    if answer.get("code") != "10000":
        if answer.get("sub_code") in (NOT_EXIST, "TRADE_NOT_EXIST"):
            return RefundOutcome(status=RefundStatus.UNKNOWN, reason="refund_not_seen")
        raise refuse(answer)
    if "refund_amount" not in answer and "refund_status" not in answer:
        return RefundOutcome(status=RefundStatus.UNKNOWN, reason="refund_not_seen")
    try:
        is_same = parse_fen_yuan(str(answer.get("refund_amount"))) == request.amount
    except ValueError:
        raise ProviderUncertain("bad_reply") from None
    if answer.get("out_request_no") != request.refund_no or not is_same:
        raise ProviderUncertain("other_refund")
    external_no = bound_text(answer.get("trade_no"), limit=64)
    # Absent for old trades; the documents then call the presence of the amount a success.
    if answer.get("refund_status", "REFUND_SUCCESS") == "REFUND_SUCCESS":
        return RefundOutcome(status=RefundStatus.DONE, external_no=external_no)
    return RefundOutcome(status=RefundStatus.PROCESSING, external_no=external_no)


def read_time(text: object) -> dt.datetime | None:
    """Return a time that the gateway gave in Beijing's; None if it is none."""
    try:
        local = dt.datetime.strptime(str(text)[:19], TIME_FORMAT).replace(tzinfo=BEIJING)
    except ValueError:
        return None
    return local.astimezone(dt.UTC)


def parse_bill_address(config: Config, body: bytes) -> str:
    """Return where a bill is fetched; empty when there is none of that day."""
    answer = read_reply(config, method=BILL_QUERY, body=body)
    if answer.get("code") != "10000":
        if answer.get("sub_code") in NO_BILL:
            return ""
        raise refuse(answer)
    address = answer.get("bill_download_url")
    if not isinstance(address, str) or not 0 < len(address) <= MAX_ADDRESS:
        raise ProviderUncertain("bad_reply")
    return address


def learn_certificate(config: Config, sn: str, body: bytes, *, moment: dt.datetime) -> None:
    """Keep the key of the certificate that a download's reply holds; raise UnknownCertificate.

    The reply is signed with a key that is at hand, or with the very one it brings: what makes the
    certificate believed is its chain and owner, not that signature.
    """
    answer, source, signature, named = split_reply(CERTIFICATE_DOWNLOAD, body)
    if answer.get("code") != "10000":
        raise UnknownCertificate(sn)
    try:
        key = trusting.read_certificate(
            config, sn, str(answer.get("alipay_cert_content", "")), moment=moment
        )
    except (ValueError, TypeError):
        raise UnknownCertificate(sn) from None
    keys = [key] if named == sn else trusting.list_keys(config, named)
    if not any(
        has_valid_signature(source.encode(), signature=signature, public_key=each) for each in keys
    ):
        raise UnknownCertificate(sn)
    trusting.keep_key(config, sn, key)
