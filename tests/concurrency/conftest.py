"""Databases of races: `committed_db` is audited afterwards; `wrecked_db` is what a control leaves.

A negative control removes a guard and so breaks invariants on purpose: it asks for `wrecked_db`,
which commits and wipes like `committed_db` but does not audit.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from django.db import connections

from kameng.orders import store
from kameng.orders.store import Placed, Placement
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import forget_hosts
from tests.concurrency.shop import Shop, open_shop
from tests.database import Wiper
from tests.loops import close_lanes
from tests.parallel import run_together

DROPPED: list[tuple[str, str, str]] = []


@pytest.fixture
def wrecked_db(database_url: str, wiper: Wiper, django_db_blocker: Any) -> Iterator[None]:
    """Real commits that may break invariants; wiped afterwards, not audited."""
    with django_db_blocker.unblock():
        forget_hosts()
        try:
            yield
        finally:
            connections.close_all()
            wiper.wipe()
            _restore_constraints()
            forget_hosts()


@pytest.fixture
def any_db(request: pytest.FixtureRequest) -> None:
    """`wrecked_db` when the test asked for it, else `committed_db`: races need real commits."""
    name = "wrecked_db" if "wrecked_db" in request.fixturenames else "committed_db"
    request.getfixturevalue(name)


@pytest.fixture
def run_parallel(any_db: None) -> Callable[[int, Callable[[int], Any]], list[Any]]:
    """Call a function of an index in n real threads at the same moment; return the outcomes."""
    return run_together


@pytest.fixture
def shop(main_site: Site, site_a: Site) -> Shop:
    """Site A sells one variant of the main site, twelve keys in stock, through one gateway."""
    return open_shop(main_site, site_a, keys=12)


@pytest.fixture
def drop_constraint(wrecked_db: None) -> Callable[[str, str], None]:
    """Take a constraint off a table until the database is wiped: for controls alone."""

    def drop(table: str, name: str) -> None:
        with connections["owner"].cursor() as cursor:
            cursor.execute(
                "select pg_get_constraintdef(oid) from pg_constraint where conname = %s", [name]
            )
            (definition,) = cursor.fetchone()
            cursor.execute(f"alter table {table} drop constraint {name}")
        DROPPED.append((table, name, definition))

    return drop


def _restore_constraints() -> None:
    with connections["owner"].cursor() as cursor:
        while DROPPED:
            table, name, definition = DROPPED.pop()
            cursor.execute(f"alter table {table} add constraint {name} {definition}")
    connections["owner"].close()


@pytest.fixture
def together(any_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Threads that place at the same moment share a statement, as requests of one process do."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def place(batch: Sequence[Placement], *, by_wallet: bool) -> list[Placed]:
        lane = store.wallet_lane if by_wallet else store.open_lane
        asked = [asyncio.run_coroutine_threadsafe(lane.submit(each), loop) for each in batch]
        return [each.result(120) for each in asked]

    monkeypatch.setattr(store, "place", place)
    yield
    asyncio.run_coroutine_threadsafe(close_lanes(), loop).result(60)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(60)
    loop.close()
