"""Alipay behind the port: the wire's bytes over a bounded client.

A refund carries our own number, so a repeat moves no money twice; its success is believed only
when the gateway says that funds moved, or when the refund query shows it.
"""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy

from kameng.core.clock import now
from kameng.core.http import HttpClient
from kameng.payments.providers.alipay import wire
from kameng.payments.providers.alipay.config import FIELDS, Config
from kameng.payments.providers.calling import call, question
from kameng.payments.providers.decoding import clean_subject
from kameng.payments.providers.port import (
    CallbackRequest,
    Confirmation,
    PaidStatus,
    PayInstruction,
    PayMethod,
    PayRequest,
    ProviderRefused,
    RefundOutcome,
    RefundRequest,
    RefundStatus,
)
from kameng.pricing.money import format_yuan

METHODS = (
    PayMethod(code="qr", label=gettext_lazy("支付宝扫码")),
    PayMethod(code="page", label=gettext_lazy("支付宝网页支付")),
)
# A number that no payment of ours has: the query proves both keys and finds nothing.
_PROBE_NO = "kameng-credential-check"


class AlipayProvider:
    """Alipay with RSA2 keys."""

    kind = "alipay"
    label = gettext_lazy("支付宝")
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
        """Ask for a QR code, or send the buyer to Alipay's page."""
        if request.method == "page":
            url = wire.build_page_url(config, request, now=now())
            return PayInstruction(kind="redirect", url=url)
        if request.method != "qr":
            raise ProviderRefused("unknown_method")
        body = call(self._client, wire.build_precreate(config, request, now=now()))
        qr_text = wire.parse_precreate(config, request.payment_no, body)
        return PayInstruction(kind="qr", qr_text=qr_text)

    def parse_callback(self, config: Config, callback: CallbackRequest) -> Confirmation:
        """Verify and read a callback; raises CallbackRejected."""
        return wire.parse_callback(config, callback)

    def callback_reply(self, ok: bool) -> tuple[int, bytes, str]:  # noqa: FBT001 - port
        """Answer the bare word that stops the gateway's retries, or refuse."""
        return (200, b"success", "text/plain") if ok else (400, b"fail", "text/plain")

    def query(self, config: Config, payment_no: str, *, external_no: str = "") -> Confirmation:
        """Ask for a payment."""
        named = {"trade_no": external_no} if external_no else {"out_trade_no": payment_no}
        body = self._call(config, "alipay.trade.query", named)
        return wire.parse_query(config, payment_no, body)

    def close(self, config: Config, payment_no: str) -> PaidStatus:
        """Close an unpaid payment. NOT_FOUND: no buyer has opened it, its QR code still runs."""
        body = self._call(config, "alipay.trade.close", {"out_trade_no": payment_no})
        status = wire.parse_close(config, body)
        return self.query(config, payment_no).status if status is None else status

    def refund(self, config: Config, request: RefundRequest) -> RefundOutcome:
        """Refund a part or the whole under our own number."""
        content = {
            **_named(request),
            "refund_amount": format_yuan(request.amount),
            "refund_reason": clean_subject(request.reason, byte_limit=240),
            "out_request_no": request.refund_no,
        }
        outcome = wire.parse_refund(config, self._call(config, "alipay.trade.refund", content))
        if outcome.status is RefundStatus.UNKNOWN:
            return self.query_refund(config, request)
        return outcome

    def query_refund(self, config: Config, request: RefundRequest) -> RefundOutcome:
        """Ask what became of a refund."""
        content = {**_named(request), "out_request_no": request.refund_no}
        with question():
            body = self._call(config, "alipay.trade.fastpay.refund.query", content)
            return wire.parse_refund_query(config, request, body)

    def check(self, config: Config) -> None:
        """Query a payment that cannot exist: an honest "not found" proves both keys."""
        self.query(config, _PROBE_NO)

    def _call(self, config: Config, method: str, content: Mapping[str, str]) -> bytes:
        request = wire.build_call(config, method=method, content=content, now=now())
        return call(self._client, request)


def _named(request: RefundRequest) -> dict[str, str]:
    """Return how Alipay is told which payment: by our number, else by its own."""
    if request.payment_no:
        return {"out_trade_no": request.payment_no}
    return {"trade_no": request.external_no}
