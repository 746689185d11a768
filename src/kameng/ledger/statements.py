"""Statements of any account for a time: opening, each line with the balance after it, closing.

Whoever calls has made sure that the account is one that the reader may see.
"""

import datetime as dt
from dataclasses import dataclass

from kameng.ledger import store


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From a moment to just before another."""

    since: dt.datetime
    until: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """One transfer as an account sees it; `id` counts from the oldest line of the time."""

    id: int
    transfer_id: int
    site_id: int
    other_account: int
    amount: int
    balance_amount: int
    code: int
    reference_kind: int
    reference_id: int
    created_at: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementSums:
    """What an account held before, took in, gave out, and held after."""

    opening_amount: int
    received_amount: int
    spent_amount: int
    line_count: int

    @property
    def closing_amount(self) -> int:
        """Return what it held at the end."""
        return self.opening_amount + self.received_amount - self.spent_amount


def sum_statement(account: int, *, period: Period) -> StatementSums:
    """Return the sums of a statement."""
    opening, received, spent, count = store.statement_sums(
        account, since=period.since, until=period.until
    )
    return StatementSums(
        opening_amount=opening, received_amount=received, spent_amount=spent, line_count=count
    )


def list_ledger_lines(
    account: int, *, period: Period, before_id: int | None = None, limit: int = 50
) -> list[LedgerLine]:
    """Return lines of a statement, newest first; keyset by `before_id`."""
    rows = store.statement(
        account, since=period.since, until=period.until, before=before_id, limit=limit
    )
    return [
        LedgerLine(
            id=row[0],
            transfer_id=row[1],
            site_id=row[2],
            other_account=row[3],
            amount=row[4],
            balance_amount=row[5],
            code=row[6],
            reference_kind=row[7],
            reference_id=row[8],
            created_at=row[9],
        )
        for row in rows
    ]
