"""Closing the database connections of page threads that have had nothing to do for a while.

A thread keeps its connection from page to page, and the server keeps some seven megabytes for each.
After a rush sixteen of them would hold as much as a web process does.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connections

IDLE_SECONDS = 10.0


@dataclass(slots=True)
class _Seat:
    """A thread with its connection; whoever holds the lock may use or close that."""

    connection: Any
    lock: threading.Lock = field(default_factory=threading.Lock)
    used_at: float = 0.0


class Seats:
    """The threads of one pool."""

    def __init__(self) -> None:
        self._seats: list[_Seat] = []
        self._own = threading.local()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold this thread's seat for the block: its connection is not closed meanwhile."""
        seat = getattr(self._own, "seat", None)
        if seat is None:
            connection = connections["default"]
            connection.inc_thread_sharing()  # so that another thread may close it
            seat = self._own.seat = _Seat(connection=connection)
            self._seats.append(seat)
        with seat.lock:
            try:
                yield
            finally:
                seat.used_at = time.monotonic()

    def close_idle(self, *, seconds: float) -> int:
        """Close connections that nobody has used for so long; return how many. Waits for nobody.

        Call in a thread without a running event loop.
        """
        closed = 0
        for seat in self._seats:
            if not seat.lock.acquire(blocking=False):
                continue  # at work
            try:
                is_open = seat.connection.connection is not None
                if is_open and time.monotonic() - seat.used_at >= seconds:
                    seat.connection.close()
                    closed += 1
            finally:
                seat.lock.release()
        return closed
