"""Exact numbers of statements for the pages that matter, warm, each named."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from django.test import Client

from kameng.inventory.selectors import forget_stock
from kameng.payments.models import Gateway
from kameng.tenancy.models import Site
from tests import factories
from tests.people import Buyer
from tests.storefront.conftest import Goods

ClientFor = Callable[..., Client]
Statements = Callable[[], AbstractContextManager[list[str]]]


@pytest.fixture
def guest(site_a: Site, client_for: ClientFor) -> Client:
    """A guest's browser."""
    return client_for(site_a)


@pytest.fixture
def buyer(site_a: Site, mei: Buyer, client_for: ClientFor) -> Client:
    """Mei's browser, with 100 yuan in her wallet."""
    factories.fund_wallet(mei.customer, 1_000_000)
    return client_for(site_a, mei)


def test_home_asks_for_site_and_person_only(
    guest: Client, buyer: Client, cards: Goods, statements: Statements
) -> None:
    for browser in (guest, buyer):
        browser.get("/")
        with statements() as seen:
            assert browser.get("/").status_code == 200
        # 1 accounts_open_request
        assert len(seen) == 1, seen


def test_a_shelf_asks_for_site_and_person_only(
    guest: Client, cards: Goods, statements: Statements
) -> None:
    path = f"/c/{cards.product.category_id}/"
    guest.get(path)

    with statements() as seen:
        assert guest.get(path).status_code == 200
    # 1 accounts_open_request
    assert len(seen) == 1, seen


def test_a_product_asks_for_its_stock_every_two_seconds(
    guest: Client, cards: Goods, statements: Statements
) -> None:
    path = f"/p/{cards.product.id}/"
    guest.get(path)

    with statements() as kept:
        assert guest.get(path).status_code == 200
    forget_stock()
    with statements() as aged:
        assert guest.get(path).status_code == 200

    # 1 accounts_open_request
    assert len(kept) == 1, kept
    # 1 accounts_open_request, 2 inventory_count_stock
    assert len(aged) == 2, aged


def test_an_order_by_wallet_costs_two(buyer: Client, cards: Goods, statements: Statements) -> None:
    buyer.get(f"/p/{cards.product.id}/")

    with statements() as seen:
        assert buyer.post("/checkout/", cards.order()).status_code == 303
    # 1 accounts_open_request, 2 orders_place
    assert len(seen) == 2, seen


def test_an_order_by_gateway_costs_three(
    guest: Client, cards: Goods, gateway: Gateway, statements: Statements
) -> None:
    guest.get(f"/p/{cards.product.id}/")

    with statements() as seen:
        answer = guest.post("/checkout/", cards.order(pay=str(gateway.id)))
    assert answer.status_code == 303
    # 1 accounts_open_request, 2 the gateways of the site, 3 orders_place with its payment
    assert len(seen) == 3, seen


def test_a_poll_costs_two(
    guest: Client, cards: Goods, gateway: Gateway, statements: Statements
) -> None:
    url = guest.post("/checkout/", cards.order(pay=str(gateway.id)))["Location"]
    url = url.replace("/?t=", "/status/?s=1&t=")

    with statements() as seen:
        assert guest.get(url).status_code == 200
    # 1 accounts_open_request, 2 the order
    assert len(seen) == 2, seen
