"""The decisions of settlement, by tables."""

import datetime as dt
import itertools
from dataclasses import dataclass, replace

import pytest

from kameng.settlement import models, rules
from kameng.settlement.rules import (
    ALLOWED,
    COUNTED_STATES,
    OPEN_STATES,
    SPLIT_ALLOWED,
    Circumstances,
    SplitState,
    State,
    approvals_needed,
    find_limit_fault,
    find_risks,
    quote_withdrawal,
    risks_after_dispute,
    share_through,
    share_to_ask,
    share_to_return,
    whole_fen,
)


@dataclass(frozen=True, kw_only=True)
class Plain:
    """Terms as plain values."""

    minimum_amount: int = 500_000
    maximum_amount: int = 5_000_000
    day_limit_amount: int = 8_000_000
    month_limit_amount: int = 20_000_000
    fee_bps: int = 60
    fee_minimum_amount: int = 0
    tax_bps: int = 0
    withholds_tax: bool = False
    second_amount: int = 3_000_000
    large_amount: int = 4_000_000


@pytest.mark.parametrize(
    ("amount", "terms", "fee", "tax", "payout"),
    [
        (1_000_000, Plain(), 6_000, 0, 994_000),
        (1_000_000, Plain(fee_bps=0), 0, 0, 1_000_000),
        (1_000_000, Plain(fee_minimum_amount=20_000), 20_000, 0, 980_000),
        (1_000_100, Plain(fee_bps=50), 5_000, 0, 995_100),  # 50.005 fen: down
        (1_001_000, Plain(fee_bps=50), 5_000, 0, 996_000),
        (1_010_000, Plain(fee_bps=50), 5_100, 0, 1_004_900),  # 50.5 fen: half up
        (1_000_000, Plain(fee_bps=0, tax_bps=2000), 0, 0, 1_000_000),  # a note only
        (1_000_000, Plain(fee_bps=0, tax_bps=2000, withholds_tax=True), 0, 200_000, 800_000),
        (1_000_000, Plain(tax_bps=2000, withholds_tax=True), 6_000, 198_800, 795_200),
        (100, Plain(fee_minimum_amount=20_000), 20_000, 0, -19_900),
    ],
)
def test_fee_and_tax_are_whole_fen_and_add_up(
    amount: int, terms: Plain, fee: int, tax: int, payout: int
) -> None:
    quote = quote_withdrawal(amount, terms=terms)

    assert (quote.fee_amount, quote.tax_amount, quote.payout_amount) == (fee, tax, payout)
    assert quote.fee_amount + quote.tax_amount + quote.payout_amount == amount
    assert quote.fee_amount % 100 == quote.tax_amount % 100 == 0


@pytest.mark.parametrize(
    ("amount", "day", "month", "fault"),
    [
        (500_000, 0, 0, None),
        (499_900, 0, 0, "below_minimum"),
        (500_050, 0, 0, "below_minimum"),  # not whole fen
        (-500_000, 0, 0, "below_minimum"),
        (5_000_000, 0, 0, None),
        (5_000_100, 0, 0, "above_maximum"),
        (5_000_000, 3_000_000, 0, None),
        (5_000_000, 3_000_100, 0, "day_limit"),
        (500_000, 0, 19_500_000, None),
        (500_000, 0, 19_500_100, "month_limit"),
    ],
)
def test_limits_hold_at_their_edges(amount: int, day: int, month: int, fault: str | None) -> None:
    found = find_limit_fault(amount, terms=Plain(), day_amount=day, month_amount=month)

    assert found == fault


CALM = Circumstances(
    amount=1_000_000,
    account_age=dt.timedelta(days=30),
    paid_to_account_count=3,
    largest_paid_amount=1_000_000,
    sold_amount=10_000_000,
    refunded_amount=2_000_000,
    is_account_shared=False,
    came_back=False,
    is_disputed=False,
)


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        (CALM, []),
        (replace(CALM, paid_to_account_count=0), ["first_payout"]),
        (replace(CALM, account_age=dt.timedelta(days=6, hours=23)), ["new_account"]),
        (replace(CALM, account_age=dt.timedelta(days=7)), []),
        (replace(CALM, largest_paid_amount=0), []),
        (replace(CALM, amount=4_000_000, largest_paid_amount=0), ["unusually_large"]),
        (replace(CALM, amount=3_000_100), ["unusually_large"]),
        (replace(CALM, amount=3_000_000), []),
        (replace(CALM, refunded_amount=2_000_001), ["recent_refunds"]),
        (replace(CALM, sold_amount=0, refunded_amount=0), []),
        (replace(CALM, is_account_shared=True), ["shared_account"]),
        (replace(CALM, came_back=True), ["came_back"]),
        (replace(CALM, is_disputed=True), ["open_dispute"]),
    ],
)
def test_what_is_odd_is_named(facts: Circumstances, codes: list[str]) -> None:
    assert find_risks(facts, terms=Plain()) == codes


