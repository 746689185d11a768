"""Job entry points of stock: open the site's scope and call the service."""

from django.db import close_old_connections
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from kameng.inventory.services.importing import (
    CHECK_TASK,
    QUEUE,
    RUN_TASK,
    check_key_import,
    run_key_import,
)
from kameng.inventory.services.withdrawing import (
    SETTLE_TASK,
    settle_batch,
    settle_withdrawn,
)
from kameng.tenancy.selectors import site_scope

# An import continues where it was: a database that restarts costs a wait, not the import.
RETRY = RetryStrategy(max_attempts=8, wait=2, linear_wait=5)


@app.task(name=CHECK_TASK, queue=QUEUE, retry=RETRY)
def check_keys(*, site_id: int, job_id: int) -> None:
    """Look through an uploaded file of keys."""
    close_old_connections()  # a connection that an earlier failure broke
    with site_scope(site_id):
        check_key_import(job_id)


@app.task(name=RUN_TASK, queue=QUEUE, retry=RETRY)
def import_keys(*, site_id: int, job_id: int) -> None:
    """Store the keys of a confirmed import."""
    close_old_connections()  # a connection that an earlier failure broke
    with site_scope(site_id):
        run_key_import(job_id)


@app.task(name=SETTLE_TASK, queue=QUEUE, retry=RETRY)
def settle(*, site_id: int, batch_id: int) -> None:
    """Move the keys of a large batch to where it belongs."""
    close_old_connections()
    with site_scope(site_id):
        settle_batch(batch_id)


@app.periodic(cron="*/5 * * * *")
@app.task(name="inventory.settle_withdrawn", queue=QUEUE, queueing_lock="settle_withdrawn")
def settle_all(timestamp: int) -> None:
    """Take out of sale what came back to withdrawn batches."""
    del timestamp
    close_old_connections()
    settle_withdrawn()
