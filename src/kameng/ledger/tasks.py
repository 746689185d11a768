"""Scheduled work of the ledger."""

from procrastinate.contrib.django import app

from kameng.ledger.sealing import make_months_ahead, seal_transfers
from kameng.ledger.services import roll_up_balances


@app.periodic(cron="* * * * * */15")
@app.task(queue="hot", queueing_lock="roll_up_ledger")
def roll_up_ledger(timestamp: int) -> None:
    """Add committed transfers to the totals per account."""
    roll_up_balances()


@app.periodic(cron="* * * * * */20")
@app.task(queue="hot", queueing_lock="seal_ledger")
def seal_ledger(timestamp: int) -> None:
    """Add committed transfers to the chain."""
    seal_transfers()


@app.periodic(cron="7 * * * *")
@app.task(queue="hot", queueing_lock="make_ledger_months")
def make_ledger_months(timestamp: int) -> None:
    """Make the partitions of the months to come."""
    make_months_ahead()