@pytest.mark.parametrize(
    ("before", "disputed", "short", "after"),
    [
        ([], False, False, []),
        (["new_account"], True, False, ["new_account", "open_dispute"]),
        (["new_account"], True, True, ["new_account", "open_dispute", "claim_short"]),
        (["open_dispute", "shared_account", "claim_short"], False, False, ["shared_account"]),
        (["open_dispute"], False, True, ["claim_short"]),
    ],
)
def test_warnings_follow_the_disputes(
    before: list[str], disputed: bool, short: bool, after: list[str]
) -> None:
    assert risks_after_dispute(before, is_disputed=disputed, is_short=short) == after


@pytest.mark.parametrize(("amount", "needed"), [(2_999_900, 1), (3_000_000, 2), (3_000_100, 2)])
def test_two_people_from_the_threshold_on(amount: int, needed: int) -> None:
    assert approvals_needed(amount, terms=Plain()) == needed


@pytest.mark.parametrize(
    ("margin", "received", "max_bps", "expected"),
    [
        (20_000, 100_000, 3000, (20_000, "")),
        (30_000, 100_000, 3000, (30_000, "")),
        (30_001, 100_000, 3000, (30_000, "above_maximum")),
        (20_050, 100_000, 3000, (20_000, "")),
        (99, 100_000, 3000, (0, "nothing_left")),
        (0, 100_000, 3000, (0, "nothing_left")),
        (-500, 100_000, 3000, (0, "nothing_left")),
        (50_000, 99_999, 3000, (29_900, "above_maximum")),
    ],
)
def test_no_more_is_handed_over_than_margin_and_gateway_allow(
    margin: int, received: int, max_bps: int, expected: tuple[int, str]
) -> None:
    assert share_to_ask(margin, received=received, max_bps=max_bps) == expected


@pytest.mark.parametrize(
    ("handed_over", "left", "back"),
    [(20_000, 20_000, 0), (20_000, 19_950, 100), (20_000, 0, 20_000), (20_000, -5, 20_000)],
)
def test_what_the_margin_does_not_cover_comes_back(handed_over: int, left: int, back: int) -> None:
    assert share_to_return(handed_over=handed_over, margin_left=left) == back


def test_a_mixed_payment_carries_its_part_of_the_margin_only() -> None:
    assert share_through(9_000, received=100_000, total=100_000) == 9_000
    assert share_through(9_000, received=33_300, total=100_000) == 2_997
    assert whole_fen(2_997) == 2_900


def test_every_state_of_the_tables_has_its_rule_and_its_label() -> None:
    assert {int(s) for s in ALLOWED} == set(models.WithdrawalState.values)
    assert {int(s) for s in SPLIT_ALLOWED} == set(models.SplitState.values)
    assert {s for s, after in ALLOWED.items() if not after} == set(ALLOWED) - OPEN_STATES - {
        State.PAID
    }


def test_the_arrows_of_a_withdrawal_are_these() -> None:
    """Written out once more, apart from the table: an arrow is added by changing both."""
    arrows = {
        *("REQUESTED APPROVED", "REQUESTED REFUSED", "REQUESTED TAKEN_BACK"),
        *("APPROVED SENDING", "APPROVED IN_BATCH", "APPROVED REFUSED", "APPROVED REQUESTED"),
        *("SENDING PAID", "SENDING FAILED", "IN_BATCH PAID", "IN_BATCH FAILED", "PAID RETURNED"),
    }

    for before, after in itertools.product(State, State):
        exists = f"{before.name} {after.name}" in arrows
        assert (after in ALLOWED[before]) is exists, f"{before.name} to {after.name}"


def test_the_arrows_of_a_share_are_these() -> None:
    arrows = {
        *("WAITING ASKED", "WAITING FINISHING", "WAITING STAYS", "ASKED DONE", "ASKED REFUSED"),
        *("REFUSED WAITING", "REFUSED FINISHING", "REFUSED STAYS", "FINISHING FINISHED"),
    }

    for before, after in itertools.product(SplitState, SplitState):
        exists = f"{before.name} {after.name}" in arrows
        assert (after in SPLIT_ALLOWED[before]) is exists, f"{before.name} to {after.name}"


