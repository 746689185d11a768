"""What Stripe says of things, as JSON objects: sessions, charges, refunds, events, errors."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from kameng_simulator.store import Payment
from kameng_simulator.web import Reply

Object = dict[str, Any]


class Refused(Exception):
    """An answer with an error object."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        kind: str = "invalid_request_error",
        status: int = 400,
    ) -> None:
        super().__init__(message)
        error = {"code": code} if code else {}
        self.reply = reply({"error": {**error, "message": message, "type": kind}}, status=status)


def reply(data: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Return data as Stripe prints it."""
    body = json.dumps(data, ensure_ascii=False, indent=2).encode()
    return Reply(
        status=status, body=body, content_type="application/json", headers=dict(headers or {})
    )


def list_of(path: str, rows: list[Object], query: Mapping[str, str]) -> Object:
    """Return a page of a list, newest first: `limit`, `starting_after`."""
    try:
        limit = int(query.get("limit", "10"))
    except ValueError:
        limit = 0
    if not 1 <= limit <= 100:
        raise Refused("This value must be between 1 and 100 (inclusive).", code="parameter_invalid")
    after = query.get("starting_after")
    if after:
        places = [place for place, row in enumerate(rows) if row["id"] == after]
        if not places:
            raise Refused(f"No such object: '{after}'", code="resource_missing")
        rows = rows[places[0] + 1 :]
    return {
        "object": "list",
        "url": f"/v1/{path}",
        "has_more": len(rows) > limit,
        "data": rows[:limit],
    }


def read_extra(payment: Payment) -> Object:
    """Return what was asked when a payment was opened."""
    extra: Object = json.loads(payment.extra)
    return extra


def session_id(payment: Payment) -> str:
    """Return the id of a payment's session."""
    return "cs_test_" + payment.trade_no.removeprefix("pi_")


def show_session(payment: Payment, *, url: str, is_paid: bool | None = None) -> Object:
    """Return a session; its intent is there once it is paid."""
    paid = payment.state == "paid" if is_paid is None else is_paid
    is_over = payment.state == "closed" or payment.is_expired
    extra = read_extra(payment)
    return {
        "id": session_id(payment),
        "object": "checkout.session",
        "amount_subtotal": payment.shown_fen,
        "amount_total": payment.shown_fen,
        "client_reference_id": payment.out_trade_no,
        "created": int(payment.created_at),
        "currency": extra.get("currency", "cny"),
        "customer_details": {"email": "simulated@example.com"} if paid else None,
        "expires_at": int(payment.expires_at),
        "livemode": False,
        "metadata": extra.get("metadata", {}),
        "mode": "payment",
        "payment_intent": payment.trade_no if paid else None,
        "payment_method_types": [payment.method],
        "payment_status": "paid" if paid else "unpaid",
        "status": "complete" if paid else "expired" if is_over else "open",
        "success_url": payment.return_url,
        "url": None if paid or is_over else url,
    }


def show_charge(payment: Payment) -> Object:
    """Return the charge of a paid payment."""
    extra = read_extra(payment)
    return {
        "id": "ch_" + payment.trade_no.removeprefix("pi_"),
        "object": "charge",
        "amount": payment.paid_fen,
        "amount_captured": payment.paid_fen,
        "amount_refunded": payment.refunded_fen,
        "captured": True,
        "created": int(payment.paid_at or payment.created_at),
        "currency": extra.get("currency", "cny"),
        "livemode": False,
        "metadata": extra.get("intent_metadata", {}),
        "paid": True,
        "payment_intent": payment.trade_no,
        "refunded": payment.refunded_fen == payment.paid_fen,
        "status": "succeeded",
        "transfer_group": extra.get("transfer_group"),
    }


def show_refund(payment: Payment, refund_id: str, kept: Mapping[str, Any]) -> Object:
    """Return a refund."""
    return {
        "id": refund_id,
        "object": "refund",
        "amount": kept["amount"],
        "charge": "ch_" + payment.trade_no.removeprefix("pi_"),
        "created": kept["created"],
        "currency": read_extra(payment).get("currency", "cny"),
        "metadata": kept["metadata"],
        "payment_intent": payment.trade_no,
        "reason": "requested_by_customer",
        "status": "succeeded",
    }


def show_event(kind: str, thing: Object, *, created: float, account: str) -> Object:
    """Return an event; the same facts give the same event."""
    text = json.dumps([kind, thing], sort_keys=True)
    return {
        "id": "evt_" + hashlib.sha256(text.encode()).hexdigest()[:24],
        "object": "event",
        "account": account,
        "api_version": "2024-06-20",
        "created": int(created),
        "data": {"object": thing},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }


def nest(form: Mapping[str, str], name: str) -> dict[str, str]:
    """Return the members of a nested field: `metadata[a]=1` under "metadata" is {"a": "1"}."""
    start = f"{name}["
    return {
        key[len(start) : -1]: value
        for key, value in form.items()
        if key.startswith(start) and key.endswith("]") and "[" not in key[len(start) :]
    }
