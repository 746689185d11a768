"""UnionPay behind the port: the wire's bytes over a bounded client.

A message is known by our number and the second at which it was sent, so both come with every
question (`at`, `RefundRequest`). The protocol has no close: a payment ends by its time-out. A
refund is taken first and done later: its success is believed only when the query shows it.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext_lazy

from kameng.core.clock import now
from kameng.core.http import HttpClient, HttpLimits
from kameng.payments.providers.abilities import Bill, BillNotReady
from kameng.payments.providers.calling import call, exchange, question
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
from kameng.payments.providers.unionpay import files, wire
from kameng.payments.providers.unionpay.config import FIELDS, Config

METHODS: Final = (
    PayMethod(
        code="gateway",
        label=gettext_lazy("银联在线支付"),
        devices=("pc", "mobile", "wechat"),
    ),
)
BILL_LIMITS: Final = HttpLimits(read_seconds=30, total_seconds=120, reply_bytes=64 * 1024 * 1024)
# UnionPay says "no file" of a day without payments too; files come by noon of the next day.
EMPTY_AFTER: Final = dt.timedelta(days=3)
_NO_FILE = "98"
_PROBE_NO = "00000000KAMENG00"


class UnionPayProvider:
    """银联在线支付."""

    kind = "unionpay"
    label = gettext_lazy("银联在线支付")
    methods = METHODS
    fields = FIELDS
    supports_refund = True
    supports_partial_refund = True

    def __init__(self, client: HttpClient, *, opened_at: dt.datetime | None = None) -> None:
        self._client = client
        self._opened_at = opened_at

    def at(self, opened_at: dt.datetime) -> "UnionPayProvider":
        """Return the provider as it asks about payments that were opened at that moment."""
        return UnionPayProvider(self._client, opened_at=opened_at)

    def config_from_form(self, form: Mapping[str, str]) -> Config:
        """Read a console form; raises ConfigInvalid."""
        return Config.from_form(form)

    def config_from_json(self, data: Mapping[str, str]) -> Config:
        """Read a stored configuration; raises ConfigInvalid."""
        return Config.from_json(data)

    def create(self, config: Config, request: PayRequest) -> PayInstruction:
        """Return the form that the buyer's browser posts to UnionPay's front page."""
        if request.method not in {method.code for method in METHODS}:
            raise ProviderRefused("unknown_method")
        return PayInstruction(
            kind="form",
            url=f"{config.gateway_url}gateway/api/frontTransReq.do",
            fields=wire.build_payment(config, request),
            leads_to=config.cashier_origins,
        )

    def parse_callback(self, config: Config, callback: CallbackRequest) -> Notice:
        """Verify and read a back notification; raises CallbackRejected."""
        return wire.parse_callback(config, callback, now=now())

    def callback_reply(self, ok: bool) -> tuple[int, bytes, str]:  # noqa: FBT001 - port
        """Answer 200, which stops UnionPay's retries whatever the body, or refuse."""
        return (200, b"success", "text/plain") if ok else (400, b"fail", "text/plain")

    def query(self, config: Config, payment_no: str, *, external_no: str = "") -> Confirmation:
        """Ask for a payment of the moment that `at` named."""
        return self._query(config, payment_no, sent_at=self._opened_at, external_no=external_no)

    def _query(
        self, config: Config, payment_no: str, *, sent_at: dt.datetime | None, external_no: str = ""
    ) -> Confirmation:
        if sent_at is None:
            raise ProviderUncertain("time_unknown")
        asked = wire.build_query(config, payment_no, sent_at=sent_at, external_no=external_no)
        body = call(self._client, asked)
        return wire.parse_query(
            config, body, payment_no=payment_no, external_no=external_no, now=now()
        )

    def close(self, config: Config, payment_no: str) -> PaidStatus:
        """Ask for the payment's state: this protocol cannot close."""
        return self.query(config, payment_no).status

    def refund(self, config: Config, request: RefundRequest) -> RefundOutcome:
        """Refund, or cancel on the same day where the shop chose so; then ask what became of it."""
        if request.asked_at is None:
            raise ProviderUncertain("time_unknown")
        external_no = request.external_no
        if not external_no:
            paid = self._query(config, request.payment_no, sent_at=request.opened_at)
            if paid.status is not PaidStatus.PAID:
                return RefundOutcome(status=RefundStatus.REFUSED, reason="payment_not_paid")
            external_no = paid.external_no
        asked = wire.build_refund(
            config, request, external_no=external_no, sent_at=request.asked_at
        )
        refused = wire.parse_refund(config, call(self._client, asked), now=now())
        if refused is not None:
            return refused
        outcome = self.query_refund(config, request)
        if outcome.status is RefundStatus.UNKNOWN:  # taken, and not to be seen yet
            return RefundOutcome(status=RefundStatus.PROCESSING, reason=outcome.reason)
        return outcome

    def query_refund(self, config: Config, request: RefundRequest) -> RefundOutcome:
        """Ask what became of a refund."""
        if request.asked_at is None:
            raise ProviderUncertain("time_unknown")
        with question():
            asked = wire.build_query(config, request.refund_no, sent_at=request.asked_at)
            body = call(self._client, asked)
            return wire.parse_refund_query(config, body, request=request, now=now())

    def check(self, config: Config) -> None:
        """Query a payment that cannot exist: an honest "not found" proves key and chain."""
        self._query(config, _PROBE_NO, sent_at=now())

    def fetch_bill(self, config: Config, day: dt.date) -> Bill:
        """Fetch and read the files of a settlement day (from 23:00 of the day before)."""
        moment = now()
        asked = wire.build_file_request(config, day, now=moment)
        reply = exchange(self._client, asked, limits=BILL_LIMITS)
        if reply.status != 200:
            raise ProviderUncertain("bad_status")
        answer = wire.read_reply(config, reply.body, now=moment)
        code = answer.get("respCode", "")
        if code == _NO_FILE:
            if moment.astimezone(wire.BEIJING).date() - day < EMPTY_AFTER:
                raise BillNotReady
            return files.make_empty_bill(day)
        if code in wire.OPEN_CODES or code in {"02", "06", "37", "99"}:
            raise ProviderUncertain("gateway_busy")
        if code not in wire.DONE_CODES:
            raise wire.refuse(code, answer.get("respMsg", ""))
        if answer.get("settleDate") != day.strftime("%m%d"):
            raise ProviderUncertain("other_day")
        return files.read_bill(day, answer.get("fileContent", ""))
