"""The pay page on every device: which ways, who pays, how to come to where a way works."""

import datetime as dt
import html
import json
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpResponse
from django.test import Client

from kameng.core import clock
from kameng.core.audit import SYSTEM
from kameng.orders.models import Order, OrderState
from kameng.payments.models import Gateway, Payment, PaymentState
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain
from kameng.payments.services.prepaying import book_prepaid
from kameng.tenancy.models import SettlementWay, Site
from kameng.tenancy.selectors import site_scope
from tests.payments import fakes
from tests.payments.fakes import World, make_account
from tests.people import Buyer
from tests.storefront.conftest import Goods

ClientFor = Callable[..., Client]
WECHAT = "Mozilla/5.0 (iPhone) AppleWebKit Mobile/15E148 MicroMessenger/8.0.40"
ALIPAY = "Mozilla/5.0 (iPhone) AppleWebKit Mobile/15E148 AlipayClient/10.5"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) AppleWebKit Mobile/15E148 Safari/604.1"
DESKTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/126.0"


@pytest.fixture(autouse=True)
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """The accounts of these tests, which do as they are told."""
    with fakes.fake_gateways(monkeypatch) as running:
        yield running


@pytest.fixture
def guest(site_a: Site, client_for: ClientFor) -> Client:
    """A guest's browser on site A."""
    return client_for(site_a)


def take_own_money(site: Site) -> None:
    """Let a site's operator take the buyers' money, with enough paid in for what he sells."""
    Site.objects.filter(id=site.id).update(settlement_way=SettlementWay.PREPAID)
    with site_scope(site.id):
        book_prepaid(
            site_id=site.id,
            amount=10_000_000,
            reason="转账 8841",
            idempotency_key="k",
            actor=SYSTEM,
        )


def order_by(guest: Client, cards: Goods, way: Gateway, agent: str) -> str:
    answer = guest.post("/checkout/", cards.order(pay=str(way.id)), headers={"User-Agent": agent})
    assert answer.status_code == 303, answer.content.decode()
    return str(answer["Location"])


def look(guest: Client, url: str, agent: str) -> str:
    page = guest.get(url, headers={"User-Agent": agent})
    assert page.status_code == 200, (page.status_code, page.get("Location"))
    return html.unescape(page.content.decode())


def get(guest: Client, url: str, agent: str = WECHAT) -> HttpResponse:
    return guest.get(url, headers={"User-Agent": agent})  # type: ignore[return-value]


def values_of(page: str) -> list[str]:
    return [part.partition('"')[0] for part in page.split('name="pay" value="')[1:]]


def checkout(cards: Goods) -> str:
    return f"/checkout/?variant={cards.variant.id}&quantity=1"


def test_each_device_is_offered_what_works_there(
    guest: Client, cards: Goods, main_site: Site
) -> None:
    qr = make_account(main_site, method="qr", name="扫码付")
    h5 = make_account(main_site, method="h5", name="网页付")
    jsapi = make_account(main_site, method="jsapi", name="微信付")

    def offered(agent: str) -> list[str]:
        return values_of(look(guest, checkout(cards), agent))

    assert offered(DESKTOP) == [str(qr.id)]
    assert offered(PHONE) == [str(qr.id), str(h5.id)]
    assert offered(WECHAT) == [str(qr.id), str(h5.id), str(jsapi.id)]
    inside = look(guest, checkout(cards), WECHAT)
    assert inside.count("需要复制链接到浏览器打开") == 2


def test_a_buyer_says_what_he_holds(guest: Client, cards: Goods, main_site: Site) -> None:
    qr = make_account(main_site, method="qr", devices=("pc",), name="扫码付")
    h5 = make_account(main_site, method="h5", name="网页付")
    url = order_by(guest, cards, qr, DESKTOP)
    assert "我在用手机" in look(guest, url, DESKTOP)

    told = guest.post(
        "/pay/device/", {"device": "mobile", "next": url}, headers={"User-Agent": DESKTOP}
    )
    page = look(guest, url, DESKTOP)

    assert (told.status_code, told["Location"]) == (303, url)
    assert "我在用电脑" in page
    assert str(h5.id) in values_of(page)
    away = guest.post("/pay/device/", {"device": "tv", "next": "https://evil.example/"})
    assert (away.status_code, away["Location"]) == (303, "/")
    assert "kameng_device" not in away.cookies


def test_inside_wechat_a_buyer_cannot_say_that_he_is_not(
    guest: Client, cards: Goods, main_site: Site
) -> None:
    jsapi = make_account(main_site, method="jsapi")
    guest.cookies["kameng_device"] = "pc"

    assert values_of(look(guest, checkout(cards), WECHAT)) == [str(jsapi.id)]


def test_inside_wechat_a_way_of_elsewhere_is_guided_out_and_asked_of_nobody(
    guest: Client, cards: Goods, main_site: Site, world: World
) -> None:
    h5 = make_account(main_site, method="h5", name="支付宝")
    url = order_by(guest, cards, h5, WECHAT)

    inside = look(guest, url, WECHAT)
    assert world.calls == []
    outside = look(guest, url, PHONE)

    assert "支付宝不能在这里打开，请到浏览器付款" in inside
    assert 'data-copy="http' in inside
    assert url in inside.partition("data-copy=")[2].partition(">")[0]
    assert "https://pay.example.com/one/" in outside


