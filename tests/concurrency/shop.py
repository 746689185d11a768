"""A shop for races: goods, buyers with money, a gateway whose callbacks the tests sign."""

import hashlib
import itertools
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db import connection

from kameng.accounts.models import Customer
from kameng.catalog.models import Variant
from kameng.catalog.selectors import get_catalogue, quote_purchase
from kameng.core.audit import Actor
from kameng.core.scope import platform_scope
from kameng.orders.models import Order, OrderRefund, RefundTo
from kameng.orders.services.closing import cancel_order
from kameng.orders.services.placing import Buyer, PlacedOrder, Wish, place_order
from kameng.orders.services.refunding import RefundWish, refund_order
from kameng.payments.models import FeeBearer, Gateway, Payment
from kameng.payments.providers.port import CallbackRequest
from kameng.payments.selectors import PayChoice
from kameng.payments.services.confirming import Reply, accept_callback
from kameng.payments.services.gateways import GatewayTerms, create_gateway
from kameng.pricing.money import Amount, format_yuan
from kameng.risk import services as risk
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import SiteView, site_scope
from tests.factories import (
    fund_wallet,
    make_card_keys,
    make_customer,
    make_product,
    make_variant,
)

KEY = "9f1c27aa5b7e4d0c8e6f13527aa5b7e4"
PID = "1001"
STAFF = Actor(kind="user", actor_id=1, name="Lin")
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Shop:
    """A sub-site that sells one variant of the main site."""

    site: Site
    variant: Variant
    choice: PayChoice


def open_shop(main: Site, site: Site, *, keys: int = 10) -> Shop:
    """Stock a variant with keys and connect a gateway to the main site."""
    variant = make_variant(make_product(main, title="测试点卡"))
    if keys:
        make_card_keys(variant, keys)
    return Shop(site=site, variant=variant, choice=connect_gateway(main))


def connect_gateway(owner: Site, *, by_buyer: bool = False) -> PayChoice:
    """Connect one more epay gateway to a site; return it as a buyer chooses it."""
    bearer = FeeBearer.BUYER if by_buyer else FeeBearer.SITE
    with site_scope(owner.id):
        gateway = create_gateway(
            kind="epay",
            form={"gateway_url": "https://pay.example.com/", "pid": PID, "key": KEY},
            terms=GatewayTerms(
                name="支付宝", method="alipay", fee_bps=60, min_amount=0, max_amount=10**10
            ),
            actor=STAFF,
        )
        Gateway.objects.filter(id=gateway.id).update(is_enabled=True, fee_bearer=bearer)
    return PayChoice(
        gateway_id=gateway.id,
        kind="epay",
        method="alipay",
        name="支付宝",
        fee_bps=60,
        fee_bearer=bearer,
    )


def make_buyers(site: Site, number: int, *, amount: int) -> list[Customer]:
    """Make customers of a site with money in their wallets."""
    buyers = [make_customer(site) for _ in range(number)]
    for buyer in buyers:
        if amount:
            fund_wallet(buyer, amount)
    return buyers


def order(
    shop: Shop,
    *,
    customer: Customer | None = None,
    by_wallet: bool = False,
    quantity: int = 1,
    key: str = "",
    contact: str = "",
    variant_id: int = 0,
    ip: str = "",
    wallet_part: int = 0,
) -> PlacedOrder:
    """Place one order on the shop's site, as a customer or as a guest; each from its own line."""
    number = next(_numbers)
    contact = contact or ("" if customer else f"guest{number}@example.com")
    actor = f"customer:{customer.id}" if customer else f"guest:{contact}"
    buyer = Buyer(
        customer_id=customer.id if customer else None,
        contact=contact,
        ip=ip or f"{11 + number // 65536}.{number // 256 % 256}.{number % 256}.5",
        actor=actor,
    )
    wish = Wish(
        variant_id=variant_id or shop.variant.id,
        quantity=quantity,
        answers={},
        shown_amount=None,
        idempotency_key=key or f"key-{number}",
        choice=None if by_wallet else shop.choice,
        wallet_part=wallet_part,
    )
    with site_scope(shop.site.id) as view:
        return place(view, buyer, wish)


