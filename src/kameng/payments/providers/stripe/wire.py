"""Stripe's bytes, without a network: requests, replies, sessions, refunds.

Requests are forms with a bearer key; every write carries an Idempotency-Key of our own number, so
a repeat gets the first answer. What a payment was asked for travels in its metadata, which only who
holds the key can write. Numbers in replies stay text until they are known to be whole.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from kameng.core.http import HttpReply, HttpRequest
from kameng.payments.providers.decoding import (
    bound_text,
    clean_subject,
    is_number,
    read_json_object,
)
from kameng.payments.providers.port import (
    Confirmation,
    PaidStatus,
    PayRequest,
    ProviderRefused,
    ProviderUncertain,
    RefundOutcome,
    RefundRequest,
    RefundStatus,
)
from kameng.payments.providers.stripe.config import Config
from kameng.payments.providers.stripe.rates import (
    Price,
    is_consistent,
    make_price,
    refund_minor,
    to_amount,
)
from kameng.pricing.money import FEN, MAX_AMOUNT, ZERO, Amount

API_VERSION: Final = "2024-06-20"
# Stripe lets a session live half an hour at least; a late payment within it is ours to handle.
SESSION_GRACE: Final = dt.timedelta(minutes=31)
PAGE: Final = 50  # a session takes some 3 KB, a reply may take 256
IDEMPOTENCY: Final = "idempotency_error"
_SUBJECT_BYTES: Final = 240
_MAX_DIGITS: Final = 15

_REFUND_STATUS = {
    "succeeded": RefundStatus.DONE,
    "pending": RefundStatus.PROCESSING,
    "requires_action": RefundStatus.PROCESSING,
    "failed": RefundStatus.REFUSED,
    "canceled": RefundStatus.REFUSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A Checkout Session: what was asked, what came, and for which of our payments."""

    id: str
    url: str
    payment_no: str
    external_no: str
    status: str
    payment_status: str
    minor: int
    price: Price
    payer: str

    @property
    def amount(self) -> Amount:
        """What the buyer pays or paid, in yuan."""
        return to_amount(self.minor, self.price)


# --- requests ----------------------------------------------------------------------------------


def build_get(config: Config, path: str, query: Mapping[str, str] | None = None) -> HttpRequest:
    """Return a question."""
    address = f"{config.gateway_url}v1/{path}"
    if query:
        address += f"?{urlencode(query)}"
    return HttpRequest(method="GET", url=address, headers=_headers(config))


def build_post(config: Config, path: str, form: Mapping[str, str], *, key: str) -> HttpRequest:
    """Return a write under an idempotency key."""
    return HttpRequest(
        method="POST",
        url=f"{config.gateway_url}v1/{path}",
        body=urlencode(form).encode(),
        headers={
            **_headers(config),
            "Content-Type": "application/x-www-form-urlencoded",
            "Idempotency-Key": key,
        },
    )


def _headers(config: Config) -> dict[str, str]:
    return {"Authorization": f"Bearer {config.secret_key}", "Stripe-Version": API_VERSION}


def build_session(config: Config, request: PayRequest) -> HttpRequest:
    """Return the call that opens a Checkout Session; the same payment gives the same one."""
    if request.amount <= 0 or request.amount % FEN:
        raise ProviderRefused("bad_amount")
    price = make_price(request.amount, currency=config.currency, rate=config.rate)
    subject = clean_subject(request.subject, byte_limit=_SUBJECT_BYTES)
    form = {
        "mode": "payment",
        "client_reference_id": request.payment_no,
        "payment_method_types[0]": request.method,
        "line_items[0][quantity]": "1",
        "line_items[0][price_data][currency]": price.currency,
        "line_items[0][price_data][unit_amount]": str(price.minor),
        "line_items[0][price_data][product_data][name]": subject,
        "success_url": request.return_url,
        "cancel_url": request.return_url,
        "expires_at": str(int((request.expires_at + SESSION_GRACE).timestamp())),
        "payment_intent_data[transfer_group]": request.payment_no,
        "payment_intent_data[description]": subject,
        "locale": "auto",
    }
    for name, value in describe_price(request.payment_no, price).items():
        form[f"metadata[{name}]"] = value
        form[f"payment_intent_data[metadata][{name}]"] = value
    if request.method == "wechat_pay":
        form["payment_method_options[wechat_pay][client]"] = "web"
    return build_post(config, "checkout/sessions", form, key=f"kameng-pay-{request.payment_no}")