def test_money_is_held_until_the_end_and_counts_when_it_arrived() -> None:
    assert {s.name for s in OPEN_STATES} == {"REQUESTED", "APPROVED", "SENDING", "IN_BATCH"}
    assert {s.name for s in set(COUNTED_STATES) - OPEN_STATES} == {"PAID"}
    assert OPEN_STATES <= COUNTED_STATES


def test_nothing_leads_out_of_an_end() -> None:
    assert ALLOWED[State.PAID] == {State.RETURNED}  # days later, by bank or gateway
    for state in (State.RETURNED, State.REFUSED, State.FAILED, State.TAKEN_BACK):
        assert ALLOWED[state] == frozenset()
    for share in (SplitState.DONE, SplitState.FINISHED, SplitState.STAYS):
        assert SPLIT_ALLOWED[share] == frozenset()


@pytest.mark.parametrize(
    ("days", "after"), [(0, 1), (0.9, 1), (1, 3), (2, 3), (7, 15), (29, 30), (30, None), (99, None)]
)
def test_a_payout_is_asked_about_five_times_in_a_month(days: float, after: int | None) -> None:
    paid = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    due = None if after is None else paid + dt.timedelta(days=after)
    assert rules.next_recheck_at(paid, now=paid + dt.timedelta(days=days)) == due


def test_an_open_outcome_is_asked_about_for_ever_but_ever_more_slowly() -> None:
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    waits = [rules.next_attempt_at(now, asked_count=count) - now for count in range(12)]

    assert waits == sorted(waits)
    assert waits[-1] == waits[-2] == dt.timedelta(hours=6)


def test_more_than_an_order_costs_carries_the_whole_margin_and_no_more() -> None:
    assert share_through(9_000, received=200_000, total=100_000) == 9_000


def test_shares_of_the_largest_sums_are_exact() -> None:
    """Sums over 53 bits: a fraction on the way would lose units."""
    most = 9_999_999_999_999

    assert share_through(most, received=most - 1, total=most) == most - 1
    assert share_through(most - 2, received=most - 1, total=most) == most - 3
    assert share_to_ask(most, received=most, max_bps=9_999) == (9_998_999_999_900, "above_maximum")
    quote = quote_withdrawal(most - 99, terms=Plain(fee_bps=9_999))
    assert (quote.fee_amount, quote.payout_amount) == (9_998_999_999_900, 1_000_000_000)
    for sum_ in (quote.fee_amount, share_through(1, received=1, total=3)):
        assert type(sum_) is int
    assert type(share_to_ask(9, received=1, max_bps=1)[0]) is int


NOW = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A withdrawal as plain values."""

    state: int = State.SENDING
    reason: str = ""
    ended_at: dt.datetime | None = None


@pytest.mark.parametrize(
    ("found", "until", "is_ready", "receipt"),
    [
        (Ended(), NOW + HOUR, True, "open"),
        (Ended(), NOW + HOUR, False, "preparing"),
        (Ended(), NOW, True, "closing"),
        (Ended(), NOW - 48 * HOUR, False, "closing"),
        (Ended(state=State.PAID, ended_at=NOW), NOW + HOUR, False, "taken"),
        (Ended(state=State.PAID, ended_at=NOW - 23 * HOUR), NOW - HOUR, False, "taken"),
        (Ended(state=State.PAID, ended_at=NOW - 24 * HOUR), NOW - HOUR, False, "over"),
        (Ended(state=State.FAILED, reason="LATE", ended_at=NOW), NOW, False, "expired"),
        (Ended(state=State.FAILED, reason="other", ended_at=NOW), NOW, False, "failed"),
        (Ended(state=State.FAILED, reason="LATE", ended_at=NOW - 25 * HOUR), NOW, False, "over"),
        (Ended(state=State.RETURNED, ended_at=NOW), NOW, False, "over"),
    ],
)
def test_where_a_payout_stands_for_its_receiver(
    found: Ended, until: dt.datetime, is_ready: bool, receipt: str
) -> None:
    said = rules.find_receipt(found, until=until, is_ready=is_ready, now=NOW, expired="LATE")

    assert said == receipt


def test_a_payout_that_waits_for_a_person_is_asked_about_four_times_an_hour() -> None:
    waits = [rules.next_confirm_at(NOW, asked_count=count) - NOW for count in (0, 2, 7, 200)]

    assert waits == [dt.timedelta(seconds=each) for each in (5, 60, 900, 900)]
