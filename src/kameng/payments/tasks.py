"""Scheduled work of payments: asking gateways about payments and refunds."""

from procrastinate.contrib.django import app

from kameng.payments.services.querying import query_due_payments
from kameng.payments.services.refunding import ask_due_refunds

ROUNDS = 50  # batches one run takes at most; the next run goes on


@app.periodic(cron="* * * * * */5")
@app.task(queue="gateways", queueing_lock="query_payments")
def query_payments(timestamp: int) -> None:
    """Ask gateways about payments whose callback did not come."""
    for _round in range(ROUNDS):
        if not query_due_payments():
            break


@app.periodic(cron="* * * * * */5")
@app.task(queue="gateways", queueing_lock="send_refunds")
def send_refunds(timestamp: int) -> None:
    """Ask gateways for refunds until the outcome is known."""
    for _round in range(ROUNDS):
        if not ask_due_refunds():
            break
