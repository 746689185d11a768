"""Stripe behind the port: hosted Checkout over a bounded client.

Stripe knows a payment by its own ids only, so ours is found by the transfer group of its charges
(at once, exactly) and among the sessions of the last day. A payment is made in the account's
currency; what it was asked for in yuan travels with it.
"""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from django.utils.translation import gettext_lazy

from kameng.core.clock import now
from kameng.core.http import HttpClient, HttpLimits, HttpRequest
from kameng.payments.providers.abilities import (
    Bill,
    BillNotReady,
    EvidenceRequest,
    TransferOutcome,
)
from kameng.payments.providers.calling import exchange, question
from kameng.payments.providers.decoding import digest_reply
from kameng.payments.providers.port import (
    CallbackRequest,
    Confirmation,
    Notice,
    PaidStatus,
    PayInstruction,
    PayMethod,
    PayRequest,
    ProviderRefused,
    ProviderUncertain,
    RefundOutcome,
    RefundRequest,
    RefundStatus,
)
from kameng.payments.providers.stripe import bills, evidence, webhook, wire
from kameng.payments.providers.stripe.config import FIELDS, Config

METHODS = (
    PayMethod(code="card", label=gettext_lazy("银行卡（Stripe）")),
    PayMethod(code="alipay", label=gettext_lazy("支付宝（Stripe）"), devices=("pc", "mobile")),
    PayMethod(
        code="wechat_pay", label=gettext_lazy("微信支付（Stripe）"), devices=("pc", "mobile")
    ),
)
BEIJING: Final = dt.timezone(dt.timedelta(hours=8))
SESSION_DAYS: Final = dt.timedelta(hours=25)  # a session lives a day at most
MAX_SESSION_PAGES: Final = 20
MAX_BILL_PAGES: Final = 600
BILL_LIMITS: Final = HttpLimits(read_seconds=10, total_seconds=20, reply_bytes=2 * 1024 * 1024)


