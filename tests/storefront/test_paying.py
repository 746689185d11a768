"""The pay page: what it shows, that coming back proves nothing, other ways, giving up."""

import html
from collections.abc import Callable

import pytest
from django.http import HttpResponse
from django.test import Client

from kameng.ledger.selectors import wallet_amount
from kameng.orders.models import Order, OrderState
from kameng.payments.models import Gateway, Payment, PaymentState
from kameng.payments.providers.port import PayInstruction
from kameng.payments.services import paying
from kameng.storefront.cashier import let_form_go
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from kameng.web.csp import protect
from tests import factories
from tests.people import Buyer
from tests.storefront.conftest import Goods

ClientFor = Callable[..., Client]


@pytest.fixture
def guest(site_a: Site, client_for: ClientFor) -> Client:
    """A guest's browser on site A."""
    return client_for(site_a)


@pytest.fixture
def pay_url(guest: Client, cards: Goods, gateway: Gateway) -> str:
    """The address at which a guest pays."""
    return str(guest.post("/checkout/", cards.order(pay=str(gateway.id)))["Location"])


def state_of(site: Site) -> int:
    with site_scope(site.id):
        return int(Order.objects.get().state)


def test_the_pay_page_leads_to_the_gateway(guest: Client, pay_url: str) -> None:
    page = guest.get(pay_url)

    text = page.content.decode()
    assert page.status_code == 200
    assert "https://pay.example.com/submit.php" in text
    assert "去支付宝付款" in text
    assert "data-countdown-to" in text
    assert page["Cache-Control"] == "no-store"


def test_a_page_with_a_form_to_the_gateway_lets_it_be_sent(guest: Client, pay_url: str) -> None:
    page = guest.get(pay_url)

    if "<form" in page.content.decode().partition("https://pay.example.com")[0][-200:]:
        assert "https://pay.example.com" in page["Content-Security-Policy"]


