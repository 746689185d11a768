"""A shop to buy in: goods of the main site, a gateway, and a count of statements."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from kameng.catalog.models import DeliveryKind, Product, Variant
from kameng.catalog.selectors import forget_catalogues
from kameng.core.audit import SYSTEM
from kameng.core.postgres.base import SEND_SCOPE
from kameng.inventory.models import CardKey
from kameng.inventory.selectors import forget_stock
from kameng.payments.models import Gateway
from kameng.payments.services.gateways import GatewayTerms, create_gateway
from kameng.risk.services import forget_windows
from kameng.storefront.shells import forget_shells
from kameng.storefront.unread import forget_unread
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests import factories

CONTACT = "guest@example.com"


@dataclass(slots=True, kw_only=True)
class Goods:
    """A product with one variant and the texts of its keys."""

    product: Product
    variant: Variant
    keys: list[str] = field(default_factory=list)

    def order(self, **changes: str) -> dict[str, str]:
        """Return what a checkout sends for one piece: 10 yuan, by wallet unless told otherwise."""
        values = {
            "variant": str(self.variant.id),
            "quantity": "1",
            "shown_total": "10.00",
            "idempotency_key": f"key-{factories.next_number():012d}",
            "pay": "wallet",
            "contact": CONTACT,
            "agree": "1",
        }
        return {**values, **changes}


@pytest.fixture(autouse=True)
def _fresh_process() -> None:
    """Nothing that an earlier test kept in the process is still there."""
    for forget in (forget_catalogues, forget_stock, forget_shells, forget_unread, forget_windows):
        forget()


@pytest.fixture(autouse=True)
def _calls_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test runs in a transaction of its own, which is not the request's."""
    monkeypatch.setattr("kameng.payments.services.paying.in_transaction_of_request", lambda: False)


@pytest.fixture
def cards(main_site: Site) -> Goods:
    """Card keys at 10 yuan, twenty in stock."""
    product = factories.make_product(
        main_site,
        category=factories.make_category(main_site, name="游戏点卡", icon="device-gamepad-2"),
        title="王者荣耀点券 100元",
        description="付款后自动发货",
        tutorial="打开兑换中心",
    )
    variant = factories.make_variant(product, name="100元")
    keys = [f"NO{number:04d}----SECRET{number:04d}" for number in range(20)]
    factories.make_card_keys(variant, keys)
    return Goods(product=product, variant=variant, keys=keys)


@pytest.fixture
def service(main_site: Site) -> Goods:
    """A top-up that asks for an account and is done by hand."""
    product = factories.make_product(
        main_site,
        title="话费充值 10元",
        delivery_kind=DeliveryKind.TOP_UP,
        input_fields=[
            {"name": "account", "label": "手机号", "kind": "phone", "required": True},
            {"name": "region", "label": "大区", "kind": "choice", "choices": ["电信", "联通"]},
        ],
        max_quantity=5,
    )
    return Goods(product=product, variant=factories.make_variant(product, name="10元"))


@pytest.fixture
def gateway(main_site: Site) -> Gateway:
    """A gateway of the main site that answers without a network."""
    with site_scope(main_site.id):
        made = create_gateway(
            kind="epay",
            form={
                "gateway_url": "https://pay.example.com/",
                "pid": "1001",
                "key": "c2f1aa5b7e4d0c8e9f1c276f13527aa5",
                "opening": "page",
            },
            terms=GatewayTerms(
                name="支付宝", method="alipay", fee_bps=60, min_amount=0, max_amount=10**10
            ),
            actor=SYSTEM,
        )
        Gateway.objects.filter(id=made.id).update(is_enabled=True)
        return made


@pytest.fixture
def unsold(cards: Goods) -> Callable[[], int]:
    """Return how many of the keys nobody has bought or reserved."""

    def count() -> int:
        with site_scope(cards.variant.site_id):
            return CardKey.objects.filter(variant_id=cards.variant.id, state=0).count()

    return count


@pytest.fixture
def statements() -> Callable[[], AbstractContextManager[list[str]]]:
    """Record every statement that reaches the database, through the ORM or beside it.

    Left out is the one that tells a connection the site: only its first statement of another site
    needs it.
    """

    @contextmanager
    def record() -> Iterator[list[str]]:
        seen: list[str] = []
        original = psycopg.Cursor.execute

        def execute(self: Any, query: Any, *args: Any, **kwargs: Any) -> Any:
            if query != SEND_SCOPE:
                seen.append(str(query))
            return original(self, query, *args, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(psycopg.Cursor, "execute", execute)
            yield seen

    return record
