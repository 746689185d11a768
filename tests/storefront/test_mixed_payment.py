"""Paying part from the wallet and bearing a fee, as the buyer sees it before paying."""

import html
from collections.abc import Callable

import pytest
from django.test import Client

from kameng.ledger.selectors import wallet_amount
from kameng.orders.models import Order
from kameng.payments.models import FeeBearer, Gateway, Payment
from kameng.payments.selectors import forget_gateways
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests import factories
from tests.people import Buyer
from tests.storefront.conftest import Goods

ClientFor = Callable[..., Client]
TICKED = {"use_wallet": "1", "wallet_part": "4.00"}


@pytest.fixture
def browser(site_a: Site, mei: Buyer, client_for: ClientFor) -> Client:
    """Mei's browser; her wallet holds 4.00."""
    factories.fund_wallet(mei.customer, 40_000)
    return client_for(site_a, mei)


def text(response: object) -> str:
    return html.unescape(response.content.decode())  # type: ignore[attr-defined]


def held(site: Site, mei: Buyer) -> int:
    with site_scope(site.id):
        return wallet_amount(mei.customer.id)


def test_the_checkout_offers_the_part_and_what_is_left(
    browser: Client, cards: Goods, gateway: Gateway
) -> None:
    page = text(browser.get("/checkout/", {"variant": cards.variant.id, "quantity": 1}))

    assert "用余额抵扣 ¥4.00，还需支付 ¥6.00" in page
    assert 'name="wallet_part" value="4.00"' in page
    assert 'data-due="10.00" data-part-due="6.00"' in page
    assert "支付 <span data-due-text>¥10.00</span>" in page


def test_a_refused_checkout_keeps_the_tick_and_says_the_rest_on_its_button(
    browser: Client, cards: Goods, gateway: Gateway
) -> None:
    values = cards.order(pay=str(gateway.id), agree="", **TICKED)

    page = text(browser.post("/checkout/", values))

    assert "支付 <span data-due-text>¥6.00</span>" in page
    assert "-¥4.00" in page


def test_a_ticked_part_is_held_and_the_gateway_asks_for_the_rest(
    browser: Client, site_a: Site, mei: Buyer, cards: Goods, gateway: Gateway
) -> None:
    answer = browser.post("/checkout/", cards.order(pay=str(gateway.id), **TICKED))

    assert answer.status_code == 303
    assert held(site_a, mei) == 0
    with site_scope(site_a.id):
        assert Payment.objects.get().amount == 60_000
    page = text(browser.get(answer["Location"]))
    assert "余额已抵扣 ¥4.00" in page
    assert "checked" in page


def test_an_unticked_part_is_left_alone_and_can_be_added_and_dropped_on_the_pay_page(
    browser: Client, site_a: Site, mei: Buyer, cards: Goods, gateway: Gateway
) -> None:
    values = cards.order(pay=str(gateway.id), wallet_part="4.00")
    url = browser.post("/checkout/", values)["Location"]
    assert held(site_a, mei) == 40_000
    path, _, token = url.partition("?t=")
    go = {"pay": str(gateway.id), "t": token}

    assert browser.post(f"{path}go/", {**go, **TICKED}).status_code == 303
    assert held(site_a, mei) == 0
    assert browser.post(f"{path}go/", go).status_code == 303
    assert held(site_a, mei) == 40_000

    with site_scope(site_a.id):
        amounts = list(Payment.objects.order_by("id").values_list("amount", flat=True))
        assert amounts == [100_000, 60_000, 100_000]


@pytest.mark.parametrize("part", ["4.01", "10.00", "-1", "x", "0.001", "9" * 30])
def test_a_part_that_cannot_be_is_refused_and_nothing_is_taken(
    part: str, browser: Client, site_a: Site, mei: Buyer, cards: Goods, gateway: Gateway
) -> None:
    values = cards.order(pay=str(gateway.id), use_wallet="1", wallet_part=part)

    answer = browser.post("/checkout/", values)

    assert 400 <= answer.status_code < 500
    assert held(site_a, mei) == 40_000
    with site_scope(site_a.id):
        assert not Order.objects.exists()


def test_cancelling_gives_the_part_back(
    browser: Client, site_a: Site, mei: Buyer, cards: Goods, gateway: Gateway
) -> None:
    url = browser.post("/checkout/", cards.order(pay=str(gateway.id), **TICKED))["Location"]
    path, _, token = url.partition("?t=")

    browser.post(f"{path}cancel/", {"t": token})

    assert held(site_a, mei) == 40_000


def test_a_fee_that_the_buyer_bears_is_shown_before_paying(
    browser: Client, site_a: Site, cards: Goods, gateway: Gateway
) -> None:
    with site_scope(gateway.site_id):
        Gateway.objects.filter(id=gateway.id).update(fee_bearer=FeeBearer.BUYER)
    forget_gateways()

    page = text(browser.get("/checkout/", {"variant": cards.variant.id, "quantity": 1}))
    assert "含手续费 ¥0.07，共付 ¥10.07" in page
    assert "用余额抵扣后含手续费 ¥0.04，共付 ¥6.04" in page

    url = browser.post("/checkout/", cards.order(pay=str(gateway.id)))["Location"]
    assert "含手续费 ¥0.07" in text(browser.get(url))
    with site_scope(site_a.id):
        assert Payment.objects.get().amount == 100_700
