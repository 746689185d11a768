"""What is the customer's own: orders, wallet, messages, security."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client

from kameng.messaging.services import InboxDraft, send_inbox
from kameng.payments.models import Gateway, Payment, TopUp
from kameng.payments.selectors import forget_gateways
from kameng.risk.rules import TOP_UP_BY_PERSON
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests import factories, people
from tests.factories import PASSWORD
from tests.people import Buyer
from tests.storefront.conftest import Goods

ClientFor = Callable[..., Client]


@pytest.fixture
def browser(site_a: Site, mei: Buyer, client_for: ClientFor) -> Client:
    """Mei's browser, with 100 yuan in her wallet."""
    factories.fund_wallet(mei.customer, 1_000_000)
    return client_for(site_a, mei)


def test_the_overview(browser: Client, cards: Goods) -> None:
    browser.post("/checkout/", cards.order())

    text = browser.get("/account/").content.decode()

    assert "Mei" in text
    assert '<span class="price-sign">¥</span>90<span class="price-cents">.00</span>' in text
    assert cards.product.title in text


@pytest.mark.parametrize("state", ["", "unpaid", "waiting", "done", "refund", "nonsense"])
def test_orders_by_what_they_wait_for(browser: Client, cards: Goods, state: str) -> None:
    browser.post("/checkout/", cards.order())

    text = browser.get("/account/orders/", {"state": state}).content.decode()

    assert (cards.product.title in text) is (state in {"", "done", "nonsense"})
    assert ("这里没有订单" in text) is (state not in {"", "done", "nonsense"})
    assert "还没有订单" not in text


def test_a_customer_without_orders_is_told_so(browser: Client) -> None:
    assert "还没有订单" in browser.get("/account/orders/").content.decode()


def test_the_statement_of_the_wallet(browser: Client, cards: Goods) -> None:
    browser.post("/checkout/", cards.order())

    text = browser.get("/account/wallet/").content.decode()

    assert "+¥100.00" in text
    assert "期初余额" in text
    assert "-¥" in text


def test_a_top_up_is_opened_once_for_its_key(
    browser: Client, site_a: Site, gateway: Gateway
) -> None:
    form = {"amount": "50.00", "pay": str(gateway.id), "idempotency_key": "top-up-00000001"}

    first = browser.post("/account/wallet/", form)
    second = browser.post("/account/wallet/", form)
    page = browser.get(first["Location"])
    status = browser.get(f"{first['Location']}status/").json()

    assert first.status_code == second.status_code == 303
    assert first["Location"] == second["Location"]
    assert "https://pay.example.com/" in page.content.decode()
    assert status["state"] == "open"
    with site_scope(site_a.id):
        assert TopUp.objects.get().amount == 500_000
        assert Payment.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": ""},
        {"amount": "0"},
        {"amount": "0.99"},
        {"amount": "-5"},
        {"amount": "5000.01"},
        {"amount": "9" * 30},
        {"amount": "1.001"},
        {"amount": "１０"},
        {"amount": "1e3"},
        {"amount": "十"},
        {"pay": ""},
        {"pay": "wallet"},
        {"pay": "999999"},
        {"idempotency_key": ""},
        {"idempotency_key": "k" * 300},
    ],
)
def test_a_poor_top_up_is_refused(
    changes: dict[str, str], browser: Client, site_a: Site, gateway: Gateway
) -> None:
    form = {"amount": "50", "pay": str(gateway.id), "idempotency_key": "top-up-00000001"}

    page = browser.post("/account/wallet/", {**form, **changes})

    assert page.status_code == 400
    with site_scope(site_a.id):
        assert not TopUp.objects.exists()


def test_top_ups_are_bounded_by_person(
    browser: Client, site_a: Site, gateway: Gateway, client_for: ClientFor
) -> None:
    """Each is asked about at its gateway for a day: a flood would keep paid ones waiting."""
    form = {"amount": "20", "pay": str(gateway.id)}
    eve = client_for(site_a, Buyer(customer=factories.make_customer(site_a), login=""))

    answers = [
        browser.post("/account/wallet/", {**form, "idempotency_key": f"top-up-{number:08d}"})
        for number in range(TOP_UP_BY_PERSON.hits + 1)
    ]
    other = eve.post("/account/wallet/", {**form, "idempotency_key": "top-up-00000001"})

    assert [answer.status_code for answer in answers] == [303] * TOP_UP_BY_PERSON.hits + [429]
    assert other.status_code == 303
    with site_scope(site_a.id):
        assert TopUp.objects.count() == TOP_UP_BY_PERSON.hits + 1


