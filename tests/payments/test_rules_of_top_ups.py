"""Arithmetic of top-ups: tiers, room below the cap, what is unused, what of a bonus goes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.payments.rules import (
    Lot,
    Tier,
    bonus_to_revoke,
    needs_second_person,
    pick_tier,
    room_in_wallet,
    unused_principals,
)

YUAN = 10_000
FEN = 100
FIVE_ON_100 = Tier(
    rule_id=1, min_amount=100 * YUAN, bonus_amount=5 * YUAN, bonus_bps=0, is_once=False
)
TENTH_ON_200 = Tier(rule_id=2, min_amount=200 * YUAN, bonus_amount=0, bonus_bps=1000, is_once=False)
FIRST_TIME = Tier(
    rule_id=3, min_amount=50 * YUAN, bonus_amount=10 * YUAN, bonus_bps=0, is_once=True
)
ALL = (FIVE_ON_100, TENTH_ON_200, FIRST_TIME)


@pytest.mark.parametrize(
    ("amount", "used", "rule_id", "bonus"),
    [
        (49 * YUAN, (), None, 0),
        (50 * YUAN, (), 3, 10 * YUAN),
        (50 * YUAN, (3,), None, 0),
        (100 * YUAN, (3,), 1, 5 * YUAN),
        (100 * YUAN - FEN, (3,), None, 0),
        (200 * YUAN, (), 2, 20 * YUAN),
        (200 * YUAN, (2,), 2, 20 * YUAN),  # one that gives each time is never used up
        (100 * YUAN, (), 3, 10 * YUAN),
    ],
)
def test_the_tier_that_gives_most_is_taken(
    amount: int, used: tuple[int, ...], rule_id: int | None, bonus: int
) -> None:
    tier = pick_tier(amount, tiers=ALL, used_rule_ids=used)

    assert (tier.rule_id if tier else None) == rule_id
    assert (tier.bonus_for(amount) if tier else 0) == bonus


def test_a_rate_gives_whole_fen() -> None:
    assert TENTH_ON_200.bonus_for(200 * YUAN + 5 * FEN) == 20 * YUAN


def test_of_two_that_give_the_same_the_lasting_one_is_taken() -> None:
    once = Tier(rule_id=9, min_amount=YUAN, bonus_amount=5 * YUAN, bonus_bps=0, is_once=True)

    assert pick_tier(100 * YUAN, tiers=(once, FIVE_ON_100), used_rule_ids=()) == FIVE_ON_100


@pytest.mark.parametrize(
    ("held", "opened", "cap", "room"),
    [(0, 0, 100, 100), (40, 0, 100, 60), (40, 50, 100, 10), (40, 60, 100, 0), (200, 0, 100, 0)],
)
def test_what_is_held_and_what_is_being_paid_take_room(
    held: int, opened: int, cap: int, room: int
) -> None:
    assert room_in_wallet(held=held, opened=opened, cap=cap) == room


@pytest.mark.parametrize(
    ("balance", "lots", "unused"),
    [
        (100, [(100, 0)], [100]),
        (60, [(100, 0)], [60]),
        (120, [(100, 20)], [100]),
        (110, [(100, 20)], [90]),  # principal before bonus
        (20, [(100, 20)], [0]),
        (10, [(100, 20)], [0]),
        (250, [(100, 0), (100, 0)], [100, 100]),  # other money was spent first, or is there yet
        (150, [(100, 0), (100, 0)], [50, 100]),  # the oldest first
        (80, [(100, 0), (100, 0)], [0, 80]),
        (0, [(100, 20)], [0]),
        (5, [], []),
        (330, [(300, 30), (300, 30)], [0, 300]),  # a bonus that was spent takes nothing of the next
        (350, [(300, 30), (300, 30)], [0, 300]),
        (400, [(300, 30), (300, 30)], [40, 300]),
    ],
)
def test_the_oldest_top_up_is_spent_first_and_its_bonus_after_its_principal(
    balance: int, lots: list[tuple[int, int]], unused: list[int]
) -> None:
    made = [Lot(principal=principal, bonus=bonus) for principal, bonus in lots]

    assert unused_principals(balance, lots=made) == unused


@given(
    st.integers(0, 10**6),
    st.lists(st.tuples(st.integers(0, 10**5), st.integers(0, 10**4)), max_size=6),
)
def test_unused_principal_is_never_more_than_is_there(
    balance: int, lots: list[tuple[int, int]]
) -> None:
    made = [Lot(principal=principal, bonus=bonus) for principal, bonus in lots]

    unused = unused_principals(balance, lots=made)

    assert all(0 <= each <= lot.principal for each, lot in zip(unused, made, strict=True))
    assert sum(unused) <= balance
    for place, lot in enumerate(made[:-1]):  # what is older is there only where all newer is
        newer = sum(each.principal + each.bonus for each in made[place + 1 :])
        assert unused[place] <= max(0, balance - newer - lot.bonus)


@given(
    st.integers(1, 500).map(lambda n: n * FEN),
    st.integers(1, 5000).map(lambda n: n * FEN),
    st.lists(st.integers(1, 5000).map(lambda n: n * FEN), min_size=1, max_size=5),
)
def test_parts_revoke_as_much_as_the_whole(bonus: int, principal: int, parts: list[int]) -> None:
    returned = revoked = 0
    for part in [*parts, principal]:
        returned = min(principal, returned + part)
        taken = bonus_to_revoke(
            bonus=bonus, revoked=revoked, principal=principal, returned=returned
        )
        assert taken >= 0
        assert taken % FEN == 0
        revoked += taken
        assert revoked * principal >= bonus * returned  # never less than its share
        assert revoked <= bonus

    assert revoked == bonus


@pytest.mark.parametrize(
    ("amount", "threshold", "needs"), [(100, 100, False), (101, 100, True), (-101, 100, True)]
)
def test_two_persons_above_the_threshold(amount: int, threshold: int, *, needs: bool) -> None:
    assert needs_second_person(amount, threshold_amount=threshold) is needs


def test_an_empty_wallet_holds_no_principal() -> None:
    for balance in (0, -1):
        assert unused_principals(balance, lots=[Lot(principal=10 * YUAN, bonus=0)]) == [0]


def test_a_rate_of_the_largest_sum_is_exact() -> None:
    """Over 53 bits: a fraction on the way would lose units."""
    tier = Tier(rule_id=1, min_amount=1, bonus_amount=0, bonus_bps=9_999, is_once=False)
    amount = 90_071_992_547_409_999 * FEN + 99

    assert tier.bonus_for(amount) == amount * 9_999 // 1_000_000 * 100
    assert isinstance(tier.bonus_for(200 * YUAN), int)
