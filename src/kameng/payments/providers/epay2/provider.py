"""Epay v2 behind the port: the wire's bytes over a bounded client.

A refund carries our own number, so a part can be refunded and a repeat moves no money twice.
"""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy

from kameng.core.clock import now
from kameng.core.http import HttpClient
from kameng.payments.providers.calling import call, question
from kameng.payments.providers.epay.provider import METHODS
from kameng.payments.providers.epay2 import wire
from kameng.payments.providers.epay2.config import FIELDS, Config
from kameng.payments.providers.port import (
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

_NO_SUCH_CALL = ("epay_-5",)  # older programs have no close


class Epay2Provider:
    """易支付 v2."""

    kind = "epay2"
    label = gettext_lazy("易支付 V2（RSA）")
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
        """Open the payment: an address of the cashier, what fits the device, or `submit`.

        Where the platform answers with what only its own page can show, that page is asked for.
        """
        if request.method not in {method.code for method in METHODS}:
            raise ProviderRefused("unknown_method")
        if config.opening == "submit":
            return wire.build_page(config, request, now=now())
        found = None
        if config.opening == "api":
            found = self._open(config, request, method="web")
        found = found or self._open(config, request, method="jump")
        if found is None:
            raise ProviderUncertain("bad_reply")
        return found

    def _open(self, config: Config, request: PayRequest, *, method: str) -> PayInstruction | None:
        asked = wire.build_opening(config, request, method=method, now=now())
        return wire.parse_opening(config, call(self._client, asked), now=now())

    def parse_callback(self, config: Config, callback: CallbackRequest) -> Confirmation:
        """Verify and read a callback; raises CallbackRejected."""
        return wire.parse_callback(config, callback, now=now())

    def callback_reply(self, ok: bool) -> tuple[int, bytes, str]:  # noqa: FBT001 - port
        """Answer the bare word that stops the platform's retries, or refuse."""
        return (200, b"success", "text/plain") if ok else (400, b"fail", "text/plain")

    def query(self, config: Config, payment_no: str, *, external_no: str = "") -> Confirmation:
        """Ask for a payment."""
        body = self._call(config, "pay/query", wire.name_payment(payment_no, external_no))
        return wire.parse_order(
            config, body, payment_no=payment_no, external_no=external_no, now=now()
        )

    def close(self, config: Config, payment_no: str) -> PaidStatus:
        """Close the payment if the platform can; a paid one says so."""
        before = self.query(config, payment_no).status
        if before is not PaidStatus.PENDING:
            return before
        body = self._call(config, "pay/close", {"out_trade_no": payment_no})
        try:
            wire.read_reply(config, body, now=now())
        except ProviderRefused as refusal:
            if refusal.code in _NO_SUCH_CALL:
                return before
            return self.query(config, payment_no).status
        return PaidStatus.CLOSED

    def refund(self, config: Config, request: RefundRequest) -> RefundOutcome:
        """Refund; what was refused is asked about once more: a parallel call may have done it."""
        body = self._call(config, "pay/refund", wire.name_refund(request))
        try:
            return wire.parse_refund(config, body, request=request, now=now())
        except ProviderRefused as refusal:
            after = self.query_refund(config, request)
            if after.status is RefundStatus.DONE:
                return after
            return RefundOutcome(status=RefundStatus.REFUSED, reason=str(refusal))

    def query_refund(self, config: Config, request: RefundRequest) -> RefundOutcome:
        """Ask what became of a refund."""
        with question():
            body = self._call(config, "pay/refundquery", {"out_refund_no": request.refund_no})
            return wire.parse_refund_query(config, body, request=request, now=now())

    def check(self, config: Config) -> None:
        """Ask for our own merchant account."""
        wire.parse_merchant(config, self._call(config, "merchant/info", {}), now=now())

    def _call(self, config: Config, path: str, fields: Mapping[str, str]) -> bytes:
        return call(self._client, wire.build_call(config, path, fields, now=now()))
