"""Real threads that start at the same moment, each with its own connection."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar

from django.db import connection

R = TypeVar("R")
WAIT_SECONDS = 60


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
