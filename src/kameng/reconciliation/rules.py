"""Pure decisions about bills: days, when to ask, what a difference suggests, how it is booked."""

import datetime as dt
from enum import StrEnum
from zoneinfo import ZoneInfo

BEIJING = ZoneInfo("Asia/Shanghai")
READY_AT = dt.time(10, 0)  # bills of the day before lie ready by then, by the gateways' own word
# What is booked this near to midnight may stand on the next day's bill, and the other way round.
TOLERANCE = dt.timedelta(minutes=10)
NEAR = dt.timedelta(days=7)  # bills around a day in which a payment booked on it may stand
FEE_SLACK = 100  # under a fen: gateways round each fee to fen, we do not
LOOK_BACK_DAYS = 7  # new gateways, and days on which nothing ran
OLDEST_DAYS = 366
RETRY_MINUTES = (15, 30, 60, 60, 120, 240)
ASKS_MAX = 24
BOOK_KINDS = frozenset({1, 2, 3, 4})  # missing here or there, amount, fee


FEE_KIND = 4
# Kinds of lines that nothing here answers for: each is a case, and moved the gateway's account.
CORRECTIONS = ("correction_in", "correction_out")
# Kinds that are booked when they are noticed, days after the gateway moved the money (a payout that
# came back is asked for at growing distances): the bill of any day may tell them.
NOTICED_LATER = ("payout_return",)
ARROWS = {"closed": (1, 2), "reopened": (2, 1)}  # of a case: what is done, from state, to state


class Side(StrEnum):
    """An account of the gateway that a correction touches."""

    CLEARING = "clearing"
    FEES = "fees"
    DIFFERENCES = "differences"


class Correction(StrEnum):
    """What a person may confirm for a case; nothing else is done by the program."""

    QUERY = "query"  # ask the gateway now; a payment that was made is confirmed by the usual way
    BOOK = "book"  # write the difference into the ledger, once
    NOTE = "note"  # nothing to correct: say why and close


def bounds_of(day: dt.date) -> tuple[dt.datetime, dt.datetime]:
    """Return the moments at which a Beijing day begins and ends."""
    begin = dt.datetime.combine(day, dt.time(), tzinfo=BEIJING)
    return begin, begin + dt.timedelta(days=1)


def day_of(moment: dt.datetime) -> dt.date:
    """Return the Beijing day of a moment."""
    return moment.astimezone(BEIJING).date()


def ready_at(day: dt.date) -> dt.datetime:
    """Return when the bill of a day is asked for first."""
    return dt.datetime.combine(day + dt.timedelta(days=1), READY_AT, tzinfo=BEIJING)


def days_to_plan(now: dt.datetime, *, since: dt.date) -> list[dt.date]:
    """Return the days that are over and should have a bill, oldest first."""
    today = day_of(now)
    first = max(since, today - dt.timedelta(days=LOOK_BACK_DAYS))
    return [first + dt.timedelta(days=i) for i in range((today - first).days)]


def next_attempt_at(now: dt.datetime, *, asked_count: int) -> dt.datetime | None:
    """Return when to ask again after so many asks; None when a person has to look."""
    if asked_count >= ASKS_MAX:
        return None
    minutes = RETRY_MINUTES[min(asked_count, len(RETRY_MINUTES)) - 1] if asked_count else 1
    return now + dt.timedelta(minutes=minutes)


def is_billable_day(day: dt.date, *, now: dt.datetime) -> bool:
    """Tell whether a day is over and not too long ago."""
    today = day_of(now)
    return today - dt.timedelta(days=OLDEST_DAYS) <= day < today


def month_bounds(month: dt.date) -> tuple[dt.datetime, dt.datetime]:
    """Return the moments at which a Beijing month begins and ends."""
    first = month.replace(day=1)
    following = (first + dt.timedelta(days=32)).replace(day=1)
    return bounds_of(first)[0], bounds_of(following)[0]


def suggest(
    kind: int, *, line_kind: str, is_gone: bool, is_found: bool, is_booked: bool
) -> Correction:
    """Return what usually settles such a difference; a person confirms it or does otherwise."""
    if is_gone or is_found or is_booked:
        return Correction.NOTE
    if kind in {2, 5} and line_kind == "payment":
        return Correction.QUERY
    is_correction = kind == 1 and line_kind in CORRECTIONS
    return Correction.BOOK if kind in {3, 4} or is_correction else Correction.NOTE


def sides_of(*, kind: int, line_kind: str, is_more: bool) -> tuple[Side, Side]:
    """Return (debit, credit) that book a difference; `is_more`: the bill says more than we do.

    More received at the gateway debits its clearing; more kept as a fee credits its fees; refunds
    and what else leaves the gateway go the other way.
    """
    if kind == FEE_KIND:
        pair = (Side.DIFFERENCES, Side.FEES)
    elif line_kind in {"payment", "split_return", "payout_return", "correction_in"}:
        pair = (Side.CLEARING, Side.DIFFERENCES)
    else:
        pair = (Side.DIFFERENCES, Side.CLEARING)
    return pair if is_more else (pair[1], pair[0])