def test_a_way_of_wechat_alone_shows_this_page_to_scan(
    guest: Client, cards: Goods, main_site: Site, world: World
) -> None:
    jsapi = make_account(main_site, method="jsapi")
    qr = make_account(main_site, method="qr", name="扫码付")
    url = order_by(guest, cards, jsapi, WECHAT)

    page = look(guest, url, DESKTOP)

    assert "微信支付要在微信里打开" in page
    assert 'class="qr"' in page
    assert world.calls == []
    assert values_of(page) == [str(qr.id)]


def test_who_pays_is_asked_once_and_told_to_that_gateway(
    guest: Client, cards: Goods, main_site: Site, site_a: Site, world: World
) -> None:
    way = make_account(main_site, method="jsapi")
    url = order_by(guest, cards, way, WECHAT)
    world.codes["code-1"] = "openid-1"

    out = get(guest, url)
    asked = parse_qs(urlsplit(out["Location"]).query)
    back = get(guest, f"/pay/payer/?code=code-1&state={asked['state'][0]}")
    page = look(guest, url, WECHAT)

    assert out["Location"].startswith("https://open.example.com/authorize?")
    assert asked["redirect_uri"][0].endswith("/pay/payer/")
    assert asked["state"][0].isalnum()
    assert len(asked["state"][0]) <= 128
    assert (back.status_code, back["Location"]) == (303, url)
    assert [request.payer_id for request in world.requests] == ["openid-1"]
    fields = page.partition('data-pay-bridge="')[2].partition('"><')[0]
    assert json.loads(fields) == {"appId": "wx1", "package": "prepay_id=1"}
    cookie = guest.cookies["kameng_payer"]
    assert "openid" not in cookie.value
    assert cookie["httponly"]
    second = order_by(guest, cards, way, WECHAT)
    assert look(guest, second, WECHAT).count("data-pay-bridge")
    assert world.count("payer", "one") == 1


def state_of(guest: Client, url: str) -> str:
    return parse_qs(urlsplit(get(guest, url)["Location"]).query)["state"][0]


def test_a_state_is_used_once(guest: Client, cards: Goods, main_site: Site, world: World) -> None:
    url = order_by(guest, cards, make_account(main_site, method="jsapi"), WECHAT)
    world.codes["code-1"] = "openid-1"
    state = state_of(guest, url)

    first = get(guest, f"/pay/payer/?code=code-1&state={state}")
    again = get(guest, f"/pay/payer/?code=code-1&state={state}")

    assert (first.status_code, again.status_code) == (303, 400)
    assert world.count("payer", "one") == 1


def test_a_state_of_another_browser_session_site_or_time_is_refused(
    guest: Client,
    cards: Goods,
    main_site: Site,
    site_a: Site,
    site_b: Site,
    client_for: ClientFor,
    mei: Buyer,
    world: World,
) -> None:
    """A stranger's state would bind his id, or his order, to this browser."""
    way = make_account(main_site, method="jsapi")
    url = order_by(guest, cards, way, WECHAT)
    world.codes["code-1"] = "openid-1"
    state = state_of(guest, url)
    kept = guest.cookies["kameng_payer_state"].value

    def come(browser: Client, state: str, cookie: str | None = kept) -> int:
        browser.cookies.pop("kameng_payer_state", None)
        if cookie is not None:
            browser.cookies["kameng_payer_state"] = cookie
        return get(browser, f"/pay/payer/?code=code-1&state={state}").status_code

    assert come(guest, state, None) == 400
    assert come(guest, "") == 400
    assert come(guest, state[:-1] + ("0" if state[-1] != "0" else "1")) == 400
    assert come(guest, state, kept[:-4] + "AAAA") == 400
    assert come(client_for(site_b), state) == 400  # sealed for site A
    assert come(client_for(site_a, mei), state) == 400  # another session
    with clock.standing_at(clock.now() + dt.timedelta(minutes=11)):
        assert come(guest, state) == 400
    assert world.count("payer", "one") == 0
    assert come(guest, state) == 303


@pytest.mark.parametrize("code", ["", "wrong", "x" * 500])
def test_a_buyer_whom_the_gateway_does_not_name_is_not_sent_round_in_circles(
    guest: Client, cards: Goods, main_site: Site, code: str
) -> None:
    url = order_by(guest, cards, make_account(main_site, method="jsapi"), WECHAT)

    back = get(guest, f"/pay/payer/?code={code}&state={state_of(guest, url)}")
    page = look(guest, back["Location"], WECHAT)

    assert back["Location"] == f"{url}&payer=0"
    assert "支付平台需要先确认您的身份" in page
    assert get(guest, url).status_code == 302  # a fresh look asks again


