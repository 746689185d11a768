"""Lists taken away as files: what they hold, who may take them, and what stays out of reach."""

import csv
import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from kameng.accounts.models import Role
from kameng.console import exports
from kameng.console.sheets import Column, disarm, write_sheet
from kameng.core.audit import list_entries
from kameng.core.scope import platform_scope
from kameng.orders.services.placing import PlacedOrder
from kameng.tenancy.models import Site
from tests.concurrency.shop import Shop, notify, order, payment_of
from tests.console.conftest import Desk
from tests.factories import fund_wallet
from tests.people import Buyer, Staff, make_operator

YUAN = 10_000
LISTS = ("orders/", "payments/", "ledger/", "customers/")


@pytest.fixture
def paid(shop: Shop) -> PlacedOrder:
    """A guest's order, paid through the gateway."""
    placed = order(shop, contact="guest@example.com")
    notify(shop, payment_of(shop, placed))
    return placed


def take(desk: Desk, path: str, form: str = "csv", query: str = "") -> Any:
    return desk.client.post(desk.url(f"{path}export/{query}"), {"format": form})


def body_of(response: Any) -> bytes:
    assert response.status_code == 200
    return b"".join(response.streaming_content)


def table_of(response: Any) -> list[dict[str, str]]:
    text = body_of(response).decode("utf-8")
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


def last_entry(site: Site) -> Any:
    with platform_scope("a test reads the audit log"):
        return list_entries(site_id=site.id, action="data.exported").first()


# What the files hold


def test_orders_say_what_the_list_says(desk: Desk, shop: Shop, paid: PlacedOrder) -> None:
    payment = payment_of(shop, paid)

    response = take(desk, "orders/")

    (row,) = table_of(response)
    assert row["订单号"] == paid.order_no
    assert (row["状态"], row["金额"], row["已退款"]) == ("已发货", "10.00", "0.00")
    assert (row["支付单号"], row["通道交易号"]) == (payment.payment_no, payment.external_no)
    assert row["客户"] == "g***@example.com"
    assert response["Content-Disposition"].startswith('attachment; filename="site-a-orders-')
    assert response["Cache-Control"] == "no-store"


def test_filters_narrow_the_file_as_they_narrow_the_list(
    desk: Desk, shop: Shop, paid: PlacedOrder
) -> None:
    unpaid = order(shop, contact="guest@example.com")

    found = {
        query: [row["订单号"] for row in table_of(take(desk, "orders/", query=query))]
        for query in ("?view=unpaid", "?until=2020-01-01", "?sort=oldest", "?q=guest@example.com")
    }

    assert found == {
        "?view=unpaid": [unpaid.order_no],
        "?until=2020-01-01": [],
        "?sort=oldest": [paid.order_no, unpaid.order_no],
        "?q=guest@example.com": [unpaid.order_no, paid.order_no],
    }


def test_every_page_is_in_the_file_once(
    desk: Desk, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "STEP", 2)
    placed = [order(shop).order_no for _ in range(5)]

    assert [row["订单号"] for row in table_of(take(desk, "orders/"))] == placed[::-1]
    assert len(table_of(take(desk, "payments/"))) == 5


def test_payments_name_what_they_paid(desk: Desk, shop: Shop, paid: PlacedOrder) -> None:
    (row,) = table_of(take(desk, "payments/", query="?view=confirmed"))

    assert row["支付单号"] == payment_of(shop, paid).payment_no
    assert (row["应收"], row["实收"], row["订单号或充值单号"]) == ("10.00", "10.00", paid.order_no)
    assert table_of(take(desk, "payments/", query="?until=2020-01-01")) == []


def test_the_ledger_is_every_transfer_of_the_site(
    desk: Desk, paid: PlacedOrder, site_a: Site, mei: Buyer
) -> None:
    fund_wallet(mei.customer, 50 * YUAN)

    rows = table_of(take(desk, "ledger/"))

    received = next(row for row in rows if row["项目"] == "订单收款")
    assert (received["金额"], received["订单号或充值单号"]) == ("10.00", paid.order_no)
    funded = next(row for row in rows if row["客户编号"])
    assert (funded["金额"], funded["客户编号"]) == ("50.00", str(mei.customer.id))
    assert table_of(take(desk, "ledger/", query="?until=2020-01-01")) == []


def test_a_wallets_statement_is_signed(desk: Desk, shop: Shop, site_a: Site, mei: Buyer) -> None:
    fund_wallet(mei.customer, 50 * YUAN)

    (row,) = table_of(take(desk, f"customers/{mei.customer.id}/"))

    assert (row["金额"], row["订单号或充值单号"]) == ("50.00", "")


def test_customers_keep_their_logins_masked(desk: Desk, shop: Shop, mei: Buyer) -> None:
    (row,) = table_of(take(desk, "customers/"))

    assert (row["客户"], row["账号"], row["余额"]) == ("Mei", mei.customer.login_hint, "0.00")
    assert "mei@example.com" not in row.values()


def test_a_workbook_keeps_numbers_times_and_long_numbers(
    desk: Desk, shop: Shop, paid: PlacedOrder
) -> None:
    data = body_of(take(desk, "orders/", "xlsx"))

    rows = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0).to_python()
    values = dict(zip(rows[0], rows[1], strict=True))
    assert values["订单号"] == paid.order_no
    assert values["金额"] == 10.0
    assert values["下单时间"].year >= 2020
    assert values["发货方式"] == "自动发货"


# Formulas


