"""The reader of events in the worker: big batches at once, few at its own pace, never stuck."""

import threading
from collections.abc import Callable, Sequence

import pytest

from kameng.config import wiring, worker
from kameng.config.wiring import Consumer
from kameng.core import events
from kameng.core.events import BATCH_SIZE
from kameng.orders.events import OrderPaid


class Stop(threading.Event):
    """Ends the reader after so many rests, and keeps how many turns went before each."""

    def __init__(self, rests: int) -> None:
        super().__init__()
        self.rests = rests
        self.turns = 0
        self.turns_before: list[int] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout == worker.TURN_SECONDS
        self.turns_before.append(self.turns)
        if len(self.turns_before) == self.rests:
            self.set()
        return self.is_set()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Stop]:
    """Run the reader with one consumer that finds so many events at its turns, then none."""

    def run(found: Sequence[int | Exception], *, rests: int) -> Stop:
        stop, left = Stop(rests), list(found)

        def consume(_name: str, _kinds: Sequence[str], _handler: object) -> int:
            stop.turns += 1
            answer = left.pop(0) if left else 0
            if isinstance(answer, Exception):
                raise answer
            return answer

        consumer = Consumer(name="test.reader", events=(OrderPaid,), handler=lambda _events: None)
        monkeypatch.setattr(wiring, "AFTER_COMMIT", (consumer,))
        monkeypatch.setattr(events, "consume", consume)
        worker.read_events(stop)
        return stop

    return run


def test_a_few_events_are_followed_by_a_rest(read: Callable[..., Stop]) -> None:
    assert read([5, BATCH_SIZE - 1, 0], rests=3).turns_before == [1, 2, 3]


def test_a_whole_batch_is_followed_by_the_next_at_once(read: Callable[..., Stop]) -> None:
    assert read([BATCH_SIZE, BATCH_SIZE, 7], rests=2).turns_before == [3, 4]


def test_a_lone_event_is_seen_within_half_a_second() -> None:
    assert worker.TURN_SECONDS < 0.5


def test_a_consumer_that_fails_rests_longer(
    read: Callable[..., Stop], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "FAULT_SECONDS", 3600.0)
    assert read([ValueError("broken")], rests=3).turns == 1
    monkeypatch.setattr(worker, "FAULT_SECONDS", 0.0)
    assert read([ValueError("broken")], rests=3).turns == 3


def test_an_idle_consumer_steps_over_foreign_events_and_a_busy_one_does_not(
    read: Callable[..., Stop], monkeypatch: pytest.MonkeyPatch
) -> None:
    skipped: list[str] = []
    monkeypatch.setattr(worker, "SKIP_SECONDS", 0.0)
    monkeypatch.setattr(events, "skip_foreign", lambda name, _kinds: skipped.append(name))

    read([3, 3], rests=2)
    assert skipped == []
    read([3, 0], rests=2)
    assert skipped == ["test.reader"]


def test_a_busy_neighbour_does_not_keep_an_idle_consumer_from_stepping_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else each of its looks would read again all that the busy shop has written since."""
    stop, left, skipped = Stop(1), [BATCH_SIZE] * 5, []

    def consume(name: str, _kinds: Sequence[str], _handler: object) -> int:
        return left.pop(0) if name == "test.busy" and left else 0

    def skip(name: str, _kinds: Sequence[str]) -> None:
        skipped.append((name, len(left)))

    names = ("test.busy", "test.idle")
    monkeypatch.setattr(
        wiring,
        "AFTER_COMMIT",
        tuple(Consumer(name=n, events=(OrderPaid,), handler=lambda _events: None) for n in names),
    )
    monkeypatch.setattr(events, "consume", consume)
    monkeypatch.setattr(worker, "SKIP_SECONDS", 0.0)
    monkeypatch.setattr(events, "skip_foreign", skip)

    worker.read_events(stop)

    assert [each for each in skipped if each[0] == "test.idle"][:5] == [
        ("test.idle", count) for count in (4, 3, 2, 1, 0)
    ]
    assert ("test.busy", 4) not in skipped


def test_the_worker_gives_way_before_it_starts_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    class NotHereError(Exception):
        pass

    def nice(increment: int) -> int:
        assert increment > 0
        raise NotHereError

    monkeypatch.setattr(worker.os, "nice", nice)
    monkeypatch.setattr(worker.threading.Thread, "start", lambda _self: pytest.fail("too early"))
    with pytest.raises(NotHereError):
        worker.run()