def test_a_refused_top_up_keeps_the_way_to_pay(
    browser: Client, main_site: Site, gateway: Gateway
) -> None:
    with site_scope(main_site.id):
        other = Gateway.objects.get(id=gateway.id)
        other.pk, other.position = None, gateway.position + 1
        other.save(force_insert=True)
    forget_gateways()
    form = {"amount": "0.5", "pay": str(other.id), "idempotency_key": "top-up-00000001"}

    page = browser.post("/account/wallet/", form).content.decode()

    assert f'name="pay" value="{other.id}" checked' in page
    assert f'name="pay" value="{gateway.id}" checked' not in page
    assert 'name="amount" value="0.5"' in page


def test_a_top_up_of_someone_else_is_not_found(
    browser: Client, site_a: Site, site_b: Site, gateway: Gateway, client_for: ClientFor
) -> None:
    form = {"amount": "50", "pay": str(gateway.id), "idempotency_key": "top-up-00000001"}
    path = browser.post("/account/wallet/", form)["Location"]
    eve = Buyer(customer=factories.make_customer(site_a), login="")
    outsider = Buyer(customer=factories.make_customer(site_b), login="")

    assert client_for(site_a, eve).get(path).status_code == 404
    assert client_for(site_b, outsider).get(path).status_code == 404
    assert client_for(site_a).get(path).status_code == 303  # a guest is led to sign in


def test_messages_are_read_when_they_are_shown(browser: Client, site_a: Site, mei: Buyer) -> None:
    with site_scope(site_a.id):
        send_inbox(
            [
                InboxDraft(
                    site_id=site_a.id,
                    customer_id=mei.customer.id,
                    title="订单已发货",
                    body="<b>快看</b>",
                    dedupe_key="m1",
                    link="/o/1/",
                )
            ]
        )
    dotted = browser.get("/").content.decode()

    first = browser.get("/account/messages/").content.decode()
    second = browser.get("/account/messages/").content.decode()

    assert 'class="dot"' in dotted
    assert "订单已发货" in first
    assert "tag-bad" in first
    assert "<b>快看</b>" not in first
    assert "tag-bad" not in second
    assert 'class="dot"' not in browser.get("/").content.decode()


def test_a_new_password_ends_the_other_sessions(
    browser: Client, site_a: Site, mei: Buyer, client_for: ClientFor
) -> None:
    other = client_for(site_a, mei)
    copied = browser.cookies[settings.SESSION_COOKIE].value

    wrong = browser.post(
        "/account/security/",
        {"act": "password", "old_password": "x", "new_password": "a fresh password"},
    )
    done = browser.post(
        "/account/security/",
        {"act": "password", "old_password": PASSWORD, "new_password": "a fresh password"},
    )

    assert wrong.status_code == 400
    assert "原密码不正确" in wrong.content.decode()
    assert done.status_code == 303
    assert browser.get("/account/").status_code == 200
    assert done.cookies[settings.SESSION_COOKIE]["httponly"]
    assert 0 < done.cookies[settings.SESSION_COOKIE]["max-age"] <= settings.SESSION_SECONDS
    assert other.get("/account/").status_code == 303
    browser.cookies[settings.SESSION_COOKIE] = copied
    assert browser.get("/account/").status_code == 303  # a stolen copy of this very session


def test_one_session_and_all_others_can_be_ended(
    browser: Client, site_a: Site, mei: Buyer, client_for: ClientFor
) -> None:
    from kameng.core.ids import token_digest

    second, third = client_for(site_a), client_for(site_a)
    token = people.sign_in(second, site=site_a, person=mei)
    people.sign_in(third, site=site_a, person=mei)
    handle = token_digest(token)[:8].hex()

    one = browser.post("/account/security/", {"act": "session", "session": handle})
    assert one.status_code == 303
    assert second.get("/account/").status_code == 303
    assert third.get("/account/").status_code == 200

    browser.post("/account/security/", {"act": "others"})
    assert third.get("/account/").status_code == 303
    assert browser.get("/account/").status_code == 200


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 400),
        ({"act": "nonsense"}, 400),
        ({"act": "name", "nickname": ""}, 400),
        ({"act": "session", "session": "0" * 16}, 404),
        ({"act": "session", "session": "😀"}, 404),
        ({"act": "password"}, 400),
        ({"act": "password", "old_password": PASSWORD, "new_password": "short"}, 400),
    ],
)
def test_odd_changes_are_refused(browser: Client, form: dict[str, str], status: int) -> None:
    assert browser.post("/account/security/", form).status_code == status
    assert browser.get("/account/").status_code == 200


def test_the_name_can_be_changed(browser: Client) -> None:
    assert (
        browser.post("/account/security/", {"act": "name", "nickname": "梅 子"}).status_code == 303
    )
    assert "梅 子" in browser.get("/account/").content.decode()
