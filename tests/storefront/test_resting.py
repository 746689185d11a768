"""The page of the rest: what came, what is missing, any way to pay, and nothing more than that."""

from collections.abc import Callable

import pytest
from django.test import Client

from kameng.core.audit import SYSTEM
from kameng.ledger.selectors import wallet_amount
from kameng.orders.models import Order, OrderState
from kameng.orders.services.closing import cancel_order
from kameng.orders.services.shortfalls import ask_rest, end_shortfalls
from kameng.payments.models import FeeBearer, Gateway, Payment, PaymentState
from kameng.payments.services.shortfalls import ShortfallWish
from kameng.pricing.money import Amount
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests import factories
from tests.payments.filling import pay
from tests.people import Buyer
from tests.storefront.conftest import Goods

ClientFor = Callable[..., Client]
YUAN = 10_000


def buy_short(client: Client, cards: Goods, gateway: Gateway, site: Site) -> str:
    """Order ten yuan's worth, pay six, let staff ask for the rest; return the pay page."""
    url = str(client.post("/checkout/", cards.order(pay=str(gateway.id)))["Location"])
    with site_scope(site.id):
        first = Payment.objects.latest("id")
        pay(first, amount=Amount(first.amount - 4 * YUAN))
        wish = ShortfallWish(hold_seconds=3600, reason="少付了")
        ask_rest(payment_id=first.id, wish=wish, actor=SYSTEM)
    return url


@pytest.fixture
def guest(site_a: Site, client_for: ClientFor) -> Client:
    """A guest's browser on site A."""
    return client_for(site_a)


@pytest.fixture
def signed_in(site_a: Site, mei: Buyer, client_for: ClientFor) -> Client:
    """Mei's browser on site A."""
    return client_for(site_a, mei)


@pytest.fixture
def pay_url(guest: Client, cards: Goods, gateway: Gateway, site_a: Site) -> str:
    """The pay page of a guest who paid six of ten yuan and is asked for four."""
    return buy_short(guest, cards, gateway, site_a)


def test_the_pay_page_leads_to_the_rest(guest: Client, pay_url: str, gateway: Gateway) -> None:
    moved = guest.get(pay_url)
    page = guest.get(str(moved["Location"]))

    text = page.content.decode()
    assert "/rest/" in str(moved["Location"])
    assert "已收到您付的 ¥6.00" in text
    assert "还差这些，请选择支付方式补付" in text
    assert 'class="pay-amount"' in text
    assert f'value="{gateway.id}"' in text
    assert page["Cache-Control"] == "no-store"


def test_the_rest_is_paid_by_a_gateway_and_the_order_goes_out(
    guest: Client, pay_url: str, gateway: Gateway, site_a: Site
) -> None:
    rest_url = str(guest.get(pay_url)["Location"])
    path, _, query = rest_url.partition("?t=")

    gone = guest.post(f"{path}go/", {"t": query, "pay": str(gateway.id)})
    page = guest.get(str(gone["Location"]))

    assert "去支付宝付款" in page.content.decode()
    assert "money=4.00" in page.content.decode()
    with site_scope(site_a.id):
        attempt = Payment.objects.latest("id")
        assert (attempt.amount, attempt.state) == (4 * YUAN, PaymentState.OPEN)
        pay(attempt)
        assert Order.objects.get().state == OrderState.DELIVERED
    over = guest.get(rest_url)
    assert (over.status_code, "/rest/" in str(over["Location"])) == (303, False)
    order_page = guest.get(str(over["Location"])).content.decode()
    assert "购买成功" in order_page
    assert "还差" not in order_page


def test_a_second_press_keeps_the_attempt(
    guest: Client, pay_url: str, gateway: Gateway, site_a: Site
) -> None:
    path, _, query = str(guest.get(pay_url)["Location"]).partition("?t=")

    for _press in range(3):
        guest.post(f"{path}go/", {"t": query, "pay": str(gateway.id)})

    with site_scope(site_a.id):
        assert Payment.objects.filter(completes__isnull=False).count() == 1


def test_no_fee_is_told_where_the_shop_bears_it(
    guest: Client, cards: Goods, gateway: Gateway, site_a: Site, main_site: Site
) -> None:
    with site_scope(main_site.id):
        Gateway.objects.filter(id=gateway.id).update(fee_bearer=FeeBearer.BUYER)
    rest_url = str(guest.get(buy_short(guest, cards, gateway, site_a))["Location"])

    assert "含手续费" not in guest.get(rest_url).content.decode()


def test_an_expired_order_shows_where_the_rest_is_paid(
    guest: Client, pay_url: str, site_a: Site
) -> None:
    with site_scope(site_a.id):
        Order.objects.update(state=OrderState.EXPIRED)

    page = guest.get(pay_url, follow=True)

    text = page.content.decode()
    assert "收到您付的 ¥6.00，还差 ¥4.00" in text
    assert "去补付" in text
    assert "/rest/?t=" in text


def test_a_customer_pays_the_rest_from_the_wallet(
    signed_in: Client, mei: Buyer, cards: Goods, gateway: Gateway, site_a: Site
) -> None:
    factories.fund_wallet(mei.customer, 5 * YUAN)
    rest_url = str(signed_in.get(buy_short(signed_in, cards, gateway, site_a))["Location"])

    gone = signed_in.post(f"{rest_url.partition('?')[0]}go/", {"pay": "wallet"})

    assert gone.status_code == 303
    with site_scope(site_a.id):
        assert Order.objects.get().state == OrderState.DELIVERED
        assert wallet_amount(mei.customer.id) == YUAN


def test_an_empty_wallet_says_so_and_changes_nothing(
    signed_in: Client, cards: Goods, gateway: Gateway, site_a: Site
) -> None:
    rest_url = str(signed_in.get(buy_short(signed_in, cards, gateway, site_a))["Location"])

    page = signed_in.post(f"{rest_url.partition('?')[0]}go/", {"pay": "wallet"})

    assert page.status_code == 402
    assert "余额不足" in page.content.decode()
    with site_scope(site_a.id):
        assert Order.objects.get().state == OrderState.AWAITING_PAYMENT


def test_a_guest_has_no_wallet_to_pay_it_from(guest: Client, pay_url: str) -> None:
    path, _, query = str(guest.get(pay_url)["Location"]).partition("?t=")

    assert guest.post(f"{path}go/", {"t": query, "pay": "wallet"}).status_code == 401


def test_who_gave_the_order_up_is_asked_no_more(guest: Client, pay_url: str, site_a: Site) -> None:
    rest_url = str(guest.get(pay_url)["Location"])
    with site_scope(site_a.id):
        cancel_order(order=Order.objects.get(), actor=SYSTEM)
        assert end_shortfalls() == 1

    text = guest.get(rest_url, follow=True).content.decode()
    assert "这笔钱已安排退给您" in text
    assert "去补付" not in text


def test_a_stranger_sees_nothing(client_for: ClientFor, pay_url: str, site_a: Site) -> None:
    path = pay_url.partition("?")[0]
    assert client_for(site_a).get(f"{path}rest/").status_code in {403, 404}
    assert client_for(site_a).post(f"{path}rest/go/", {"pay": "1"}).status_code in {403, 404}