def describe_price(payment_no: str, price: Price) -> dict[str, str]:
    """Return what travels with a payment in its metadata."""
    return {
        "payment_no": payment_no,
        "amount": str(price.amount),
        "minor": str(price.minor),
        "currency": price.currency,
        "rate": str(price.rate),
    }


def build_expiry(config: Config, session_id: str) -> HttpRequest:
    """Return the call that ends an open session."""
    path = f"checkout/sessions/{quote(session_id, safe='')}/expire"
    return build_post(config, path, {}, key=f"kameng-expire-{session_id}")


def build_refund(
    config: Config, request: RefundRequest, *, external_no: str, minor: int
) -> HttpRequest:
    """Return the call that gives back a number of smallest units."""
    form = {
        "payment_intent": external_no,
        "amount": str(minor),
        "reason": "requested_by_customer",
        "metadata[refund_no]": request.refund_no,
        "metadata[payment_no]": request.payment_no,
        "metadata[amount]": str(request.amount),
        "metadata[minor]": str(minor),
    }
    return build_post(config, "refunds", form, key=f"kameng-refund-{request.refund_no}")


# --- replies -----------------------------------------------------------------------------------


def read_reply(reply: HttpReply) -> dict[str, Any]:
    """Return a reply's object; raise ProviderRefused for a clear no, else ProviderUncertain."""
    try:
        answer = read_json_object(reply.body)
    except ValueError:
        raise ProviderUncertain("bad_reply") from None
    if reply.status == 200:
        return answer
    error = answer.get("error")
    if reply.status not in (400, 401, 402, 403, 404) or not isinstance(error, dict):
        raise ProviderUncertain("gateway_busy")
    kind = str(error.get("type", ""))
    code = IDEMPOTENCY if kind == IDEMPOTENCY else str(error.get("code") or kind or reply.status)
    raise ProviderRefused(bound_text(code, limit=64), bound_text(error.get("message")))


def read_list(answer: Mapping[str, Any]) -> tuple[list[dict[str, Any]], bool]:
    """Return the objects of a page, and whether there are more; raise ProviderUncertain."""
    rows = answer.get("data")
    if answer.get("object") != "list" or not isinstance(rows, list):
        raise ProviderUncertain("bad_reply")
    if not all(isinstance(row, dict) and isinstance(row.get("id"), str) for row in rows):
        raise ProviderUncertain("bad_reply")
    return rows, answer.get("has_more") is True


def read_session(config: Config, data: Mapping[str, Any]) -> Session | None:
    """Read a session; None if it is none of ours; raise ValueError if it contradicts itself."""
    if data.get("object") != "checkout.session" or data.get("livemode") is not config.is_live:
        raise ValueError("wrong_merchant")
    payment_no = data.get("client_reference_id")
    metadata = data.get("metadata")
    if not isinstance(payment_no, str) or not isinstance(metadata, dict):
        return None
    if not is_number(payment_no) or metadata.get("payment_no") != payment_no:
        return None
    price = read_price(metadata)
    if data.get("currency") != price.currency:
        raise ValueError("wrong_currency")
    external_no = data.get("payment_intent") or ""
    if not isinstance(external_no, str) or (external_no and not is_number(external_no)):
        raise ValueError("bad_payment_intent")
    return Session(
        id=str(data.get("id", "")),
        url=str(data.get("url") or ""),
        payment_no=payment_no,
        external_no=external_no,
        status=str(data.get("status", "")),
        payment_status=str(data.get("payment_status", "")),
        minor=read_whole(data.get("amount_total")),
        price=price,
        payer=_mask(data.get("customer_details")),
    )


