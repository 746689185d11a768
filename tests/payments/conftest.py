"""A shop whose gateway is the simulator, once for each protocol; and one that tests sign for."""

import datetime as dt
import pathlib
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings

from kameng.accounts.services.marking import mark_named
from kameng.core import clock
from kameng.orders.models import Order
from kameng.orders.services.placing import PlacedOrder
from kameng.payments.models import Gateway, GatewayRefund, Payment, Purpose, RefundState
from kameng.payments.providers.port import CallbackRequest
from kameng.payments.selectors import PayChoice
from kameng.payments.services import refunding
from kameng.payments.services.confirming import Reply, accept_callback
from kameng.payments.services.gateways import (
    GatewayTerms,
    create_gateway,
    switch_gateway,
)
from kameng.payments.services.gateways import test_gateway as prove_gateway
from kameng.payments.services.paying import Payer, instruct_buyer
from kameng.payments.services.refunding import ask_due_refunds
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.conftest import any_db, run_parallel, shop, wrecked_db
from tests.concurrency.shop import STAFF, Shop, order
from tests.factories import make_card_keys, make_customer, make_product, make_variant
from tests.payments.filling import Purse, RefundDesk
from tests.providers.cases import KINDS, Case, make_case
from tests.providers.world import World, open_world

__all__ = ["any_db", "run_parallel", "shop", "wrecked_db"]

