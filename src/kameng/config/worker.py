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
from typing import TYPE_CHECKING

import structlog

CONCURRENCY = 4
NICENESS = 5
TURN_SECONDS = 0.4  # between two looks at the log: a lone event takes effect within half a second
FAULT_SECONDS = 5.0
SKIP_SECONDS = 2.0
log = structlog.get_logger("kameng.worker")

if TYPE_CHECKING:
    from kameng.config.wiring import Consumer


def run() -> None:
    """Work until asked to stop (SIGTERM, SIGINT)."""
    # Before any thread, which inherits it: where processors are short, buyers' requests come first,
    # and what is done here waits a little. About a third of an even share is left, so that it never
    # stands still, nor keeps a transaction open for long.
    os.nice(NICENESS)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kameng.config.settings")
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()
    from kameng.web import logs

    logs.configure()
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
    """Feed every consumer until `stop`.

    One that fails is tried again and holds up no other. After a turn that left nothing behind there
    is a rest: a turn costs the same dozen statements for one event as for hundreds, and without it
    a busy shop would be read five events at a time. Those who read rare kinds step over the rest
    every few seconds, in a busy shop above all: until then each look reads it again.
    """
    from kameng.config.wiring import AFTER_COMMIT
    from kameng.core.events import BATCH_SIZE

    rest_until: dict[str, float] = {}
    skip_at = time.monotonic() + SKIP_SECONDS
    while not stop.is_set():
        now = time.monotonic()
        ready = [c for c in AFTER_COMMIT if rest_until.get(c.name, 0.0) <= now]
        counts = {consumer: _feed(consumer, rest_until) for consumer in ready}
        _beat()
        if now >= skip_at:
            skip_at = now + SKIP_SECONDS
            for consumer, count in counts.items():
                if not count:
                    _skip(consumer)
        if max(counts.values(), default=0) < BATCH_SIZE:
            stop.wait(TURN_SECONDS)


def _feed(consumer: "Consumer", rest_until: dict[str, float]) -> int:
    """Hand a consumer its next batch; return how many events it got, 0 when it failed."""
    from django.db import connection

    from kameng.core.events import consume

    try:
        return consume(consumer.name, [event.KIND for event in consumer.events], consumer.handler)
    except Exception as fault:  # logged, rested, tried again: the log keeps the events
        log.warning("consumer.failed", consumer=consumer.name, fault=repr(fault)[:300])
        rest_until[consumer.name] = time.monotonic() + FAULT_SECONDS
        connection.close()
        return 0


def _skip(consumer: "Consumer") -> None:
    from django.db import connection

    from kameng.core.events import skip_foreign

    try:
        skip_foreign(consumer.name, [event.KIND for event in consumer.events])
    except Exception as fault:  # the next turn tries again
        log.warning("consumer.skip_failed", consumer=consumer.name, fault=repr(fault)[:300])
        connection.close()


def _beat() -> None:
    """Touch the heartbeat file that /healthz reads."""
    from django.conf import settings

    beat = Path(settings.HOME) / "run" / "worker.beat"
    try:
        beat.parent.mkdir(parents=True, exist_ok=True)
        beat.touch()
    except OSError as fault:
        log.warning("worker.beat", fault=type(fault).__name__)
