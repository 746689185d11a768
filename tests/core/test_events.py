"""The event log: with the change or not at all, in commit order, once per consumer."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pytest
from django.db import connection, transaction

from kameng.core import events
from kameng.core.database import fetch, fetch_one
from kameng.core.events import (
    Event,
    LoggedEvent,
    PublishedOutside,
    connect_consumers,
    consume,
    list_lags,
    publish,
    skip_foreign,
)
from kameng.core.scope import platform_scope
from kameng.tenancy.models import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened(Event):
    KIND: ClassVar[str] = "test.happened"
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Other(Event):
    KIND: ClassVar[str] = "test.other"


SITE = 0  # set to a real site by the fixture: the audit looks at it afterwards


@pytest.fixture(autouse=True)
def _real_site(committed_db: None, main_site: Site) -> None:
    global SITE
    SITE = main_site.id


@pytest.fixture(autouse=True)
def _own_wiring() -> Iterator[None]:
    kept, consumed = dict(events._same_transaction), dict(events._consumed)
    yield
    events.connect(kept)
    connect_consumers(consumed)


def say(number: int, text: str = "") -> None:
    with platform_scope("publish a test event"), transaction.atomic():
        publish(Happened(site_id=SITE, subject_id=number, text=text))


def read(consumer: str = "test.reader", kind: str = Happened.KIND) -> list[int]:
    got: list[int] = []
    consume(consumer, [kind], lambda batch: got.extend(each.subject_id for each in batch))
    return got


def test_an_event_outside_a_transaction_is_refused(committed_db: None) -> None:
    with platform_scope("test"), pytest.raises(PublishedOutside):
        publish(Happened(site_id=SITE, subject_id=1))


def test_after_a_rollback_no_trace_exists(committed_db: None) -> None:
    def fail() -> None:
        with platform_scope("test"), transaction.atomic():
            publish(Happened(site_id=SITE, subject_id=1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert read() == []


def test_a_handler_in_the_transaction_runs_at_once_and_can_stop_it(committed_db: None) -> None:
    seen: list[int] = []

    def hear(event: Happened) -> None:
        seen.append(event.subject_id)
        if event.subject_id == 2:
            raise ValueError

    events.connect({Happened: (hear,)})
    say(1)
    with pytest.raises(ValueError, match="^$"):
        say(2)

    assert seen == [1, 2]
    assert read() == [1]


def test_a_consumer_gets_each_event_once_in_order_with_its_values(committed_db: None) -> None:
    say(1, "王者 😀")
    say(2)
    batches: list[Sequence[LoggedEvent]] = []

    assert consume("test.reader", [Happened.KIND], batches.append) == 2
    assert consume("test.reader", [Happened.KIND], batches.append) == 0

    ((first, second),) = batches
    assert (first.subject_id, second.subject_id) == (1, 2)
    assert first.payload == {"text": "王者 😀"}
    assert read("test.second_reader") == [1, 2]


def test_a_consumer_reads_only_its_kinds(committed_db: None) -> None:
    say(1)
    with platform_scope("test"), transaction.atomic():
        publish(Other(site_id=SITE, subject_id=9))

    assert read(kind=Other.KIND) == [9]
    assert read("test.all", Happened.KIND) == [1]


def test_a_consumer_that_fails_gets_the_batch_again(committed_db: None) -> None:
    say(1)

    def fail(_batch: Sequence[LoggedEvent]) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        consume("test.reader", [Happened.KIND], fail)

    assert read() == [1]


def test_a_transaction_that_commits_late_is_not_skipped(committed_db: None) -> None:
    began, go_on = threading.Event(), threading.Event()

    def late() -> None:
        try:
            with platform_scope("test"), transaction.atomic():
                publish(Happened(site_id=SITE, subject_id=1))
                began.set()
                go_on.wait(60)
        finally:
            connection.close()

    thread = threading.Thread(target=late)
    thread.start()
    began.wait(60)
    say(2)

    early = read()
    go_on.set()
    thread.join(60)

    assert early == []
    assert read() == [1, 2]


def test_control_a_reader_by_sequence_alone_would_skip_it(committed_db: None) -> None:
    began, go_on = threading.Event(), threading.Event()

    def late() -> None:
        try:
            with platform_scope("test"), transaction.atomic():
                publish(Happened(site_id=SITE, subject_id=1))
                began.set()
                go_on.wait(60)
        finally:
            connection.close()

    def read_by_sequence(position: int) -> list[tuple[int, int]]:
        with platform_scope("test"):
            return fetch(
                "select id, subject_id from core_event where id > %s order by id", (position,)
            )

    thread = threading.Thread(target=late)
    thread.start()
    began.wait(60)
    say(2)
    got = read_by_sequence(0)
    go_on.set()
    thread.join(60)
    got += read_by_sequence(got[-1][0])

    assert [subject for _, subject in got] == [2]


def test_the_lag_is_the_age_of_the_oldest_event_of_its_kinds(committed_db: None) -> None:
    connect_consumers({"test.reader": [Happened.KIND], "test.idle": [Other.KIND]})
    assert list_lags() == {"test.reader": 0, "test.idle": 0}
    say(1)
    with platform_scope("test"):
        assert fetch_one("select pg_sleep(0.05)") is not None

    lags = list_lags()
    assert lags["test.reader"] >= 0.05
    assert lags["test.idle"] == 0
    read()
    assert list_lags()["test.reader"] == 0


@pytest.mark.parametrize("plans", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize(
    "question",
    [
        "core_events_waiting('test.reader', %s)",
        "core_consumer_lag('test.reader', %s)",
        "core_read_events('test.reader', %s, 500)",
        "core_skip_events('test.reader', %s)",
    ],
)
def test_a_long_log_is_entered_behind_the_position(
    committed_db: None, plans: str, question: str
) -> None:
    publish_many(3000)
    while read():
        pass
    publish_many(3)

    with platform_scope("a test looks at a plan"), transaction.atomic():
        fetch(f"set local plan_cache_mode = {plans}")
        before = touched()
        fetch(f"select * from {question}", ([Happened.KIND],))
        walked, fetched = (after - then for after, then in zip(touched(), before, strict=True))

    assert walked == 0
    assert 0 < fetched <= 20


def publish_many(number: int) -> None:
    with platform_scope("publish test events"), transaction.atomic():
        fetch(
            "select core_publish(array_agg(%s::text), array_agg(%s::bigint), array_agg(i::bigint),"
            " array_agg('{}'::jsonb)) from generate_series(1, %s) i",
            (Happened.KIND, SITE, number),
        )


def touched() -> tuple[int, int]:
    """Return how many rows of the log this transaction has walked over, and looked up."""
    row = fetch_one(
        "select seq_tup_read, idx_tup_fetch from pg_stat_xact_all_tables"
        " where relname = 'core_event'"
    )
    assert row is not None
    return int(row[0]), int(row[1])


def test_a_position_steps_over_foreign_events_only(committed_db: None) -> None:
    say(1)
    assert read() == [1]
    with platform_scope("test"), transaction.atomic():
        publish(Other(site_id=SITE, subject_id=9))
    at_first = position()

    skip_foreign("test.reader", [Happened.KIND])
    behind_other = position()
    say(2)
    skip_foreign("test.reader", [Happened.KIND])
    skip_foreign("test.nobody", [Happened.KIND])

    assert at_first < behind_other == position()
    assert read() == [2]
    assert read(kind=Other.KIND) == []


def position() -> int:
    row = fetch_one("select event_id from core_eventposition where consumer = 'test.reader'")
    assert row is not None
    return int(row[0])
