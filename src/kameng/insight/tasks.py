"""Job entry points of insight: open the site's scope and call the service."""

from django.db import close_old_connections
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from kameng.insight.services.archiving import QUEUE, WRITE_TASK, sweep_archives, write_archive
from kameng.insight.services.notifying import TELL_TASK, tell_customers
from kameng.insight.services.rolling import forget_visitors
from kameng.insight.services.rolling import roll_up as roll_up_hours
from kameng.tenancy.selectors import site_scope

RETRY = RetryStrategy(max_attempts=8, wait=2, linear_wait=5)


@app.task(name=WRITE_TASK, queue=QUEUE, retry=RETRY)
def write(*, site_id: int, archive_id: int) -> None:
    """Write everything of a site into one file."""
    close_old_connections()  # a connection that an earlier failure broke
    with site_scope(site_id):
        write_archive(archive_id)


@app.task(name=TELL_TASK, queue=QUEUE, retry=RETRY)
def tell(*, site_id: int, closing_id: int) -> None:
    """Write to every customer of a shop that closes."""
    close_old_connections()
    with site_scope(site_id):
        tell_customers(closing_id)


@app.periodic(cron="47 * * * *")
@app.task(name="insight.sweep_archives", queue=QUEUE, queueing_lock="sweep_archives")
def sweep(timestamp: int) -> None:
    """Remove archives that are past their time."""
    del timestamp
    close_old_connections()
    sweep_archives()


@app.periodic(cron="* * * * * */2")
@app.task(name="insight.roll_up", queue="hot", queueing_lock="roll_up_insight")
def roll_up(timestamp: int) -> None:
    """Roll up what has ended and what changed, for the dashboards."""
    del timestamp
    close_old_connections()
    roll_up_hours()


@app.periodic(cron="23 * * * *")
@app.task(name="insight.forget_visitors", queue=QUEUE, queueing_lock="forget_visitors")
def forget(timestamp: int) -> None:
    """Forget the visitors of past days."""
    del timestamp
    close_old_connections()
    forget_visitors()
