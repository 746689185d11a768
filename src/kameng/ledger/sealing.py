"""The chain over the ledger: sealing committed transfers, checking the seals, and months ahead.

Promises that a transfer changed, removed or added behind the ledger's back is named by
`verify_seals`, and that sealing holds no lock that an order waits for.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.db import transaction

from kameng.core import clock
from kameng.core.scope import platform_scope
from kameng.ledger import store

BEIJING = ZoneInfo("Asia/Shanghai")
SEAL_BATCH = 5_000  # numbers a link: what has to be looked through to name a bad row
ROUNDS = 400
MONTHS_AHEAD = 3
NAMED = 20  # bad transfers named for each bad link


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthTotals:
    """What a month moved, by account, with the place in the chain up to which it is sealed."""

    totals: tuple[tuple[int, int, int], ...]  # (account, debits, credits)
    transfer_count: int
    transfer_amount: int
    batch_no: int
    chain_hash: bytes
    is_sealed: bool


def seal_transfers() -> int:
    """Seal what cannot change any more; returns how many numbers. Runs again and again.

    A run notes how far numbers were given out, the next one which transactions may hold one, and
    the first after those have ended seals.
    """
    total = 0
    for _round in range(ROUNDS):
        with transaction.atomic():
            count = store.seal(SEAL_BATCH)
        total += count
        if count < SEAL_BATCH:
            break
    return total


def make_months_ahead() -> int:
    """Make the partitions of this month and the next ones; returns how many are new."""
    today = clock.now().astimezone(BEIJING).date()
    with transaction.atomic():
        return store.make_months(today, today + dt.timedelta(days=31 * MONTHS_AHEAD))


def verify_seals() -> Iterator[str]:
    """Yield one sentence for each link that does not hold, with the transfers that are to blame."""
    with platform_scope("verify the ledger's chain"):
        for batch_no, after_id, last_id, is_torn in store.broken_batches():
            if is_torn:
                yield f"ledger_sealbatch {batch_no}: does not begin where the link before it ends"
            changed = store.changed_transfers(batch_no)
            for transfer_id, what in changed[:NAMED]:
                yield f"ledger_transfer {transfer_id}: {what} since it was sealed ({batch_no})"
            if len(changed) > NAMED:
                yield f"ledger_sealbatch {batch_no}: {len(changed)} transfers are not as sealed"
            if not changed:
                yield (
                    f"ledger_sealbatch {batch_no}: transfers {after_id + 1} to {last_id} do not"
                    " follow from the link before"
                )


def read_month(since: dt.datetime, *, until: dt.datetime, sealed_by: dt.datetime) -> MonthTotals:
    """Return what moved between two moments; `is_sealed` when all given out by then is sealed."""
    rows = store.totals_between(since, until)
    _number, is_past, batch_no, chain_hash = store.seal_state(sealed_by)
    return MonthTotals(
        totals=tuple((account, debits, credits_) for account, debits, credits_, _count in rows),
        transfer_count=sum(row[3] for row in rows) // 2,
        transfer_amount=sum(row[1] for row in rows),
        batch_no=batch_no,
        chain_hash=chain_hash,
        is_sealed=is_past,
    )
