"""Which account takes a payment, when it rests or is asked again, which bounds hold: by tables."""

import datetime as dt
from collections import Counter as Tally

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.payments.rules import (
    ACCEPTED,
    PROBE_GRACE_SECONDS,
    ConfirmOutcome,
    cap_day,
    fits,
    in_order,
    is_prepaid_amount,
    is_resting,
    is_top_up_amount,
    missing_sum,
    narrow,
    needs_second_person,
    next_query_at,
    next_refund_at,
    pick_account,
    share_of_fee,
    works_on,
)

NOON = dt.datetime(2026, 11, 27, 12, 0, tzinfo=dt.UTC)
ALL = ("pc", "mobile", "wechat", "alipay")


@pytest.mark.parametrize(
    ("device", "offered", "kept", "works"),
    [
        ("pc", ALL, (), True),
        ("pc", ALL, ("mobile",), False),
        ("mobile", ALL, ("mobile",), True),
        ("wechat", ("pc",), (), False),
        ("wechat", ("pc",), ("wechat",), False),  # the owner cannot widen
        ("tv", ALL, (), False),
    ],
)
def test_a_way_works_where_the_provider_offers_and_the_owner_keeps_it(
    device: str, offered: tuple[str, ...], kept: tuple[str, ...], works: bool
) -> None:
    assert works_on(device, offered=offered, kept=kept) is works


def test_accounts_are_taken_by_weight() -> None:
    weights = [(1, 300), (2, 100), (3, 0)]

    taken = Tally(pick_account(weights, seed=f"order-{number}") for number in range(4000))

    assert set(taken) == {1, 2}
    assert 2850 <= taken[1] <= 3150  # the seeds are fixed: this is 3 of 4, within five percent


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), max_size=6), st.text(max_size=9))
def test_the_same_seed_takes_the_same_account_of_those_that_can(
    weights: list[tuple[int, int]], seed: str
) -> None:
    picked = pick_account(weights, seed=seed)

    assert picked == pick_account(weights, seed=seed)
    assert (picked is None) == (not weights)
    assert picked is None or picked in {gateway for gateway, _weight in weights}


def test_an_account_of_weight_nought_stands_by() -> None:
    assert pick_account([(1, 0), (2, 5)], seed="x") == 2
    assert pick_account([(1, 0)], seed="x") == 1


def test_the_smallest_weight_is_no_standing_by() -> None:
    assert pick_account([(2, 0), (1, 1)], seed="x") == 1
    taken = Tally(pick_account([(1, 1), (2, 1)], seed=f"order-{number}") for number in range(200))
    assert set(taken) == {1, 2}


def test_a_seed_may_be_any_text() -> None:
    assert pick_account([(1, 1)], seed="\ud800") == 1


@pytest.mark.parametrize(
    ("seconds", "rests"),
    [(-1, True), (0, True), (PROBE_GRACE_SECONDS - 1, True), (PROBE_GRACE_SECONDS, False)],
)
def test_a_rest_ends_with_its_probe_or_some_time_after(seconds: int, rests: bool) -> None:
    assert is_resting(NOON, now=NOON + dt.timedelta(seconds=seconds)) is rests
    assert is_resting(None, now=NOON) is False


@pytest.mark.parametrize(
    ("own", "within", "bounds"),
    [
        ((0, 0), (100, 500), (100, 500)),
        ((200, 300), (100, 500), (200, 300)),
        ((50, 900), (100, 500), (100, 500)),
        ((600, 0), (100, 500), (600, 500)),  # nothing fits: the way is not offered
    ],
)
def test_a_sub_site_narrows_and_never_widens(
    own: tuple[int, int], within: tuple[int, int], bounds: tuple[int, int]
) -> None:
    assert narrow(own, within=within) == bounds


def test_wanted_keys_come_first_and_the_others_keep_their_order() -> None:
    assert in_order([1, 2, 3, 4], wanted=[3, 9, 1]) == [3, 1, 2, 4]
    assert in_order([1, 2], wanted=[]) == [1, 2]


def test_a_day_of_a_cap_is_a_beijing_day() -> None:
    assert cap_day(NOON.replace(hour=15, minute=59)) == dt.date(2026, 11, 27)
    assert cap_day(NOON.replace(hour=16)) == dt.date(2026, 11, 28)


