"""The Stripe side: a form API with a bearer key, hosted Checkout, webhooks signed at send time.

Sums are in the smallest unit of the payment's currency. One session for each client_reference_id:
that is how this program knows payments. The webhook's address is set as at the real one, once for
the account (`POST /v1/webhook_endpoints`).
"""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping

from kameng_simulator import signing
from kameng_simulator.moves import BEIJING_SECONDS, DAY_SECONDS, BillRow, Moves
from kameng_simulator.peers import Outgoing, Route, Twist
from kameng_simulator.store import Notice, Payment, Store
from kameng_simulator.stripe_disputes import Disputes
from kameng_simulator.stripe_objects import (
    Object,
    Refused,
    list_of,
    nest,
    read_extra,
    reply,
    session_id,
    show_charge,
    show_event,
    show_refund,
    show_session,
)
from kameng_simulator.web import Reply, Request

METHODS = ("card", "alipay", "wechat_pay")
SHORTEST_SECONDS, LONGEST_SECONDS = 30 * 60, 24 * 3600
LISTED = 1000


class Stripe:
    """One account at Stripe, in test mode."""

    kind = "stripe"
    label = "Stripe"
    calendar = (60, 300, 1800, 7200, 18_000, 36_000, 43_200, 43_200, 43_200)  # three days
    fee_bps = 340
    twists = frozenset({Twist.FORGED, Twist.FOREIGN, Twist.STRANGER, Twist.STALE, Twist.REPLAYED})

    def __init__(self, store: Store, moves: Moves) -> None:
        self._store = store
        self._moves = moves
        self._lock = threading.RLock()
        self._disputes = Disputes(store, self._tell)
        self._account = store.remember("stripe_account", lambda: f"acct_{signing.make_secret(16)}")
        self._key = store.remember("stripe_key", lambda: f"sk_test_{signing.make_secret(40)}")
        self._secrets: list[str] = json.loads(
            store.remember("stripe_webhook", lambda: json.dumps([_make_webhook_secret()]))
        )

    def routes(self) -> Mapping[str, Route]:
        """Return the API; the hosted page is the cashier's."""
        return {"/v1/*": Route(serve=self.serve)}

    def describe(self, base_url: str) -> dict[str, str]:
        """Return what a shop enters."""
        return {
            "account_id": self._account,
            "mode": "test",
            "secret_key": self._key,
            "webhook_secret": self._secrets[-1],
            "currency": "cny",
            "rate": "",
            "gateway_url": base_url + "/",
        }

    def serve(self, request: Request) -> Reply:
        """Answer one call."""
        try:
            self._check_key(request)
            if request.method == "GET":
                return reply(self._read(request))
            if request.method == "POST":
                return self._write_once(request)
            raise _unknown(request)
        except Refused as refused:
            return refused.reply

    def _check_key(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not given.startswith("Bearer "):
            raise Refused(
                "You did not provide an API key. You need to provide your API key in the"
                " Authorization header, using Bearer auth (e.g. 'Authorization: Bearer"
                " YOUR_SECRET_KEY').",
                status=401,
            )
        key = given.removeprefix("Bearer ")
        if not hmac.compare_digest(key.encode(), self._key.encode()):
            shown = f"{key[:8]}{'*' * 20}{key[-4:]}" if len(key) > 16 else "*" * len(key)
            raise Refused(f"Invalid API Key provided: {shown}", status=401)

    # --- reading -------------------------------------------------------------------------------

    def _read(self, request: Request) -> Object:
        path, query = request.path.removeprefix("/v1/"), request.query
        if path == "account":
            return {
                "id": self._account,
                "object": "account",
                "charges_enabled": True,
                "default_currency": "cny",
            }
        lists: dict[str, Callable[[], list[Object]]] = {
            "checkout/sessions": lambda: self._list_sessions(query, request.base_url),
            "charges": lambda: [show_charge(each) for each in self._list_paid(query)],
            "refunds": lambda: self._list_refunds(query),
            "balance_transactions": lambda: self._list_balance(query),
        }
        if path in lists:
            return list_of(path, lists[path](), query)
        if path.startswith("checkout/sessions/"):
            payment = self._find_session(path.rpartition("/")[2])
            return show_session(payment, url=_page(payment, request.base_url))
        if path.startswith("disputes/"):
            return self._disputes.read(path.rpartition("/")[2])
        raise _unknown(request)

    def _list_payments(self) -> list[Payment]:
        return self._store.list_payments(limit=LISTED, gateway=self.kind)

    def _list_sessions(self, query: Mapping[str, str], base_url: str) -> list[Object]:
        rows = [show_session(each, url=_page(each, base_url)) for each in self._list_payments()]
        since = int(query.get("created[gte]") or 0)
        wanted = {name: query[name] for name in ("status", "payment_intent") if name in query}
        return [
            row
            for row in rows
            if row["created"] >= since and all(row[k] == v for k, v in wanted.items())
        ]

    def _list_paid(self, query: Mapping[str, str]) -> list[Payment]:
        paid = [each for each in self._list_payments() if each.state == "paid"]
        if "payment_intent" in query:
            return [each for each in paid if each.trade_no == query["payment_intent"]]
        if "transfer_group" in query:
            group = query["transfer_group"]
            return [each for each in paid if read_extra(each).get("transfer_group") == group]
        return paid

    def _list_refunds(self, query: Mapping[str, str]) -> list[Object]:
        found = [
            show_refund(payment, refund_id, kept)
            for payment in self._list_paid(query)
            for refund_id, kept in read_extra(payment).get("refunds", {}).items()
        ]
        return sorted(found, key=lambda row: row["created"], reverse=True)

    def _list_balance(self, query: Mapping[str, str]) -> list[Object]:
        start, end = int(query.get("created[gte]") or 0), int(query.get("created[lt]") or 0)
        rows: list[BillRow] = []
        for moment in range(start, min(end, start + 31 * DAY_SECONDS), DAY_SECONDS):
            day = time.strftime("%Y-%m-%d", time.gmtime(moment + BEIJING_SECONDS))
            rows += self._moves.list_bill(self.kind, day=day, fee_bps=self.fee_bps)
        expands = query.get("expand[0]") == "data.source"
        shown = [
            self._show_balance(row, expands=expands)
            for row in rows
            if start <= row.happened_at < end
        ]
        return sorted(shown, key=lambda row: (row["created"], row["id"]), reverse=True)

    def _show_balance(self, row: BillRow, *, expands: bool) -> Object:
        payment = self._store.find_trade(row.trade_no)
        extra = read_extra(payment) if payment else {}
        is_refund = row.kind == "refund"
        source: Object = {"id": row.external_no, "object": "charge", "amount": row.amount_fen}
        source |= {"currency": extra.get("currency", "cny"), "payment_intent": row.trade_no}
        source["metadata"] = extra.get("intent_metadata", {})
        kept = extra.get("refunds", {}).get(row.own_no)
        if is_refund and payment and kept:
            source = {**show_refund(payment, row.own_no, kept), "amount": row.amount_fen}
        signed = -row.amount_fen if is_refund else row.amount_fen
        return {
            "id": f"txn_{row.external_no}",
            "object": "balance_transaction",
            "amount": signed,
            "created": int(row.happened_at),
            "currency": source["currency"],
            "description": row.subject,
            "exchange_rate": None,
            "fee": row.fee_fen if not is_refund else 0,
            "net": signed - (row.fee_fen if not is_refund else 0),
            "reporting_category": "refund" if is_refund else "charge",
            "source": source if expands else source["id"],
            "status": "available",
            "type": "refund" if is_refund else "charge",
        }

    # --- writing -------------------------------------------------------------------------------

    def _write_once(self, request: Request) -> Reply:
        """Act, or give the first answer to a key that was used; refuse it for something else."""
        key = request.headers.get("idempotency-key", "")[:255]
        asked = hashlib.sha256(request.path.encode() + b"\n" + request.body).hexdigest()
        name = f"stripe_idempotency_{key}"
        with self._lock:
            kept = json.loads(self._store.remember(name, lambda: "{}")) if key else {}
            if kept and kept["asked"] != asked:
                raise Refused(
                    "Keys for idempotent requests can only be used with the same parameters they"
                    f" were first used with. Try using a key other than '{key}' if you meant to"
                    " execute a different request.",
                    kind="idempotency_error",
                )
            if kept:
                return reply(kept["answer"], headers={"Idempotent-Replayed": "true"})
            answer = self._write(request)
            if key:
                text = json.dumps({"asked": asked, "answer": answer}, ensure_ascii=False)
                self._store.overwrite(name, text)
            return reply(answer)

    def _write(self, request: Request) -> Object:
        path = request.path.removeprefix("/v1/")
        if path == "files":
            return self._disputes.upload(request)
        form = request.read_form()
        if path.startswith("disputes/"):
            return self._disputes.update(path.rpartition("/")[2], form)
        if path == "checkout/sessions":
            return self._open(form, request.base_url)
        if path.startswith("checkout/sessions/") and path.endswith("/expire"):
            return self._expire(path.split("/")[2], request.base_url)
        if path == "refunds":
            return self._refund(form)
        if path == "webhook_endpoints":
            self._store.overwrite("stripe_endpoint", _need(form, "url"))
            return {
                "id": f"we_{signing.make_secret(24)}",
                "object": "webhook_endpoint",
                "secret": self._secrets[-1],
                "url": form["url"],
                "status": "enabled",
            }
        raise _unknown(request)

    def _open(self, form: Mapping[str, str], base_url: str) -> Object:
        number, method = form.get("client_reference_id", ""), _need(form, "payment_method_types[0]")
        price = "line_items[0][price_data]"
        minor = _whole(_need(form, f"{price}[unit_amount]"))
        minor *= _whole(form.get("line_items[0][quantity]", "1"))
        currency = _need(form, f"{price}[currency]")
        name = _need(form, f"{price}[product_data][name]")
        now = time.time()
        expires_at = _whole(form.get("expires_at") or str(int(now) + LONGEST_SECONDS))
        if form.get("mode") != "payment" or method not in METHODS:
            raise Refused("Invalid payment_method_types[0].", code="parameter_invalid")
        if not now + SHORTEST_SECONDS <= expires_at <= now + LONGEST_SECONDS + 60:
            raise Refused(
                "The `expires_at` timestamp must be at least 30 minutes and at most 24 hours from"
                " Checkout Session creation."
            )
        if currency != "cny" and minor < 50:
            raise Refused("The amount is too small.", code="amount_too_small")
        if self._store.find_payment(self.kind, number):
            raise Refused("The simulator keeps one session for each client_reference_id.")
        payment = self._store.open_payment(
            {
                "gateway": self.kind,
                "trade_no": "pi_" + signing.make_digits(24),
                "out_trade_no": number[:64] or signing.make_digits(18),
                "method": method,
                "subject": f"[{currency.upper()}] {name}"[:128],
                "amount_fen": minor,
                "notify_url": self._store.remember("stripe_endpoint", lambda: ""),
                "return_url": _need(form, "success_url")[:500],
                "created_at": now,
                "expires_at": expires_at,
                "extra": json.dumps(
                    {
                        "currency": currency,
                        "metadata": nest(form, "metadata"),
                        "intent_metadata": nest(form, "payment_intent_data[metadata]"),
                        "transfer_group": form.get("payment_intent_data[transfer_group]"),
                    }
                ),
            }
        )
        return show_session(payment, url=_page(payment, base_url))

    def _expire(self, number: str, base_url: str) -> Object:
        payment = self._find_session(number)
        if payment.is_expired or not self._store.close_payment(payment.id):
            raise Refused(
                'Only Checkout Sessions with a status in ["open"] can be expired.', code=""
            )
        after = self._store.find_trade(payment.trade_no) or payment
        shown = show_session(after, url=_page(after, base_url))
        self._tell(after, "checkout.session.expired", shown, subject="expiry")
        return shown

    def _find_session(self, number: str) -> Payment:
        payment = self._store.find_trade("pi_" + number.removeprefix("cs_test_"))
        if payment is None or payment.gateway != self.kind or session_id(payment) != number:
            raise Refused(
                f"No such checkout.session: '{number}'", code="resource_missing", status=404
            )
        return payment

    def _refund(self, form: Mapping[str, str]) -> Object:
        intent = _need(form, "payment_intent")
        payment = self._store.find_trade(intent)
        if payment is None or payment.gateway != self.kind or payment.state != "paid":
            raise Refused(f"No such payment_intent: '{intent}'", code="resource_missing")
        left = payment.paid_fen - payment.refunded_fen
        minor = _whole(form["amount"]) if "amount" in form else left
        if not left:
            raise Refused("Charge has already been refunded.", code="charge_already_refunded")
        refund_id = f"re_{signing.make_digits(24)}"
        try:
            self._store.refund(payment.id, refund_no=refund_id, amount_fen=minor)
        except ValueError:
            raise Refused(
                f"Refund amount ({minor}) is greater than unrefunded amount on charge ({left})"
            ) from None
        extra, now = read_extra(payment), time.time()
        kept = {"amount": minor, "created": int(now), "metadata": nest(form, "metadata")}
        refunds = {**extra.get("refunds", {}), refund_id: kept}
        self._store.change_extra(payment.id, {**extra, "refunds": refunds})
        shown = show_refund(payment, refund_id, kept)
        self._tell(payment, "refund.updated", shown, subject="refund")
        return shown

    # --- webhooks ------------------------------------------------------------------------------

    def _tell(self, payment: Payment, kind: str, thing: Object, *, subject: str) -> None:
        event = show_event(kind, thing, created=time.time(), account=self._account)
        fields = {"event": json.dumps(event, ensure_ascii=False)}
        self._store.add_notice(payment.id, kind=kind, fields=fields, subject=subject)

    def tell_paid(self, payment: Payment) -> dict[str, str]:
        """Return the event of a completed session."""
        thing = show_session(payment, url="", is_paid=True)
        moment = payment.paid_at or payment.created_at
        kind = "checkout.session.completed"
        event = show_event(kind, thing, created=moment, account=self._account)
        return {"event": json.dumps(event, ensure_ascii=False)}

    def dispute(self, payment: Payment, *, status: str, amount_fen: int) -> None:
        """Send the event of a dispute; one payment has one."""
        self._disputes.move(payment, status=status, amount_fen=amount_fen)

    def pack(self, notice: Notice) -> Outgoing:
        """Sign an event as of now, with every secret that counts."""
        event = json.loads(notice.fields["event"])
        if notice.twist == Twist.STRANGER:
            event["account"] = "acct_" + "X" * 16
        if notice.twist == Twist.FOREIGN:
            event["data"]["object"]["currency"] = "jpy"
        body = json.dumps(event, ensure_ascii=False, indent=2).encode()
        moment = int(time.time()) - (3600 if notice.twist == Twist.STALE else 0)
        secrets = ["whsec_guess"] if notice.twist == Twist.FORGED else self._secrets
        signs = [f"v1={_sign(body, secret, moment)}" for secret in secrets]
        return Outgoing(
            body=body,
            headers={
                "Content-Type": "application/json; charset=utf-8",
                "Stripe-Signature": ",".join([f"t={moment}", *signs]),
                "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            },
        )

    def is_heard(self, status: int, body: str) -> bool:
        """Tell whether the shop took it: any 2xx."""
        del body
        return 200 <= status < 300

    def build_return(self, payment: Payment) -> str:
        """Return the shop's own address: Stripe adds nothing."""
        return payment.return_url

    def rotate_keys(self) -> str:
        """Roll the webhook's secret: the old one signs beside the new one for a while."""
        self._secrets = [self._secrets[-1], _make_webhook_secret()]
        self._store.overwrite("stripe_webhook", json.dumps(self._secrets))
        return f"Webhook 密钥已更换为 {self._secrets[-1]}，新旧两个一起签名，直到下次更换"


def _sign(body: bytes, secret: str, moment: int) -> str:
    text = str(moment).encode() + b"." + body
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


def _make_webhook_secret() -> str:
    return f"whsec_{signing.make_secret(32)}"


def _page(payment: Payment, base_url: str) -> str:
    return f"{base_url}/pay/{payment.trade_no}"


def _need(form: Mapping[str, str], name: str) -> str:
    value = form.get(name, "")
    if not value:
        raise Refused(f"Missing required param: {name}.", code="parameter_missing")
    return value


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) < 1:
        raise Refused(f"Invalid positive integer: {text}", code="parameter_invalid_integer")
    return int(text)


def _unknown(request: Request) -> Refused:
    return Refused(f"Unrecognized request URL ({request.method}: {request.path}).", status=404)
