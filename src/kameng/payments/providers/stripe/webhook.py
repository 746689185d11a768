"""Stripe's webhooks: the signature over the raw bytes, and which events say something of ours.

`Stripe-Signature: t=…,v1=…` is HMAC-SHA256 of "t.body" with the endpoint's secret; several v1 stand
while a secret is being changed. Promises that nothing is read before a signature of the last five
minutes is good, and that an event of the other mode (live, test) is not believed.
"""

import datetime as dt
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any, Final

from kameng.core.clock import now
from kameng.payments.providers.decoding import (
    bound_text,
    digest_callback,
    is_number,
    read_json_object,
)
from kameng.payments.providers.port import (
    CallbackRejected,
    CallbackRequest,
    Confirmation,
    DisputeNotice,
    DisputeStatus,
    Notice,
    OtherNotice,
    PaidStatus,
    ProviderUncertain,
    RefundNotice,
)
from kameng.payments.providers.stripe import wire
from kameng.payments.providers.stripe.config import Config
from kameng.payments.providers.stripe.rates import MINOR_UNITS, convert
from kameng.pricing.money import Amount

HEADER: Final = "stripe-signature"
TOLERANCE: Final = dt.timedelta(minutes=5)
MAX_BYTES: Final = 64 * 1024
MAX_SIGNATURES: Final = 8
SESSION_EVENTS: Final = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
)
REFUND_EVENTS: Final = (
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.refund.updated",
)

_DISPUTE_STATUS = {
    "won": DisputeStatus.WON,
    "warning_closed": DisputeStatus.WON,  # an enquiry that became no dispute
    "prevented": DisputeStatus.WON,
    "lost": DisputeStatus.LOST,
}


def parse(config: Config, callback: CallbackRequest) -> Notice:
    """Verify and read a webhook; raise CallbackRejected."""
    if len(callback.body) > MAX_BYTES:
        raise CallbackRejected("too_large")
    if not callback.body:
        raise CallbackRejected("empty")
    if callback.query:
        raise CallbackRejected("two_sources")
    headers = {name.lower(): value for name, value in callback.headers.items()}
    if not has_valid_signature(
        callback.body, header=headers.get(HEADER, ""), secret=config.webhook_secret, moment=now()
    ):
        raise CallbackRejected("bad_signature")
    try:
        event = read_json_object(callback.body)
    except ValueError:
        raise CallbackRejected("malformed") from None
    if event.get("object") != "event" or event.get("livemode") is not config.is_live:
        raise CallbackRejected("wrong_merchant")
    if event.get("account") not in (None, config.account_id):
        raise CallbackRejected("wrong_merchant")
    data = event.get("data")
    thing = data.get("object") if isinstance(data, dict) else None
    if not isinstance(thing, dict):
        raise CallbackRejected("malformed")
    return _read_event(config, event, thing, digest=digest_callback(callback))


def has_valid_signature(body: bytes, *, header: str, secret: str, moment: dt.datetime) -> bool:
    """Tell whether a header signs a body now; an empty secret signs nothing."""
    if not secret:
        return False
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not 1 <= len(given) <= MAX_SIGNATURES:
        return False
    sent_at = wire.read_moment(times[0])
    if sent_at is None or abs(moment - sent_at) > TOLERANCE:
        return False
    text = times[0].encode() + b"." + body
    expected = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest().encode()
    return any(hmac.compare_digest(expected, each.encode("utf-8", "replace")) for each in given)


def _read_event(
    config: Config, event: Mapping[str, Any], thing: Mapping[str, Any], *, digest: str
) -> Notice:
    kind = str(event.get("type"))
    if kind in SESSION_EVENTS:
        return _read_session(config, event, thing, digest=digest)
    if kind in REFUND_EVENTS:
        return _read_refund(config, thing, digest=digest)
    if kind.startswith("charge.dispute."):
        return _read_dispute(config, thing, digest=digest)
    # Stripe sends what the endpoint is subscribed to, and switches off one that keeps refusing.
    return OtherNotice(kind=bound_text(kind), raw_digest=digest)


def _read_session(
    config: Config, event: Mapping[str, Any], thing: Mapping[str, Any], *, digest: str
) -> Confirmation:
    try:
        session = wire.read_session(config, thing)
    except ValueError as problem:
        raise CallbackRejected(str(problem)) from None
    if session is None:
        raise CallbackRejected("bad_out_trade_no")
    status = wire.status_of(session)
    if event.get("type") == "checkout.session.async_payment_failed":
        status = PaidStatus.CLOSED
    if status is PaidStatus.PAID and not session.external_no:
        raise CallbackRejected("missing_payment_intent")
    moment = wire.read_moment(event.get("created"))
    return wire.confirm(session, status=status, moment=moment, digest=digest)


def _read_refund(config: Config, thing: Mapping[str, Any], *, digest: str) -> RefundNotice:
    metadata = thing.get("metadata")
    if thing.get("object") != "refund" or not isinstance(metadata, dict):
        raise CallbackRejected("unknown_refund")
    refund_no = metadata.get("refund_no")
    if not isinstance(refund_no, str) or not is_number(refund_no):
        raise CallbackRejected("unknown_refund")
    try:
        amount = Amount(wire.read_whole(metadata.get("amount")))
        outcome = wire.read_refund(thing)
    except (ValueError, ProviderUncertain):
        raise CallbackRejected("bad_amount") from None
    if metadata.get("minor") != thing.get("amount"):
        raise CallbackRejected("bad_amount")
    return RefundNotice(
        refund_no=refund_no,
        external_no=outcome.external_no,
        status=outcome.status,
        amount=amount,
        raw_digest=digest,
    )


def _read_dispute(config: Config, thing: Mapping[str, Any], *, digest: str) -> DisputeNotice:
    """Read a dispute; it names no metadata, so its amount is by the rate of today."""
    number, intent = thing.get("id"), thing.get("payment_intent")
    if thing.get("object") != "dispute" or not isinstance(number, str) or not is_number(number):
        raise CallbackRejected("malformed")
    if not isinstance(intent, str) or not is_number(intent):
        raise CallbackRejected("missing_payment_intent")
    currency = str(thing.get("currency"))
    if currency != config.currency or currency not in MINOR_UNITS:
        raise CallbackRejected("wrong_currency")
    try:
        minor = wire.read_whole(thing.get("amount"))
    except ValueError:
        raise CallbackRejected("bad_amount") from None
    details = thing.get("evidence_details")
    due = details.get("due_by") if isinstance(details, dict) else None
    return DisputeNotice(
        dispute_no=number,
        payment_no="",
        external_no=intent,
        status=_DISPUTE_STATUS.get(str(thing.get("status")), DisputeStatus.OPENED),
        amount=convert(minor, currency=currency, rate=config.rate),
        reason=bound_text(thing.get("reason")),
        answer_by=wire.read_moment(due),
        raw_digest=digest,
    )
