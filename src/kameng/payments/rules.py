"""Pure decisions about payments: when to ask a gateway again, which gateway fits, top-up bounds."""

import datetime as dt
from enum import IntEnum

QUERY_WAITS_SECONDS = (30, 30, 60, 120, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 43_200)
REFUND_WAITS_SECONDS = (5, 15, 60, 300, 900, 3600, 10_800, 21_600)
SLOW_FAULTS = frozenset(
    {"timeout", "unreachable", "busy"}
)  # what a dead gateway costs seconds with
TOP_UP_MIN_AMOUNT = 10_000  # ¥1
TOP_UP_MAX_AMOUNT = 50_000_000  # ¥5 000: the cap of a named single-purpose prepaid card


PREPAID_MIN_AMOUNT = 10_000  # ¥1
PREPAID_MAX_AMOUNT = 10_000_000_000  # ¥1 000 000


class ConfirmOutcome(IntEnum):
    """Answers of payments_confirm (sql/payments.sql), and REPLAYED: a nonce came again."""

    CONFIRMED = 0
    REPEATED = 1
    UNKNOWN = 2
    OTHER_GATEWAY = 3
    MISMATCHED = 4
    EXTERNAL_REUSED = 5
    PAID_TWICE = 6
    REPLAYED = 7


# The callback was right, whether or not it changed anything: its nonce must not come again.
ACCEPTED = frozenset({ConfirmOutcome.CONFIRMED, ConfirmOutcome.REPEATED, ConfirmOutcome.MISMATCHED})


def next_query_at(now: dt.datetime, *, query_count: int) -> dt.datetime | None:
    """Return when to ask the gateway again after so many asks; None after some 36 hours."""
    if query_count >= len(QUERY_WAITS_SECONDS):
        return None
    return now + dt.timedelta(seconds=QUERY_WAITS_SECONDS[query_count])


def next_refund_at(now: dt.datetime, *, asked_count: int) -> dt.datetime:
    """Return when to ask for a refund again; the last wait repeats: a refund is never given up."""
    wait = REFUND_WAITS_SECONDS[min(asked_count, len(REFUND_WAITS_SECONDS) - 1)]
    return now + dt.timedelta(seconds=wait)


def fits(amount: int, *, min_amount: int, max_amount: int) -> bool:
    """Tell whether a gateway takes payments of this amount."""
    return min_amount <= amount <= max_amount


def is_prepaid_amount(amount: int) -> bool:
    """Tell whether an operator may pay in this amount at once: whole fen within the bounds."""
    return PREPAID_MIN_AMOUNT <= amount <= PREPAID_MAX_AMOUNT and amount % 100 == 0


def is_top_up_amount(amount: int) -> bool:
    """Tell whether a customer may put in this amount: whole fen within the bounds."""
    return TOP_UP_MIN_AMOUNT <= amount <= TOP_UP_MAX_AMOUNT and amount % 100 == 0
