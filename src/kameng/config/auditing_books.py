"""The checks of `kameng audit` on the chain over the ledger, differences and closed months."""

from collections.abc import Iterator

from kameng.config.audit_rows import read_rows
from kameng.core.scope import platform_scope
from kameng.ledger.sealing import verify_seals
from kameng.reconciliation.models import MonthClose
from kameng.reconciliation.services.closing import verify_month


def ledger_chain() -> Iterator[str]:
    """I22: no sealed transfer was changed, removed or added behind the ledger's back."""
    yield from verify_seals()


def months() -> Iterator[str]:
    """I23: every transfer lies in the partition of its month."""
    for row in read_rows(
        "select id, created_at from ledger_transfer t"
        " where t.tableoid = 'ledger_transfer_default'::regclass limit 20"
    ):
        yield f"ledger_transfer {row[0]}: no month was made for {row[1]:%Y-%m}"


def differences() -> Iterator[str]:
    """I24: what was booked as a difference is one transfer of a case, as large as it says."""
    for row in read_rows(
        """
        select coalesce(c.id, t.reference_id), c.booked_amount, t.amount, t.booked
          from reconciliation_case c
          full join (select reference_id, sum(amount)::bigint as amount, count(*) as booked
                       from ledger_transfer where code = 97 group by reference_id) t
            on t.reference_id = c.id
         where c.booked_amount is not null and abs(c.booked_amount) is distinct from t.amount
            or t.booked > 1 or t.reference_id is not null and c.booked_amount is null
            or c.state = 2 and c.closed_at is null
        """
    ):
        yield f"case {row[0]}: booked {row[1]}, transfers say {row[2]} in {row[3]}"
    for row in read_rows(
        "select b.id, b.line_count, count(r.id) from reconciliation_bill b"
        " left join reconciliation_billrow r on r.bill_id = b.id"
        " where b.matched_at is not null group by b.id having b.line_count <> count(r.id)"
    ):
        yield f"bill {row[0]}: counts {row[1]} lines, has {row[2]}"


def closed_months() -> Iterator[str]:
    """I25: closed months are as they were when they were closed."""
    with platform_scope("audit of closed months"):
        for close in MonthClose.unscoped.order_by("month"):
            for fault in verify_month(close):
                yield f"month {close.month:%Y-%m}: {fault}"
    for row in read_rows(
        "select c.month, c.batch_no from reconciliation_monthclose c"
        " left join ledger_sealbatch b on b.batch_no = c.batch_no"
        " where c.batch_no > 0 and b.chain_hash is distinct from c.chain_hash"
    ):
        yield f"month {row[0]:%Y-%m}: the chain's batch {row[1]} is not the one of its seal"