def test_the_gateway_is_asked_once(
    guest: Client, pay_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = guest.get(pay_url).content.decode()
    monkeypatch.setattr(paying, "provider_of", None)

    second = guest.get(pay_url).content.decode()

    assert "https://pay.example.com" in first
    assert "https://pay.example.com" in second


@pytest.mark.parametrize(
    "said", ["", "&trade_status=TRADE_SUCCESS", "&status=success&money=10.00&sign=x", "&pid=1001"]
)
def test_coming_back_proves_nothing(guest: Client, site_a: Site, pay_url: str, said: str) -> None:
    """PAY-12."""
    page = guest.get(f"{pay_url}&returned=1{said}")

    text = page.content.decode()
    assert page.status_code == 200
    assert "正在确认付款结果" in text
    assert "SECRET" not in text
    assert state_of(site_a) == OrderState.AWAITING_PAYMENT


def _mismatch(site: Site, received: int, *, refunded: int = 0) -> None:
    with site_scope(site.id):
        Payment.objects.update(
            state=PaymentState.MISMATCHED, received_amount=received, refunded_amount=refunded
        )


def test_a_wrong_amount_is_told_to_who_waits_for_it(
    guest: Client, site_a: Site, pay_url: str
) -> None:
    """The buyer must not believe that nothing was charged, nor pay again."""
    waiting = guest.get(f"{pay_url}&returned=1").content.decode()
    status_url = html.unescape(waiting.partition('data-poll-url="')[2].partition('"')[0])
    before = guest.get(status_url).json()

    _mismatch(site_a, 99_900)
    after = guest.get(status_url).json()
    page = guest.get(f"{pay_url}&returned=1").content.decode()

    assert "正在确认付款结果" in waiting
    assert (before["reload"], after["reload"]) == (False, True)
    assert "收到您付的 ¥9.99，应付 ¥10.00，金额不符" in page
    assert "需按应付金额另付" in page
    assert "正在确认付款结果" not in page
    again = html.unescape(page.partition('data-poll-url="')[2].partition('"')[0])
    assert guest.get(again).json()["reload"] is False  # told already: no circle of reloads


@pytest.mark.parametrize(
    ("received", "refunded", "said"),
    [
        (99_900, 0, "店家核实后会把这笔钱退给您"),
        (99_900, 99_900, "这笔钱已安排退给您"),
        (100_000, 0, "收到您重复付的 ¥10.00"),
    ],
)
def test_a_closed_order_whose_money_came_wrong_does_not_say_that_nothing_was_charged(
    guest: Client, site_a: Site, pay_url: str, received: int, refunded: int, said: str
) -> None:
    path, _, token = pay_url.partition("?t=")
    guest.post(f"{path}cancel/", {"t": token})
    clean = guest.get(pay_url, follow=True).content.decode()

    _mismatch(site_a, received, refunded=refunded)
    page = guest.get(pay_url, follow=True).content.decode()

    assert "没有扣款" in clean
    assert "没有扣款" not in page
    assert said in page


def test_a_gateway_that_is_away_leaves_the_other_ways(
    guest: Client, pay_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kameng.payments.errors import GatewayAway

    def away(**_values: object) -> None:
        raise GatewayAway

    monkeypatch.setattr("kameng.storefront.views.paying.begin_payment", away)

    page = guest.get(pay_url)

    assert page.status_code == 200
    assert "支付通道暂时没有响应" in page.content.decode()


def test_the_status_follows_the_order(
    guest: Client, site_a: Site, pay_url: str, cards: Goods
) -> None:
    status_url = pay_url.replace("/?t=", "/status/?s=1&t=")

    before = guest.get(status_url).json()
    guest.post(pay_url.partition("?")[0] + "cancel/", {"t": pay_url.partition("t=")[2]})
    after = guest.get(status_url).json()

    assert before["state"] == "awaiting_payment"
    assert before["reload"] is False
    assert "next_url" not in before
    assert after["state"] == "cancelled"
    assert after["next_url"].startswith("/o/")


def test_cancelling_gives_back_what_was_held(
    guest: Client, site_a: Site, pay_url: str, unsold: Callable[[], int]
) -> None:
    assert unsold() == 19
    path, _, token = pay_url.partition("?t=")

    answer = guest.post(f"{path}cancel/", {"t": token})
    page = guest.get(answer["Location"])
    again = guest.post(f"{path}cancel/", {"t": token})

    assert answer.status_code == again.status_code == 303
    assert "订单已取消" in page.content.decode()
    assert unsold() == 20
    assert state_of(site_a) == OrderState.CANCELLED


def test_another_gateway_opens_another_payment(
    guest: Client, site_a: Site, main_site: Site, pay_url: str, gateway: Gateway
) -> None:
    with site_scope(main_site.id):
        other = Gateway.objects.get(id=gateway.id)
        other.pk = None
        other.name = "微信支付"
        other.is_enabled = False
        other.save(force_insert=True)
    path, _, token = pay_url.partition("?t=")

    off = guest.post(f"{path}go/", {"t": token, "pay": str(other.id)})
    same = guest.post(f"{path}go/", {"t": token, "pay": str(gateway.id)})

    assert off.status_code == 400
    assert same.status_code == 303
    with site_scope(site_a.id):
        assert Payment.objects.count() == 1


def test_a_customer_may_pay_from_the_wallet_instead(
    site_a: Site, mei: Buyer, cards: Goods, gateway: Gateway, client_for: ClientFor
) -> None:
    factories.fund_wallet(mei.customer, 1_000_000)
    client = client_for(site_a, mei)
    pay_url = client.post("/checkout/", cards.order(pay=str(gateway.id)))["Location"]
    path = pay_url.partition("?")[0]

    answer = client.post(f"{path}go/", {"pay": "wallet"})  # the owner needs no token
    page = client.get(answer["Location"])

    assert answer.status_code == 303
    assert "购买成功" in page.content.decode()
    with site_scope(site_a.id):
        assert wallet_amount(mei.customer.id) == 900_000


def test_a_guest_cannot_pay_from_a_wallet(guest: Client, site_a: Site, pay_url: str) -> None:
    path, _, token = pay_url.partition("?t=")

    assert guest.post(f"{path}go/", {"t": token, "pay": "wallet"}).status_code == 401
    assert state_of(site_a) == OrderState.AWAITING_PAYMENT


@pytest.mark.parametrize("pay", ["", "x", "-1", "9" * 40, "１", "999999", "😀"])
def test_an_odd_choice_is_refused(guest: Client, pay_url: str, site_a: Site, pay: str) -> None:
    path, _, token = pay_url.partition("?t=")

    assert guest.post(f"{path}go/", {"t": token, "pay": pay}).status_code == 400
    assert state_of(site_a) == OrderState.AWAITING_PAYMENT


def test_a_paid_order_is_not_paid_again(
    site_a: Site, mei: Buyer, cards: Goods, client_for: ClientFor
) -> None:
    factories.fund_wallet(mei.customer, 1_000_000)
    client = client_for(site_a, mei)
    order_url = client.post("/checkout/", cards.order())["Location"]
    pay_path = order_url.partition("?")[0].replace("/o/", "/pay/")

    shown = client.get(pay_path)
    paid = client.post(f"{pay_path}go/", {"pay": "wallet"})
    cancelled = client.post(f"{pay_path}cancel/")

    assert shown.status_code == paid.status_code == cancelled.status_code == 303
    with site_scope(site_a.id):
        assert wallet_amount(mei.customer.id) == 900_000
        assert Order.objects.get().state == OrderState.DELIVERED


def test_a_gateways_page_may_post_the_browser_back(
    site_a: Site, client_for: ClientFor, pay_url: str
) -> None:
    """UnionPay's page comes back by a form of its own, from another host and without our token."""
    browser = client_for(site_a)
    browser.handler.enforce_csrf_checks = True
    address = f"{pay_url}&returned=1"

    back = browser.post(address, {"respCode": "00", "txnAmt": "1000", "orderId": "P1"})

    assert (back.status_code, back["Location"]) == (303, address)
    page = browser.get(address)
    assert "正在确认付款结果" in page.content.decode()
    assert state_of(site_a) == OrderState.AWAITING_PAYMENT


def test_who_posts_to_another_address_of_the_pay_page_needs_the_token(
    site_a: Site, client_for: ClientFor, pay_url: str
) -> None:
    browser = client_for(site_a)
    browser.handler.enforce_csrf_checks = True
    path, _, query = pay_url.partition("?")

    assert browser.post(f"{path}cancel/?{query}").status_code == 403
    assert state_of(site_a) == OrderState.AWAITING_PAYMENT


def test_a_posted_form_may_be_led_on_to_the_gateways_own_hosts_only() -> None:
    told = PayInstruction(
        kind="form",
        url="https://gateway.95516.com/gateway/api/frontTransReq.do",
        fields={"orderId": "1"},
        leads_to=("https://*.95516.com",),
    )

    response = let_form_go(HttpResponse(), told)
    protect(response, nonce="n", is_secure=True)

    policy = response["Content-Security-Policy"]
    assert "form-action 'self' https://gateway.95516.com https://*.95516.com;" in policy
