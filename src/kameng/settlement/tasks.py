"""Scheduled work of settlement: splits, their returns, payouts. One run of each in a worker."""

import threading
from collections.abc import Callable

from procrastinate.contrib.django import app

from kameng.settlement.services.bouncing import recheck_paid
from kameng.settlement.services.forgetting import forget_due_receivers
from kameng.settlement.services.paying_out import send_due_payouts
from kameng.settlement.services.planning import free_forgotten_payments
from kameng.settlement.services.reserving import free_overdue_splits, reserve_due_splits
from kameng.settlement.services.returning import ask_due_returns
from kameng.settlement.services.splitting import ask_due_splits, free_due_payments

ROUNDS = 50  # batches one run takes at most; the next run goes on
_splitting = threading.Lock()
_paying = threading.Lock()


@app.periodic(cron="* * * * * */5")
@app.task(queue="gateways", queueing_lock="split_payments")
def split_payments(timestamp: int) -> None:
    """Reserve shares that are due, ask gateways for them, take others back, free the rest."""
    _run_alone(_splitting, (ask_due_returns, reserve_due_splits, ask_due_splits, free_due_payments))


@app.periodic(cron="* * * * * */5")
@app.task(queue="gateways", queueing_lock="send_payouts")
def send_payouts(timestamp: int) -> None:
    """Ask gateways for payouts until the outcome is known, and later whether they came back."""
    _run_alone(_paying, (send_due_payouts, recheck_paid))


@app.periodic(cron="17 * * * *")
@app.task(queue="gateways", queueing_lock="free_payments")
def free_payments(timestamp: int) -> None:
    """Plan the freeing of payments that nobody will split any more, and drop old receivers."""
    steps = (free_overdue_splits, free_forgotten_payments, forget_due_receivers)
    _run_alone(_splitting, steps)


def _run_alone(lock: threading.Lock, steps: tuple[Callable[[], int], ...]) -> None:
    # Not a lock of the queue: a killed worker would leave it behind, held by nobody.
    if not lock.acquire(blocking=False):
        return
    try:
        for step in steps:
            for _round in range(ROUNDS):
                if not step():
                    break
    finally:
        lock.release()
