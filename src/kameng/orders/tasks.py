"""Scheduled work of orders."""

from procrastinate.contrib.django import app

from kameng.core.scope import platform_scope
from kameng.orders.services.closing import expire_orders
from kameng.orders.services.opening import carry_out_due
from kameng.orders.services.reminding import remind_owners
from kameng.orders.services.shortfalls import end_shortfalls
from kameng.orders.services.waiting import deliver_waiting_everywhere
from kameng.tenancy.errors import SiteNotFound
from kameng.tenancy.selectors import get_main_site, site_scope
from kameng.tenancy.terms import forget_reservations


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


@app.periodic(cron="* * * * * */10")
@app.task(queue="hot", queueing_lock="open_sites", pass_context=False)
def open_sites(timestamp: int) -> None:
    """Open and prolong the sites whose orders are paid, every ten seconds; tidy addresses up."""
    try:
        main = get_main_site()
    except SiteNotFound:
        return
    with site_scope(main.id):
        carry_out_due()
    forget_reservations()


@app.periodic(cron="*/10 * * * *")
@app.task(queue="default", queueing_lock="remind_owners", pass_context=False)
def remind_owners_of_ends(timestamp: int) -> None:
    """Tell the owners of shops whose paid time ends soon, or has ended."""
    remind_owners()


@app.task(queue="hot", name="orders.carry_out_purchases", pass_context=False)
def carry_out_purchases(site_id: int) -> None:
    """Open and prolong the sites whose orders have just been paid."""
    with site_scope(site_id):
        carry_out_due()


@app.task(queue="hot", name="orders.deliver_waiting", pass_context=False)
def deliver_waiting_of(site_id: int) -> None:
    """Deliver what waits for the prepaid balance of one site, which has grown."""
    deliver_waiting_everywhere([site_id])
