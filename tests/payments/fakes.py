"""A gateway without a network, which does what a test has told it to do."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest

from kameng.core.audit import SYSTEM
from kameng.core.http import HttpClient
from kameng.payments.models import Gateway
from kameng.payments.providers import registry
from kameng.payments.providers.port import (
    CallbackRejected,
    CallbackRequest,
    ConfigInvalid,
    Confirmation,
    Field,
    PaidStatus,
    PayInstruction,
    PayMethod,
    PayRequest,
    ProviderRefused,
    RefundOutcome,
    RefundRequest,
    RefundStatus,
)
from kameng.payments.services.gateways import GatewayTerms, create_gateway
from kameng.payments.services.resting import forget_troubles
from kameng.pricing.money import Amount
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope

KIND = "fake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """An account is its name and a key."""

    account: str
    key: str

    def to_json(self) -> dict[str, str]:
        return {"account": self.account, "key": self.key}


@dataclass(slots=True)
class World:
    """What each account answers to creating, querying, closing and checking; and what was asked.

    An exception is raised; a status is what a query or a close says. Without a word all is well:
    a payment opens, and is not known when asked about.
    """

    answers: dict[tuple[str, str], Any] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    requests: list[PayRequest] = field(default_factory=list)
    codes: dict[str, str] = field(default_factory=dict)

    def ask(self, what: str, account: str) -> Any:
        self.calls.append((what, account))
        answer = self.answers.get((what, account))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def count(self, what: str, account: str) -> int:
        return self.calls.count((what, account))


world = World()


class FakeProvider:
    """All devices have a method here, and one of them must know who pays."""

    kind = KIND
    label = "模拟支付"
    methods = (
        PayMethod(code="jsapi", label="公众号", devices=("wechat",), needs_payer_id=True),
        PayMethod(code="h5", label="手机", devices=("mobile",)),
        PayMethod(code="qr", label="扫码", devices=("pc", "mobile")),
        PayMethod(code="any", label="收银台"),
    )
    fields = (
        Field(name="account", label="商户号", names_account=True),
        Field(name="key", label="密钥", secret=True, multiline=True),
    )
    supports_refund = True
    supports_partial_refund = True

    def __init__(self, client: HttpClient) -> None:
        self.client = client

    def config_from_form(self, form: Mapping[str, str]) -> Config:
        if not form.get("account"):
            raise ConfigInvalid({"account": "请填写商户号"})
        return Config(account=form["account"], key=form.get("key", ""))

    def config_from_json(self, data: Mapping[str, str]) -> Config:
        return self.config_from_form(data)

    def create(self, config: Config, request: PayRequest) -> PayInstruction:
        world.requests.append(request)
        world.ask("create", config.account)
        if request.method == "jsapi":
            return PayInstruction(kind="jsapi", fields={"appId": "wx1", "package": "prepay_id=1"})
        if request.method == "qr":
            return PayInstruction(kind="qr", qr_text=f"weixin://pay/{request.payment_no}")
        return PayInstruction(kind="redirect", url=f"https://pay.example.com/{config.account}/")

    def parse_callback(self, config: Config, callback: CallbackRequest) -> Confirmation:
        if callback.headers.get("wechatpay-signature") != config.key:
            raise CallbackRejected("bad_signature")
        number, amount = callback.body.decode().split()
        return said_paid(number, int(amount))

    def callback_reply(self, ok: bool) -> tuple[int, bytes, str]:
        return (200, b"ok", "text/plain") if ok else (400, b"no", "text/plain")

    def query(self, config: Config, payment_no: str, *, external_no: str = "") -> Confirmation:
        answer = world.ask("query", config.account)
        if isinstance(answer, Confirmation):
            return answer
        return said(payment_no, answer or PaidStatus.NOT_FOUND)

    def close(self, config: Config, payment_no: str) -> PaidStatus:
        answer: PaidStatus = world.ask("close", config.account) or PaidStatus.CLOSED
        return answer

    def refund(self, config: Config, request: RefundRequest) -> RefundOutcome:
        return RefundOutcome(status=RefundStatus.DONE)

    def query_refund(self, config: Config, request: RefundRequest) -> RefundOutcome:
        return RefundOutcome(status=RefundStatus.DONE)

    def check(self, config: Config) -> None:
        world.ask("check", config.account)

    def authorize_url(self, config: Config, *, return_url: str, state: str) -> str:
        query = urlencode({"account": config.account, "redirect_uri": return_url, "state": state})
        return f"https://open.example.com/authorize?{query}"

    def read_payer_id(self, config: Config, code: str) -> str:
        world.ask("payer", config.account)
        if code not in world.codes:
            raise ProviderRefused("bad_code")
        return world.codes[code]


def said(payment_no: str, status: PaidStatus) -> Confirmation:
    return Confirmation(
        payment_no=payment_no,
        external_no="",
        amount=Amount(0),
        status=status,
        paid_at=None,
        payer="",
        raw_digest="00" * 32,
    )


def said_paid(payment_no: str, amount: int) -> Confirmation:
    return Confirmation(
        payment_no=payment_no,
        external_no=f"9{payment_no}",
        amount=Amount(amount),
        status=PaidStatus.PAID,
        paid_at=None,
        payer="",
        raw_digest="00" * 32,
    )


@contextmanager
def fake_gateways(patch: pytest.MonkeyPatch) -> Iterator[World]:
    """Let the program know this kind of gateway for the block."""
    global world
    world = World()
    patch.setitem(registry.PROVIDERS, KIND, f"{__name__}.FakeProvider")
    registry.get_provider.cache_clear()
    forget_troubles()
    yield world
    registry.get_provider.cache_clear()


def make_account(
    site: Site, account: str = "one", *, method: str = "any", enabled: bool = True, **terms: Any
) -> Gateway:
    """Add an account of the fake gateway to a site, proved and switched on."""
    values = {"name": "微信支付", "fee_bps": 60, "min_amount": 0, "max_amount": 10**10, **terms}
    with site_scope(site.id):
        made = create_gateway(
            kind=KIND,
            form={"account": account, "key": f"key-of-{account}"},
            terms=GatewayTerms(method=method, **values),
            actor=SYSTEM,
        )
        Gateway.objects.filter(id=made.id).update(is_enabled=enabled)
        found: Gateway = Gateway.objects.get(id=made.id)
    return found


def send(gateway: Gateway, account: str, payment_no: str, amount: int) -> CallbackRequest:
    """Return a callback of an account that a payment was made."""
    return CallbackRequest(
        method="POST",
        body=f"{payment_no} {amount}".encode(),
        headers={"wechatpay-signature": f"key-of-{account}"},
    )


def ids(rows: Sequence[Any]) -> list[int]:
    """Return the accounts of choices."""
    return [row.gateway_id for row in rows]
