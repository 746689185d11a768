"""Statements of any account: opening, running and closing balances, whole and by pages."""

import datetime as dt

from django.db import connection

from kameng.core import clock
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind, account_id, wallet_of
from kameng.ledger.services import roll_up_balances
from kameng.ledger.statements import Period, list_ledger_lines, sum_statement
from kameng.tenancy.models import Site
from tests.factories import fund_wallet, make_customer

DAY = dt.timedelta(days=1)


def around_now() -> Period:
    return Period(since=clock.now() - DAY, until=clock.now() + DAY)


def test_each_line_has_the_balance_after_it_and_sums_agree(db: None, site_a: Site) -> None:
    customer = make_customer(site_a)
    for amount in (10_000, 20_000, 30_000):
        fund_wallet(customer, amount)
    wallet, period = wallet_of(customer.id), around_now()

    lines = list_ledger_lines(wallet, period=period)
    sums = sum_statement(wallet, period=period)

    assert [line.amount for line in lines] == [30_000, 20_000, 10_000]
    assert [line.balance_amount for line in lines] == [60_000, 30_000, 10_000]
    assert (sums.opening_amount, sums.received_amount, sums.spent_amount) == (0, 60_000, 0)
    assert (sums.closing_amount, sums.line_count) == (60_000, 3)


def test_the_other_side_sees_the_same_with_the_other_sign(db: None, site_a: Site) -> None:
    fund_wallet(make_customer(site_a), 10_000)
    account = account_id(AccountKind.ADJUSTMENTS, site_a.id)

    (line,) = list_ledger_lines(account, period=around_now())

    assert (line.amount, line.balance_amount) == (-10_000, -10_000)


def test_pages_go_on_where_the_last_ended(db: None, site_a: Site) -> None:
    customer = make_customer(site_a)
    for amount in (1, 2, 3, 4, 5):
        fund_wallet(customer, amount * 100)
    wallet, period = wallet_of(customer.id), around_now()

    first = list_ledger_lines(wallet, period=period, limit=2)
    second = list_ledger_lines(wallet, period=period, before_id=first[-1].id, limit=2)

    assert [line.amount for line in (*first, *second)] == [500, 400, 300, 200]
    assert [line.balance_amount for line in second] == [600, 300]


def test_what_was_before_is_the_opening_and_what_is_later_is_left_out(
    db: None, site_a: Site
) -> None:
    customer = make_customer(site_a)
    fund_wallet(customer, 10_000)
    wallet, now = wallet_of(customer.id), clock.now()

    later = sum_statement(wallet, period=Period(since=now + DAY, until=now + 2 * DAY))
    before = sum_statement(wallet, period=Period(since=now - 2 * DAY, until=now - DAY))

    assert (later.opening_amount, later.closing_amount, later.line_count) == (10_000, 10_000, 0)
    assert (before.opening_amount, before.closing_amount, before.line_count) == (0, 0, 0)


def test_rolled_up_or_not_the_statement_is_the_same(committed_db: None, site_a: Site) -> None:
    customer = make_customer(site_a)
    fund_wallet(customer, 10_000)
    account, period = account_id(AccountKind.ADJUSTMENTS, site_a.id), around_now()
    before = sum_statement(account, period=period)

    with platform_scope("roll up"):
        roll_up_balances()

    assert sum_statement(account, period=period) == before
    assert before.closing_amount == -10_000


def test_a_statement_of_a_month_prunes_the_others(db: None, site_a: Site) -> None:
    with platform_scope("test"), connection.cursor() as cursor:
        cursor.execute(
            "explain (costs off) select t.id from ledger_transfer t where (t.debit_account = -10"
            " or t.credit_account = -10) and t.created_at >= '2026-01-01+08'"
            " and t.created_at < '2026-02-01+08'"
        )
        plan = "\n".join(row[0] for row in cursor.fetchall())

    assert "ledger_transfer_20" not in plan
