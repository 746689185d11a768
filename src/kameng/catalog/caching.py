"""A bounded cache of values that are dear to build: one build at a time for each key.

Promises that threads which ask for the same missing value wait for one build, that an aged value is
still served while one thread makes the next, and that the total weight stays under a limit.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
_NANOSECONDS = 1_000_000_000


@dataclass(slots=True, kw_only=True)
class _Slot(Generic[V]):
    value: V
    weight: int
    aged_at: int


class SnapshotCache(Generic[K, V]):
    """Values by key, least recently used out first."""

    def __init__(self, *, weight_limit: int, fresh_seconds: int, weigh: Callable[[V], int]) -> None:
        self._weight_limit = weight_limit
        self._fresh_ns = fresh_seconds * _NANOSECONDS
        self._weigh = weigh
        self._lock = threading.Lock()
        self._slots: OrderedDict[K, _Slot[V]] = OrderedDict()
        self._building: dict[K, threading.Lock] = {}
        self._weight = 0

    def get(self, key: K, build: Callable[[], V]) -> V:
        """Return the value of `key`, building it when it is missing or aged."""
        slot = self._touch(key)
        if slot is not None and slot.aged_at > time.monotonic_ns():
            return slot.value
        with self._lock:
            lane = self._building.setdefault(key, threading.Lock())
        if slot is not None:
            if not lane.acquire(blocking=False):
                return slot.value
        else:
            lane.acquire()
        try:
            now = self._touch(key)
            if now is not None and now is not slot:
                return now.value
            return self._put(key, build())
        finally:
            lane.release()
            with self._lock:
                self._building.pop(key, None)

    def is_fresh(self, key: K) -> bool:
        """Tell whether `get` would answer at once, without building."""
        slot = self._slots.get(key)
        return slot is not None and slot.aged_at > time.monotonic_ns()

    def clear(self) -> None:
        """Forget everything (tests, and after a fork)."""
        with self._lock:
            self._slots.clear()
            self._weight = 0

    def _touch(self, key: K) -> _Slot[V] | None:
        with self._lock:
            slot = self._slots.get(key)
            if slot is not None:
                self._slots.move_to_end(key)
            return slot

    def _put(self, key: K, value: V) -> V:
        slot = _Slot(
            value=value,
            weight=self._weigh(value),
            aged_at=time.monotonic_ns() + self._fresh_ns,
        )
        with self._lock:
            old = self._slots.pop(key, None)
            self._weight += slot.weight - (old.weight if old else 0)
            self._slots[key] = slot
            while self._weight > self._weight_limit and len(self._slots) > 1:
                _, gone = self._slots.popitem(last=False)
                self._weight -= gone.weight
        return value
