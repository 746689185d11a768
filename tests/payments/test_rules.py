"""Which account takes a payment, when it rests, which bounds hold: by tables."""

import datetime as dt
from collections import Counter as Tally

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.payments.rules import (
    PROBE_GRACE_SECONDS,
    cap_day,
    in_order,
    is_resting,
    narrow,
    pick_account,
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
