"""Scheduled work of this app: bills are planned and fetched."""

import threading

from procrastinate.contrib.django import app

from kameng.reconciliation.services.fetching import fetch_due_bills, plan_bills

ROUNDS = 50
_fetching = threading.Lock()


@app.periodic(cron="*/5 * * * *")
@app.task(queue="gateways", queueing_lock="fetch_bills")
def fetch_bills(timestamp: int) -> None:
    """Plan the bills of the days that are over and fetch those that are due."""
    if not _fetching.acquire(blocking=False):
        return
    try:
        plan_bills()
        for _round in range(ROUNDS):
            if not fetch_due_bills():
                break
    finally:
        _fetching.release()