def place(view: SiteView, buyer: Buyer, wish: Wish) -> PlacedOrder:
    """Clear and place, without the limits on rates, which are not what races are about."""
    risk.forget_windows()
    clearance = risk.assess_checkout(site_id=view.site_id, actor=buyer.actor, ip=buyer.ip)
    return place_order(view=view, buyer=buyer, wish=wish, clearance=clearance)


def payment_of(shop: Shop, placed: PlacedOrder) -> Payment:
    """Return the newest payment of an order."""
    with site_scope(shop.site.id):
        return Payment.objects.filter(subject_id=placed.order_id, purpose=1).latest("id")


def fresh(shop: Shop, placed: PlacedOrder) -> Order:
    """Return the order as it stands now."""
    with site_scope(shop.site.id):
        return Order.objects.get(id=placed.order_id)


def signed_query(fields: dict[str, str], key: str = KEY) -> bytes:
    """Sign as the gateway does: sorted, raw, key appended, lower MD5."""
    text = "&".join(f"{k}={v}" for k, v in sorted(fields.items()) if v) + key
    signed = {**fields, "sign": hashlib.md5(text.encode()).hexdigest(), "sign_type": "MD5"}
    return urlencode(signed).encode()


def notify(
    shop: Shop, payment: Payment, *, external_no: str = "", amount: int | None = None
) -> Reply:
    """Send the callback of a paid payment, as its gateway would."""
    fields = {
        "pid": PID,
        "trade_no": external_no or f"EXT{payment.payment_no}",
        "out_trade_no": payment.payment_no,
        "type": "alipay",
        "name": "测试点卡",
        "money": format_yuan(Amount(payment.amount if amount is None else amount)),
        "trade_status": "TRADE_SUCCESS",
    }
    return accept_callback(
        gateway_id=payment.gateway_id,
        callback=CallbackRequest(method="GET", query=signed_query(fields)),
        ip="192.0.2.9",
    )


def count(sql: str, *params: object) -> int:
    """Return the number that one query over the whole database gives."""
    with platform_scope("a test counts"), connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.fetchone()[0])


def price_of(shop: Shop) -> int:
    """Return what one piece costs on the shop's site."""
    with site_scope(shop.site.id) as view:
        quoted = quote_purchase(get_catalogue(view), variant_id=shop.variant.id, quantity=1)
    return quoted.quote.total_amount


def cancel(shop: Shop, placed: PlacedOrder) -> None:
    """Cancel an order as staff of its site."""
    with site_scope(shop.site.id):
        cancel_order(order=Order.objects.get(id=placed.order_id), actor=STAFF)


def refund(
    shop: Shop, placed: PlacedOrder, *, key: str, amount: int | None = None, to_wallet: bool = False
) -> OrderRefund:
    """Refund an order, whole or part, as staff of its site."""
    with site_scope(shop.site.id):
        return refund_order(
            order_id=placed.order_id,
            wish=RefundWish(
                amount=amount,
                refund_to=RefundTo.WALLET if to_wallet else RefundTo.SOURCE,
                reason="不要了",
                idempotency_key=key,
            ),
            actor=STAFF,
        )


def make_due(shop: Shop, placed: PlacedOrder) -> None:
    """Let the time of an unpaid order be over."""
    with site_scope(shop.site.id):
        Order.objects.filter(id=placed.order_id).update(expires_at="2020-01-01T00:00:00Z")


def of_kind(outcomes: list[Any], kind: type) -> list[Any]:
    """Return the outcomes of one type."""
    return [outcome for outcome in outcomes if isinstance(outcome, kind)]