def test_a_resting_account_gives_way_without_the_buyer_noticing(
    guest: Client, cards: Goods, main_site: Site, site_a: Site, world: World
) -> None:
    first = make_account(main_site, "one")
    second = make_account(main_site, "two", way_id=first.id, name="二号", weight=0)
    world.answers["create", "one"] = ProviderRefused("account_closed")
    url = order_by(guest, cards, first, PHONE)

    page = look(guest, url, PHONE)
    again = look(guest, url, PHONE)

    assert "https://pay.example.com/two/" in page
    assert "https://pay.example.com/two/" in again
    assert "二号" not in page  # the buyer sees the way
    with site_scope(site_a.id):
        rows = list(Payment.objects.order_by("id").values_list("gateway_id", "state"))
    assert rows == [(first.id, PaymentState.CLOSED), (second.id, PaymentState.OPEN)]


def test_when_all_accounts_of_a_way_fail_another_way_pays_the_same_order(
    guest: Client, cards: Goods, main_site: Site, site_a: Site, world: World
) -> None:
    way = make_account(main_site, "one")
    other = make_account(main_site, "three", name="支付宝")
    world.answers["create", "one"] = ProviderRefused("account_closed")
    url = order_by(guest, cards, way, PHONE)

    page = look(guest, url, PHONE)
    path, _, token = url.partition("?t=")
    chosen = guest.post(
        f"{path}go/", {"t": token, "pay": str(other.id)}, headers={"User-Agent": PHONE}
    )
    paid_at = look(guest, str(chosen["Location"]), PHONE)

    assert "这个支付方式暂时不能用，您没有被扣款。订单还在" in page
    assert str(other.id) in values_of(page)
    assert "https://pay.example.com/three/" in paid_at
    with site_scope(site_a.id):
        assert Order.objects.get().state == OrderState.AWAITING_PAYMENT


def test_a_silent_gateway_keeps_the_order_and_offers_the_others(
    guest: Client, cards: Goods, main_site: Site, world: World
) -> None:
    way = make_account(main_site, "one")
    other = make_account(main_site, "three", name="支付宝")
    world.answers["create", "one"] = ProviderUncertain("timeout")
    url = order_by(guest, cards, way, PHONE)

    page = look(guest, url, PHONE)

    assert "支付通道暂时没有响应" in page
    assert str(other.id) in values_of(page)


def test_the_same_checkout_again_is_the_same_order_whatever_account_it_led_to(
    guest: Client, cards: Goods, main_site: Site, site_a: Site
) -> None:
    first = make_account(main_site, "one")
    make_account(main_site, "two", way_id=first.id, name="二号", weight=0)
    form = cards.order(pay=str(first.id))
    placed = guest.post("/checkout/", form)
    with site_scope(main_site.id):
        Gateway.objects.filter(id=first.id).update(is_frozen=True)
    Site.objects.filter(id=main_site.id).update(catalogue_version=999)

    again = guest.post("/checkout/", form)

    assert again["Location"] == placed["Location"]
    with site_scope(site_a.id):
        assert Order.objects.count() == 1


def test_a_shop_that_takes_money_itself_shows_its_own_ways_alone(
    guest: Client, cards: Goods, main_site: Site, site_a: Site, client_for: ClientFor
) -> None:
    of_main = make_account(main_site, "main")
    take_own_money(site_a)
    own = make_account(site_a, "lin", name="林老板收款")

    assert values_of(look(guest, checkout(cards), PHONE)) == [str(own.id)]
    foreign = guest.post("/checkout/", cards.order(pay=str(of_main.id)))
    assert foreign.status_code == 400
    url = order_by(guest, cards, own, PHONE)
    assert "https://pay.example.com/lin/" in look(guest, url, PHONE)
    main = client_for(main_site)
    assert values_of(look(main, checkout(cards), PHONE)) == [str(of_main.id)]


def pay_by_callback(browser: Client, gateway: Gateway, account: str, payment: Payment) -> int:
    return browser.post(
        f"/notify/{gateway.id}/",
        f"{payment.payment_no} {payment.amount}",
        content_type="text/plain",
        headers={"wechatpay-signature": f"key-of-{account}"},
    ).status_code


def test_callbacks_are_heard_at_the_shop_whose_accounts_they_are(
    guest: Client,
    cards: Goods,
    main_site: Site,
    site_a: Site,
    site_b: Site,
    client_for: ClientFor,
) -> None:
    take_own_money(site_a)
    own = make_account(site_a, "lin")
    order_by(guest, cards, own, PHONE)
    with site_scope(site_a.id):
        payment = Payment.objects.get()

    elsewhere = [
        pay_by_callback(client_for(site), own, "lin", payment) for site in (site_b, main_site)
    ]
    forged = pay_by_callback(guest, own, "wei", payment)
    with site_scope(site_a.id):
        assert Payment.objects.get().state == PaymentState.OPEN
    heard = pay_by_callback(guest, own, "lin", payment)

    assert elsewhere == [404, 404]
    assert (forged, heard) == (400, 200)
    with site_scope(site_a.id):
        assert Payment.objects.get().state == PaymentState.CONFIRMED
        assert Order.objects.get().state == OrderState.DELIVERED
