"""A month is closed once, when nothing can be added to it, and its seal is checked for good."""

import datetime as dt
from typing import Any

import pytest
from django.db import connections

from kameng.config.auditing_books import closed_months, differences
from kameng.config.settings import MIGRATION_ALIAS
from kameng.core import clock
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import Code, Reference
from kameng.ledger.sealing import MonthTotals, seal_transfers
from kameng.ledger.services import Posting, post_transfers
from kameng.reconciliation.errors import MonthClosed, MonthNotClosable
from kameng.reconciliation.models import MonthClose
from kameng.reconciliation.rules import day_of, month_bounds
from kameng.reconciliation.services import closing
from kameng.reconciliation.services.closing import close_month, seal_text
from kameng.reconciliation.services.fetching import fetch_bill
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.factories import fund_wallet, make_customer
from tests.reconciliation.conftest import DAY, STAFF, YUAN, Books, line

LATER = dt.timedelta(days=40)


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
        close = close_month(month=month_after, reason="", actor=STAFF)
        with pytest.raises(MonthClosed):
            close_month(month=month_after, reason="", actor=STAFF)

    assert (close.transfer_count, close.transfer_amount) == (2, 30_000)
    assert list(closed_months()) == []
    assert bytes(close.chain_hash).hex() in seal_text(close)
    assert "-10,0,30000" in seal_text(close)


def test_a_closed_month_that_was_tampered_with_is_named(
    month_after: dt.date, main_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_as_sealed(monkeypatch)
    with site_scope(main_site.id):
        close_month(month=month_after, reason="", actor=STAFF)
    as_owner("update ledger_transfer set amount = amount + 1 where amount = 10000")

    found = list(closed_months())

    as_owner("update ledger_transfer set amount = amount - 1 where amount = 10001")
    assert len(found) == 2
    assert "2 transfers of 30001" in found[0]
    assert list(closed_months()) == []


def test_a_month_is_not_closed_before_it_is_sealed(month_after: dt.date, main_site: Site) -> None:
    with site_scope(main_site.id), pytest.raises(MonthNotClosable, match="month_not_closable"):
        close_month(month=month_after, reason="", actor=STAFF)

    with site_scope(main_site.id):
        assert MonthClose.objects.count() == 0


def test_the_month_in_course_is_not_closed(db: None, main_site: Site) -> None:
    with site_scope(main_site.id), pytest.raises(MonthNotClosable):
        close_month(month=day_of(clock.now()), reason="x", actor=STAFF)


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
            close_month(month=DAY, reason=" ", actor=STAFF)
        close = close_month(month=DAY, reason="通道已答应补账单", actor=STAFF)

    assert (close.open_day_count, close.open_case_count) == (0, 1)
    assert close.reason == "通道已答应补账单"


def closing_read() -> Any:
    return MonthTotals(
        totals=(),
        transfer_count=0,
        transfer_amount=0,
        batch_no=0,
        chain_hash=bytes(32),
        is_sealed=True,
    )


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
