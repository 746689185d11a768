"""A customer's wallet page: bonuses, caps, the issuer, and unused principal going back."""

import datetime as dt
from collections.abc import Callable

import pytest
import time_machine
from django.test import Client

from kameng.accounts.services.marking import mark_named
from kameng.core import clock
from kameng.payments.models import TopUpReturn
from kameng.payments.services import refunding
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import STAFF, Shop, open_shop
from tests.factories import make_customer
from tests.payments.filling import YUAN, Purse, RefundDesk, give, set_rules
from tests.people import Buyer

ClientFor = Callable[..., Client]
KEY = "9d6f4c0e6b1f4d5c8a7b3e2d1c0b9a88"


@pytest.fixture
def shop(main_site: Site, site_a: Site) -> Shop:
    return open_shop(main_site, site_a)


@pytest.fixture
def purse(shop: Shop, mei: Buyer, monkeypatch: pytest.MonkeyPatch) -> Purse:
    monkeypatch.setattr(refunding, "provider_of", lambda _gateway: RefundDesk())
    return Purse(shop=shop, customer=mei.customer)


def test_the_wallet_says_what_is_given_how_much_fits_and_who_issues_it(
    purse: Purse, mei: Buyer, site_a: Site, client_for: ClientFor
) -> None:
    give(purse.shop, min_amount=100 * YUAN, bonus_amount=5 * YUAN)
    set_rules(purse.shop, licence_no="91110000X")
    purse.fill(50 * YUAN)
    browser = client_for(site_a, mei)

    page = browser.get("/account/wallet/").content.decode()

    for word in ("充 ¥100.00 送 ¥5.00", "¥950.00", "¥1,000.00", site_a.name, "91110000X"):
        assert word in page, word
    with site_scope(site_a.id):
        mark_named(mei.customer.id, is_named=True, reason="看过", actor=STAFF)
    assert "¥4,950.00" in browser.get("/account/wallet/").content.decode()


def test_a_top_up_above_the_cap_is_refused_in_words(
    purse: Purse, mei: Buyer, site_a: Site, client_for: ClientFor
) -> None:
    purse.fill(990 * YUAN)
    form = {
        "amount": "20",
        "pay": str(purse.shop.choice.gateway_id),
        "idempotency_key": KEY,
    }
    answer = client_for(site_a, mei).post("/account/wallet/", form)
    assert answer.status_code == 400
    assert "现在还能充 ¥10.00" in answer.content.decode()


def test_unused_principal_goes_back_by_the_customer_alone(
    purse: Purse, mei: Buyer, site_a: Site, client_for: ClientFor
) -> None:
    top_up = purse.fill(50 * YUAN)
    url = f"/account/wallet/{top_up.top_up_no}/return/"
    browser = client_for(site_a, mei)
    eve = client_for(site_a, Buyer(customer=make_customer(site_a), login=""))
    assert "可退的充值" in browser.get("/account/wallet/").content.decode()
    assert "¥50.00" in browser.get(url).content.decode()
    assert eve.get(url).status_code == 404
    assert eve.post(url, {"amount": "", "idempotency_key": KEY}).status_code == 404
    assert browser.post(url, {"amount": "abc", "idempotency_key": KEY}).status_code == 400
    assert browser.post(url, {"amount": "51", "idempotency_key": KEY}).status_code == 400
    assert browser.post(url, {"amount": "20", "idempotency_key": "x"}).status_code == 400

    for _time in range(2):  # the same form twice
        assert browser.post(url, {"amount": "20", "idempotency_key": KEY}).status_code == 303

    assert purse.held == 30 * YUAN
    with site_scope(site_a.id):
        returned = TopUpReturn.objects.get()
    assert (returned.amount, returned.is_by_staff) == (20 * YUAN, False)
    assert "退回中" in browser.get(url).content.decode()


def test_after_seven_days_the_page_says_to_ask_the_shop(
    purse: Purse, mei: Buyer, site_a: Site, client_for: ClientFor
) -> None:
    top_up = purse.fill(50 * YUAN)
    url = f"/account/wallet/{top_up.top_up_no}/return/"
    with time_machine.travel(clock.now() + dt.timedelta(days=8), tick=False):
        browser = client_for(site_a, mei)
        assert "已过 7 天" in browser.get("/account/wallet/").content.decode()
        answer = browser.post(url, {"amount": "", "idempotency_key": KEY})
    assert answer.status_code == 400
    assert purse.held == 50 * YUAN
