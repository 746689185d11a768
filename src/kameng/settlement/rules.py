"""Pure decisions of settlement: states and arrows, fees, limits, reasons for a look, shares."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, Protocol

FEN: Final = 100
BPS: Final = 10_000
WAITS_SECONDS: Final = (5, 15, 60, 300, 900, 3600, 10_800, 21_600)
FINISH_DAYS: Final = 25  # gateways free a payment by themselves after 30 days or later
RECEIVER_WAIT_SECONDS: Final = 1800
FORGET_AFTER_DAYS: Final = 30  # a share may still have to come back from its receiver
FORGET_TRIES: Final = 10
RETURN_PATIENCE_SECONDS: Final = 900  # a refund waits so long for the share, then it goes on
CONFIRM_HOURS: Final = 24  # then WeChat begins to close what its receiver has not confirmed
CONFIRM_WAIT_SECONDS: Final = 900  # asked at least so often while the receiver may confirm
LOOKED_AT_SECONDS: Final = 5  # and so often while somebody looks at it
LOOKED_AFTER_HOURS: Final = 1  # past the end of the time to confirm
LINK_HOURS: Final = 24  # so long after its end a payout is told to who has its link
RECHECK_DAYS: Final = (1, 3, 7, 15, 30)  # after a payout: did it come back?
YOUNG_DAYS: Final = 7
LARGE_FACTOR: Final = 3
REFUND_SHARE_BPS: Final = 2000
OPEN_DISPUTE: Final = "open_dispute"
CLAIM_SHORT: Final = "claim_short"


class State(IntEnum):
    """Where a withdrawal stands."""

    REQUESTED = 1
    APPROVED = 2
    SENDING = 3  # asked of a gateway, perhaps without an answer
    IN_BATCH = 4  # in a file for the bank
    PAID = 5
    REFUSED = 6  # by a reviewer
    FAILED = 7  # by gateway or bank
    TAKEN_BACK = 8  # by who asked
    RETURNED = 9  # paid, and days later gateway or bank sent it back


ALLOWED: Final[dict[State, frozenset[State]]] = {
    State.REQUESTED: frozenset({State.APPROVED, State.REFUSED, State.TAKEN_BACK}),
    # Back to the review: a dispute came, and the claim no longer covers what is on its way.
    State.APPROVED: frozenset({State.SENDING, State.IN_BATCH, State.REFUSED, State.REQUESTED}),
    State.SENDING: frozenset({State.PAID, State.FAILED}),
    State.IN_BATCH: frozenset({State.PAID, State.FAILED}),
    State.PAID: frozenset({State.RETURNED}),
    State.REFUSED: frozenset(),
    State.FAILED: frozenset(),
    State.TAKEN_BACK: frozenset(),
    State.RETURNED: frozenset(),
}
OPEN_STATES: Final = frozenset(
    {State.REQUESTED, State.APPROVED, State.SENDING, State.IN_BATCH}
)  # the money is held
COUNTED_STATES: Final = OPEN_STATES | {State.PAID}  # what limits count


class SplitState(IntEnum):
    """Where the share of one payment stands."""

    WAITING = 1
    ASKED = 2  # the money lies in between; the answer may be unknown
    DONE = 3
    REFUSED = 4  # a clear no: the claim is whole again; a person may try again
    FINISHING = 5  # nothing (more) to hand over: the payment is being freed
    FINISHED = 6
    STAYS = 7  # nothing can be handed over: it stays a claim


SPLIT_ALLOWED: Final[dict[SplitState, frozenset[SplitState]]] = {
    SplitState.WAITING: frozenset({SplitState.ASKED, SplitState.FINISHING, SplitState.STAYS}),
    SplitState.ASKED: frozenset({SplitState.DONE, SplitState.REFUSED}),
    SplitState.DONE: frozenset(),
    SplitState.REFUSED: frozenset({SplitState.WAITING, SplitState.FINISHING, SplitState.STAYS}),
    SplitState.FINISHING: frozenset({SplitState.FINISHED}),
    SplitState.FINISHED: frozenset(),
    SplitState.STAYS: frozenset(),
}


class TermsLike(Protocol):
    """What the decisions need of the terms in force."""

    minimum_amount: int
    maximum_amount: int
    day_limit_amount: int
    month_limit_amount: int
    fee_bps: int
    fee_minimum_amount: int
    tax_bps: int
    withholds_tax: bool
    second_amount: int
    large_amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a withdrawal costs and what arrives."""

    fee_amount: int
    tax_amount: int
    payout_amount: int


def quote_withdrawal(amount: int, *, terms: TermsLike) -> Quote:
    """Return fee and tax of a withdrawal in whole fen, half a fen rounded up; and what is left.

    What is left may be zero or less: then the amount is too small for its fee.
    """
    fee = max(_share(amount, terms.fee_bps), terms.fee_minimum_amount)
    tax = _share(max(amount - fee, 0), terms.tax_bps) if terms.withholds_tax else 0
    return Quote(fee_amount=fee, tax_amount=tax, payout_amount=amount - fee - tax)


