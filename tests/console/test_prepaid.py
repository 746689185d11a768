"""Prepaid wholesale in the back office: who sees it, who may move it, the way of settling."""

from collections.abc import Callable

import pytest
from django.test import Client

from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.ledger.selectors import prepaid_balance
from kameng.orders.rules import State
from kameng.payments.models import Payment, PrepaidIn
from kameng.payments.services import paying
from kameng.payments.services.prepaying import adjust_prepaid, book_prepaid
from kameng.tenancy.models import SettlementWay, Site
from kameng.tenancy.selectors import site_scope
from tests import people
from tests.concurrency.shop import (
    STAFF,
    Shop,
    connect_gateway,
    fresh,
    notify,
    open_shop,
    order,
    payment_of,
)
from tests.console.pages import address, text_of

ClientFor = Callable[..., Client]
KEY = "k" * 22


def book_form(**changes: str) -> dict[str, str]:
    values = {"way": "bank", "amount": "100.00", "reason": "转账 1", "idempotency_key": KEY}
    return values | changes


def left(site: Site) -> int:
    with site_scope(site.id):
        return prepaid_balance(site.id).posted_amount


def test_the_main_site_books_a_transfer_once_and_the_operator_sees_it(
    main_site: Site, site_a: Site, ada: people.Staff, lin: people.Staff, client_for: ClientFor
) -> None:
    platform = client_for(main_site, ada)
    for _ in range(2):
        platform.post(address(site_a, "prepaid_book"), book_form())
    assert left(site_a) == 1_000_000

    page = client_for(site_a, lin).get(address(site_a, "prepaid"))

    assert page.status_code == 200
    text = text_of(page)
    assert "预存货款" in text
    assert "¥100.00" in text
    with platform_scope("a test looks"):
        assert AuditEntry.objects.filter(action="prepaid.booked").count() == 1


@pytest.mark.parametrize("name", ["prepaid_book", "prepaid_credit"])
def test_an_operator_moves_nothing_by_hand(
    name: str, site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    answer = client_for(site_a, lin).post(address(site_a, name), book_form())

    assert answer.status_code == 403
    assert left(site_a) == 0


def test_a_stranger_sees_nothing_of_it(
    site_a: Site, site_b: Site, wei: people.Staff, client_for: ClientFor
) -> None:
    assert client_for(site_b, wei).get(address(site_a, "prepaid")).status_code == 404


def test_corrections_move_once_and_never_below_the_credit_line(
    main_site: Site, site_a: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)
    up = book_form(way="up", amount="5.00")
    assert client.post(address(site_a, "prepaid_book"), up).status_code == 303
    assert client.post(address(site_a, "prepaid_book"), up).status_code == 409
    down = book_form(way="down", amount="6.00", idempotency_key="d" * 22)
    assert client.post(address(site_a, "prepaid_book"), down).status_code == 402
    credit = {"amount": "1.00", "reason": "信任"}
    assert client.post(address(site_a, "prepaid_credit"), credit).status_code == 303
    assert client.post(address(site_a, "prepaid_book"), down).status_code == 303

    assert left(site_a) == -10_000


def test_an_operator_pays_in_through_a_gateway_of_the_main_site(
    main_site: Site,
    site_a: Site,
    lin: people.Staff,
    client_for: ClientFor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Each test is wrapped in a transaction; this gateway answers without a network.
    monkeypatch.setattr(paying, "in_transaction_of_request", lambda: False)
    choice = connect_gateway(main_site)
    client = client_for(site_a, lin)
    form = {"amount": "50.00", "gateway_id": str(choice.gateway_id), "idempotency_key": KEY}

    answer = client.post(address(site_a, "prepaid_pay_in"), form)

    assert answer.status_code == 303
    with site_scope(site_a.id):
        paid_in, payment = PrepaidIn.objects.get(), Payment.objects.get()
        assert (paid_in.amount, payment.amount, payment.purpose) == (500_000, 500_000, 8)
    assert paid_in.prepaid_no in answer["Location"]
    page = client.get(answer["Location"])
    assert page.status_code == 200
    assert "https://pay.example.com/" in page.content.decode()
    sheet = client.post(address(site_a, "export_payments"), {"format": "csv"})
    assert paid_in.prepaid_no in b"".join(sheet.streaming_content).decode()  # type: ignore[attr-defined]


def test_waiting_orders_are_named_on_the_overview_and_on_the_page(
    main_site: Site, site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    shop = open_shop(main_site, site_a, keys=3)
    Site.objects.filter(id=site_a.id).update(settlement_way=SettlementWay.PREPAID)
    own = Shop(site=site_a, variant=shop.variant, choice=connect_gateway(site_a))
    with site_scope(site_a.id):
        book_prepaid(
            site_id=site_a.id, amount=200_000, reason="转账", idempotency_key="k", actor=STAFF
        )
    placed = order(own)
    with site_scope(site_a.id):
        adjust_prepaid(site_id=site_a.id, amount=-200_000, reason="x", actor=STAFF)
    notify(own, payment_of(own, placed))
    client = client_for(site_a, lin)

    overview = text_of(client.get(address(site_a, "overview")))

    assert "1 单在等预存款" in overview
    assert "预存款只剩 ¥0.00" in overview
    assert "1 单已付款，在等预存款" in text_of(client.get(address(site_a, "prepaid")))
    page = text_of(client.get(address(site_a, "order", fresh(own, placed).order_no)))
    assert "预存款不足，等待预存" in page
    assert fresh(own, placed).state == State.AWAITING_DELIVERY


def test_the_main_site_changes_the_way_and_is_told_why_not(
    main_site: Site, site_a: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    from tests.factories import fund_wallet, make_customer

    client, url = client_for(main_site, ada), address(main_site, "set_way", site_a.id)
    way = {"way": "2", "reason": "约定"}
    assert client.post(url, way).status_code == 303
    site_a.refresh_from_db()
    assert site_a.settlement_way == SettlementWay.PREPAID
    fund_wallet(make_customer(site_a), 5_000)

    refused = client.post(url, {"way": "0", "reason": "约定"})

    assert refused.status_code == 409
    assert "客户余额里还有 ¥0.50" in text_of(refused)
    site_a.refresh_from_db()
    assert site_a.settlement_way == SettlementWay.PREPAID
    with platform_scope("a test looks"):
        assert AuditEntry.objects.filter(action="site.settlement_way.changed").count() == 1
