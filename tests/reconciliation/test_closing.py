"""A month is closed once, when nothing can be added to it, and its seal is checked for good."""

import datetime as dt
from typing import Any

import pytest
from django.db import connections

from kameng.config.auditing_books import closed_months, differences
from kameng.config.settings import MIGRATION_ALIAS
from kameng.core import clock
from kameng.core.audit import list_entries
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import Code, Reference
from kameng.ledger.sealing import seal_transfers
from kameng.ledger.services import Posting, post_transfers
from kameng.payments.models import PaymentState
from kameng.reconciliation.errors import MonthClosed, MonthNotClosable, MonthUncompared
from kameng.reconciliation.models import MonthClose
from kameng.reconciliation.rules import bounds_of, day_of, month_bounds
from kameng.reconciliation.selectors import list_account_months
from kameng.reconciliation.services import closing
from kameng.reconciliation.services.closing import close_month, seal_text
from kameng.reconciliation.services.fetching import fetch_bill
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.factories import fund_wallet, make_customer
from tests.reconciliation.conftest import DAY, STAFF, YUAN, Books, closing_read, line

LATER = dt.timedelta(days=40)


def close(month: dt.date, reason: str, *, accepts_uncompared: bool = False) -> MonthClose:
    return close_month(
        month=month, reason=reason, accepts_uncompared=accepts_uncompared, actor=STAFF
    )