EVIL = ("=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "＝1", "－1", '=HYPERLINK("http://x")')


@pytest.mark.parametrize("text", EVIL)
def test_a_text_is_never_a_formula(text: str) -> None:
    columns = [Column(label="x"), Column(label="y", kind="yuan")]

    assert disarm(text) == f"'{text}"
    file, count = write_sheet("csv", name="x", columns=columns, rows=[(text, -12_500)])
    with file:
        kept = list(csv.reader(io.StringIO(file.read().decode("utf-8-sig"), newline="")))
    assert (kept[1], count) == ([f"'{text}", "-1.25"], 1)
    file, _count = write_sheet("xlsx", name="x", columns=columns, rows=[(text, -12_500)])
    with file, zipfile.ZipFile(file) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "<v>-1.2500</v>" in sheet


def test_what_a_workbook_cannot_hold_does_not_break_it() -> None:
    odd = 'a\x00\x01<b>&"\ud800\uffff_x000D_😀\n'

    file, _count = write_sheet(
        "xlsx", name="[a]:*?/\\" * 9, columns=[Column(label="<&>")], rows=[(odd,), (None,)]
    )

    with file:
        book = CalamineWorkbook.from_filelike(io.BytesIO(file.read()))
    assert book.get_sheet_by_index(0).to_python()[:2] == [["<&>"], ['a<b>&"_x000D_😀\n']]


# Who may, and what is refused


@pytest.mark.parametrize("role", [Role.SERVICE, Role.VIEWER, Role.GOODS])
def test_a_role_without_the_permission_takes_nothing(
    desk_of: Callable[..., Desk], shop: Shop, paid: PlacedOrder, site_a: Site, role: Role
) -> None:
    person = make_operator(site_a, login="some", name="Some", role=role)
    other = desk_of(person, site_a)

    assert [take(other, path).status_code for path in LISTS] == [403] * 4
    if role != Role.GOODS:
        assert "导出" not in other.get("orders/").content.decode()
    assert last_entry(site_a) is None


def test_finance_and_manager_take_every_list(
    desk_of: Callable[..., Desk], shop: Shop, paid: PlacedOrder, site_a: Site
) -> None:
    for role in (Role.FINANCE, Role.MANAGER):
        person = make_operator(site_a, login=role.value, name="Some", role=role)
        other = desk_of(person, site_a)
        assert [take(other, path).status_code for path in LISTS] == [200] * 4


def test_another_site_is_never_in_the_file(
    desk_of: Callable[..., Desk],
    shop: Shop,
    paid: PlacedOrder,
    mei: Buyer,
    wei: Staff,
    site_a: Site,
    site_b: Site,
) -> None:
    other = desk_of(wei, site_b)

    assert [table_of(take(other, path)) for path in LISTS] == [[]] * 4
    assert take(other, f"customers/{mei.customer.id}/").status_code == 404
    assert other.client.post("/console/site-a/orders/export/").status_code == 404
    assert last_entry(site_a) is None


def test_the_log_names_who_took_what(desk: Desk, paid: PlacedOrder, site_a: Site) -> None:
    take(desk, "orders/", query="?view=delivered&q=guest@example.com")

    entry = last_entry(site_a)
    assert (entry.actor_name, entry.subject_id) == ("Lin", "orders")
    assert entry.detail == {
        "list": "全部订单",
        "format": "csv",
        "count": 1,
        "filters": "q=… view=delivered",
    }
    assert "导出数据" in desk.get("audit-log/").content.decode()


@pytest.mark.parametrize("form", ["", "pdf", "CSV", "x" * 500, "😀"])
def test_an_unknown_form_is_refused(desk: Desk, paid: PlacedOrder, site_a: Site, form: str) -> None:
    assert take(desk, "orders/", form).status_code == 400
    assert last_entry(site_a) is None


def test_too_long_a_list_is_refused_whole(
    desk: Desk, shop: Shop, site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "ROWS_MAX", 1)
    order(shop)
    order(shop)

    response = take(desk, "orders/")

    assert response.status_code == 400
    assert "请按日期分几次导出" in response.content.decode()
    assert last_entry(site_a) is None


def test_a_person_takes_a_bounded_number_of_files(
    desk: Desk, shop: Shop, desk_of: Callable[..., Desk], wei: Staff, site_b: Site
) -> None:
    statuses = [take(desk, "customers/").status_code for _ in range(31)]

    assert statuses == [200] * 30 + [429]
    assert take(desk_of(wei, site_b), "customers/").status_code == 200


def test_a_file_is_asked_for_by_post_alone(desk: Desk, shop: Shop) -> None:
    assert desk.get("orders/export/").status_code == 405


# The lists that narrow by day


@pytest.mark.parametrize("path", ["payments/", "ledger/"])
def test_a_list_narrows_by_day_and_so_does_its_file(
    desk: Desk, paid: PlacedOrder, shop: Shop, path: str
) -> None:
    number = {"payments/": payment_of(shop, paid).payment_no, "ledger/": paid.order_no}[path]

    past = desk.get(path, until="2020-01-01").content.decode()
    since = desk.get(path, **{"from": "2020-01-01"}).content.decode()
    odd = desk.get(path, **{"from": "yesterday", "until": "2026-99-99"}).content.decode()

    assert [number in page for page in (past, since, odd)] == [False, True, True]
    assert "until=2020-01-01" in past.split("/export/?")[1].split('"')[0]
    assert 'value="2020-01-01"' in since
