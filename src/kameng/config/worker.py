"""`kameng worker`: reads the event log, and runs scheduled and slow work on procrastinate.

One process: consumers in a thread of their own (batches, each consumer with its position), jobs in
the rest. `kill -9` loses nothing: positions move with what consumers write, jobs are put back.
"""

import asyncio
import os
import signal
import threading
import time
from pathlib import Path

import structlog

CONCURRENCY = 4
IDLE_SECONDS = 0.5
FAULT_SECONDS = 5.0
log = structlog.get_logger("kameng.worker")


def run() -> None:
    """Work until asked to stop (SIGTERM, SIGINT)."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kameng.config.settings")
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()
    stop = threading.Event()
    reader = threading.Thread(target=read_events, args=(stop,), name="events", daemon=True)
    reader.start()
    try:
        asyncio.run(_run_jobs())
    finally:
        stop.set()
        reader.join(timeout=10)


async def _run_jobs() -> None:
    """Run jobs until a signal; the database coming back after a restart is waited for."""
    from procrastinate.contrib.django import app

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    while not stopping.is_set():
        worker = asyncio.create_task(_run_worker(app))
        waiter = asyncio.create_task(stopping.wait())
        await asyncio.wait({worker, waiter}, return_when=asyncio.FIRST_COMPLETED)
        waiter.cancel()
        if not worker.done():
            worker.cancel()
        try:
            await worker
        except asyncio.CancelledError:
            continue
        except Exception as fault:  # the database went away: try again until it is back
            log.warning("worker.lost", fault=type(fault).__name__)
            await asyncio.sleep(1.0)


async def _run_worker(app: object) -> None:
    connector = app.connector.get_worker_connector()  # type: ignore[attr-defined]
    with app.replace_connector(connector):  # type: ignore[attr-defined]
        async with app.open_async():  # type: ignore[attr-defined]
            await app.run_worker_async(  # type: ignore[attr-defined]
                concurrency=CONCURRENCY,
                install_signal_handlers=False,
                delete_jobs="successful",
                listen_notify=True,
                fetch_job_polling_interval=2.0,
                shutdown_graceful_timeout=20.0,
            )


def read_events(stop: threading.Event) -> None:
    """Feed every consumer until `stop`; a consumer that fails is tried again and holds up no other."""
    from django.db import connection

    from kameng.config.wiring import AFTER_COMMIT
    from kameng.core.events import consume

    rest_until: dict[str, float] = {}
    while not stop.is_set():
        read = 0
        for consumer in AFTER_COMMIT:
            if rest_until.get(consumer.name, 0.0) > time.monotonic():
                continue
            try:
                kinds = [event.KIND for event in consumer.events]
                read += consume(consumer.name, kinds, consumer.handler)
            except Exception as fault:  # logged, rested, tried again: the log keeps the events
                log.warning("consumer.failed", consumer=consumer.name, fault=repr(fault)[:300])
                rest_until[consumer.name] = time.monotonic() + FAULT_SECONDS
                connection.close()
        _beat()
        if not read:
            stop.wait(IDLE_SECONDS)


def _beat() -> None:
    """Touch the heartbeat file that /healthz reads."""
    from django.conf import settings

    beat = Path(settings.HOME) / "run" / "worker.beat"
    try:
        beat.parent.mkdir(parents=True, exist_ok=True)
        beat.touch()
    except OSError as fault:
        log.warning("worker.beat", fault=type(fault).__name__)
