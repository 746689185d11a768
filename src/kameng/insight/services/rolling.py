"""Keeping the roll-ups: full hours as they end, and days again whose orders changed.

Exactly once: a step moves the mark and writes its rows in one transaction; a day is computed whole
and only the difference is added, so that computing it twice changes nothing.
"""

import datetime as dt
from collections.abc import Sequence

from kameng.core import clock
from kameng.insight import store

STEP_ORDERS = 50_000  # about a second's work: readers of the event log wait for a long transaction
STEPS_MOST = 200
VISITOR_DAYS = 2
FORGET_MOST = 20_000


def roll_up(*, order_count: int = STEP_ORDERS, steps: int = STEPS_MOST) -> int:
    """Bring the roll-ups up to the last full hour; return how many days were computed.

    Each step is a transaction of its own: call outside one. A second roller leaves at once.
    """
    total = 0
    for _ in range(steps):
        done, is_more = store.roll_up(clock.now(), order_count=order_count)
        total += max(0, done)
        if not is_more:
            break
    return total


def mark_changed(order_ids: Sequence[int]) -> int:
    """Have the days of these orders computed again; return how many were not marked yet."""
    return store.mark_orders(sorted(set(order_ids))) if order_ids else 0


def roll_up_anew() -> int:
    """Forget the roll-ups of sales and make them from the orders; return how many days."""
    store.begin_anew()
    return roll_up(steps=1_000_000)


def forget_visitors() -> int:
    """Delete who came before yesterday, with the salts that made them; return how many went."""
    before = clock.now().astimezone(dt.UTC).date() - dt.timedelta(days=VISITOR_DAYS)
    total = 0
    while True:
        gone = store.forget_visitors(before, most=FORGET_MOST)
        total += gone
        if gone < FORGET_MOST:
            return total
