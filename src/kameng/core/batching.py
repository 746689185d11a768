"""Grouping of what threads ask for at the same moment into one set-based statement.

What has arrived while the last batch was in flight becomes the next one, one batch in flight. The
first thread to find the lane free leads; it hands the lead on after its own answer is in. A lone
request never waits; only while batches hold several does a leader linger two milliseconds for those
that are on their way, which is less than the statement it saves them.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

LINGER_SECONDS = 0.002

T = TypeVar("T")
R = TypeVar("R")


class _Ticket(Generic[T, R]):
    __slots__ = ("error", "item", "leads", "result", "wake")

    def __init__(self, item: T) -> None:
        self.item = item
        self.wake = threading.Event()
        self.leads = False
        self.result: R | None = None
        self.error: BaseException | None = None


class Batcher(Generic[T, R]):
    """Run `execute` over whatever threads submitted meanwhile, at most `limit` at a time."""

    def __init__(self, execute: Callable[[Sequence[T]], Sequence[R]], *, limit: int = 64) -> None:
        self._execute = execute
        self._limit = limit
        self._lock = threading.Lock()
        self._waiting: list[_Ticket[T, R]] = []
        self._busy = False
        self._last_size = 1

    def submit(self, item: T) -> R:
        """Return the outcome of `item`; raises what `execute` raised for its batch."""
        ticket: _Ticket[T, R] = _Ticket(item)
        with self._lock:
            self._waiting.append(ticket)
            if not self._busy:
                self._busy = True
                ticket.leads = True
        if not ticket.leads:
            ticket.wake.wait()
        if ticket.leads and ticket.result is None and ticket.error is None:
            self._lead(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.result  # type: ignore[return-value]

    def _lead(self, own: _Ticket[T, R]) -> None:
        """Run one batch, which holds the leader's own item; then hand the lead on."""
        if self._last_size > 1 and len(self._waiting) < self._limit:
            time.sleep(LINGER_SECONDS)
        with self._lock:
            batch = self._waiting[: self._limit]
            del self._waiting[: self._limit]
            if own not in batch:  # more than a full batch was waiting in front
                self._waiting.remove(own)
                batch.append(own)
        self._last_size = len(batch)
        try:
            results = self._execute([ticket.item for ticket in batch])
            for ticket, result in zip(batch, results, strict=True):
                ticket.result = result
        except BaseException as fault:  # every waiting thread must learn of it
            for ticket in batch:
                ticket.error = fault
        with self._lock:
            successor = self._waiting[0] if self._waiting else None
            if successor is None:
                self._busy = False
            else:
                successor.leads = True
        for ticket in batch:
            if ticket is not own:
                ticket.wake.set()
        if successor is not None:
            successor.wake.set()
