"""Reconciliation at the back office: days, bills, differences, closing; who may not see them."""

import datetime as dt
from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from kameng.accounts.models import Role
from kameng.ledger.models import Transfer
from kameng.payments.models import Gateway
from kameng.payments.providers.port import ProviderRefused
from kameng.reconciliation.models import Bill, Case, CaseState, MonthClose
from kameng.reconciliation.rules import day_of
from kameng.reconciliation.services import closing, fetching
from kameng.tenancy.selectors import site_scope
from tests.console.conftest import Desk
from tests.console.pages import text_of
from tests.people import Staff, make_operator
from tests.reconciliation.conftest import (
    DAY,
    NOW,
    STAFF,
    YUAN,
    Books,
    books,
    closing_read,
    line,
    noon,
)

__all__ = ["books"]


@pytest.fixture
def desk(books: Books, ada: Staff, desk_of: Callable[..., Desk]) -> Desk:
    """Ada at the main site, on the day after `DAY`."""
    return desk_of(ada, books.main)


def make_case(books: Books) -> Case:
    payment = books.pay(fee=6_000)
    books.source.bills[DAY] = [line(payment.payment_no, 100 * YUAN, fee=8_000)]
    with site_scope(books.main.id):
        fetching.fetch_bill(gateway_id=books.gateway.id, day=DAY, actor=STAFF)
        found: Case = Case.objects.get()
    return found


def day_path(books: Books, act: str = "") -> str:
    return f"reconciliation/{books.gateway.id}/{DAY}/{act}"


def test_the_calendar_shows_each_day_of_each_gateway(books: Books, desk: Desk) -> None:
    make_case(books)

    text = text_of(desk.get("reconciliation/", month=f"{DAY:%Y-%m}"))

    assert "收银" in text
    assert f"{DAY.day} 1 差异" in text
    assert "有 1 个差异等着处理" in text


def test_fetching_a_day_compares_it_and_leads_to_its_page(books: Books, desk: Desk) -> None:
    payment = books.pay()
    books.source.bills[DAY] = [line(payment.payment_no, 100 * YUAN)]

    answer = desk.post(day_path(books, "fetch/"))
    page = text_of(desk.get(day_path(books)))

    assert answer.status_code == 303
    assert "已核对 1 行，没有差异。" in page
    assert "这一天没有差异。" in page
    assert payment.payment_no in page


def test_a_refusal_of_the_gateway_is_said_in_its_words(books: Books, desk: Desk) -> None:
    books.source.fault = ProviderRefused("NO_AUTH", "no right to bills")

    answer = desk.post(day_path(books, "fetch/"))

    assert answer.status_code == 424
    assert "no right to bills" in text_of(answer)


def test_an_uploaded_bill_is_compared_alike(books: Books, desk: Desk) -> None:
    payment = books.pay()
    table = f"商户订单号,金额,支付时间\n{payment.payment_no},99.00,{DAY} 12:00:00\n"
    file = SimpleUploadedFile("bill.csv", table.encode())

    answer = desk.post(day_path(books), file=file)

    assert answer.status_code == 303
    with site_scope(books.main.id):
        assert Case.objects.get().stake_amount == -1 * YUAN
        kept = Bill.objects.get()
    assert "/files/" in desk.get(day_path(books)).content.decode()
    assert kept.line_count == 1


def test_a_file_that_is_no_bill_is_refused_on_the_page(books: Books, desk: Desk) -> None:
    answer = desk.post(
        day_path(books), file=SimpleUploadedFile("a.csv", "名称,备注\na,b\n".encode())
    )

    assert answer.status_code == 400
    assert "没有找到订单号和金额这两列" in text_of(answer)
    with site_scope(books.main.id):
        assert Bill.objects.count() == 0


def test_a_case_shows_both_sides_and_is_noted_taken_and_closed(books: Books, desk: Desk) -> None:
    case = make_case(books)
    path = f"reconciliation/cases/{case.id}/"

    page = text_of(desk.get(path))
    taken = desk.post(f"{path}take/")
    noted = desk.post(f"{path}note/", text="已发工单")
    empty = desk.post(f"{path}close/", **{"close-text": "  "})
    closed = desk.post(f"{path}close/", **{"close-text": "通道已补"})

    assert "手续费不同" in page
    assert "¥0.60" in page
    assert "¥0.80" in page
    assert (taken.status_code, noted.status_code, closed.status_code) == (303, 303, 303)
    assert empty.status_code == 400
    with site_scope(books.main.id):
        assert Case.objects.get().state == CaseState.CLOSED
    assert case.case_no in text_of(desk.get("reconciliation/cases/", view="closed"))
    assert case.case_no not in text_of(desk.get("reconciliation/cases/"))


