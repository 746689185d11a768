"""Statements of the event loop: what requests ask for at the same moment shares one of them.

What has arrived while the last batch was in flight becomes the next one; a lone request never
waits. Where it is asked for, a batch that follows a larger one lingers a few milliseconds. While a
batch hangs (someone holds a row), the ones behind it go by another connection, up to four. A batch
that fails is repeated item by item, so that one wish never fails its neighbours.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import psycopg
from django.db import connections

from kameng.core.database import DatabaseAway, is_lost

BATCH_LIMIT = 64
PATIENCE_SECONDS = 0.2
TURN_LIMIT = 8
CONNECTION_LIMIT = 4

# How hot statements are planned: once, and by index, one element of the batch after the other.
# Planning anew, because an array's length is known then, costs more than running it; and a plan
# made while the tables of a young shop were small would read them whole until they are analysed.
PLANS = (
    "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off"
    " -c enable_hashjoin=off -c enable_mergejoin=off"
)

T = TypeVar("T")
R = TypeVar("R")
Rows = list[tuple[Any, ...]]


class LoopConnection:
    """One connection of the event loop, in autocommit, under the application role.

    Opened when first used and again when it was lost. Knows no scope: it is for functions of the
    engine role, which take the site as an argument.
    """

    def __init__(self) -> None:
        self._connection: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def fetch(self, sql: str, params: Sequence[object]) -> Rows:
        """Run a statement that may run twice: after a lost connection it is repeated once.

        Raises `DatabaseAway` when the server cannot be reached.
        """
        try:
            return await self._run(sql, params)
        except psycopg.Error as fault:
            if not is_lost(fault):
                raise
        await self.close()
        try:
            return await self._run(sql, params)
        except psycopg.Error as fault:
            if not is_lost(fault):
                raise
            await self.close()
            raise DatabaseAway(type(fault).__name__) from fault

    async def close(self) -> None:
        """Hang up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _run(self, sql: str, params: Sequence[object]) -> Rows:
        loop = asyncio.get_running_loop()
        if self._connection is None or self._loop is not loop:
            self._connection, self._loop = await _connect(), loop
        async with self._connection.cursor() as cursor:
            await cursor.execute(sql, params, prepare=True)
            return await cursor.fetchall()


async def _connect() -> psycopg.AsyncConnection[tuple[Any, ...]]:
    parameters = connections["default"].get_connection_params()
    for name in ("cursor_factory", "context"):  # Django's own, for cursors of the ORM
        parameters.pop(name, None)
    parameters["options"] = f"{parameters.get('options', '')} {PLANS}"
    connection = await psycopg.AsyncConnection.connect(**parameters, autocommit=True)
    connection.prepare_threshold = 0
    return connection


@dataclass(slots=True)
class _Runner:
    """One batch at a time on one connection."""

    connection: LoopConnection = field(default_factory=LoopConnection)
    is_busy: bool = False
    since: float = 0.0


class Lane(Generic[T, R]):
    """Run one set-based statement over whatever was submitted meanwhile.

    `columns` turns a batch into the statement's parameters, `read` its rows into one result each.
    """

    keeps_connection = True

    def __init__(
        self,
        sql: str,
        *,
        columns: Callable[[Sequence[T]], Sequence[object]],
        read: Callable[[Rows, Sequence[T]], Sequence[R]],
        limit: int = BATCH_LIMIT,
        linger_ms: int = 0,
    ) -> None:
        self._sql = sql
        self._columns = columns
        self._read = read
        self._limit = limit
        self._linger = linger_ms / 1000
        self._last_size = 1
        self._last_at = 0.0
        self._full: asyncio.Future[None] | None = None  # set while a batch lingers
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._runners = [_Runner()]
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def submit(self, item: T) -> R:
        """Return the outcome of `item`. Raises what its statement raised, or `DatabaseAway`."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, answer))
        if self._full is not None and len(self._waiting) >= self._last_size:
            _finish(self._full)
        self._wake(loop)
        return await answer

    async def close(self) -> None:
        """Hang up every connection; the next submit opens them again."""
        for runner in self._runners:
            await runner.connection.close()

    def _wake(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start a runner, unless one is on its way that has not kept the others waiting."""
        busy = [runner for runner in self._runners if runner.is_busy]
        if busy and loop.time() - max(runner.since for runner in busy) < PATIENCE_SECONDS:
            if self._timer is None:
                self._timer = loop.call_later(PATIENCE_SECONDS, self._look_again, loop)
            return
        idle = next((runner for runner in self._runners if not runner.is_busy), None)
        if idle is None:
            if len(self._runners) >= CONNECTION_LIMIT:
                return  # whoever comes back first takes the rest
            idle = _Runner()
            self._runners.append(idle)
        idle.is_busy, idle.since = True, loop.time()
        task = loop.create_task(self._run(idle))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _look_again(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._waiting:
            self._wake(loop)

    async def _run(self, runner: _Runner) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                await self._gather(loop)
                batch = self._waiting[: self._limit]
                del self._waiting[: self._limit]
                if not batch:
                    break  # another connection has taken them meanwhile
                runner.since = self._last_at = loop.time()
                self._last_size = len(batch)
                await self._answer(runner.connection, batch)
        finally:
            runner.is_busy = False
            if runner is not self._runners[0]:  # it was for a trouble that is over
                self._runners.remove(runner)
                await runner.connection.close()
            elif not self.keeps_connection and not self._waiting:
                await runner.connection.close()

    async def _gather(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let come along what arrives in these very turns of the loop, or is on its way.

        As long as each turn brings more, another one is worth it: none of them waits for anything.
        Under load a batch waits until it is as large as the last one, at most `linger_ms`: for each
        of its wishes that is less than a statement of its own would cost.
        """
        for _turn in range(TURN_LIMIT):
            count = len(self._waiting)
            await asyncio.sleep(0)
            if not count < len(self._waiting) < self._limit:
                break
        is_busy = self._last_size > 1 and loop.time() - self._last_at < PATIENCE_SECONDS
        if not self._linger or not is_busy or len(self._waiting) >= self._last_size:
            return
        full = self._full = loop.create_future()
        timer = loop.call_later(self._linger, _finish, full)
        await full
        timer.cancel()
        self._full = None

    async def _answer(
        self, connection: LoopConnection, batch: list[tuple[T, asyncio.Future[R]]]
    ) -> None:
        items = [item for item, _answer in batch]
        try:
            results = self._read(await connection.fetch(self._sql, self._columns(items)), items)
            for (_item, answer), result in zip(batch, results, strict=True):
                if not answer.done():  # its asker may have gone
                    answer.set_result(result)
        except psycopg.Error as fault:
            if len(batch) > 1:
                for one in batch:
                    await self._answer(connection, [one])
                return
            _fail(batch, fault)
        except Exception as fault:  # every asker must learn of it
            _fail(batch, fault)


class RareLane(Lane[T, R]):
    """A lane for what is asked now and then: idle, it keeps no connection (2 MB of memory)."""

    keeps_connection = False


def _finish(lingering: asyncio.Future[None]) -> None:
    if not lingering.done():
        lingering.set_result(None)


def _fail(batch: list[tuple[T, asyncio.Future[R]]], fault: Exception) -> None:
    for _item, answer in batch:
        if not answer.done():
            answer.set_exception(fault)