def wait_of_query(query_count: int) -> int:
    moment = next_query_at(NOON, query_count=query_count)
    assert moment is not None
    return int((moment - NOON).total_seconds())


def wait_of_refund(asked_count: int) -> int:
    return int((next_refund_at(NOON, asked_count=asked_count) - NOON).total_seconds())


def test_a_payment_is_asked_for_at_growing_distances_for_some_36_hours() -> None:
    waits = [wait_of_query(count) for count in range(12)]

    assert waits[:4] == [30, 30, 60, 120]
    assert waits == sorted(waits)
    assert waits[-1] == 12 * 3600
    assert 34 * 3600 < sum(waits) < 36 * 3600


@pytest.mark.parametrize("query_count", [12, 13, 1000])
def test_after_that_a_payment_is_not_asked_for_again(query_count: int) -> None:
    assert next_query_at(NOON, query_count=query_count) is None


def test_a_refund_is_asked_for_at_growing_distances_and_never_given_up() -> None:
    waits = [wait_of_refund(count) for count in range(8)]

    assert waits[:3] == [5, 15, 60]
    assert waits == sorted(set(waits))
    assert waits[-1] == 6 * 3600
    assert [wait_of_refund(count) for count in (8, 9, 1000)] == [6 * 3600] * 3


@pytest.mark.parametrize(
    ("amount", "is_taken"), [(99, False), (100, True), (150, True), (200, True), (201, False)]
)
def test_a_gateway_takes_from_its_least_to_its_most(amount: int, *, is_taken: bool) -> None:
    assert fits(amount, min_amount=100, max_amount=200) is is_taken


@pytest.mark.parametrize(
    ("amount", "may"),
    [
        (-10_000, False),
        (0, False),
        (9_900, False),
        (10_000, True),
        (10_001, False),
        (10_050, False),
        (10_100, True),
        (49_999_900, True),
        (50_000_000, True),
        (50_000_100, False),
    ],
)
def test_a_customer_puts_in_whole_fen_from_one_to_five_thousand_yuan(
    amount: int, *, may: bool
) -> None:
    assert is_top_up_amount(amount) is may


@pytest.mark.parametrize(
    ("amount", "may"),
    [
        (0, False),
        (9_900, False),
        (10_000, True),
        (10_050, False),
        (10_100, True),
        (10_000_000_000, True),
        (10_000_000_100, False),
    ],
)
def test_an_operator_pays_in_whole_fen_from_one_to_a_million_yuan(
    amount: int, *, may: bool
) -> None:
    assert is_prepaid_amount(amount) is may


@pytest.mark.parametrize(
    ("amount", "needs"), [(0, False), (100, False), (101, True), (-100, False), (-101, True)]
)
def test_two_persons_are_needed_above_the_threshold_whichever_way_money_goes(
    amount: int, *, needs: bool
) -> None:
    assert needs_second_person(amount, threshold_amount=100) is needs


def test_a_nonce_is_spent_by_what_was_right_whether_or_not_it_changed_anything() -> None:
    """A callback that was not taken may be sent again: its nonce must stay good."""
    spent = {ConfirmOutcome.CONFIRMED, ConfirmOutcome.REPEATED, ConfirmOutcome.MISMATCHED}

    assert spent == ACCEPTED
    assert ConfirmOutcome.REPLAYED not in ACCEPTED


@pytest.mark.parametrize(
    ("surcharge", "received", "missing"),
    [
        (0, 70_000, 30_000),
        (1_000, 70_000, 29_000),  # the fee that the buyer would bear is not asked for
        (1_000, 99_500, 0),  # what came covers the goods
        (0, 0, 0),  # nothing came: nothing to complete
        (0, 99_950, 0),  # half a fen: no gateway takes that
        (0, 120_000, 0),
    ],
)
def test_what_may_be_asked_of_who_paid_too_little(
    surcharge: int, received: int, missing: int
) -> None:
    assert (
        missing_sum(amount=100_000, surcharge_amount=surcharge, received_amount=received) == missing
    )


def test_the_fee_of_a_part_is_its_share_in_whole_fen() -> None:
    assert share_of_fee(600, amount=100_000, received_amount=50_000) == 300
    assert share_of_fee(600, amount=100_000, received_amount=75_000) == 500  # 450: half up
    assert share_of_fee(600, amount=100_000, received_amount=74_900) == 400
    assert share_of_fee(600, amount=100_000, received_amount=100_000) == 600
