"""How long something takes, measured in a fixed piece of work and not in seconds.

Seconds say as much about the machine as about the program: a bound that holds on a slow and busy
one catches nothing on a quick one.
"""

import time
from collections.abc import Callable


def count_yards(act: Callable[[], object], *, tries: int = 5) -> float:
    """Return the processor time of `act` in yards (5 ms on a quick machine), each at its best."""
    acts, yards = [], []
    for _ in range(tries):
        yards.append(_time(_walk_a_yard))
        acts.append(_time(act))
    return min(acts) / min(yards)


def _time(act: Callable[[], object]) -> float:
    begun = time.process_time()
    act()
    return time.process_time() - begun


def _walk_a_yard() -> int:
    return sum(len(str(number)) for number in range(50_000))
