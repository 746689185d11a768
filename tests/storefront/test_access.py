"""Every address of the shop, asked by a guest, a customer, an outsider and staff, with odd input.

The table is compared with the URL table, so that a new address cannot be forgotten here.
"""

from collections.abc import Callable

import pytest
from django.test import Client

from kameng.orders.models import Order
from kameng.payments.models import Gateway
from kameng.storefront.urls import urlpatterns
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests import factories
from tests.people import Buyer, Staff
from tests.storefront.conftest import Goods

ClientFor = Callable[..., Client]

OPEN = {  # route → what anybody gets
    "": 200,
    "search/": 200,
    "suggest/": 200,
    "c/<int:category_id>/": 200,
    "p/<int:product_id>/": 200,
    "p/<int:product_id>/stock/": 200,
    "covers/<int:product_id>.<slug:version>.svg": 200,
    "checkout/": 400,  # names no goods
    "lookup/": 200,
    "register/": 200,
    "sign-in/": 200,
    "sign-out/": 405,
    "forgot/": 200,
    "open/": 404,  # plans are sold by the main site
    "open/start/": 404,
    "open/address/": 404,
    "open/design/<slug:key>/": 404,
    "open/more/": 404,
    "open/invited/<str:token>/": 404,  # no such link
    "pages/<slug:slug>/": 404,  # no such page
    "about/": 200,
    "about/legal/": 200,
    "inside/<str:token>/": 404,  # a forged pass
    "preview/<str:token>/": 404,  # no such link
    "leaving/": 404,  # leads nowhere
    "look/<slug:name>.css": 404,  # no such look
    "pictures/<int:picture_id>-<slug:digest>-<int:width>.webp": 404,
    "help/": 200,
    "terms/": 200,
    "privacy/": 200,
    "pay/payer/": 400,  # nobody was asked
    "pay/device/": 405,
    "language/": 405,
    "robots.txt": 200,
    "favicon.svg": 200,
    "favicon.ico": 200,
    "manifest.webmanifest": 200,
}
OF_AN_ORDER = {  # route → what its owner gets by GET
    "open/ready/<str:order_no>/": 404,  # of goods, not of a plan
    "open/ready/<str:order_no>/enter/": 405,
    "open/ready/<str:order_no>/move/": 405,
    "pay/<str:order_no>/": 200,
    "pay/<str:order_no>/go/": 405,
    "pay/<str:order_no>/rest/": 303,  # nobody is asked for a rest
    "pay/<str:order_no>/rest/go/": 405,
    "pay/<str:order_no>/status/": 200,
    "pay/<str:order_no>/cancel/": 405,
    "o/<str:order_no>/": 303,
    "o/<str:order_no>/keys.txt": 200,
    "o/<str:order_no>/used/": 405,
}
OF_A_PAYOUT = (  # opened by its token alone
    "receive/<str:withdrawal_no>/",
    "receive/<str:withdrawal_no>/status/",
)
OF_A_CUSTOMER = (
    "account/",
    "account/orders/",
    "account/wallet/",
    "account/wallet/<str:top_up_no>/",
    "account/wallet/<str:top_up_no>/status/",
    "account/wallet/<str:top_up_no>/return/",
    "account/wallet/statement/",
    "account/wallet/statement/file/",
    "account/messages/",
    "account/security/",
)


@pytest.fixture
def order_no(
    site_a: Site, mei: Buyer, cards: Goods, gateway: Gateway, client_for: ClientFor
) -> str:
    """Mei's unpaid order."""
    answer = client_for(site_a, mei).post("/checkout/", cards.order(pay=str(gateway.id)))
    return str(answer["Location"]).split("/")[2]


@pytest.fixture
def outsider(site_b: Site) -> Buyer:
    """A customer of site B."""
    login = "outsider@example.com"
    return Buyer(customer=factories.make_customer(site_b, login=login), login=login)


def fill(route: str, cards: Goods, order_no: str = "0" * 18) -> str:
    path = route.replace("<int:product_id>", str(cards.product.id))
    path = path.replace("<int:category_id>", str(cards.product.category_id))
    path = path.replace("<slug:version>", "0").replace("<str:top_up_no>", "1" * 18)
    path = path.replace("<slug:key>", "bazaar")
    path = path.replace("<slug:slug>", "none").replace("<str:token>", "none")
    path = path.replace("<slug:name>", "none").replace("<int:picture_id>", "1")
    path = path.replace("<slug:digest>", "0" * 16).replace("<int:width>", "480")
    path = path.replace("<str:withdrawal_no>", "2" * 18)
    return "/" + path.replace("<str:order_no>", order_no)