@pytest.mark.parametrize("is_here", [True, False])
def test_a_case_with_one_side_only_shows_it(is_here: bool, books: Books, desk: Desk) -> None:
    if is_here:
        books.pay()
    else:
        books.source.bills[DAY] = [line("unknown1", 5 * YUAN)]
    with site_scope(books.main.id):
        fetching.fetch_bill(gateway_id=books.gateway.id, day=DAY, actor=STAFF)
        case = Case.objects.get()

    page = desk.get(f"reconciliation/cases/{case.id}/")

    assert page.status_code == 200
    assert ("¥100.00" if is_here else "unknown1") in text_of(page)


def test_booking_asks_for_the_basis_and_happens_once(books: Books, desk: Desk) -> None:
    case = make_case(books)
    path = f"reconciliation/cases/{case.id}/book/"

    first = desk.post(path, **{"book-text": "费率已调"})
    again = desk.post(path, **{"book-text": "费率已调"})

    assert (first.status_code, again.status_code) == (303, 409)
    with site_scope(books.main.id):
        assert Transfer.objects.count() == 1


def test_any_number_of_a_case_finds_it(books: Books, desk: Desk) -> None:
    case = make_case(books)

    for text in (case.case_no, case.own_no, case.external_no):
        assert case.case_no in text_of(desk.get("reconciliation/cases/", q=text))
    assert case.case_no not in text_of(desk.get("reconciliation/cases/", q="nothing"))


def test_closing_is_refused_with_the_reason_and_changes_nothing(books: Books, desk: Desk) -> None:
    this_month = f"{day_of(NOW):%Y-%m}"  # yesterday's is over on the first of a month

    answer = desk.post("reconciliation/closing/", month=this_month, reason="")

    assert answer.status_code == 400
    assert "月底过去一小时以后才能关账" in text_of(answer)
    with site_scope(books.main.id):
        assert MonthClose.objects.count() == 0
    assert desk.get("reconciliation/closing/").status_code == 200


def test_a_month_over_uncompared_takings_needs_the_tick_and_the_reason(
    books: Books, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = (DAY.replace(day=1) - dt.timedelta(days=1)).replace(day=9)  # surely over
    books.pay(at=noon(day))
    with site_scope(books.main.id):
        Gateway.objects.update(created_at=noon(day.replace(day=1)))
    monkeypatch.setattr(closing, "read_month", lambda *_a, **_k: closing_read())
    path, month = "reconciliation/closing/", f"{day:%Y-%m}"

    page = desk.get(path).content.decode()
    refused = desk.post(path, month=month, reason="通道停了")
    closed = desk.post(path, month=month, reason="通道停了", accepts_uncompared="on")

    assert f"/reconciliation/{books.gateway.id}/{day}/" in page
    assert 'name="accepts_uncompared"' in page
    assert refused.status_code == 400
    assert "收银 1 天" in text_of(refused)
    assert closed.status_code == 303
    assert "通道停了" in text_of(desk.get(path))


@pytest.mark.parametrize("role", [Role.VIEWER, Role.SERVICE, Role.GOODS])
def test_who_has_no_business_with_money_sees_nothing(
    role: Role, books: Books, desk_of: Callable[..., Desk]
) -> None:
    case = make_case(books)
    desk = desk_of(make_operator(books.main, login="vera", name="Vera", role=role), books.main)

    for path in ("reconciliation/", "reconciliation/cases/", day_path(books)):
        assert desk.get(path).status_code == 403
    assert (
        desk.post(f"reconciliation/cases/{case.id}/close/", **{"close-text": "x"}).status_code
        == 403
    )
    with site_scope(books.main.id):
        assert Case.objects.get().state == CaseState.OPEN


def test_finance_closes_a_case_and_a_manager_closes_no_month(
    books: Books, desk_of: Callable[..., Desk]
) -> None:
    case = make_case(books)
    clerk = desk_of(
        make_operator(books.main, login="fay", name="Fay", role=Role.FINANCE), books.main
    )
    manager = desk_of(
        make_operator(books.main, login="max", name="Max", role=Role.MANAGER), books.main
    )

    assert clerk.get("reconciliation/closing/").status_code == 200
    assert manager.get("reconciliation/closing/").status_code == 403
    answer = clerk.post(f"reconciliation/cases/{case.id}/close/", **{"close-text": "已查清"})
    assert answer.status_code == 303


def test_the_operator_of_a_sub_site_finds_no_case_of_the_main_site(
    books: Books, desk_of: Callable[..., Desk], lin: Staff
) -> None:
    case = make_case(books)
    desk = desk_of(lin, books.site)

    assert desk.get(f"reconciliation/cases/{case.id}/").status_code == 404
    assert desk.get(day_path(books)).status_code == 404
    assert "还没有自己的支付通道" in text_of(desk.get("reconciliation/"))


def test_a_day_that_is_none_is_not_found(books: Books, desk: Desk) -> None:
    for day in ("2026-13-01", "gestern", str(dt.date.max)):
        status = desk.get(f"reconciliation/{books.gateway.id}/{day}/").status_code
        assert status == (200 if day == str(dt.date.max) else 404)
