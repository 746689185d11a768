"""Connections of page threads: closed when nobody uses them, never under somebody's hands."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, connections

from kameng.config import server as server_module
from kameng.config.idling import Seats
from kameng.config.launch.processes import wait_until
from kameng.config.server import Server
from kameng.core.database import fetch_one
from tests.config.rsgi import Protocol, make_scope


def backend() -> int:
    row = fetch_one("select pg_backend_pid()", (), scoped=False)
    assert row is not None
    return int(row[0])


def ends(pid: int) -> bool:
    """Wait until this backend is gone: the server takes a moment to see that a line was cut."""

    def is_gone() -> bool:
        with connections["owner"].cursor() as cursor:
            cursor.execute("select exists (select 1 from pg_stat_activity where pid = %s)", [pid])
            return not cursor.fetchone()[0]

    try:
        return wait_until(is_gone, seconds=60)
    finally:
        connections["owner"].close()


@pytest.fixture
def seats(committed_db: None) -> Seats:
    return Seats()


@pytest.fixture
def thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool
        pool.submit(lambda: connection.close()).result()


def work(seats: Seats) -> int:
    with seats.taken():
        return backend()


def test_a_connection_that_nobody_uses_is_closed_and_the_next_page_opens_one(
    seats: Seats, thread: ThreadPoolExecutor
) -> None:
    first = thread.submit(work, seats).result()

    assert seats.close_idle(seconds=60) == 0
    assert thread.submit(work, seats).result() == first
    assert seats.close_idle(seconds=0) == 1
    assert seats.close_idle(seconds=0) == 0
    second = thread.submit(work, seats).result()

    assert second != first
    assert ends(first)


def test_a_thread_at_work_keeps_its_connection(seats: Seats, thread: ThreadPoolExecutor) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def page() -> tuple[int, int]:
        with seats.taken():
            before = backend()
            begun.set()
            assert goes_on.wait(60)
            return before, backend()

    answer = thread.submit(page)
    assert begun.wait(60)
    assert seats.close_idle(seconds=0) == 0
    goes_on.set()

    before, after = answer.result()
    assert before == after


def test_the_server_looks_for_them_by_itself(
    committed_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "IDLE_SECONDS", 0.05)

    def page(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [str(backend()).encode()]

    async def visit() -> list[int]:
        server, found = Server(page, threads=1), []  # type: ignore[arg-type]
        server.__rsgi_init__(asyncio.get_running_loop())
        try:
            for _ in range(2):
                protocol = Protocol()
                await server.__rsgi__(make_scope("GET", "/", [("Host", "a.localhost")]), protocol)
                found.append(int(protocol.content))
                assert await asyncio.to_thread(ends, found[-1])
        finally:
            server.__rsgi_del__(asyncio.get_running_loop())
        return found

    first, second = asyncio.run(visit())
    assert first != second


def test_a_page_that_fails_leaves_its_seat(seats: Seats, thread: ThreadPoolExecutor) -> None:
    def page() -> None:
        with seats.taken():
            backend()
            raise LookupError

    with pytest.raises(LookupError):
        thread.submit(page).result()

    assert seats.close_idle(seconds=0) == 1
