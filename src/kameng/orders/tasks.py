"""Scheduled work of orders."""

from procrastinate.contrib.django import app

from kameng.core.scope import platform_scope
from kameng.orders.services.closing import expire_orders


@app.periodic(cron="* * * * * */10")
@app.task(queue="hot", queueing_lock="expire_unpaid_orders", pass_context=False)
def expire_unpaid_orders(timestamp: int) -> None:
    """Expire unpaid orders whose time is over, every ten seconds."""
    with platform_scope("expire unpaid orders"):
        expire_orders()