def read_price(metadata: Mapping[str, Any]) -> Price:
    """Return what a payment was asked for; raise ValueError if we cannot have asked that."""
    price = Price(
        amount=Amount(read_whole(metadata.get("amount"))),
        minor=read_whole(metadata.get("minor")),
        currency=str(metadata.get("currency", "")),
        rate=read_whole(metadata.get("rate")),
    )
    if not is_consistent(price):
        raise ValueError("bad_amount")
    return price


def read_whole(value: object) -> int:
    """Return a positive whole number of a reply; raise ValueError."""
    is_plain = isinstance(value, str) and value.isascii() and value.isdigit()
    if not is_plain or len(str(value)) > _MAX_DIGITS or not 0 < int(str(value)) <= MAX_AMOUNT:
        raise ValueError("bad_amount")
    return int(str(value))


def _mask(details: object) -> str:
    """Return a payer's address as the books may keep it: the name shortened."""
    email = details.get("email") if isinstance(details, dict) else None
    if not isinstance(email, str) or "@" not in email:
        return ""
    name, _, host = email.rpartition("@")
    return bound_text(f"{name[:3]}***@{host}", limit=64)


def status_of(session: Session) -> PaidStatus:
    """Return what a session's words mean; a complete one that is unpaid is on its way."""
    if session.payment_status == "paid":
        return PaidStatus.PAID
    return PaidStatus.CLOSED if session.status == "expired" else PaidStatus.PENDING


def confirm(
    session: Session, *, status: PaidStatus, moment: dt.datetime | None, digest: str
) -> Confirmation:
    """Return what a session says of our payment."""
    return Confirmation(
        payment_no=session.payment_no,
        external_no=session.external_no,
        amount=session.amount,
        status=status,
        paid_at=moment if status is PaidStatus.PAID else None,
        payer=session.payer,
        raw_digest=digest,
    )


def find_nothing(payment_no: str) -> Confirmation:
    """Return that Stripe knows nothing of a payment."""
    return Confirmation(
        payment_no=payment_no,
        external_no="",
        amount=ZERO,
        status=PaidStatus.NOT_FOUND,
        paid_at=None,
        payer="",
        raw_digest=hashlib.sha256(b"").hexdigest(),
    )


def read_moment(value: object) -> dt.datetime | None:
    """Return a time given in seconds; None if it is none."""
    try:
        return dt.datetime.fromtimestamp(read_whole(value), tz=dt.UTC)
    except (ValueError, OverflowError, OSError):
        return None


# --- refunds -----------------------------------------------------------------------------------


def read_refund(data: Mapping[str, Any]) -> RefundOutcome:
    """Return what a refund's status means; raise ProviderUncertain for a word unknown to us."""
    status = _REFUND_STATUS.get(str(data.get("status")))
    if status is None:
        raise ProviderUncertain("bad_reply")
    reason = ""
    if status is RefundStatus.REFUSED:
        reason = bound_text(data.get("failure_reason") or data.get("status"))
    return RefundOutcome(
        status=status, external_no=bound_text(data.get("id"), limit=64), reason=reason
    )


def find_refund(refunds: list[dict[str, Any]], request: RefundRequest) -> RefundOutcome | None:
    """Return what became of our refund among those of its payment; raise ProviderUncertain."""
    for each in refunds:
        metadata = each.get("metadata")
        if not isinstance(metadata, dict) or metadata.get("refund_no") != request.refund_no:
            continue
        if metadata.get("amount") != str(request.amount) or metadata.get("minor") != each.get(
            "amount"
        ):
            raise ProviderUncertain("other_refund")
        return read_refund(each)
    return None


def price_refund(refunds: list[dict[str, Any]], request: RefundRequest, session: Session) -> int:
    """Return the smallest units of a refund, beside what was given back before."""
    before = 0
    for each in refunds:
        if str(each.get("status")) in ("failed", "canceled"):
            continue
        metadata = each.get("metadata")
        try:
            before += read_whole(metadata.get("amount") if isinstance(metadata, dict) else None)
        except ValueError:
            # Given back by hand at Stripe: we do not know for how many yuan.
            raise ProviderUncertain("foreign_refund") from None
    return refund_minor(
        request.amount, before=before, paid_amount=session.amount, paid_minor=session.minor
    )
