"""Real threads that start at the same moment, each with its own connection."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar

from django.db import connection

R = TypeVar("R")
S = TypeVar("S")
WAIT_SECONDS = 120


def run_together(count: int, function: Callable[[int], R]) -> list[R | Exception]:
    """Call `function(index)` in `count` threads behind one barrier; return results or exceptions.

    Every thread has opened its connection before the barrier and works in the caller's site scope.
    """
    barrier = threading.Barrier(count)
    outcomes: list[R | Exception] = [RuntimeError("the thread did not end")] * count

    def work(index: int) -> None:
        try:
            connection.ensure_connection()
            barrier.wait(WAIT_SECONDS)
            outcomes[index] = function(index)
        except Exception as fault:
            outcomes[index] = fault
        finally:
            connection.close()

    threads = [
        threading.Thread(target=copy_context().run, args=(work, index), daemon=True)
        for index in range(count)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_SECONDS)
    return outcomes


def run_rounds(
    count: int,
    rounds: int,
    *,
    prepare: Callable[[int], S],
    act: Callable[[S, int], R],
    judge: Callable[[S, list[R | Exception]], None],
) -> None:
    """Let the same threads meet again and again: prepare, all act at one moment, judge.

    `prepare` and `judge` run in the calling thread; a round's outcomes stand in the threads' order.
    """
    start, end = threading.Barrier(count + 1), threading.Barrier(count + 1)
    state: list[S] = []
    outcomes: list[R | Exception] = [RuntimeError("the thread did not act")] * count

    def work(index: int) -> None:
        try:
            connection.ensure_connection()
            for _round in range(rounds):
                start.wait(WAIT_SECONDS)
                try:
                    outcomes[index] = act(state[0], index)
                except Exception as fault:
                    outcomes[index] = fault
                end.wait(WAIT_SECONDS)
        except threading.BrokenBarrierError:
            return  # the caller gave up
        finally:
            connection.close()

    threads = [
        threading.Thread(target=copy_context().run, args=(work, index), daemon=True)
        for index in range(count)
    ]
    for thread in threads:
        thread.start()
    try:
        for number in range(rounds):
            state[:] = [prepare(number)]
            start.wait(WAIT_SECONDS)
            end.wait(WAIT_SECONDS)
            judge(state[0], list(outcomes))
    finally:
        start.abort()
        end.abort()
        for thread in threads:
            thread.join(WAIT_SECONDS)