def test_the_table_is_whole() -> None:
    routes = {str(each.pattern) for each in urlpatterns}

    assert routes == {*OPEN, *OF_AN_ORDER, *OF_A_PAYOUT, *OF_A_CUSTOMER}


def test_what_is_open_is_open_to_everybody(
    site_a: Site, cards: Goods, mei: Buyer, lin: Staff, client_for: ClientFor
) -> None:
    for browser in (client_for(site_a), client_for(site_a, mei), client_for(site_a, lin)):
        for route, status in OPEN.items():
            answer = browser.get(fill(route, cards))
            is_inside = browser.cookies.get("kameng_session") and answer.status_code == 303
            assert answer.status_code == status or is_inside, route


def test_an_order_is_its_owners_alone(
    site_a: Site,
    site_b: Site,
    cards: Goods,
    order_no: str,
    mei: Buyer,
    lin: Staff,
    outsider: Buyer,
    client_for: ClientFor,
) -> None:
    eve = Buyer(customer=factories.make_customer(site_a), login="")
    strangers = (
        client_for(site_a),
        client_for(site_a, eve),
        client_for(site_a, lin),
        client_for(site_b, outsider),
        client_for(site_b),
    )
    for route, status in OF_AN_ORDER.items():
        path = fill(route, cards, order_no)
        assert client_for(site_a, mei).get(path).status_code == status, route
        for stranger in strangers:
            assert stranger.get(path).status_code in {404, 405}, route
            assert stranger.post(path, {"pay": "wallet", "key": "1", "used": "1"}).status_code in {
                404,
                405,
            }, route
    with site_scope(site_a.id):
        assert Order.objects.get().state == 1


def test_the_account_is_a_customers_alone(
    site_a: Site,
    site_b: Site,
    cards: Goods,
    mei: Buyer,
    lin: Staff,
    client_for: ClientFor,
) -> None:
    mine, guest, staff = client_for(site_a, mei), client_for(site_a), client_for(site_a, lin)
    foreign = client_for(site_b)
    foreign.cookies["kameng_session"] = mine.cookies["kameng_session"].value  # TEN-03
    for route in OF_A_CUSTOMER:
        path = fill(route, cards)
        assert mine.get(path).status_code == (404 if "top_up_no" in route else 200), route
        for browser in (guest, staff, foreign):
            shown = browser.get(path)
            assert shown.status_code == 303, route
            assert shown["Location"].startswith("/sign-in/?next="), route
            assert browser.get(path, HTTP_ACCEPT="application/json").status_code == 401, route
            assert browser.post(path, {"act": "others"}).status_code in {401, 405}, route


ODD = ("\x00", "😀", "１", "-1", "9" * 400, "%00", "'; drop table x --", "../../etc", "\ud7ff", "")


@pytest.mark.parametrize("odd", ODD)
def test_odd_input_never_breaks_an_address(
    odd: str, site_a: Site, cards: Goods, mei: Buyer, client_for: ClientFor
) -> None:
    names = ("q", "sort", "page", "before", "variant", "quantity", "t", "s", "state", "next")
    fields = ("login", "password", "contact", "code", "step", "act", "amount", "pay", "key", "used")
    query = dict.fromkeys(names, odd)
    form = dict.fromkeys((*names, *fields, "idempotency_key", "nickname", "agree", "field_x"), odd)
    browser = client_for(site_a, mei)
    for each in urlpatterns:
        path = fill(str(each.pattern), cards)
        assert browser.get(path, query).status_code < 500, path
        if path != "/sign-out/":
            assert browser.post(path, form).status_code < 500, path


@pytest.mark.parametrize("odd", ODD[:-1])
def test_odd_numbers_of_orders_are_not_found(
    odd: str, site_a: Site, cards: Goods, mei: Buyer, client_for: ClientFor
) -> None:
    from urllib.parse import quote

    browser = client_for(site_a, mei)
    for route in OF_AN_ORDER:
        path = "/" + route.replace("<str:order_no>", quote(odd, safe=""))
        assert browser.get(path).status_code in {400, 404, 405}, path
