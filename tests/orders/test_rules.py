"""The graph of an order's states: every arrow that exists, and none besides."""

import itertools

import pytest

from kameng.orders.models import OrderState
from kameng.orders.rules import ALLOWED, PAID_STATES, State, is_path, redelivers


def test_labels_and_states_are_the_same() -> None:
    assert {int(state) for state in OrderState} == {int(state) for state in State} == set(ALLOWED)


def test_the_arrows_are_these() -> None:
    """Written out once more, apart from the table: an arrow is added by changing both."""
    arrows = {
        *("AWAITING_PAYMENT AWAITING_DELIVERY", "AWAITING_PAYMENT CANCELLED"),
        *("AWAITING_PAYMENT EXPIRED", "AWAITING_DELIVERY DELIVERED"),
        *("AWAITING_DELIVERY REFUNDING", "DELIVERED REFUNDING", "REFUNDING REFUNDED"),
        *("CANCELLED AWAITING_DELIVERY", "EXPIRED AWAITING_DELIVERY"),
    }

    for before, after in itertools.product(State, State):
        exists = f"{before.name} {after.name}" in arrows
        assert (after in ALLOWED[before]) is exists, f"{before.name} to {after.name}"


def test_paid_is_what_cannot_be_reached_without_money() -> None:
    unpaid = {State.AWAITING_PAYMENT, State.CANCELLED, State.EXPIRED}

    assert set(State) - unpaid == PAID_STATES


def test_money_that_came_is_never_forgotten() -> None:
    for state in PAID_STATES:
        assert ALLOWED[state] <= PAID_STATES


def test_every_state_can_be_reached_and_a_refund_from_every_paid_one() -> None:
    reached = {State.AWAITING_PAYMENT}
    for _ in State:
        reached |= {after for state in reached for after in ALLOWED[state]}
    assert reached == set(State)
    assert ALLOWED[State.REFUNDED] == frozenset()
    for state in PAID_STATES - {State.REFUNDED}:
        assert _leads(state, State.REFUNDED)


def _leads(start: State, end: State) -> bool:
    reached = {start}
    for _ in State:
        reached |= {after for state in reached for after in ALLOWED[state]}
    return end in reached


@pytest.mark.parametrize(
    "path",
    [[1], [1, 2], [1, 2, 3], [1, 4], [1, 5], [1, 5, 2, 3], [1, 4, 2, 6, 7], [1, 2, 3, 6, 7]],
)
def test_a_history_along_the_arrows_is_a_path(path: list[int]) -> None:
    assert is_path(path)


@pytest.mark.parametrize(
    "path", [[], [2], [1, 3], [1, 2, 4], [1, 2, 5], [1, 4, 5], [1, 2, 3, 7], [1, 2, 3, 2], [1, 1]]
)
def test_a_history_with_a_jump_is_none(path: list[int]) -> None:
    assert not is_path(path)


def test_no_path_pays_twice() -> None:
    for length in range(2, 6):
        for tail in itertools.product([int(state) for state in State], repeat=length - 1):
            path = [1, *tail]
            if is_path(path):
                assert path.count(State.AWAITING_DELIVERY) <= 1
                assert path.count(State.REFUNDED) <= 1


def test_only_delivered_goods_are_shown_again() -> None:
    assert [state for state in State if redelivers(state)] == [State.DELIVERED]
