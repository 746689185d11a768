"""The hand-written SQL of this app: one function per SQL function in sql/ledger.sql."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kameng.core.database import fetch, fetch_one


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One transfer to be: value moves from `debit` to `credit`. Zero amounts are skipped."""

    site_id: int
    debit: int
    credit: int
    amount: int
    code: int
    reference_kind: int
    reference_id: int


def apply(postings: Sequence[Posting]) -> None:
    """Append transfers and move wallet balances, in the caller's transaction.

    Locks the wallets among them, ascending. Raises CheckViolation when a wallet would fall below 0.
    """
    fetch(
        "select ledger_apply(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],"
        " %s::smallint[], %s::smallint[], %s::bigint[])",
        (
            [p.site_id for p in postings],
            [p.debit for p in postings],
            [p.credit for p in postings],
            [p.amount for p in postings],
            [p.code for p in postings],
            [p.reference_kind for p in postings],
            [p.reference_id for p in postings],
        ),
    )


def lock_funds(accounts: Sequence[int], amounts: Sequence[int]) -> list[bool]:
    """Lock wallets and say which wishes they cover; in the caller's transaction."""
    row = fetch_one(
        "select ledger_lock_funds(%s::bigint[], %s::bigint[])", (list(accounts), list(amounts))
    )
    return list(row[0]) if row and row[0] else []


def set_credit(*, site_id: int, account: int, amount: int) -> None:
    """Set how far below zero a prepaid balance may fall; CheckViolation when more is used."""
    fetch("select ledger_set_credit(%s, %s, %s)", (site_id, account, amount))


def roll_up(limit: int) -> int:
    """Add committed transfers to the totals per account; returns how many were added."""
    row = fetch_one("select ledger_roll_up(%s)", (limit,))
    return int(row[0]) if row else 0


def balance_of(account: int) -> int:
    """Return credits minus debits of an account: stored totals plus the tail behind them."""
    row = fetch_one("select ledger_balance_of(%s)", (account,))
    return int(row[0]) if row else 0


def sum_codes(
    kind: int, references: Sequence[int], codes: Sequence[int]
) -> list[tuple[int, int, int]]:
    """Return (reference, code, amount) for what codes moved for references. No locks."""
    rows = fetch(
        "select * from ledger_sum_codes(%s::smallint, %s::bigint[], %s::smallint[])",
        (kind, list(references), list(codes)),
    )
    return [(row[0], row[1], row[2]) for row in rows]


def seal(limit: int) -> int:
    """Take one step of sealing; returns how many numbers it sealed. Advisory lock 4."""
    row = fetch_one("select ledger_seal(%s)", (limit,))
    return int(row[0]) if row else 0


def make_months(since: dt.date, until: dt.date) -> int:
    """Make the partitions of the months between; returns how many are new."""
    row = fetch_one("select ledger_make_months(%s, %s)", (since, until))
    return int(row[0]) if row else 0


def broken_batches() -> list[tuple[int, int, int, bool]]:
    """Return (batch, after, last, overlaps) of each link that does not hold."""
    rows = fetch("select batch_no, after_id, last_id, is_link_broken from ledger_broken_batches()")
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def changed_transfers(batch_no: int) -> list[tuple[int, str]]:
    """Return (transfer, changed, gone or added) within a link."""
    rows = fetch("select transfer_id, what from ledger_changed_transfers(%s)", (batch_no,))
    return [(row[0], row[1]) for row in rows]


def totals_between(since: dt.datetime, until: dt.datetime) -> list[tuple[int, int, int, int]]:
    """Return (account, debits, credits, transfers) of each account between two moments."""
    rows = fetch("select * from ledger_totals_between(%s, %s)", (since, until))
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def seal_state(moment: dt.datetime) -> tuple[int, bool, int, bytes]:
    """Return (number sealed, whether all before `moment` is, last batch, its digest)."""
    row = fetch_one("select * from ledger_seal_state(%s)", (moment,))
    return (row[0], row[1], row[2], bytes(row[3])) if row else (0, False, 0, bytes(32))


def statement(
    account: int, *, since: dt.datetime, until: dt.datetime, before: int | None, limit: int
) -> list[tuple[Any, ...]]:
    """Return lines of a statement, newest first (see sql/statement.sql for the columns)."""
    return fetch(
        "select * from ledger_statement(%s, %s, %s, %s, %s)", (account, since, until, before, limit)
    )


def statement_sums(
    account: int, *, since: dt.datetime, until: dt.datetime
) -> tuple[int, int, int, int]:
    """Return (opening, received, spent, lines) of a statement."""
    row = fetch_one("select * from ledger_statement_sums(%s, %s, %s)", (account, since, until))
    return (row[0], row[1], row[2], row[3]) if row else (0, 0, 0, 0)