METHODS = {kind: make_case(kind).method for kind in KINDS}
PAYER = Payer(
    client_ip="192.0.2.1",
    device="mobile",
    notify_url="http://lin.localhost:9/notify/",
    return_url="http://lin.localhost:9/back/",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counter:
    """A shop with a gateway of one kind: place, pay, and see what became of it."""

    shop: Shop
    case: Case

    def sell(self, **wish: Any) -> tuple[PlacedOrder, Payment]:
        """Place an order of a guest (or as told); return it with its payment."""
        placed = order(self.shop, **wish)
        with site_scope(self.shop.site.id):
            payment = Payment.objects.get(subject_id=placed.order_id, purpose=Purpose.ORDER)
        return placed, payment

    def say(self, payment: Payment, **changes: str) -> Reply:
        """Send a genuinely signed callback that this payment was made, with changed fields."""
        fields = {
            "out_trade_no": payment.payment_no,
            **self.case.priced(payment.amount),
            "trade_no": f"9{payment.payment_no}",
            **changes,
        }
        return self.send(self.case.signed(**fields))

    def send(self, fields: dict[str, str]) -> Reply:
        """Send a callback exactly as given."""
        return self.hear(self.case.send(fields))

    def hear(self, callback: CallbackRequest) -> Reply:
        """Take a callback as it came over the wire."""
        return accept_callback(
            gateway_id=self.shop.choice.gateway_id, callback=callback, ip="192.0.2.9"
        )

    def open(self, payment: Payment) -> None:
        """Open a payment at the gateway, as the pay page and the buyer's browser do."""
        with site_scope(self.shop.site.id):
            told = instruct_buyer(payment=payment, subject="测试点卡", payer=PAYER)
        if told.kind in {"redirect", "form"}:
            data = urlencode(told.fields).encode() if told.fields else None
            with urllib.request.urlopen(told.url, data=data, timeout=60) as page:
                assert page.status == 200

    def let_refunds_be_due(self) -> None:
        """Let what waits be asked for again at once."""
        with site_scope(self.shop.site.id):
            GatewayRefund.objects.filter(state=RefundState.WAITING).update(
                next_attempt_at=clock.now() - dt.timedelta(seconds=1)
            )

    def ask_refunds(self) -> int:
        """Ask for what is due, and again for what a gateway was not through with at once."""
        asked = ask_due_refunds()
        with site_scope(self.shop.site.id):
            waiting = GatewayRefund.objects.filter(state=RefundState.WAITING)
            if not waiting.filter(last_error="processing").exists():
                return asked
        self.let_refunds_be_due()
        ask_due_refunds()
        return asked

    def order_of(self, placed: PlacedOrder) -> Order:
        """Return the order as it stands."""
        with site_scope(self.shop.site.id):
            found: Order = Order.objects.get(id=placed.order_id)
        return found

    def payment_of(self, payment: Payment) -> Payment:
        """Return the payment as it stands."""
        with site_scope(self.shop.site.id):
            found: Payment = Payment.objects.get(id=payment.id)
        return found

    def gateway(self) -> Gateway:
        """Return the gateway as it stands."""
        with site_scope(self.shop.site.id):
            found: Gateway = Gateway.objects.get(id=self.shop.choice.gateway_id)
        return found


def connect(main: Site, kind: str, form: dict[str, str]) -> PayChoice:
    """Connect a gateway of a kind to the main site, without proving it."""
    with site_scope(main.id):
        gateway = create_gateway(
            kind=kind,
            form=form,
            terms=GatewayTerms(
                name="收银", method=METHODS[kind], fee_bps=60, min_amount=0, max_amount=10**10
            ),
            actor=STAFF,
        )
    return PayChoice(
        gateway_id=gateway.id, kind=kind, method=METHODS[kind], name="收银", fee_bps=60
    )


def stock_shop(main: Site, site: Site, choice: PayChoice) -> Shop:
    """Let a site sell six keys of one variant, paid by this choice."""
    variant = make_variant(make_product(main, title="测试点卡"))
    make_card_keys(variant, 6)
    return Shop(site=site, variant=variant, choice=choice)


@pytest.fixture(autouse=True)
def _allow_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ALLOW_LOOPBACK_GATEWAYS", True)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each protocol in turn."""
    name: str = request.param
    return name


@pytest.fixture
def counter(any_db: None, kind: str, main_site: Site, site_a: Site) -> Counter:
    """A shop whose gateway's callbacks the test signs itself; nobody answers its queries."""
    case = make_case(kind)
    choice = connect(main_site, kind, dict(case.form))
    with site_scope(main_site.id):
        Gateway.objects.filter(id=choice.gateway_id).update(is_enabled=True)
    return Counter(shop=stock_shop(main_site, site_a, choice), case=case)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The gateway simulator, in fast motion."""
    home: pathlib.Path = tmp_path_factory.mktemp("simulator")
    with open_world(home) as running:
        yield running


@pytest.fixture
def live(any_db: None, kind: str, world: World, main_site: Site, site_a: Site) -> Counter:
    """A shop whose gateway is the simulator, proved and switched on."""
    choice = connect(main_site, kind, world.credentials(kind))
    with site_scope(main_site.id):
        prove_gateway(gateway_id=choice.gateway_id, actor=STAFF)
        switch_gateway(gateway_id=choice.gateway_id, is_enabled=True, actor=STAFF)
    return Counter(shop=stock_shop(main_site, site_a, choice), case=make_case(kind))


@pytest.fixture
def pay(world: World, kind: str) -> Callable[..., dict[str, Any]]:
    """Act at the simulator's cashier: pay(payment), pay(payment, "short") …"""

    def act(payment: Payment, mode: str = "success", **more: object) -> dict[str, Any]:
        return world.pay(payment.payment_no, mode, gateway=kind, **more)

    return act


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> RefundDesk:
    """The gateway of the shop, as far as it gives money back."""
    found = RefundDesk()
    monkeypatch.setattr(refunding, "provider_of", lambda _gateway: found)
    return found


@pytest.fixture
def purse(any_db: None, shop: Shop) -> Purse:
    """A customer of the shop whose name is known."""
    customer = make_customer(shop.site)
    with site_scope(shop.site.id):
        mark_named(customer.id, is_named=True, reason="看过身份证", actor=STAFF)
    return Purse(shop=shop, customer=customer)
