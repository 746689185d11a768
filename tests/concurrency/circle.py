"""One order, two sides: one confirms its payment, the other gives it up, each with its first lock.

Who confirms holds the payment and wants the order, who gives up holds the order. Both meet with
what they hold, so whether they end in a circle hangs on the second lock alone, not on speed.
"""

from collections.abc import Callable, Generator
from typing import Any

from kameng.orders.services.closing import expire_orders
from tests.concurrency.guards import MEET_TWO, meetings, without_guard
from tests.concurrency.shop import Shop, cancel, make_due, notify, order, payment_of

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
# A circle is missed when one side comes `PATIENCE` seconds late, ten times running: were that so in
# every fourth round, still less than once in a million runs.
ROUNDS_AT_MOST = 10
CONFIRMING = ("    if p.state in (2, 4) then", f"{MEET_TWO}    if p.state in (2, 4) then")
GIVING_UP = ("    perform payments_give_up(", f"{MEET_TWO}    perform payments_give_up(")
# What lets the side that gives up pass over a payment that is being confirmed.
PASSING = ("for no key update skip locked", "for no key update")


def race_with_first_locks(
    shop: Shop, run_parallel: Parallel, closing: str
) -> Generator[tuple[Any, list[Any]]]:
    """Yield order and outcomes of round after round; `closing` is `orders_close` or `_expire`."""
    with without_guard("payments_confirm", CONFIRMING), without_guard(closing, GIVING_UP):
        for _round in range(ROUNDS_AT_MOST):
            placed = order(shop)
            payment = payment_of(shop, placed)
            if closing == "orders_expire":
                make_due(shop, placed)

            def act(index: int, placed: Any = placed, payment: Any = payment) -> Any:
                if index:
                    return notify(shop, payment)
                return expire_orders() if closing == "orders_expire" else cancel(shop, placed)

            with meetings():
                outcomes = run_parallel(2, act)
            yield placed, outcomes


def meets_a_circle(shop: Shop, run_parallel: Parallel, closing: str) -> bool:
    """Race until the database has broken a circle; false when no round had one."""
    rounds = race_with_first_locks(shop, run_parallel, closing)
    try:
        return any("deadlock" in str(each) for _placed, outcomes in rounds for each in outcomes)
    finally:
        rounds.close()
