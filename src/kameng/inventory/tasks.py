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