class StripeProvider:
    """Stripe Checkout."""

    kind = "stripe"
    label = gettext_lazy("Stripe（境外）")
    methods = METHODS
    fields = FIELDS
    supports_refund = True
    supports_partial_refund = True

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def config_from_form(self, form: Mapping[str, str]) -> Config:
        """Read a console form; raises ConfigInvalid."""
        return Config.from_form(form)

    def config_from_json(self, data: Mapping[str, str]) -> Config:
        """Read a stored configuration; raises ConfigInvalid."""
        return Config.from_json(data)

    def create(self, config: Config, request: PayRequest) -> PayInstruction:
        """Open a session and send the buyer to its page."""
        if request.method not in {method.code for method in METHODS}:
            raise ProviderRefused("unknown_method")
        try:
            answer = self._call(wire.build_session(config, request))
        except ProviderRefused as refusal:
            if refusal.code != wire.IDEMPOTENCY:
                raise
            # Opened before with another address to come back to: the first one is the payment's.
            session = self._find_session(config, request.payment_no, status="open")
        else:
            session = _read(config, answer)
        if session is None or session.payment_no != request.payment_no or not session.url:
            raise ProviderUncertain("bad_reply")
        if session.amount != request.amount:
            raise ProviderUncertain("other_payment")
        return PayInstruction(kind="redirect", url=session.url[:2000])

    def parse_callback(self, config: Config, callback: CallbackRequest) -> Notice:
        """Verify and read a webhook; raises CallbackRejected."""
        return webhook.parse(config, callback)

    def callback_reply(self, ok: bool) -> tuple[int, bytes, str]:  # noqa: FBT001 - port
        """Answer; only the status counts for Stripe."""
        return (200, b"success", "text/plain") if ok else (400, b"fail", "text/plain")

    def query(self, config: Config, payment_no: str, *, external_no: str = "") -> Confirmation:
        """Ask for a payment: by its charges, then among open and expired sessions."""
        try:
            session, moment = self._find_paid(config, payment_no, external_no=external_no)
        except ProviderRefused as refusal:
            if not external_no or refusal.code != "resource_missing":
                raise
            session, moment = None, None
        if session is None and external_no:
            return wire.find_nothing(payment_no)
        for status in ("open", "expired"):
            session = session or self._find_session(config, payment_no, status=status)
        if session is None:
            return wire.find_nothing(payment_no)
        if session.payment_no != payment_no:
            raise ProviderUncertain("other_payment")
        status_now = wire.status_of(session)
        if status_now is PaidStatus.PAID and not session.external_no:
            raise ProviderUncertain("bad_reply")
        digest = digest_reply(repr(session).encode())
        return wire.confirm(session, status=status_now, moment=moment, digest=digest)

    def close(self, config: Config, payment_no: str) -> PaidStatus:
        """End an open session; one that is complete is asked about."""
        session = self._find_session(config, payment_no, status="open")
        if session is not None:
            try:
                self._call(wire.build_expiry(config, session.id))
            except ProviderRefused:
                pass  # no longer open: what it is now is told by the query
            else:
                return PaidStatus.CLOSED
        return self.query(config, payment_no).status

    def refund(self, config: Config, request: RefundRequest) -> RefundOutcome:
        """Refund a part or the whole under our own number."""
        with question():
            session, _ = self._find_paid(
                config, request.payment_no, external_no=request.external_no
            )
        if session is None or wire.status_of(session) is not PaidStatus.PAID:
            return RefundOutcome(status=RefundStatus.REFUSED, reason="payment_not_paid")
        with question():
            refunds = self._list_refunds(config, session.external_no)
        known = wire.find_refund(refunds, request)
        if known is not None:
            return known
        minor = wire.price_refund(refunds, request, session)
        if minor <= 0:
            return RefundOutcome(status=RefundStatus.REFUSED, reason="below_smallest_unit")
        asked = wire.build_refund(config, request, external_no=session.external_no, minor=minor)
        try:
            return wire.read_refund(self._call(asked))
        except ProviderRefused as refusal:
            # A parallel call of the same refund may have come first.
            after = self.query_refund(config, request)
            if after.status is not RefundStatus.UNKNOWN or refusal.code == wire.IDEMPOTENCY:
                return after
            return RefundOutcome(status=RefundStatus.REFUSED, reason=str(refusal))

    def query_refund(self, config: Config, request: RefundRequest) -> RefundOutcome:
        """Ask what became of a refund."""
        unseen = RefundOutcome(status=RefundStatus.UNKNOWN, reason="refund_not_seen")
        with question():
            session, _ = self._find_paid(
                config, request.payment_no, external_no=request.external_no
            )
            if session is None:
                return unseen
            refunds = self._list_refunds(config, session.external_no)
        return wire.find_refund(refunds, request) or unseen

    def check(self, config: Config) -> None:
        """Ask for our own account: the key must be of the one that was entered."""
        answer = self._call(wire.build_get(config, "account"))
        if answer.get("id") != config.account_id:
            raise ProviderRefused("wrong_account", str(answer.get("id", ""))[:64])
        if answer.get("charges_enabled") is not True:
            raise ProviderRefused("charges_disabled")

    def submit_evidence(self, config: Config, request: EvidenceRequest) -> TransferOutcome:
        """Hand in what the shop answers to a dispute."""
        return evidence.submit(config, request, call=self._call)

    # --- bills ---------------------------------------------------------------------------------

    def fetch_bill(self, config: Config, day: dt.date) -> Bill:
        """Fetch the balance transactions of a day."""
        start = dt.datetime.combine(day, dt.time(), tzinfo=BEIJING)
        end = start + dt.timedelta(days=1)
        if now() < end:
            raise BillNotReady
        query = {
            "created[gte]": str(int(start.timestamp())),
            "created[lt]": str(int(end.timestamp())),
            "expand[0]": "data.source",
        }
        pages: list[bytes] = []
        rows = list(
            self._list(
                config,
                "balance_transactions",
                query,
                max_pages=MAX_BILL_PAGES,
                keep=pages.append,
            )
        )
        return bills.make_bill(config, day, pages, rows)

    # --- finding -------------------------------------------------------------------------------

    def _find_paid(
        self, config: Config, payment_no: str, *, external_no: str
    ) -> tuple[wire.Session | None, dt.datetime | None]:
        """Return the session that a charge was made for, and when; by Stripe's number if given."""
        query = {"payment_intent": external_no} if external_no else {"transfer_group": payment_no}
        charges = list(self._list(config, "charges", query, max_pages=1))
        # The last first: a card that was declined leaves a failed charge before the good one.
        # Of two that were paid the older one is the payment, the newer one is too much.
        paid = [each for each in charges if each.get("paid") is True][-1:] or charges[:1]
        if not paid:
            return None, None
        intent = str(paid[0].get("payment_intent") or "")
        query = {"payment_intent": intent}
        for data in self._list(config, "checkout/sessions", query, max_pages=1):
            session = _read(config, data)
            if session is None or session.external_no != intent:
                continue
            if payment_no and session.payment_no != payment_no:
                raise ProviderUncertain("other_payment")
            return session, wire.read_moment(paid[0].get("created"))
        return None, None

    def _find_session(self, config: Config, payment_no: str, *, status: str) -> wire.Session | None:
        """Look for a session of the last day; raise ProviderUncertain when there are too many."""
        since = int((now() - SESSION_DAYS).timestamp())
        query = {"status": status, "created[gte]": str(since)}
        for data in self._list(config, "checkout/sessions", query, max_pages=MAX_SESSION_PAGES):
            if data.get("client_reference_id") == payment_no:
                session = _read(config, data)
                if session is not None:
                    return session
        return None

    def _list_refunds(self, config: Config, external_no: str) -> list[dict[str, Any]]:
        query = {"payment_intent": external_no}
        return list(self._list(config, "refunds", query, max_pages=2))

    def _list(
        self,
        config: Config,
        path: str,
        query: Mapping[str, str],
        *,
        max_pages: int,
        keep: Callable[[bytes], object] | None = None,
    ) -> Iterator[dict[str, Any]]:
        """Give the objects of a list; raise ProviderUncertain rather than end too early."""
        after: dict[str, str] = {}
        for _ in range(max_pages):
            asked = wire.build_get(config, path, {**query, "limit": str(wire.PAGE), **after})
            reply = exchange(self._client, asked, limits=None if keep is None else BILL_LIMITS)
            rows, has_more = wire.read_list(wire.read_reply(reply))
            if keep is not None:
                keep(reply.body)
            yield from rows
            if not has_more or not rows:
                return
            after = {"starting_after": rows[-1]["id"]}
        raise ProviderUncertain("too_many")

    def _call(self, request: HttpRequest) -> dict[str, Any]:
        return wire.read_reply(exchange(self._client, request))


def _read(config: Config, data: Mapping[str, Any]) -> wire.Session | None:
    try:
        return wire.read_session(config, data)
    except ValueError as problem:
        raise ProviderUncertain(str(problem)) from None
