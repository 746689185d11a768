"""Events: past-tense facts that a lower app publishes and upper apps hear.

`publish` appends one row to the log in the transaction of the change and runs the
same-transaction handlers at once. After-commit consumers read the log in batches, each with its
own position, ordered by transaction id below the oldest running one, so that a transaction that
commits late is not skipped. At least once: handlers are idempotent and set-based.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.db import transaction

from kameng.core.database import fetch, fetch_one, in_transaction
from kameng.core.scope import platform_scope

BATCH_SIZE = 500
CONSUMING = "consumers of events"  # one reason for all: the server need not be told at each turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events. `subject_id` is the row it is about; subclasses add plain JSON values."""

    KIND: ClassVar[str] = ""
    site_id: int
    subject_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedEvent:
    """An event as a consumer reads it from the log."""

    event_id: int
    kind: str
    site_id: int
    subject_id: int
    payload: Mapping[str, Any]


SameTransactionHandler = Callable[[Any], None]
BatchHandler = Callable[[Sequence[LoggedEvent]], None]

_consumed: dict[str, tuple[str, ...]] = {}
_same_transaction: dict[type[Event], tuple[SameTransactionHandler, ...]] = {}


class PublishedOutside(RuntimeError):
    """An event was published outside a transaction: it could speak of a change that never was."""


def connect(table: Mapping[type[Event], tuple[SameTransactionHandler, ...]]) -> None:
    """Install the same-transaction column of `config.wiring`; called once at start."""
    _same_transaction.clear()
    _same_transaction.update(table)


def connect_consumers(kinds: Mapping[str, Sequence[str]]) -> None:
    """Tell which kinds each after-commit consumer reads, for its lag; called once at start."""
    _consumed.clear()
    _consumed.update({name: tuple(each) for name, each in kinds.items()})


def publish(event: Event) -> None:
    """Append `event` to the log and run its same-transaction handlers.

    Raises `PublishedOutside` when no transaction is open.
    """
    if not in_transaction():
        raise PublishedOutside(type(event).__name__)
    values = dataclasses.asdict(event)
    site_id, subject_id = values.pop("site_id"), values.pop("subject_id")
    fetch(
        "select core_publish(array[%s]::text[], array[%s]::bigint[], array[%s]::bigint[],"
        " array[%s]::jsonb[])",
        (event.KIND, site_id, subject_id, json.dumps(values)),
        scoped=False,
    )
    for handler in _same_transaction.get(type(event), ()):
        handler(event)


def consume(consumer: str, kinds: Sequence[str], handler: BatchHandler) -> int:
    """Hand the next batch of the log to `handler`; return how many events it got.

    The position moves in the same transaction as what the handler writes, so its database effects
    happen once. Holds the consumer's position row: a second reader of the same name waits.
    """
    with platform_scope(CONSUMING):
        waiting = fetch_one("select core_events_waiting(%s, %s::text[])", (consumer, list(kinds)))
        if not (waiting and waiting[0]):
            return 0
        return _consume_batch(consumer, kinds, handler)


def skip_foreign(consumer: str, kinds: Sequence[str]) -> None:
    """Move a position over events of other kinds; call now and then while a consumer is idle."""
    with platform_scope(CONSUMING):
        fetch("select core_skip_events(%s, %s::text[])", (consumer, list(kinds)))


def _consume_batch(consumer: str, kinds: Sequence[str], handler: BatchHandler) -> int:
    with transaction.atomic():
        rows = fetch(
            "select event_id, event_xid::text, kind, site_id, subject_id, payload::text"
            " from core_read_events(%s, %s::text[], %s)",
            (consumer, list(kinds), BATCH_SIZE),
        )
        if not rows:
            return 0
        handler(
            [
                LoggedEvent(
                    event_id=event_id,
                    kind=kind,
                    site_id=site_id,
                    subject_id=subject_id,
                    payload=json.loads(payload),  # Django has psycopg leave JSON as text
                )
                for event_id, _xid, kind, site_id, subject_id, payload in rows
            ]
        )
        last = rows[-1]
        fetch("select core_move_consumer(%s, %s::text::xid8, %s)", (consumer, last[1], last[0]))
        return len(rows)


def list_lags() -> dict[str, float]:
    """Return for each consumer the age in seconds of the oldest event of its kinds not yet read."""
    lags: dict[str, float] = {}
    with platform_scope("event lag"):
        for consumer, kinds in _consumed.items():
            row = fetch_one("select core_consumer_lag(%s, %s::text[])", (consumer, list(kinds)))
            lags[consumer] = float(row[0]) if row and row[0] is not None else 0.0
    return lags
