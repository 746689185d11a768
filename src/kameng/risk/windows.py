"""Counters of one process over a sliding window, for paths that cannot afford a round trip.

The count of the running window plus the share of the one before it that still overlaps: two
integers a key, an error of a few per cent. Bounded: the key quiet longest is forgotten first.
Losing the process forgets its counters, which can only let more through.
"""

import threading
import time
from collections import OrderedDict

from kameng.risk.rules import Limit

NANOSECONDS = 1_000_000_000


class SlidingWindows:
    """Hits by key against one limit."""

    def __init__(self, limit: Limit, *, keys: int) -> None:
        self.limit = limit
        self._keys = keys
        self._lock = threading.Lock()
        self._windows: OrderedDict[object, tuple[int, int, int]] = OrderedDict()

    def hit(self, key: object, *, moment_ns: int | None = None) -> int:
        """Count one hit; return 0, or in how many seconds the next one has a chance.

        A refused hit is not counted: a person who waits gets through.
        """
        window_ns = self.limit.seconds * NANOSECONDS
        moment_ns = time.monotonic_ns() if moment_ns is None else moment_ns
        number, inside_ns = divmod(moment_ns, window_ns)
        with self._lock:
            last, before, now = self._windows.pop(key, (number, 0, 0))
            if last != number:
                before, now = (now if last == number - 1 else 0), 0
            weighed = before * (window_ns - inside_ns) + now * window_ns
            is_over = weighed >= self.limit.hits * window_ns
            self._windows[key] = (number, before, now if is_over else now + 1)
            if len(self._windows) > self._keys:
                self._windows.popitem(last=False)
        if not is_over:
            return 0
        return max(1, (window_ns - inside_ns) // NANOSECONDS)

    def over(self, key: object) -> bool:
        """Tell whether a key has used up its window, without counting."""
        number = time.monotonic_ns() // (self.limit.seconds * NANOSECONDS)
        last, _before, now = self._windows.get(key, (number, 0, 0))
        return last == number and now >= self.limit.hits

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._windows.clear()

    def __len__(self) -> int:
        return len(self._windows)
