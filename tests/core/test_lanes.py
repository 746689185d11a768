"""Lanes: everyone gets an answer of one's own, faults stay with who caused them, nobody hangs."""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from django.db import connections

from kameng.core import lanes
from kameng.core.lanes import Lane, RareLane

ECHO = "select u, pg_backend_pid() from unnest(%s::int[]) with ordinality as t(u, k) order by k"
# Fails the whole statement for any zero in it.
DIVIDE = "select 100 / u from unnest(%s::int[]) with ordinality as t(u, k) order by k"


def literal(batch: Sequence[int]) -> list[str]:
    return ["{" + ",".join(map(str, batch)) + "}"]


class Counting:
    """A reader that notes the size of each batch."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, rows: list[tuple[Any, ...]], batch: Sequence[int]) -> list[Any]:
        self.sizes.append(len(batch))
        return [row[0] for row in rows]


def together(lane: Lane[int, Any], *items: int) -> list[Any]:
    async def work() -> list[Any]:
        try:
            return await asyncio.gather(*map(lane.submit, items), return_exceptions=True)
        finally:
            await lane.close()

    return asyncio.run(work())


def end_session(pid: int) -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute("select pg_terminate_backend(%s)", [pid])
    connections["owner"].close()


@pytest.fixture
def counting(committed_db: None, monkeypatch: pytest.MonkeyPatch) -> Counting:
    """For exact sizes: no batch counts as hanging, however busy the machine."""
    monkeypatch.setattr(lanes, "PATIENCE_SECONDS", 60.0)
    return Counting()


def test_what_is_asked_in_one_turn_shares_a_statement(counting: Counting) -> None:
    lane = Lane(ECHO, columns=literal, read=counting)

    assert together(lane, *range(40)) == list(range(40))
    assert counting.sizes == [40]


def test_a_batch_is_bounded_and_the_rest_follows(counting: Counting) -> None:
    lane = Lane(ECHO, columns=literal, read=counting, limit=16)

    assert together(lane, *range(40)) == list(range(40))
    assert counting.sizes == [16, 16, 8]


def test_who_comes_a_few_turns_later_comes_along(counting: Counting) -> None:
    """As long as each turn of the loop brings more; who comes after one that brought none waits."""
    lane = Lane(ECHO, columns=literal, read=counting)

    async def ask(turns: int) -> int:
        for _ in range(turns):
            await asyncio.sleep(0)
        return int(await lane.submit(turns))

    async def work() -> list[int]:
        try:
            return list(await asyncio.gather(*map(ask, [0, 1, 2, 3, 9])))
        finally:
            await lane.close()

    assert asyncio.run(work()) == [0, 1, 2, 3, 9]
    assert counting.sizes == [4, 1]


@pytest.mark.parametrize(("kind", "kept"), [(Lane, True), (RareLane, False)])
def test_a_rare_lane_keeps_no_connection(
    committed_db: None, kind: type[Lane[int, int]], *, kept: bool
) -> None:
    lane = kind(ECHO, columns=literal, read=lambda rows, _batch: [row[1] for row in rows])

    async def work() -> list[int]:
        sessions = []
        for number in range(2):
            sessions.append(await lane.submit(number))
            await asyncio.sleep(0.05)  # the lane has hung up by then, or never will
        await lane.close()
        return sessions

    first, second = asyncio.run(work())
    assert (first == second) is kept


def test_a_lone_one_does_not_linger(counting: Counting) -> None:
    lane = Lane(ECHO, columns=literal, read=counting, linger_ms=60_000)

    assert together(lane, 7) == [7]


def test_a_wish_that_fails_leaves_its_neighbours_alone(counting: Counting) -> None:
    lane = Lane(DIVIDE, columns=literal, read=counting)

    outcomes = together(lane, 1, 0, 4)

    assert outcomes[0] == 100
    assert isinstance(outcomes[1], psycopg.errors.DivisionByZero)
    assert outcomes[2] == 25


def test_a_fault_in_reading_reaches_everyone_and_the_lane_goes_on(committed_db: None) -> None:
    calls: list[int] = []

    def read(rows: list[tuple[Any, ...]], batch: Sequence[int]) -> list[int]:
        calls.append(len(batch))
        if len(calls) == 1:
            raise KeyError("defect")
        return [row[0] for row in rows]

    lane = Lane(ECHO, columns=literal, read=read)

    assert all(isinstance(each, KeyError) for each in together(lane, 1, 2, 3))
    assert together(lane, 5) == [5]


def test_a_lost_connection_is_opened_again(committed_db: None) -> None:
    lane: Lane[int, int] = Lane(
        ECHO, columns=literal, read=lambda rows, _batch: [row[1] for row in rows]
    )

    async def work() -> tuple[int, int]:
        first = await lane.submit(1)
        await asyncio.to_thread(end_session, first)
        second = await lane.submit(2)
        await lane.close()
        return first, second

    first, second = asyncio.run(work())

    assert first != second


def test_those_behind_a_batch_that_hangs_go_by_another_connection(
    committed_db: None, database_url: str
) -> None:
    slow = (  # zero waits for nobody, anything else until the test lets it go
        "select u from unnest(%s::int[]) as t(u), lateral (select case when u > 0 then"
        " set_config('lock_timeout', '60s', true) || pg_advisory_xact_lock_shared(u) end) s"
    )
    lane: Lane[int, int] = Lane(
        slow, columns=literal, read=lambda rows, _batch: [row[0] for row in rows]
    )
    holder = psycopg.connect(database_url, autocommit=True)
    holder.execute("select pg_advisory_lock(2)")
    waits = "select exists (select 1 from pg_locks where locktype = 'advisory' and not granted)"

    async def work() -> list[int]:
        done: list[int] = []

        async def ask(number: int) -> None:
            done.append(await lane.submit(number))

        held = asyncio.create_task(ask(2))
        while holder.execute(waits).fetchone() != (True,):
            await asyncio.sleep(0.01)
        await asyncio.gather(*(ask(0) for _ in range(5)))
        assert not held.done()
        holder.execute("select pg_advisory_unlock(2)")
        await held
        await lane.close()
        return done

    with holder:
        assert asyncio.run(work()) == [0, 0, 0, 0, 0, 2]


def test_an_asker_that_has_gone_does_not_stop_the_others(counting: Counting) -> None:
    lane = Lane(ECHO, columns=literal, read=counting)

    async def work() -> int:
        gone = asyncio.create_task(lane.submit(1))
        stays = asyncio.create_task(lane.submit(2))
        await asyncio.sleep(0)
        gone.cancel()
        answer: int = await stays
        await lane.close()
        return answer

    assert asyncio.run(work()) == 2
