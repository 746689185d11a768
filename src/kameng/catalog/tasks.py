"""Job entry points of the catalogue: open the site's scope and call the service."""

from django.db import close_old_connections
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from kameng.catalog.services.importing import QUEUE, RUN_TASK, run_product_import
from kameng.tenancy.selectors import site_scope


@app.task(name=RUN_TASK, queue=QUEUE, retry=RetryStrategy(max_attempts=8, wait=2, linear_wait=5))
def import_products(*, site_id: int, job_id: int) -> None:
    """Store the products of a confirmed import."""
    close_old_connections()  # a connection that an earlier failure broke
    with site_scope(site_id):
        run_product_import(job_id)
