"""Job entry points of the catalogue: open the site's scope and call the service."""

from django.db import close_old_connections
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from kameng.catalog.services.importing import (
    CHECK_TASK,
    QUEUE,
    RUN_TASK,
    resume_product_check,
    run_product_import,
)
from kameng.catalog.services.jobs import sweep_imports
from kameng.catalog.services.scanning import scan_if_words_changed, scan_own_goods
from kameng.tenancy.selectors import site_scope

# An import continues where it was: a database that restarts costs a wait, not the import.
RETRY = RetryStrategy(max_attempts=8, wait=2, linear_wait=5)


@app.task(name=CHECK_TASK, queue=QUEUE, retry=RETRY)
def check_products(*, site_id: int, job_id: int) -> None:
    """Look through a list of goods whose first look was cut off."""
    close_old_connections()  # a connection that an earlier failure broke
    with site_scope(site_id):
        resume_product_check(job_id)


@app.task(name=RUN_TASK, queue=QUEUE, retry=RETRY)
def import_products(*, site_id: int, job_id: int) -> None:
    """Store the products of a confirmed import."""
    close_old_connections()  # a connection that an earlier failure broke
    with site_scope(site_id):
        run_product_import(job_id)


@app.periodic(cron="41 3 * * *")
@app.task(name="catalog.scan_goods", queue=QUEUE, queueing_lock="scan_goods", lock="scan_goods")
def scan_goods(timestamp: int) -> None:
    """Look through the own goods of sub-sites for refused words."""
    del timestamp
    close_old_connections()
    scan_own_goods()


@app.periodic(cron="*/10 * * * *")
@app.task(name="catalog.scan_new_words", queue=QUEUE, queueing_lock="scan_words", lock="scan_goods")
def scan_new_words(timestamp: int) -> None:
    """The same as soon as the table of words is another than at the last scan."""
    del timestamp
    close_old_connections()
    scan_if_words_changed()


@app.periodic(cron="17 4 * * *")
@app.task(name="catalog.sweep_imports", queue=QUEUE, queueing_lock="sweep_imports")
def sweep(timestamp: int) -> None:
    """Discard imports that nobody confirmed, and files that no import knows."""
    del timestamp
    close_old_connections()
    sweep_imports()
