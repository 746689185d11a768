"""Scheduled work of orders."""

from procrastinate.contrib.django import app

from kameng.core.scope import platform_scope
from kameng.orders.services.closing import expire_orders
from kameng.orders.services.shortfalls import end_shortfalls
from kameng.orders.services.waiting import deliver_waiting_everywhere


@app.periodic(cron="* * * * * */10")
@app.task(queue="hot", queueing_lock="expire_unpaid_orders", pass_context=False)
def expire_unpaid_orders(timestamp: int) -> None:
    """Expire unpaid orders whose time is over, every ten seconds."""
    with platform_scope("expire unpaid orders"):
        expire_orders()


@app.periodic(cron="* * * * * */20")
@app.task(queue="hot", queueing_lock="end_shortfalls", pass_context=False)
def end_unpaid_shortfalls(timestamp: int) -> None:
    """Give short payments back whose rest did not come in time, every 20 seconds."""
    end_shortfalls()


@app.periodic(cron="* * * * * */20")
@app.task(queue="hot", queueing_lock="deliver_waiting_orders", pass_context=False)
def deliver_waiting_orders(timestamp: int) -> None:
    """Deliver paid orders that waited for a prepaid balance which covers them, every 20 seconds."""
    deliver_waiting_everywhere()


@app.task(queue="hot", name="orders.deliver_waiting", pass_context=False)
def deliver_waiting_of(site_id: int) -> None:
    """Deliver what waits for the prepaid balance of one site, which has grown."""
    deliver_waiting_everywhere([site_id])
