"""Disputes at Stripe: files that are uploaded, evidence that is handed in once, and the events.

A payment has one dispute at most; what it holds is kept with the payment.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP

from kameng_simulator import signing
from kameng_simulator.moves import DAY_SECONDS
from kameng_simulator.store import Payment, Store
from kameng_simulator.stripe_objects import Object, Refused, nest, read_extra
from kameng_simulator.web import Request

DISPUTES = ("needs_response", "under_review", "won", "lost")
FILE_BYTES = 4_500_000
TEXT_FIELDS = ("product_description", "service_date", "access_activity_log", "uncategorized_text")
FILE_FIELDS = ("service_documentation", "uncategorized_file", "receipt")
TEXT_CHARS, ALL_CHARS = 20_000, 150_000
STARTS = (b"%PDF-", b"\x89PNG", b"\xff\xd8\xff")
Tell = Callable[..., None]


def dispute_id(payment: Payment) -> str:
    """Return the number of a payment's dispute."""
    return "du_" + payment.trade_no.removeprefix("pi_")


class Disputes:
    """The disputes of one account; `tell` sends an event about a payment."""

    def __init__(self, store: Store, tell: Tell) -> None:
        self._store = store
        self._tell = tell

    def move(self, payment: Payment, *, status: str, amount_fen: int) -> None:
        """Open or move the dispute of a payment and send the event."""
        if status not in DISPUTES:
            raise ValueError("、".join(DISPUTES))
        extra = read_extra(payment)
        kept = extra.get("dispute") or {
            "due_by": int(time.time()) + 7 * DAY_SECONDS,
            "evidence": {},
            "metadata": {},
            "submissions": 0,
        }
        kept = {**kept, "status": status, "amount": amount_fen}
        self._keep(payment, kept)
        kind = {"needs_response": "created", "under_review": "updated"}.get(status, "closed")
        self._tell(payment, f"charge.dispute.{kind}", self._show(payment, kept), subject="dispute")

    def read(self, number: str) -> Object:
        """Return one dispute."""
        payment, kept = self._find(number)
        return self._show(payment, kept)

    def update(self, number: str, form: Mapping[str, str]) -> Object:
        """Take evidence; with `submit` it goes to the bank, once."""
        payment, kept = self._find(number)
        if kept["status"] != "needs_response" or kept["submissions"]:
            raise Refused("This dispute is already closed, or evidence was already submitted.")
        given = nest(form, "evidence")
        evidence = {**kept["evidence"], **self._check(given)}
        metadata = {**kept["metadata"], **nest(form, "metadata")}
        kept = {**kept, "evidence": evidence, "metadata": metadata}
        is_submitted = form.get("submit", "true") == "true"
        if is_submitted:
            kept = {**kept, "submissions": 1, "status": "under_review"}
        self._keep(payment, kept)
        shown = self._show(payment, kept)
        if is_submitted:
            self._tell(payment, "charge.dispute.updated", shown, subject="dispute")
        return shown

    def upload(self, request: Request) -> Object:
        """Keep a file for evidence: what it is, not what is in it."""
        purpose, data = _read_upload(request)
        if purpose != "dispute_evidence":
            raise Refused("Invalid purpose.", code="parameter_invalid")
        if not data.startswith(STARTS) or len(data) > FILE_BYTES:
            raise Refused("The file must be a PDF, JPEG or PNG of at most 4.5 MB.")
        number = f"file_{signing.make_digits(24)}"
        shown = {
            "id": number,
            "object": "file",
            "purpose": purpose,
            "size": len(data),
            "type": "pdf",
            "filename": hashlib.sha256(data).hexdigest()[:16],
        }
        self._store.overwrite(f"stripe_{number}", json.dumps(shown))
        return shown

    def _check(self, given: Mapping[str, str]) -> dict[str, str]:
        for name, value in given.items():
            if name not in TEXT_FIELDS + FILE_FIELDS:
                raise Refused(f"Received unknown parameter: evidence[{name}]")
            if name in FILE_FIELDS and self._store.remember(f"stripe_{value}", lambda: "") == "":
                raise Refused(f"No such file upload: '{value}'", code="resource_missing")
            if name in TEXT_FIELDS and len(value) > TEXT_CHARS:
                raise Refused(f"evidence[{name}] is longer than {TEXT_CHARS} characters.")
        if sum(len(value) for value in given.values()) > ALL_CHARS:
            raise Refused(f"The evidence is longer than {ALL_CHARS} characters.")
        return dict(given)

    def _find(self, number: str) -> tuple[Payment, Object]:
        payment = self._store.find_trade("pi_" + number.removeprefix("du_"))
        kept = read_extra(payment).get("dispute") if payment is not None else None
        if payment is None or not kept or dispute_id(payment) != number:
            raise Refused(f"No such dispute: '{number}'", code="resource_missing", status=404)
        return payment, kept

    def _keep(self, payment: Payment, kept: Object) -> None:
        fresh = self._store.find_trade(payment.trade_no) or payment
        self._store.change_extra(payment.id, {**read_extra(fresh), "dispute": kept})

    def _show(self, payment: Payment, kept: Object) -> Object:
        return {
            "id": dispute_id(payment),
            "object": "dispute",
            "amount": kept["amount"],
            "charge": "ch_" + payment.trade_no.removeprefix("pi_"),
            "currency": read_extra(payment).get("currency", "cny"),
            "evidence": kept["evidence"],
            "evidence_details": {
                "due_by": kept["due_by"],
                "has_evidence": bool(kept["evidence"]),
                "past_due": kept["due_by"] < time.time(),
                "submission_count": kept["submissions"],
            },
            "livemode": False,
            "metadata": kept["metadata"],
            "payment_intent": payment.trade_no,
            "reason": "fraudulent",
            "status": kept["status"],
        }


def _read_upload(request: Request) -> tuple[str, bytes]:
    """Return the purpose and the file of a multipart form."""
    kind = request.headers.get("content-type", "")
    if not re.fullmatch(r"multipart/form-data; boundary=[A-Za-z0-9_-]{1,70}", kind):
        raise Refused("Request must be multipart/form-data.")
    head = f"Content-Type: {kind}\r\nMIME-Version: 1.0\r\n\r\n".encode()
    message = BytesParser(EmailMessage, policy=HTTP).parsebytes(head + request.body)
    parts = {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
        for part in message.iter_parts()
    }
    purpose, data = parts.get("purpose"), parts.get("file")
    if not isinstance(purpose, bytes) or not isinstance(data, bytes):
        raise Refused("Missing required param: file.")
    return purpose.decode(), data
