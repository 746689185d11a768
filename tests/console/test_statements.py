"""Accounts and statements at the back office and in the shop; whose they are."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from kameng.core.audit import list_entries
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind
from kameng.pricing.money import Amount, format_yuan
from kameng.tenancy.models import Site
from kameng.web import statements
from tests.concurrency.shop import Shop, fresh, order, payment_of
from tests.console.conftest import Desk
from tests.console.pages import text_of
from tests.factories import fund_wallet
from tests.people import Buyer, Staff

YUAN = 10_000


@pytest.fixture
def desk(shop: Shop, lin: Staff, site_a: Site, desk_of: Callable[..., Desk]) -> Desk:
    """Lin at site A."""
    return desk_of(lin, site_a)


def body(response: Any) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def test_the_wallet_of_a_customer_has_a_statement_in_three_forms(desk: Desk, mei: Buyer) -> None:
    fund_wallet(mei.customer, 50 * YUAN)
    path = f"customers/{mei.customer.id}/statement/"

    page = text_of(desk.get(path))
    files = {form: desk.post(f"{path}file/", format=form) for form in ("pdf", "xlsx", "csv")}

    assert "期初余额 ¥0.00" in page
    assert "期末余额 ¥50.00" in page
    assert body(files["pdf"]).startswith(b"%PDF")
    assert body(files["xlsx"]).startswith(b"PK")
    assert "期末余额,,,,50.00," in body(files["csv"]).decode("utf-8-sig")
    with platform_scope("test"):
        assert list_entries(site_id=None, action="data.exported").count() == 3


def test_accounts_lead_to_their_statements(desk: Desk, site_a: Site, mei: Buyer) -> None:
    fund_wallet(mei.customer, 50 * YUAN)
    path = f"ledger/accounts/{AccountKind.ADJUSTMENTS.value}/{site_a.id}/"

    assert path in desk.get("ledger/accounts/").content.decode()
    assert "期末余额 -¥50.00" in text_of(desk.get(path))


def test_an_account_of_another_site_is_not_there(desk: Desk, main_site: Site, shop: Shop) -> None:
    for kind, owner in (
        (AccountKind.SALES, main_site.id),
        (AccountKind.ADJUSTMENTS, main_site.id),
        (AccountKind.GATEWAY_CLEARING, shop.choice.gateway_id),
        (AccountKind.WALLET, 1),
    ):
        assert desk.get(f"ledger/accounts/{kind.value}/{owner}/").status_code == 404


def test_a_pdf_that_would_take_too_long_is_refused(
    desk: Desk, mei: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fund_wallet(mei.customer, YUAN)
    monkeypatch.setattr(statements, "PDF_ROWS_MAX", 0)

    answer = desk.post(f"customers/{mei.customer.id}/statement/file/", format="pdf")

    assert answer.status_code == 400


def test_a_customer_sees_and_takes_the_own_statement_only(
    client_for: Callable[..., Client], site_a: Site, mei: Buyer
) -> None:
    fund_wallet(mei.customer, 50 * YUAN)
    client = client_for(site_a, mei)

    page = client.get("/account/wallet/statement/")
    file = client.get("/account/wallet/statement/file/", {"format": "pdf"})
    guest = client_for(site_a).get("/account/wallet/statement/")

    assert "期末余额" in text_of(page)
    assert "¥50.00" in text_of(page)
    assert file.content.startswith(b"%PDF")
    assert guest.status_code in (302, 303)


def test_a_customer_sees_a_purchase_as_one_sum_and_not_who_shares_it(
    client_for: Callable[..., Client], site_a: Site, mei: Buyer, shop: Shop
) -> None:
    fund_wallet(mei.customer, 50 * YUAN)
    placed = order(shop, customer=mei.customer, by_wallet=True)
    total = fresh(shop, placed).total_amount
    client = client_for(site_a, mei)

    page = text_of(client.get("/account/wallet/statement/"))
    sheet = client.get("/account/wallet/statement/file/", {"format": "csv"}).content.decode()

    assert page.count("购买商品") == 1
    assert f"-¥{format_yuan(Amount(total))}" in page
    assert sheet.count("购买商品") == 1
    for word in ("利润", "货款", "主站", "手续费"):
        assert word not in page
        assert word not in sheet


def test_the_palette_finds_a_payment_by_each_of_its_numbers(desk: Desk, shop: Shop) -> None:
    payment = payment_of(shop, order(shop))

    found = desk.get("palette/", q=payment.payment_no).json()["groups"]

    urls = [item["url"] for group in found for item in group["items"]]
    assert any(payment.payment_no in url for url in urls)
