"""Pure decisions about payments: when to ask a gateway again, which one fits, top-up bounds."""

import datetime as dt
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import IntEnum

QUERY_WAITS_SECONDS = (30, 30, 60, 120, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 43_200)
REFUND_WAITS_SECONDS = (5, 15, 60, 300, 900, 3600, 10_800, 21_600)
SLOW_FAULTS = frozenset(
    {"timeout", "unreachable", "busy"}
)  # what a dead gateway costs seconds with
TOP_UP_MIN_AMOUNT = 10_000  # ¥1
TOP_UP_MAX_AMOUNT = 50_000_000  # ¥5 000: the cap of a named single-purpose prepaid card


FEN = 100
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


class BeginOutcome(IntEnum):
    """Answers of payments_begin."""

    GO_ON = 0
    CAP_FULL = 1
    NOT_OPEN = 2


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


FAULTS_IN_A_ROW = 3  # so many, and a gateway rests
FAULT_WINDOW_SECONDS = 600  # older faults are not in the row
REST_WAITS_SECONDS = (60, 180, 600, 1800, 3600)
PROBE_GRACE_SECONDS = 180  # unprobed for so long after its rest, the next buyer tries it
BEIJING = dt.timezone(dt.timedelta(hours=8))
# Faults of ours or of this one payment: they say nothing about the merchant account.
NOT_OF_THE_ACCOUNT = frozenset({"busy", "bad_amount", "unknown_method", "payer_unknown"})


def cap_day(now: dt.datetime) -> dt.date:
    """Return the day on which daily caps count: gateways count Beijing days."""
    return now.astimezone(BEIJING).date()


def is_resting(rests_until: dt.datetime | None, *, now: dt.datetime) -> bool:
    """Tell whether a gateway is left alone; one that nobody probed is tried after a while."""
    if rests_until is None:
        return False
    return now < rests_until + dt.timedelta(seconds=PROBE_GRACE_SECONDS)


def works_on(device: str, *, offered: Collection[str], kept: Collection[str]) -> bool:
    """Tell whether a method works on a device: the provider offers it and the owner kept it."""
    return device in offered and (not kept or device in kept)


def pick_account(weights: Sequence[tuple[int, int]], *, seed: str) -> int | None:
    """Return one of (gateway, weight) by weight; the same seed and accounts give the same one.

    An account of weight 0 stands by: it is taken only when no other can. None of none.
    """
    standing = [pair for pair in weights if pair[1] > 0]
    if not standing:
        return weights[0][0] if weights else None
    total = sum(weight for _gateway, weight in standing)
    digest = hashlib.blake2b(seed.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    point = int.from_bytes(digest) % total
    for gateway, weight in standing:
        if point < weight:
            return gateway
        point -= weight
    return None  # pragma: no cover - the point lies below the total


def narrow(own: tuple[int, int], *, within: tuple[int, int]) -> tuple[int, int]:
    """Return a sub-site's own bounds inside the owner's; no upper bound of its own is 0."""
    low, high = own
    return max(low, within[0]), min(high or within[1], within[1])


def in_order(keys: Sequence[int], *, wanted: Sequence[int]) -> list[int]:
    """Return keys in a wanted order; those it does not name keep theirs, behind."""
    place = {key: number for number, key in enumerate(wanted)}
    return sorted(keys, key=lambda key: place.get(key, len(place)))  # sorting is stable


def needs_second_person(amount: int, *, threshold_amount: int) -> bool:
    """Tell whether an act on money needs two persons: above the threshold, not at it."""
    return abs(amount) > threshold_amount


def missing_sum(*, amount: int, surcharge_amount: int, received_amount: int) -> int:
    """Return what a buyer who paid too little may be asked for; zero when nothing sensible.

    The surcharge is not asked for: of an order that two payments pay the shop bears the fees. Whole
    fen, because gateways take nothing smaller.
    """
    missing = amount - surcharge_amount - received_amount
    return missing if received_amount > 0 and missing > 0 and missing % FEN == 0 else 0


def share_of_fee(fee_amount: int, *, amount: int, received_amount: int) -> int:
    """Return the fee of what came, from that of what was asked for: whole fen, half up."""
    return (2 * fee_amount * received_amount + amount * FEN) // (2 * amount * FEN) * FEN


RETURN_DAYS = 7  # how long a customer may ask for unused principal without a reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One rule of a bonus: from `min_amount` on, an amount or a rate of what is put in."""

    rule_id: int
    min_amount: int
    bonus_amount: int
    bonus_bps: int
    is_once: bool

    def bonus_for(self, amount: int) -> int:
        """Return what this rule gives on top of an amount, in whole fen, rounded down."""
        if amount < self.min_amount:
            return 0
        return self.bonus_amount or amount * self.bonus_bps // 10_000 // FEN * FEN


def pick_tier(amount: int, *, tiers: Sequence[Tier], used_rule_ids: Collection[int]) -> Tier | None:
    """Return the tier that gives most for an amount, or None; one that gives once only if unused.

    Of two that give the same, the one that may be used again.
    """
    fitting = [
        tier
        for tier in tiers
        if tier.bonus_for(amount) > 0 and not (tier.is_once and tier.rule_id in used_rule_ids)
    ]
    best: Tier | None = max(
        fitting, key=lambda tier: (tier.bonus_for(amount), not tier.is_once), default=None
    )
    return best


def room_in_wallet(*, held: int, opened: int, cap: int) -> int:
    """Return how much more a wallet may be promised: what it holds and what is being paid count."""
    return max(0, cap - held - opened)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """What one credited top-up put into a wallet and has not been given back yet."""

    principal: int
    bonus: int


def unused_principals(balance: int, *, lots: Sequence[Lot]) -> list[int]:
    """Return how much principal of each lot (oldest first) the balance still holds.

    Money is spent in this order: what came without a top-up (corrections, refunds), then top-ups,
    the oldest first, of each one its principal before its bonus. So a balance holds, from the
    bottom: the newest bonus, the newest principal, the bonus before it, and so on.
    """
    left = max(0, balance)
    unused = [0] * len(lots)
    for place in reversed(range(len(lots))):
        left = max(0, left - lots[place].bonus)
        unused[place] = min(left, lots[place].principal)
        left -= unused[place]
    return unused


def bonus_to_revoke(*, bonus: int, revoked: int, principal: int, returned: int) -> int:
    """Return what is taken back of a bonus when `returned` of the principal is back in all.

    In proportion, to the whole fen in the shop's favour; with the last part all of it.
    """
    due = -(-bonus * returned // (principal * FEN)) * FEN
    return max(0, min(bonus, due) - revoked)
