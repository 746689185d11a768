"""Customers at the back office: found, seen, and what staff may do about one."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from kameng.accounts.models import Customer, Role
from kameng.core.audit import list_entries
from kameng.core.scope import platform_scope
from kameng.ledger.errors import WalletShort
from kameng.ledger.selectors import list_wallet_lines, wallet_amount
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import Shop, order
from tests.console.conftest import Desk
from tests.factories import fund_wallet, make_customer
from tests.people import Buyer, Staff, make_operator

YUAN = 10_000


def text_of(response: Any) -> str:
    return str(response.content.decode())


def last_entry(site: Site) -> Any:
    with platform_scope("a test reads the audit log"):
        return list_entries(site_id=site.id).first()


def adjustment(**changes: str) -> dict[str, str]:
    return {
        "way": "up",
        "amount": "12.50",
        "reason": "线下转账",
        "idempotency_key": "k" * 24,
        **changes,
    }


@pytest.mark.parametrize("text", ["mei@example.com", "MEI@example.com ", "Mei", "e"])
def test_customer_is_found_by_login_and_name(desk: Desk, mei: Buyer, text: str) -> None:
    page = text_of(desk.get("customers/", q=text))

    assert f"/console/site-a/customers/{mei.customer.id}/" in page


@pytest.mark.parametrize("text", ["mei@example", "\x00", "%", "Wei", "0" * 500, "😀"])
def test_what_fits_nobody_finds_nobody(desk: Desk, mei: Buyer, text: str) -> None:
    response = desk.get("customers/", q=text)

    assert response.status_code in (200, 400)
    if response.status_code == 200 and text not in ("\x00",):
        assert f"/customers/{mei.customer.id}/" not in text_of(response)


def test_another_sites_customer_is_not_found(
    mei: Buyer, desk_of: Callable[..., Desk], wei: Staff, site_b: Site
) -> None:
    other = desk_of(wei, site_b)

    assert other.get(f"customers/{mei.customer.id}/").status_code == 404
    for act in ("adjust", "lock", "unlock", "sign-out", "note", "login"):
        response = other.post(f"customers/{mei.customer.id}/{act}/", **adjustment(note="x"))
        assert response.status_code == 404, act
    with site_scope(mei.customer.site_id):
        assert wallet_amount(mei.customer.id) == 0


def test_detail_shows_orders_wallet_and_a_masked_login(
    desk: Desk, shop: Shop, mei: Buyer, site_a: Site
) -> None:
    fund_wallet(mei.customer, 100 * YUAN)
    placed = order(shop, customer=mei.customer, by_wallet=True)

    page = text_of(desk.get(f"customers/{mei.customer.id}/"))
    shown = desk.post(f"customers/{mei.customer.id}/login/")

    assert placed.order_no in page
    assert "¥90.00" in page
    assert "mei@example.com" not in page
    assert "mei@example.com" in text_of(shown)
    assert shown["Cache-Control"] == "no-store"
    assert last_entry(site_a).action == "customer.login_revealed"


def test_purchase_is_one_line_of_the_statement(shop: Shop, mei: Buyer, site_a: Site) -> None:
    fund_wallet(mei.customer, 100 * YUAN)
    for _ in range(3):
        order(shop, customer=mei.customer, by_wallet=True)

    with site_scope(site_a.id):
        first = list_wallet_lines(mei.customer.id, limit=2)
        rest = list_wallet_lines(mei.customer.id, before_id=first[-1].transfer_id, limit=5)

    assert [line.amount for line in first] == [-10 * YUAN, -10 * YUAN]
    assert [line.amount for line in rest] == [-10 * YUAN, 100 * YUAN]
    assert str(first[0].name) == "购买商品"


def test_wallet_is_moved_by_hand_once_for_one_form(desk: Desk, mei: Buyer, site_a: Site) -> None:
    path = f"customers/{mei.customer.id}/adjust/"

    first = desk.post(path, **adjustment())
    again = desk.post(path, **adjustment())
    down = desk.post(path, **adjustment(way="down", amount="2.50", idempotency_key="n" * 24))

    assert (first.status_code, again.status_code, down.status_code) == (303, 409, 303)
    assert "没有重复执行" in text_of(again)
    with site_scope(site_a.id):
        assert wallet_amount(mei.customer.id) == 10 * YUAN
    entry = last_entry(site_a)
    assert (entry.action, entry.detail["reason"]) == ("ledger.wallet.adjusted", "线下转账")


def test_wallet_never_falls_below_zero_and_the_form_may_be_sent_again(
    desk: Desk, mei: Buyer, site_a: Site
) -> None:
    path = f"customers/{mei.customer.id}/adjust/"
    fields = adjustment(way="down", amount="1.00")

    short = desk.post(path, **fields)
    fund_wallet(mei.customer, YUAN)
    enough = desk.post(path, **fields)

    assert short.status_code == WalletShort.status
    assert "线下转账" in text_of(short)
    assert enough.status_code == 303
    with site_scope(site_a.id):
        assert wallet_amount(mei.customer.id) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": ""},
        {"amount": "0"},
        {"amount": "-5"},
        {"amount": "１２"},
        {"amount": "1e3"},
        {"amount": "0.005"},
        {"amount": "1.001"},
        {"amount": "9" * 30},
        {"way": "sideways"},
        {"way": ""},
        {"reason": ""},
        {"reason": "坏\x00字"},
        {"reason": "a" * 201},
        {"idempotency_key": ""},
        {"idempotency_key": "短"},
    ],
)
def test_bad_adjustment_is_refused_in_place_and_moves_nothing(
    desk: Desk, mei: Buyer, site_a: Site, changes: dict[str, str]
) -> None:
    response = desk.post(f"customers/{mei.customer.id}/adjust/", **adjustment(**changes))

    assert response.status_code == 400
    with site_scope(site_a.id):
        assert wallet_amount(mei.customer.id) == 0


def test_locked_customer_is_out_at_the_next_request(
    desk: Desk, client_for: Callable[..., Client], mei: Buyer, site_a: Site
) -> None:
    browser = client_for(site_a, mei)
    path = f"customers/{mei.customer.id}/lock/"

    assert desk.post(path, reason="").status_code == 400
    assert desk.post(path, reason="恶意退款").status_code == 303

    assert last_entry(site_a).detail["reason"] == "恶意退款"
    assert browser.get("/account/").status_code == 303
    assert desk.post(f"customers/{mei.customer.id}/unlock/").status_code == 303
    with site_scope(site_a.id):
        assert Customer.objects.get(id=mei.customer.id).is_active


def test_customer_is_signed_out_everywhere(
    desk: Desk, client_for: Callable[..., Client], mei: Buyer, site_a: Site
) -> None:
    browsers = [client_for(site_a, mei) for _ in range(2)]

    assert desk.post(f"customers/{mei.customer.id}/sign-out/").status_code == 303

    assert all(browser.get("/account/").status_code == 303 for browser in browsers)
    entry = last_entry(site_a)
    assert (entry.action, entry.detail) == ("customer.signed_out", {"sessions": 2})


def test_note_is_kept(desk: Desk, mei: Buyer) -> None:
    path = f"customers/{mei.customer.id}/note/"

    assert desk.post(path, note="老客户 <i>").status_code == 303
    assert desk.post(path, note="a" * 201).status_code == 400
    assert "老客户 &lt;i&gt;" in text_of(desk.get(f"customers/{mei.customer.id}/"))


@pytest.mark.parametrize(
    ("role", "may_adjust", "may_edit"),
    [
        (Role.OWNER, True, True),
        (Role.FINANCE, True, False),
        (Role.SERVICE, False, True),
        (Role.VIEWER, False, False),
    ],
)
def test_roles_do_what_their_table_says(
    desk_of: Callable[..., Desk],
    mei: Buyer,
    site_a: Site,
    role: Role,
    may_adjust: bool,
    may_edit: bool,
) -> None:
    desk = desk_of(make_operator(site_a, login="other", name="Other", role=role), site_a)
    page = text_of(desk.get(f"customers/{mei.customer.id}/"))

    adjusted = desk.post(f"customers/{mei.customer.id}/adjust/", **adjustment())
    noted = desk.post(f"customers/{mei.customer.id}/note/", note="x")

    assert (adjusted.status_code == 303) == may_adjust
    assert (noted.status_code == 303) == may_edit
    assert ('href="#adjust"' in page) == may_adjust


def test_pages_follow_by_key(desk: Desk, site_a: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kameng.console.views.customers.PAGE_SIZE", 2)
    people = [make_customer(site_a, nickname=f"顾客{number}") for number in range(3)]

    first = text_of(desk.get("customers/"))
    older = re.search(r'rel="next" href="\?before=(\d+)"', first)
    assert older is not None
    second = text_of(desk.get("customers/", before=older[1]))

    assert [each.nickname in first for each in people] == [False, True, True]
    assert [each.nickname in second for each in people] == [True, False, False]
