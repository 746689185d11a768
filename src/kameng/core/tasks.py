"""Scheduled work of the frame: seal the audit log, purge read events, rescue jobs."""

from procrastinate.contrib.django import app

from kameng.core.audit import seal_entries
from kameng.core.database import fetch
from kameng.core.scope import platform_scope

KEEP_EVENTS_DAYS = 30
PURGE_BATCH = 20_000
STALLED_SECONDS = 60


@app.periodic(cron="* * * * * */20")
@app.task(queue="hot", queueing_lock="seal_audit_log")
def seal_audit_log(timestamp: int) -> None:
    """Seal new audit rows into the hash chain."""
    while seal_entries():
        continue


@app.periodic(cron="17 4 * * *")
@app.task(queue="hot", queueing_lock="purge_events")
def purge_events(timestamp: int) -> None:
    """Delete events that every consumer read and that are older than a month, in batches."""
    with platform_scope("purge read events"):
        while True:
            row = fetch("select core_purge_events(%s, %s)", (KEEP_EVENTS_DAYS, PURGE_BATCH))
            if not row or row[0][0] < PURGE_BATCH:
                return


@app.periodic(cron="* * * * *")
@app.task(queue="hot", queueing_lock="rescue_jobs", pass_context=True)
async def rescue_jobs(context: object, timestamp: int) -> None:
    """Put jobs back whose worker was killed: they are idempotent and go on where they were."""
    manager = context.app.job_manager  # type: ignore[attr-defined]
    for job in await manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
        await manager.retry_job(job)


@app.periodic(cron="41 4 * * *")
@app.task(queue="hot", queueing_lock="remove_old_jobs", pass_context=True)
async def remove_old_jobs(context: object, timestamp: int) -> None:
    """Delete finished jobs of more than three days ago."""
    await context.app.job_manager.delete_old_jobs(  # type: ignore[attr-defined]
        nb_hours=72, include_failed=False
    )
