"""Scheduled work of the ledger."""

from procrastinate.contrib.django import app

from kameng.ledger.services import roll_up_balances


@app.periodic(cron="* * * * * */15")
@app.task(queue="hot", queueing_lock="roll_up_ledger")
def roll_up_ledger(timestamp: int) -> None:
    """Add committed transfers to the totals per account."""
    roll_up_balances()
