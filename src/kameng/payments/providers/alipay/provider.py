"""Alipay behind the port: the wire's bytes over a bounded client.

Everything that moves money carries our own number, so a repeat moves none twice; its success is
believed only when the gateway says that funds moved, or when a query shows it. In certificate mode
a reply under a new certificate makes us fetch that one, once.
"""

import datetime as dt
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from django.utils.translation import gettext_lazy

from kameng.core.clock import now
from kameng.core.http import HttpClient, HttpLimits, HttpRequest
from kameng.payments.providers.abilities import (
    Bill,
    BillNotReady,
    PayoutRequest,
    Receiver,
    SplitRequest,
    SplitReturnRequest,
    TransferOutcome,
    TransferStatus,
)
from kameng.payments.providers.alipay import bills, paying_out, splitting, trusting, wire
from kameng.payments.providers.alipay.config import FIELDS, Config
from kameng.payments.providers.calling import call, exchange, question
from kameng.payments.providers.decoding import clean_subject
from kameng.payments.providers.port import (
    CallbackRequest,
    Confirmation,
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
from kameng.pricing.money import format_yuan

METHODS = (
    PayMethod(code="qr", label=gettext_lazy("支付宝扫码"), devices=("pc", "mobile", "alipay")),
    PayMethod(code="page", label=gettext_lazy("支付宝网页支付（电脑）"), devices=("pc",)),
    PayMethod(code="wap", label=gettext_lazy("支付宝手机支付"), devices=("mobile", "alipay")),
)
# A number that no payment of ours has: the query proves both keys and finds nothing.
_PROBE_NO = "kameng-credential-check"
BILL_LIMITS: Final = HttpLimits(read_seconds=20, total_seconds=120, reply_bytes=32 * 1024 * 1024)
BILL_KINDS: Final = (bills.TRADE, bills.ACCOUNT)
# A day without a bill by then had nothing to tell.
BILL_PATIENCE: Final = dt.timedelta(days=2)
_T = TypeVar("_T")


class AlipayProvider:
    """Alipay with RSA2 keys, plain or in certificates."""

    kind = "alipay"
    label = gettext_lazy("支付宝")
    methods = METHODS
    fields = FIELDS
    supports_refund = True
    supports_partial_refund = True
    receiver_kinds = splitting.RECEIVER_KINDS
    max_split_bps = splitting.MAX_SPLIT_BPS
    payout_account_kinds = paying_out.ACCOUNT_KINDS
    may_come_back = True

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
        if request.method in ("page", "wap"):
            url = wire.build_page_url(config, request, now=now())
            return PayInstruction(kind="redirect", url=url)
        if request.method != "qr":
            raise ProviderRefused("unknown_method")
        asked = wire.build_precreate(config, request, now=now())
        qr_text = self._read(
            config, asked, lambda body: wire.parse_precreate(config, request.payment_no, body)
        )
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
        return self._ask(
            config,
            "alipay.trade.query",
            named,
            lambda body: wire.parse_query(config, payment_no, body),
        )

    def close(self, config: Config, payment_no: str) -> PaidStatus:
        """Close an unpaid payment. NOT_FOUND: no buyer has opened it, its QR code still runs."""
        status = self._ask(
            config,
            "alipay.trade.close",
            {"out_trade_no": payment_no},
            lambda body: wire.parse_close(config, body),
        )
        return self.query(config, payment_no).status if status is None else status

    def refund(self, config: Config, request: RefundRequest) -> RefundOutcome:
        """Refund a part or the whole under our own number."""
        content = {
            **_named(request),
            "refund_amount": format_yuan(request.amount),
            "refund_reason": clean_subject(request.reason, byte_limit=240),
            "out_request_no": request.refund_no,
        }
        outcome = self._ask(
            config, "alipay.trade.refund", content, lambda body: wire.parse_refund(config, body)
        )
        if outcome.status is RefundStatus.UNKNOWN:
            return self.query_refund(config, request)
        return outcome

    def query_refund(self, config: Config, request: RefundRequest) -> RefundOutcome:
        """Ask what became of a refund."""
        content = {**_named(request), "out_request_no": request.refund_no}
        with question():
            return self._ask(
                config,
                "alipay.trade.fastpay.refund.query",
                content,
                lambda body: wire.parse_refund_query(config, request, body),
            )

    def check(self, config: Config) -> None:
        """Query a payment that cannot exist: an honest "not found" proves both keys."""
        self.query(config, _PROBE_NO)

    # --- bills ---------------------------------------------------------------------------------

    def fetch_bill(self, config: Config, day: dt.date) -> Bill:
        """Fetch the bill of trades and that of the account; a day without both is empty."""
        archives: dict[str, bytes] = {}
        for kind in BILL_KINDS:
            address = self._ask(
                config,
                wire.BILL_QUERY,
                {"bill_type": kind, "bill_date": day.isoformat()},
                lambda body: wire.parse_bill_address(config, body),
            )
            if address:
                archives[kind] = self._download(address)
        if len(archives) < len(BILL_KINDS) and now() < _midnight(day) + BILL_PATIENCE:
            raise BillNotReady
        return bills.make_bill(day, archives)

    def _download(self, address: str) -> bytes:
        """Fetch an archive from the address that a verified reply named."""
        parts = urlsplit(address)
        if parts.scheme == "http" and (parts.hostname or "").endswith(".alipay.com"):
            address = parts._replace(scheme="https").geturl()
        reply = exchange(self._client, HttpRequest(method="GET", url=address), limits=BILL_LIMITS)
        if reply.status != 200:
            raise ProviderUncertain("bad_status")
        return reply.body

    # --- splits --------------------------------------------------------------------------------

    def add_receiver(self, config: Config, receiver: Receiver) -> None:
        """Make a receiver known; one that is known is no fault."""
        self._relate(config, splitting.BIND, receiver)

    def remove_receiver(self, config: Config, receiver: Receiver) -> None:
        """Forget a receiver; one that is unknown is no fault."""
        self._relate(config, splitting.UNBIND, receiver)

    def _relate(self, config: Config, method: str, receiver: Receiver) -> None:
        self._ask(
            config,
            method,
            splitting.describe_relation(method, receiver, request_no=secrets.token_hex(16)),
            lambda body: splitting.parse_relation(config, method, body),
        )

    def split(self, config: Config, request: SplitRequest) -> TransferOutcome:
        """Hand a share over; what became of it is told by the query, not by the taking."""
        content = splitting.describe_split(config, request)
        refusal = self._settle(config, content)
        # A refused repeat may be one that was done before: only the query knows.
        outcome = self.query_split(config, request)
        return refusal if refusal and outcome.status is TransferStatus.UNKNOWN else outcome

    def query_split(self, config: Config, request: SplitRequest) -> TransferOutcome:
        """Ask what became of a share."""
        return self._ask_settle(config, request, splitting.parse_settle_query)

    def finish_split(self, config: Config, request: SplitRequest) -> TransferOutcome:
        """Free what is left of a payment."""
        refusal = self._settle(config, splitting.describe_finish(request))
        outcome = self._ask_settle(config, request, splitting.parse_finish_query)
        return refusal if refusal and outcome.status is TransferStatus.UNKNOWN else outcome

    def _settle(self, config: Config, content: Mapping[str, Any]) -> TransferOutcome | None:
        return self._ask(
            config, splitting.SETTLE, content, lambda body: splitting.parse_settle(config, body)
        )

    def _ask_settle(
        self,
        config: Config,
        request: SplitRequest,
        parse: Callable[[Config, SplitRequest, bytes], TransferOutcome],
    ) -> TransferOutcome:
        content = {"trade_no": request.external_no, "out_request_no": request.split_no}
        with question():
            return self._ask(
                config,
                splitting.SETTLE_QUERY,
                content,
                lambda body: parse(config, request, body),
            )

    def return_split(self, config: Config, request: SplitReturnRequest) -> TransferOutcome:
        """Take a share back by a refund that gives the buyer nothing."""
        refund = self._ask(
            config,
            "alipay.trade.refund",
            splitting.describe_return(config, request),
            lambda body: wire.parse_refund(config, body),
        )
        outcome = self.query_split_return(config, request)
        is_refused = refund.status is RefundStatus.REFUSED
        if is_refused and outcome.status is TransferStatus.UNKNOWN:
            return TransferOutcome(status=TransferStatus.REFUSED, reason=refund.reason)
        return outcome

    def query_split_return(self, config: Config, request: SplitReturnRequest) -> TransferOutcome:
        """Ask what became of a return."""
        with question():
            return self._ask(
                config,
                "alipay.trade.fastpay.refund.query",
                splitting.describe_return_query(request),
                lambda body: splitting.parse_return_query(config, request, body),
            )

    # --- payouts -------------------------------------------------------------------------------

    def can_pay_out(self, config: Config) -> bool:
        """Tell whether the account works by certificates: Alipay asks it of who sends money."""
        return config.has_certificates

    def pay_out(self, config: Config, request: PayoutRequest) -> TransferOutcome:
        """Send money to a person; a refusal is believed only when the query knows of none."""
        outcome = self._ask(
            config,
            paying_out.TRANSFER,
            paying_out.describe_payout(config, request),
            lambda body: paying_out.parse_payout(config, request, body),
        )
        if outcome.status is not TransferStatus.REFUSED:
            return outcome
        return self._find_payout(config, request) or outcome

    def query_payout(self, config: Config, request: PayoutRequest) -> TransferOutcome:
        """Ask what became of a payout."""
        found = self._find_payout(config, request)
        unseen = TransferOutcome(status=TransferStatus.UNKNOWN, reason="payout_not_seen")
        return found or unseen

    def _find_payout(self, config: Config, request: PayoutRequest) -> TransferOutcome | None:
        with question():
            return self._ask(
                config,
                paying_out.QUERY,
                paying_out.describe_payout_query(request),
                lambda body: paying_out.parse_payout_query(config, request, body),
            )

    # --- calls ---------------------------------------------------------------------------------

    def _ask(
        self,
        config: Config,
        method: str,
        content: Mapping[str, Any],
        parse: Callable[[bytes], _T],
    ) -> _T:
        request = wire.build_call(config, method=method, content=content, now=now())
        return self._read(config, request, parse)

    def _read(self, config: Config, request: HttpRequest, parse: Callable[[bytes], _T]) -> _T:
        """Send and read; fetch the certificate of a reply that was signed with a new one."""
        body = call(self._client, request)
        try:
            return parse(body)
        except wire.UnknownCertificate as unknown:
            self._learn(config, unknown)
        return parse(body)

    def _learn(self, config: Config, unknown: wire.UnknownCertificate) -> None:
        """Fetch a certificate, at most once a minute; keep its key if it proves itself."""
        moment = now()
        if not trusting.may_fetch(config, unknown.sn, moment=moment):
            raise unknown
        content = {"alipay_cert_sn": unknown.sn}
        asked = wire.build_call(
            config, method=wire.CERTIFICATE_DOWNLOAD, content=content, now=moment
        )
        wire.learn_certificate(config, unknown.sn, call(self._client, asked), moment=moment)


def _midnight(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), tzinfo=wire.BEIJING)


def _named(request: RefundRequest) -> dict[str, str]:
    """Return how Alipay is told which payment: by our number, else by its own."""
    if request.payment_no:
        return {"out_trade_no": request.payment_no}
    return {"trade_no": request.external_no}
