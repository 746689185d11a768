"""Epay v1 behind the port: the wire's bytes over a bounded client.

The protocol has neither a close nor a refund number. So `close` only asks, and a refund is of the
whole payment: the gateway itself then refuses a second one, and a repeat is told by the status.
"""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy

from kameng.core.http import HttpClient
from kameng.payments.providers.calling import call, exchange, question
from kameng.payments.providers.epay import wire
from kameng.payments.providers.epay.config import FIELDS, Config
from kameng.payments.providers.port import (
    CallbackRequest,
    Confirmation,
    Device,
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

# Each of the two programs blocks the other's pages.
NOT_IN_WECHAT: tuple[Device, ...] = ("pc", "mobile", "alipay")
NOT_IN_ALIPAY: tuple[Device, ...] = ("pc", "mobile", "wechat")
METHODS = (
    PayMethod(code="alipay", label=gettext_lazy("支付宝"), devices=NOT_IN_WECHAT),
    PayMethod(code="wxpay", label=gettext_lazy("微信支付"), devices=NOT_IN_ALIPAY),
    PayMethod(code="qqpay", label=gettext_lazy("QQ 钱包")),
    PayMethod(code="bank", label=gettext_lazy("云闪付")),
)


class EpayProvider:
    """易支付 v1."""

    kind = "epay"
    label = gettext_lazy("易支付")
    methods = METHODS
    fields = FIELDS
    supports_refund = True
    supports_partial_refund = False

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def config_from_form(self, form: Mapping[str, str]) -> Config:
        """Read a console form; raises ConfigInvalid."""
        return Config.from_form(form)

    def config_from_json(self, data: Mapping[str, str]) -> Config:
        """Read a stored configuration; raises ConfigInvalid."""
        return Config.from_json(data)

    def create(self, config: Config, request: PayRequest) -> PayInstruction:
        """Send the buyer to the cashier, or open the payment by `mapi.php` where there is one."""
        if request.method not in {method.code for method in METHODS}:
            raise ProviderRefused("unknown_method")
        if config.opening == "page":
            return PayInstruction(kind="redirect", url=wire.build_page_url(config, request))
        page = PayInstruction(kind="redirect", url=wire.build_page_url(config, request))
        reply = exchange(self._client, wire.build_opening(config, request))
        if reply.status == 404:  # this platform has no mapi.php
            return page
        if reply.status != 200:
            raise ProviderUncertain("bad_status")
        return wire.parse_opening(config, reply.body, device=request.device) or page

    def parse_callback(self, config: Config, callback: CallbackRequest) -> Confirmation:
        """Verify and read a callback; raises CallbackRejected."""
        return wire.parse_callback(config, callback)

    def callback_reply(self, ok: bool) -> tuple[int, bytes, str]:  # noqa: FBT001 - port
        """Answer the bare word that stops the gateway's retries, or refuse."""
        return (200, b"success", "text/plain") if ok else (400, b"fail", "text/plain")

    def query(self, config: Config, payment_no: str, *, external_no: str = "") -> Confirmation:
        """Ask for a payment."""
        asked = wire.build_order_query(config, payment_no, external_no=external_no)
        body = call(self._client, asked)
        return wire.parse_order(config, payment_no, body)

    def close(self, config: Config, payment_no: str) -> PaidStatus:
        """Ask for the payment's state: this protocol cannot close."""
        return self.query(config, payment_no).status

    def refund(self, config: Config, request: RefundRequest) -> RefundOutcome:
        """Refund the whole payment, unless the gateway already shows it as refunded."""
        if request.amount != request.total_amount:
            return RefundOutcome(status=RefundStatus.REFUSED, reason="partial_refund_unsupported")
        before = self.query_refund(config, request)
        if before.status is not RefundStatus.UNKNOWN:
            return before
        try:
            wire.parse_refund(config, call(self._client, wire.build_refund(config, request)))
        except ProviderRefused as refusal:
            # A parallel call of the same refund may have come first.
            after = self.query_refund(config, request)
            if after.status is RefundStatus.DONE:
                return after
            return RefundOutcome(status=RefundStatus.REFUSED, reason=str(refusal))
        return RefundOutcome(status=RefundStatus.DONE, external_no=request.external_no)

    def query_refund(self, config: Config, request: RefundRequest) -> RefundOutcome:
        """Tell from the payment's state; a payment still shown as paid says UNKNOWN."""
        with question():
            by_number = "" if request.payment_no else request.external_no
            asked = wire.build_order_query(config, request.payment_no, external_no=by_number)
            body = call(self._client, asked)
            order = wire.parse_order(config, request.payment_no, body)
            if by_number and order.external_no not in {"", by_number}:
                raise ProviderUncertain("other_payment")
            if order.status is PaidStatus.PENDING:
                return RefundOutcome(status=RefundStatus.REFUSED, reason="payment_not_paid")
            if order.status is not PaidStatus.NOT_FOUND and wire.is_refunded(config, body):
                return RefundOutcome(status=RefundStatus.DONE, external_no=order.external_no)
        return RefundOutcome(status=RefundStatus.UNKNOWN, reason="refund_not_seen")

    def check(self, config: Config) -> None:
        """Ask for our own merchant account."""
        wire.parse_merchant(config, call(self._client, wire.build_merchant_query(config)))
