"""The hand-written SQL of this app: one function per SQL function in sql/ledger.sql."""

from collections.abc import Sequence
from dataclasses import dataclass

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
