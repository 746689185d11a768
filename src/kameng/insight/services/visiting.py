"""Visits of a storefront, counted in the memory of the process and written in batches.

Nothing personal is kept: a visitor is a digest of a random cookie under a salt of the day, which is
deleted with the digests two days later. A process that is killed loses the visits of a few
seconds. A page pays for one entry in a dictionary; no query.
"""

import contextlib
import datetime as dt
import secrets
import threading
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import structlog
from django.db import connection, transaction

from kameng.insight import store
from kameng.insight.sources import SOURCES_A_DAY, SourceWords

FLUSH_SECONDS: Final = 3
WAITING_MOST: Final = 20_000  # visitors; more in three seconds are not counted
DIGEST_BYTES: Final = 8
SALT_BYTES: Final = 32
BATCH: Final = 2000
JOIN_SECONDS: Final = 5
PAGE, PRODUCT, CHECKOUT = 1, 2, 4
log = structlog.get_logger("kameng.insight")


@dataclass(slots=True)
class _Visit:
    """What one visitor did since the last flush."""

    hour: int
    step: int
    source: SourceWords | None


@dataclass(slots=True)
class _Waiting:
    """What was noted since the last flush."""

    visits: dict[tuple[int, dt.date, str], _Visit]
    orders: dict[tuple[int, str], tuple[dt.date, str]]


def _nothing() -> _Waiting:
    return _Waiting(visits={}, orders={})


_lock = threading.Lock()
_state = [_nothing()]  # one, swapped for an empty one so that pages do not wait
_salts: dict[dt.date, bytes] = {}
_threads: list[threading.Thread] = []  # one, once it is started
_stop = threading.Event()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A page that somebody was shown, at the site's own day and hour; `visitor` is the cookie."""

    site_id: int
    at: dt.datetime  # in the site's time zone
    visitor: str
    step: int
    source: SourceWords | None = None
    order_no: str = ""


def note_visit(seen: Seen) -> None:
    """Remember a page for the next flush; no query, no wait."""
    key = (seen.site_id, seen.at.date(), seen.visitor)
    with _lock:
        waiting = _state[0]
        visits = waiting.visits
        known = visits.get(key)
        if known is not None:
            known.step |= seen.step
            known.source = known.source or seen.source
        elif len(visits) < WAITING_MOST:
            visits[key] = _Visit(hour=seen.at.hour, step=seen.step, source=seen.source)
        if seen.order_no and len(waiting.orders) < WAITING_MOST:
            waiting.orders[seen.site_id, seen.order_no] = (seen.at.date(), seen.visitor)


def flush_visits() -> int:
    """Write what waits; return how many visitors. What cannot be written is lost."""
    with _lock:
        taken, _state[0] = _state[0], _nothing()
    if not taken.visits and not taken.orders:
        return 0
    digests = {key: _digest(day=key[1], visitor=key[2]) for key in taken.visits}
    rows = [
        store.VisitRow(
            site_id=key[0],
            day=key[1],
            digest=digests[key],
            hour=visit.hour,
            step=visit.step,
            source_key=visit.source.key if visit.source else None,
        )
        for key, visit in taken.visits.items()
    ]
    sources = {
        (key[0], visit.source.key): _source_row(key[0], key[1], visit.source)
        for key, visit in taken.visits.items()
        if visit.source is not None
    }
    orders = [
        store.OrderRow(
            site_id=site_id,
            order_no=order_no,
            day=day,
            digest=_digest(day=day, visitor=visitor),
        )
        for (site_id, order_no), (day, visitor) in taken.orders.items()
    ]
    rows.sort(key=lambda row: (row.site_id, row.day, row.digest))
    if sources:
        store.note_sources(list(sources.values()), most=SOURCES_A_DAY)
    for start in range(0, len(rows), BATCH):
        with transaction.atomic():
            store.note_visits(rows[start : start + BATCH])
    for start in range(0, len(orders), BATCH):
        with transaction.atomic():
            store.note_orders(orders[start : start + BATCH])
    return len(rows)


def _source_row(site_id: int, day: dt.date, words: SourceWords) -> store.SourceRow:
    return store.SourceRow(
        site_id=site_id,
        key=words.key,
        kind=words.kind,
        host=words.host,
        medium=words.medium,
        campaign=words.campaign,
        day=day,
    )


def _digest(*, day: dt.date, visitor: str) -> bytes:
    salt = _salts.get(day)
    if salt is None:
        if len(_salts) > 3:  # days of the past, and of other time zones
            _salts.clear()
        salt = _salts[day] = store.salt_of(day, fresh=secrets.token_bytes(SALT_BYTES))
    return blake2b(visitor.encode(), key=salt, digest_size=DIGEST_BYTES).digest()


def start_flushing() -> None:
    """Flush every few seconds in a thread of this process; the second call does nothing."""
    with _lock:
        if not any(thread.is_alive() for thread in _threads):
            _stop.clear()
            _threads[:] = [threading.Thread(target=_flush_for_ever, name="visits", daemon=True)]
            _threads[0].start()


def stop_flushing() -> None:
    """Write what waits and end the thread: the process is leaving."""
    _stop.set()
    for thread in _threads:
        thread.join(timeout=JOIN_SECONDS)


def _flush_for_ever() -> None:
    while True:
        is_last = _stop.wait(FLUSH_SECONDS)
        try:
            if not flush_visits():
                connection.close()  # nobody comes: seven megabytes of the server's go back
        except Exception as fault:  # figures of visits are not worth a broken page
            log.warning("visits.lost", fault=type(fault).__name__)
            with contextlib.suppress(Exception):
                connection.close()
        if is_last:
            return


def forget_waiting() -> None:
    """Empty what this process remembers (tests, and after a fork)."""
    _state[0] = _nothing()
    _salts.clear()