def _share(amount: int, rate_bps: int) -> int:
    return (amount * rate_bps + BPS * FEN // 2) // (BPS * FEN) * FEN


def find_limit_fault(
    amount: int, *, terms: TermsLike, day_amount: int, month_amount: int
) -> str | None:
    """Return which limit an amount breaks, or None. The sums are without it."""
    if amount % FEN or amount < terms.minimum_amount:
        return "below_minimum"
    if amount > terms.maximum_amount:
        return "above_maximum"
    if day_amount + amount > terms.day_limit_amount:
        return "day_limit"
    if month_amount + amount > terms.month_limit_amount:
        return "month_limit"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What is known when a withdrawal is asked for."""

    amount: int
    account_age: dt.timedelta
    paid_to_account_count: int
    largest_paid_amount: int  # lately, of this payee
    sold_amount: int  # lately
    refunded_amount: int
    is_account_shared: bool  # another payee uses the same account
    came_back: bool  # an earlier payout to this account did
    is_disputed: bool  # buyers want margin of this payee back by their bank


def find_risks(facts: Circumstances, *, terms: TermsLike) -> list[str]:
    """Return why a person should look closely, as codes; empty when nothing is odd."""
    risks = []
    if facts.paid_to_account_count == 0:
        risks.append("first_payout")
    if facts.account_age < dt.timedelta(days=YOUNG_DAYS):
        risks.append("new_account")
    is_jump = 0 < facts.largest_paid_amount * LARGE_FACTOR < facts.amount
    if facts.amount >= terms.large_amount or is_jump:
        risks.append("unusually_large")
    if facts.sold_amount and facts.refunded_amount * BPS > facts.sold_amount * REFUND_SHARE_BPS:
        risks.append("recent_refunds")
    if facts.is_account_shared:
        risks.append("shared_account")
    if facts.came_back:
        risks.append("came_back")
    if facts.is_disputed:
        risks.append(OPEN_DISPUTE)
    return risks


def risks_after_dispute(codes: Sequence[str], *, is_disputed: bool, is_short: bool) -> list[str]:
    """Return the reasons for a look as they are after a dispute was opened or ended."""
    kept = [code for code in codes if code not in (OPEN_DISPUTE, CLAIM_SHORT)]
    changed = [(OPEN_DISPUTE, is_disputed), (CLAIM_SHORT, is_short)]
    return kept + [code for code, holds in changed if holds]


def approvals_needed(amount: int, *, terms: TermsLike) -> int:
    """Return how many different people must say yes."""
    return 2 if amount >= terms.second_amount else 1


def whole_fen(amount: int) -> int:
    """Return an amount cut to whole fen, never below zero."""
    return max(amount, 0) // FEN * FEN


def share_through(margin: int, *, received: int, total: int) -> int:
    """Return the part of a margin that came through one payment of an order."""
    return margin if received >= total else margin * received // total


def share_to_ask(margin: int, *, received: int, max_bps: int) -> tuple[int, str]:
    """Return what may be handed over in whole fen, and why it is less than the margin."""
    most = received * max_bps // BPS
    if margin > most:
        return whole_fen(most), "above_maximum"
    amount = whole_fen(margin)
    return amount, "" if amount else "nothing_left"


def share_to_return(*, handed_over: int, margin_left: int) -> int:
    """Return what of a share must come back so that it stays within the margin that is left."""
    return max(handed_over - whole_fen(margin_left), 0)


def next_recheck_at(paid_at: dt.datetime, *, now: dt.datetime) -> dt.datetime | None:
    """Return when to ask next whether a payout came back; None when it is known for good."""
    moments = (paid_at + dt.timedelta(days=days) for days in RECHECK_DAYS)
    return next((moment for moment in moments if moment > now), None)


def next_attempt_at(now: dt.datetime, *, asked_count: int) -> dt.datetime:
    """Return when to ask again; the last wait repeats: an open outcome is never given up."""
    return now + dt.timedelta(seconds=WAITS_SECONDS[min(asked_count, len(WAITS_SECONDS) - 1)])


class Receipt(StrEnum):
    """Where a payout stands for its receiver, who confirms it in an app."""

    PREPARING = "preparing"  # what the app needs is not here yet
    OPEN = "open"
    CLOSING = "closing"  # the time is over, the gateway has not said so yet
    TAKEN = "taken"
    EXPIRED = "expired"
    FAILED = "failed"
    OVER = "over"  # ended long ago, or turned round since: nothing is told any more


class WaitingLike(Protocol):
    """What the receipt needs of a withdrawal."""

    state: int
    reason: str
    ended_at: dt.datetime | None


def find_receipt(
    found: WaitingLike, *, until: dt.datetime, is_ready: bool, now: dt.datetime, expired: str
) -> Receipt:
    """Return where a payout stands for its receiver; `expired` is its gateway's word for that."""
    if found.state == State.SENDING:
        if now >= until:
            return Receipt.CLOSING
        return Receipt.OPEN if is_ready else Receipt.PREPARING
    if found.ended_at is None or now >= found.ended_at + dt.timedelta(hours=LINK_HOURS):
        return Receipt.OVER
    if found.state == State.PAID:
        return Receipt.TAKEN
    if found.state == State.FAILED:
        return Receipt.EXPIRED if found.reason == expired else Receipt.FAILED
    return Receipt.OVER


def next_confirm_at(now: dt.datetime, *, asked_count: int) -> dt.datetime:
    """Return when to ask again about a payout that its receiver may confirm at any moment."""
    later = next_attempt_at(now, asked_count=asked_count)
    return min(later, now + dt.timedelta(seconds=CONFIRM_WAIT_SECONDS))
