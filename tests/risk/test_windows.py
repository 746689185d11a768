"""The counters of one process: what passes, what waits, and that they stay bounded."""

from hypothesis import given
from hypothesis import strategies as st

from kameng.risk.rules import Limit
from kameng.risk.windows import NANOSECONDS, SlidingWindows

SECOND = NANOSECONDS


def test_a_limit_lets_exactly_its_hits_through_in_one_window() -> None:
    windows = SlidingWindows(Limit(3, 10), keys=10)

    waits = [windows.hit("mei", moment_ns=SECOND) for _ in range(5)]

    assert waits == [0, 0, 0, 9, 9]


def test_keys_do_not_share_a_window() -> None:
    windows = SlidingWindows(Limit(1, 10), keys=10)

    assert [windows.hit(key, moment_ns=0) for key in ("mei", "wei", "mei")] == [0, 0, 10]


def test_the_end_of_a_window_does_not_open_the_gate_at_once() -> None:
    windows = SlidingWindows(Limit(10, 10), keys=10)
    for _ in range(10):
        windows.hit("mei", moment_ns=9 * SECOND)

    passed = sum(windows.hit("mei", moment_ns=11 * SECOND) == 0 for _ in range(10))

    assert passed == 1
    assert windows.hit("mei", moment_ns=30 * SECOND) == 0


def test_the_key_quiet_longest_is_forgotten_first() -> None:
    windows = SlidingWindows(Limit(1, 10), keys=2)
    for key in ("a", "b", "c"):
        windows.hit(key, moment_ns=0)

    assert len(windows) == 2
    assert windows.hit("c", moment_ns=0) > 0
    assert windows.hit("a", moment_ns=0) == 0


@given(st.lists(st.integers(0, 60 * SECOND), max_size=80), st.integers(1, 9))
def test_never_more_than_twice_the_limit_passes_in_any_window(
    moments: list[int], hits: int
) -> None:
    windows = SlidingWindows(Limit(hits, 10), keys=10)

    passed = [moment for moment in sorted(moments) if not windows.hit("mei", moment_ns=moment)]

    for start in passed:
        assert sum(start <= moment < start + 10 * SECOND for moment in passed) <= 2 * hits
