"""Own goods from order to refund: each way of delivery, each way in which a sub-site settles."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kameng.catalog.errors import VariantNotFound
from kameng.catalog.models import DeliveryKind, Product, Variant
from kameng.catalog.selectors import forget_catalogues
from kameng.config import audit
from kameng.inventory.models import CardKey, KeyState
from kameng.ledger.accounts import AccountKind
from kameng.ledger.selectors import prepaid_balance, site_account_amount
from kameng.orders.models import Order
from kameng.orders.rules import State
from kameng.orders.services.delivering import collect_goods, deliver_by_hand, replace_cards
from kameng.payments.services.prepaying import book_prepaid
from kameng.tenancy.models import SettlementWay, Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import (
    STAFF,
    Shop,
    connect_gateway,
    fresh,
    make_buyers,
    notify,
    order,
    payment_of,
    refund,
)
from tests.factories import make_child, make_product, make_variant
from tests.own_goods import PRICE, SHARE, allow_own_goods, make_own_variant, settle_by

FEE = 6_000  # 60 bps of a hundred yuan
FUNDS = 2_000_000


def open_own_shop(
    main: Site, site: Site, *, way: SettlementWay, kind: DeliveryKind = DeliveryKind.CARD
) -> Shop:
    """Open a sub-site that sells one own variant, settling in one way."""
    forget_catalogues()
    allow_own_goods(site)
    settle_by(site, way)
    variant = make_own_variant(site, kind=kind)
    if way != SettlementWay.PREPAID:
        return Shop(site=site, variant=variant, choice=connect_gateway(main))
    with site_scope(site.id):
        book_prepaid(site_id=site.id, amount=FUNDS, reason="转账", idempotency_key="k", actor=STAFF)
    return Shop(site=site, variant=variant, choice=connect_gateway(site))


def amounts(main: Site, site: Site) -> dict[str, int]:
    with site_scope(site.id):
        return {
            "main": site_account_amount(AccountKind.SALES, owner_id=main.id),
            "margin": site_account_amount(AccountKind.SITE_MARGIN, owner_id=site.id),
            "takings": site_account_amount(AccountKind.SITE_TAKINGS, owner_id=site.id),
            "prepaid": prepaid_balance(site.id).posted_amount,
        }


def deliver(shop: Shop, order_id: int, kind: DeliveryKind) -> None:
    if kind == DeliveryKind.CARD:
        return
    with site_scope(shop.site.id):
        deliver_by_hand(order_id=order_id, content="已充好", actor=STAFF)


@pytest.mark.parametrize("kind", [DeliveryKind.CARD, DeliveryKind.MANUAL, DeliveryKind.TOP_UP])
@pytest.mark.parametrize("way", list(SettlementWay))
@pytest.mark.parametrize("by_wallet", [True, False])
def test_the_share_goes_to_the_main_site_and_the_rest_to_the_operator(
    db: None,
    main_site: Site,
    site_a: Site,
    way: SettlementWay,
    kind: DeliveryKind,
    *,
    by_wallet: bool,
) -> None:
    shop = open_own_shop(main_site, site_a, way=way, kind=kind)
    is_prepaid = way == SettlementWay.PREPAID
    (mei,) = make_buyers(site_a, 1, amount=5 * PRICE)

    placed = order(shop, customer=mei, by_wallet=by_wallet, quantity=2)
    if not by_wallet:
        notify(shop, payment_of(shop, placed))
    deliver(shop, placed.order_id, kind)
    sold = fresh(shop, placed)
    after_sale = amounts(main_site, site_a)

    fee = 0 if by_wallet else 2 * FEE
    assert sold.state == State.DELIVERED
    assert (sold.main_site_id, sold.wholesale_amount) == (main_site.id, 2 * SHARE)
    assert after_sale["main"] == 2 * SHARE
    assert after_sale["margin"] == (0 if is_prepaid else 2 * (PRICE - SHARE) - fee)
    assert after_sale["takings"] == (2 * PRICE - fee if is_prepaid else 0)
    assert after_sale["prepaid"] == (FUNDS - 2 * SHARE if is_prepaid else 0)

    refund(shop, placed, key="half", amount=PRICE, to_wallet=True)
    refund(shop, placed, key="rest", to_wallet=True)
    after_refund = amounts(main_site, site_a)

    assert fresh(shop, placed).refunded_amount == 2 * PRICE
    assert (after_refund["main"], after_refund["margin"]) == (0, 0)
    assert after_refund["prepaid"] == (FUNDS if is_prepaid else 0)
    assert after_refund["takings"] == 0
    assert audit.find_breaches() == []


def test_a_buyer_gets_the_sites_own_keys_and_staff_swap_them_from_its_stock(
    db: None, main_site: Site, site_a: Site
) -> None:
    shop = open_own_shop(main_site, site_a, way=SettlementWay.CLAIM)
    (mei,) = make_buyers(site_a, 1, amount=PRICE)
    placed = order(shop, customer=mei, by_wallet=True)

    with site_scope(site_a.id):
        (first,) = collect_goods(Order.objects.get(id=placed.order_id), by_buyer=False)
        replace_cards(
            order_id=placed.order_id, key_id=first.key_id or 0, reason="已被使用", actor=STAFF
        )
        (second,) = collect_goods(Order.objects.get(id=placed.order_id), by_buyer=False)
        states = dict(CardKey.objects.values_list("id", "state"))

    assert first.text != second.text
    assert states[first.key_id] == KeyState.FAULTY
    assert states[second.key_id] == KeyState.SOLD
    with site_scope(main_site.id):
        assert not CardKey.objects.exists()
    assert audit.find_breaches() == []


def test_a_share_of_nothing_and_of_everything_are_posted_whole(
    db: None, main_site: Site, site_a: Site, site_b: Site
) -> None:
    for site, share_bps, main_part in ((site_a, 0, 0), (site_b, 10_000, PRICE)):
        forget_catalogues()
        allow_own_goods(site, share_bps=share_bps)
        shop = Shop(site=site, variant=make_own_variant(site), choice=connect_gateway(main_site))
        (mei,) = make_buyers(site, 1, amount=PRICE)
        before = amounts(main_site, site)["main"]

        placed = order(shop, customer=mei, by_wallet=True)
        after = amounts(main_site, site)

        assert after["main"] - before == main_part
        assert after["margin"] == PRICE - main_part
        refund(shop, placed, key="r", to_wallet=True)
    assert audit.find_breaches() == []


@pytest.mark.parametrize("name", ["main", "other"])
def test_own_goods_are_not_sold_on_another_site(
    db: None, main_site: Site, site_a: Site, site_b: Site, name: str
) -> None:
    own = open_own_shop(main_site, site_a, way=SettlementWay.CLAIM)
    site = {"main": main_site, "other": site_b}[name]
    shop = Shop(site=site, variant=own.variant, choice=connect_gateway(main_site))

    with pytest.raises(VariantNotFound):
        order(shop)

    with site_scope(site.id):
        assert not Order.objects.exists()


def test_a_child_never_resells_its_uplines_goods_and_owes_the_share_of_its_own(
    db: None, main_site: Site, site_a: Site
) -> None:
    upline = open_own_shop(main_site, site_a, way=SettlementWay.CLAIM)
    child = make_child(site_a)
    plan = allow_own_goods(child, share_bps=1_000)
    Site.objects.filter(id=site_a.id).update(plan=plan)  # a child is on its upline's plan
    forget_catalogues()
    own = Shop(site=child, variant=make_own_variant(child), choice=upline.choice)
    (mei,) = make_buyers(child, 1, amount=5 * PRICE)

    with pytest.raises(VariantNotFound):
        order(Shop(site=child, variant=upline.variant, choice=upline.choice))
    with site_scope(child.id):
        assert not Product.objects.filter(id=upline.variant.product_id).exists()
    placed = order(own, customer=mei, by_wallet=True)
    sold = fresh(own, placed)

    assert (sold.main_site_id, sold.wholesale_amount) == (main_site.id, 100_000)
    assert sold.upline_site_id is None
    with site_scope(child.id):
        assert site_account_amount(AccountKind.SITE_MARGIN, owner_id=child.id) == PRICE - 100_000
    with site_scope(site_a.id):
        assert site_account_amount(AccountKind.SITE_MARGIN, owner_id=site_a.id) == 0
    refund(own, placed, key="r", to_wallet=True)
    assert audit.find_breaches() == []


def test_an_own_order_costs_as_many_queries_as_one_of_the_main_sites_goods(
    db: None, main_site: Site, site_a: Site
) -> None:
    shop = open_own_shop(main_site, site_a, way=SettlementWay.CLAIM)
    resold = make_variant(make_product(main_site, delivery_kind=DeliveryKind.MANUAL))
    own = make_own_variant(site_a, kind=DeliveryKind.MANUAL)
    Site.objects.filter(id=site_a.id).update(catalogue_version=10**6)
    (mei,) = make_buyers(site_a, 1, amount=10 * PRICE)
    order(shop, customer=mei, by_wallet=True, variant_id=resold.id)  # warm

    counts = [_cost(shop, mei, each) for each in (resold, own)]

    assert counts[0] == counts[1]


def _cost(shop: Shop, mei: Any, variant: Variant) -> int:
    with CaptureQueriesContext(connection) as queries:
        order(shop, customer=mei, by_wallet=True, variant_id=variant.id)
    return len(queries)


def test_an_order_judged_by_an_older_share_is_refused(
    db: None, main_site: Site, site_a: Site
) -> None:
    from kameng.orders.errors import PriceMoved
    from kameng.orders.services.placing import Buyer, Wish
    from tests.concurrency.shop import place

    shop = open_own_shop(main_site, site_a, way=SettlementWay.CLAIM)
    (mei,) = make_buyers(site_a, 1, amount=PRICE)
    buyer = Buyer(customer_id=mei.id, contact="", ip="192.0.2.1", actor=f"customer:{mei.id}")
    wish = Wish(
        variant_id=shop.variant.id,
        quantity=1,
        answers={},
        shown_amount=None,
        idempotency_key="k",
        choice=None,
    )
    with site_scope(site_a.id) as view:
        Site.objects.filter(id=site_a.id).update(catalogue_version=10**7)
        with pytest.raises(PriceMoved):
            place(view, buyer, wish)

        assert not Order.objects.exists()
