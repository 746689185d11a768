"""Scheduled work of payments: asking gateways about payments and refunds.

One run of each at a time in a worker: gateways that hang may keep a run for long, and those that
began behind it would take every slot, and mail, imports and expiry with them.
"""

import threading
from collections.abc import Callable

from procrastinate.contrib.django import app

from kameng.payments.services.evidencing import send_due_evidence
from kameng.payments.services.querying import query_due_payments
from kameng.payments.services.refunding import ask_due_refunds
from kameng.payments.services.resting import probe_resting_gateways
from kameng.payments.services.sweeping import sweep_nonces, sweep_rejected_callbacks
from kameng.payments.services.watching import watch_prepaid

ROUNDS = 50  # batches one run takes at most; the next run goes on
_querying = threading.Lock()
_refunding = threading.Lock()
_evidencing = threading.Lock()
_probing = threading.Lock()


@app.periodic(cron="* * * * * */5")
@app.task(queue="gateways", queueing_lock="query_payments")
def query_payments(timestamp: int) -> None:
    """Ask gateways about payments whose callback did not come."""
    _run_alone(_querying, query_due_payments)


@app.periodic(cron="* * * * * */5")
@app.task(queue="gateways", queueing_lock="send_refunds")
def send_refunds(timestamp: int) -> None:
    """Ask gateways for refunds until the outcome is known."""
    _run_alone(_refunding, ask_due_refunds)


@app.periodic(cron="* * * * * */5")
@app.task(queue="gateways", queueing_lock="send_evidence")
def send_evidence(timestamp: int) -> None:
    """Hand answers to disputes in at their gateways until the outcome is known."""
    _run_alone(_evidencing, send_due_evidence)


@app.periodic(cron="* * * * * */10")
@app.task(queue="gateways", queueing_lock="probe_gateways")
def probe_gateways(timestamp: int) -> None:
    """Ask resting gateways whether they are well again."""
    _run_alone(_probing, probe_resting_gateways)


def _run_alone(lock: threading.Lock, take_batch: Callable[[], int]) -> None:
    # Not a lock of the queue: a killed worker would leave it behind, held by nobody.
    if not lock.acquire(blocking=False):
        return
    try:
        for _round in range(ROUNDS):
            if not take_batch():
                break
    finally:
        lock.release()


@app.periodic(cron="* * * * *")
@app.task(queueing_lock="watch_prepaid", pass_context=False)
def watch_prepaid_balances(timestamp: int) -> None:
    """Tell operators whose prepaid balance has fallen low, every minute."""
    watch_prepaid()


def sweep() -> int:
    """Delete refused callbacks of long ago and old nonces; return how many rows."""
    return sweep_rejected_callbacks() + sweep_nonces()
