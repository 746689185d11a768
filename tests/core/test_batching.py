"""Grouping: every item is executed once, answers go to who asked, one batch is in flight."""

import threading
import time
from collections.abc import Sequence

import pytest

from kameng.core.batching import Batcher


def test_one_item_is_a_batch_of_one() -> None:
    assert Batcher(lambda items: [item * 2 for item in items]).submit(21) == 42


def test_what_arrives_meanwhile_becomes_the_next_batch() -> None:
    sizes: list[int] = []
    in_flight = threading.Semaphore(1)

    def execute(items: Sequence[int]) -> list[int]:
        assert in_flight.acquire(blocking=False), "two batches in flight"
        sizes.append(len(items))
        time.sleep(0.02)
        in_flight.release()
        return [item * item for item in items]

    batcher = Batcher(execute, limit=16)
    outcomes = _together(batcher, count=60)

    assert outcomes == [number * number for number in range(60)]
    assert sum(sizes) == 60
    assert max(sizes) <= 16
    assert len(sizes) < 30


def test_a_fault_reaches_everyone_of_its_batch_and_the_next_batch_runs() -> None:
    calls: list[int] = []

    def execute(items: Sequence[int]) -> list[int]:
        calls.append(len(items))
        time.sleep(0.01)
        if len(calls) == 1:
            raise ConnectionError("away")
        return list(items)

    batcher = Batcher(execute)
    outcomes = _together(batcher, count=20)

    failed = [each for each in outcomes if isinstance(each, ConnectionError)]
    assert len(failed) == calls[0]
    assert batcher.submit(5) == 5


def test_an_answer_of_none_is_an_answer() -> None:
    batcher: Batcher[int, None] = Batcher(lambda items: [None for _ in items])

    outcomes = _together(batcher, count=20)

    assert outcomes == [None] * 20


def test_too_few_answers_are_a_fault_and_not_a_mix_up() -> None:
    batcher: Batcher[int, int] = Batcher(lambda items: [])

    with pytest.raises(ValueError, match="zip"):
        batcher.submit(1)


def _together(batcher: Batcher[int, int], *, count: int) -> list[object]:
    barrier = threading.Barrier(count)
    outcomes: list[object] = ["no answer"] * count

    def work(index: int) -> None:
        barrier.wait(10)
        try:
            outcomes[index] = batcher.submit(index)
        except Exception as fault:
            outcomes[index] = fault

    threads = [threading.Thread(target=work, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return outcomes