@pytest.fixture
def month_after(
    committed_db: None, main_site: Site, site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> dt.date:
    """This month with two transfers in it; for the program it is over, the seals are of then."""
    customer = make_customer(site_a)
    fund_wallet(customer, 10_000)
    fund_wallet(customer, 20_000)
    for _step in range(3):
        seal_transfers()
    real = clock.now()
    monkeypatch.setattr("kameng.core.clock.now", lambda: real + LATER)
    return day_of(real).replace(day=1)


def seen_as_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The seals were made minutes ago: let the question be whether they reach minutes ago."""
    real = closing.read_month

    def read(since: dt.datetime, *, until: dt.datetime, sealed_by: dt.datetime) -> Any:
        return real(since, until=until, sealed_by=dt.datetime(2020, 1, 1, tzinfo=dt.UTC))

    monkeypatch.setattr(closing, "read_month", read)


def test_a_closed_month_is_sealed_and_cannot_be_closed_again(
    month_after: dt.date, main_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_as_sealed(monkeypatch)

    with site_scope(main_site.id):
        made = close(month_after, "")
        with pytest.raises(MonthClosed):
            close(month_after, "")

    assert (made.transfer_count, made.transfer_amount) == (2, 30_000)
    assert list(closed_months()) == []
    assert bytes(made.chain_hash).hex() in seal_text(made)
    assert "-10,0,30000" in seal_text(made)


def test_a_closed_month_that_was_tampered_with_is_named(
    month_after: dt.date, main_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_as_sealed(monkeypatch)
    with site_scope(main_site.id):
        close(month_after, "")
    as_owner("update ledger_transfer set amount = amount + 1 where amount = 10000")

    found = list(closed_months())

    as_owner("update ledger_transfer set amount = amount - 1 where amount = 10001")
    assert len(found) == 2
    assert "2 transfers of 30001" in found[0]
    assert list(closed_months()) == []


def test_a_month_is_not_closed_before_it_is_sealed(month_after: dt.date, main_site: Site) -> None:
    with site_scope(main_site.id), pytest.raises(MonthNotClosable, match="month_not_closable"):
        close(month_after, "")

    with site_scope(main_site.id):
        assert MonthClose.objects.count() == 0


def test_the_month_in_course_is_not_closed(db: None, main_site: Site) -> None:
    with site_scope(main_site.id), pytest.raises(MonthNotClosable):
        close(day_of(clock.now()), "x")


def test_open_differences_ask_for_a_reason(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    with site_scope(books.main.id):
        books.source.bills[DAY] = [line("unknown1", 5 * YUAN)]
        fetch_bill(gateway_id=books.gateway.id, day=DAY, actor=STAFF)
        monkeypatch.setattr("kameng.core.clock.now", lambda: month_bounds(DAY)[1] + LATER)
        monkeypatch.setattr(
            closing,
            "read_month",
            lambda *_a, **_k: closing_read(),
        )

        with pytest.raises(MonthNotClosable):
            close(DAY, " ")
        made = close(DAY, "通道已答应补账单")

    assert (made.open_day_count, made.open_case_count) == (0, 1)
    assert made.reason == "通道已答应补账单"


@pytest.fixture
def ended(books: Books, monkeypatch: pytest.MonkeyPatch) -> Books:
    """The month of `DAY` is over and its ledger sealed."""
    monkeypatch.setattr("kameng.core.clock.now", lambda: month_bounds(DAY)[1] + LATER)
    monkeypatch.setattr(closing, "read_month", lambda *_a, **_k: closing_read())
    return books


def test_taken_days_are_told_by_account_with_what_is_compared(books: Books) -> None:
    first, until = DAY.replace(day=1), day_of(month_bounds(DAY)[1])
    night = bounds_of(first)[0] - dt.timedelta(seconds=1)  # the last of the month before
    payment = books.pay()
    books.pay(state=PaymentState.OPEN)
    books.pay(at=bounds_of(first)[0])
    books.pay(at=night)
    with site_scope(books.main.id):
        before = list_account_months(first, until=until)
        books.source.bills[DAY] = [line(payment.payment_no, 100 * YUAN)]
        fetch_bill(gateway_id=books.gateway.id, day=DAY, actor=STAFF)
        both = list_account_months(day_of(night).replace(day=1), until=until)
    with site_scope(books.site.id):
        elsewhere = list_account_months(first, until=until)

    assert [(each.compared_count, each.uncompared_days) for each in before[first]] == [
        (0, tuple(sorted({first, DAY})))
    ]
    assert [(each.compared_count, each.uncompared_days) for each in both[first]] == [
        (1, () if first == DAY else (first,))
    ]
    assert both[day_of(night).replace(day=1)][0].uncompared_days == (day_of(night),)
    assert elsewhere == {}


@pytest.mark.parametrize(("reason", "accepts"), [("", True), ("通道停了", False), (" ", True)])
def test_a_month_with_uncompared_takings_is_refused(
    ended: Books, reason: str, accepts: bool
) -> None:
    ended.pay()

    with site_scope(ended.main.id):
        with pytest.raises(MonthUncompared) as refused:
            close(DAY, reason, accepts_uncompared=accepts)
        assert MonthClose.objects.count() == 0

    assert "收银 1 天" in refused.value.text()


def test_who_closes_over_uncompared_takings_says_why_and_it_is_kept(ended: Books) -> None:
    ended.pay()

    with site_scope(ended.main.id):
        made = close(DAY, "通道停了", accepts_uncompared=True)
        entry = list_entries(site_id=ended.main.id, action="month.closed").get()

    assert (made.open_day_count, made.reason) == (1, "通道停了")
    assert entry.detail["reason"] == "通道停了"
    assert entry.detail["uncompared"] == [
        {"gateway": ended.gateway.id, "name": "收银", "dates": [f"{DAY:%Y-%m-%d}"]}
    ]


def test_a_compared_month_asks_for_nothing(ended: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    payment = ended.pay()
    ended.source.bills[DAY] = [line(payment.payment_no, 100 * YUAN)]
    with site_scope(ended.main.id):
        fetch_bill(gateway_id=ended.gateway.id, day=DAY, actor=STAFF)

        made = close(DAY, "")

    assert (made.open_day_count, made.open_case_count) == (0, 0)


def test_a_booking_without_its_case_is_found(books: Books) -> None:
    with site_scope(books.main.id):
        post_transfers(
            [
                Posting(
                    site_id=books.main.id,
                    debit=books.gateway.id * 100 + 85,
                    credit=books.gateway.id * 100 + 60,
                    amount=5,
                    code=Code.DIFFERENCE,
                    reference_kind=Reference.CASE,
                    reference_id=77,
                )
            ]
        )

    assert list(differences()) == ["case 77: booked None, transfers say 5 in 1"]


def as_owner(statement: str) -> None:
    with platform_scope("test"), connections[MIGRATION_ALIAS].cursor() as cursor:
        cursor.execute("alter table ledger_transfer disable trigger user")
        cursor.execute(statement)
        cursor.execute("alter table ledger_transfer enable trigger user")
    connections[MIGRATION_ALIAS].close()
