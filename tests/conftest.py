"""What every test may ask for: a database, sites, people, clients, parallel calls.

`db` gives a transaction that is rolled back; `committed_db` gives real commits, wiped afterwards
and audited. Both act as the application role under row-level security. A test that asks for
neither has no database at all.
"""

import contextlib
import importlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import pytest
from django.conf import settings
from django.db import connections, transaction
from django.test import Client
from django.utils import timezone, translation
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from kameng.core import keyring
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import forget_hosts, primary_host
from tests import factories, people
from tests.database import TestServer, Wiper, clone, given_server, private_server, use_database
from tests.parallel import run_together

R = TypeVar("R")
HOUR_ENDS_SECONDS = 20  # no test that asks for the day takes as long

# Neither a busy machine nor the luck of a seed may fail a property, whichever file is run alone:
# the same examples every time. For new ones: HYPOTHESIS_SEARCH=1.
hypothesis_settings.register_profile(
    "by content",
    deadline=None,
    derandomize=os.environ.get("HYPOTHESIS_SEARCH", "") != "1",
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
hypothesis_settings.load_profile("by content")


def _open_server(stack: ExitStack) -> TestServer:
    url = os.environ.get("KAMENG_TEST_DATABASE_URL", "")
    return stack.enter_context(given_server(url) if url else private_server())


@pytest.fixture(scope="session")
def postgres_server(django_db_blocker: Any) -> Iterator[TestServer]:
    """The server of this process, with the migrated template database on it.

    Each worker of xdist has a server of its own: readers of the event log wait for the oldest
    transaction of the whole server, so one worker's open test would hold up the other's.
    """
    with ExitStack() as stack:
        with django_db_blocker.unblock():
            server = _open_server(stack)
        yield server


@pytest.fixture(scope="session")
def database_url(
    postgres_server: TestServer, django_db_blocker: Any, worker_id: str
) -> Iterator[str]:
    """The owner's address of this worker's database; Django's connections point at it."""
    name = f"kameng_test_{os.getpid()}_{worker_id}"
    with clone(postgres_server, name) as url:
        use_database(url)
        yield url
        with django_db_blocker.unblock():
            connections.close_all()


@pytest.fixture(scope="session")
def django_db_setup(database_url: str) -> str:
    """Take the place of pytest-django's own test database."""
    return database_url


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give what drives a browser or kills processes one lane, beside that of the journeys."""
    for item in items:
        is_loud = any(item.get_closest_marker(name) for name in ("browser", "kill", "slow"))
        if is_loud and not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group("alone"))


def pytest_runtest_setup() -> None:
    """Let no test go on in the language or the time zone of another one's last request.

    Nor begin just before an hour is full: days end then, here and in Beijing, and what was sold
    today would be yesterday's when the test looks.
    """
    translation.deactivate()
    timezone.deactivate()
    left_seconds = 3600 - time.time() % 3600
    if left_seconds < HOUR_ENDS_SECONDS:
        time.sleep(left_seconds)


@pytest.fixture(scope="session", autouse=True)
def _test_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give the session keys and files of its own, and cheap password hashes."""
    home = tmp_path_factory.mktemp("home")
    settings.HOME = Path(home)
    settings.KEYRING_PATH = keyring.ensure(home / "secrets" / "keyring.json")
    with contextlib.suppress(ModuleNotFoundError):
        hashing = importlib.import_module("kameng.accounts.hashing")
        hashing.Argon2.memory_cost = 64
        hashing.Argon2.time_cost = 1


@pytest.fixture
def db(request: pytest.FixtureRequest, database_url: str, django_db_blocker: Any) -> Iterator[None]:
    """A transaction as the application role, rolled back at the end."""
    if "committed_db" in request.fixturenames:
        yield request.getfixturevalue("committed_db")
        return
    with django_db_blocker.unblock():
        forget_hosts()
        with transaction.atomic():
            yield
            transaction.set_rollback(True)
        forget_hosts()


@pytest.fixture(scope="session")
def wiper(database_url: str) -> Iterator[Wiper]:
    wiper = Wiper(database_url)
    yield wiper
    wiper.close()


@pytest.fixture
def committed_db(database_url: str, wiper: Wiper, django_db_blocker: Any) -> Iterator[None]:
    """Real commits. Afterwards every invariant is checked and what was written is wiped."""
    with django_db_blocker.unblock():
        forget_hosts()
        try:
            yield
            breaches = _find_breaches()
        finally:
            connections.close_all()
            wiper.wipe()
            forget_hosts()
    assert not breaches, "the audit after the test found:\n" + "\n".join(breaches)


def _find_breaches() -> Sequence[str]:
    try:
        audit = importlib.import_module("kameng.config.audit")
    except ModuleNotFoundError:
        return ()
    found: Sequence[str] = audit.find_breaches()
    return found


@pytest.fixture
def any_db(request: pytest.FixtureRequest) -> None:
    """Whichever of `db` and `committed_db` the test asked for; `db` when neither."""
    name = "committed_db" if "committed_db" in request.fixturenames else "db"
    request.getfixturevalue(name)


@pytest.fixture
def run_parallel(committed_db: None) -> Callable[[int, Callable[[int], R]], list[R | Exception]]:
    """Call a function of an index in n real threads at the same moment; return the outcomes."""
    return run_together


@pytest.fixture
def main_site(any_db: None) -> Site:
    """The main site, at main.localhost, with two plans (`tests.factories.PLANS`)."""
    return factories.make_main_site()


@pytest.fixture
def site_a(main_site: Site) -> Site:
    """Lin's sub-site, at a.localhost."""
    return factories.make_sub_site(slug="site-a", name="甲站", host="a.localhost")


@pytest.fixture
def site_b(main_site: Site) -> Site:
    """Wei's sub-site, at b.localhost."""
    return factories.make_sub_site(slug="site-b", name="乙站", host="b.localhost")


@pytest.fixture
def ada(main_site: Site) -> people.Staff:
    """Ada runs the platform."""
    return people.make_ada()


@pytest.fixture
def lin(site_a: Site) -> people.Staff:
    """Lin owns site A."""
    return people.make_lin(site_a)


@pytest.fixture
def wei(site_b: Site) -> people.Staff:
    """Wei owns site B and must never see A."""
    return people.make_wei(site_b)


@pytest.fixture
def mei(site_a: Site) -> people.Buyer:
    """Mei buys on site A."""
    return people.make_mei(site_a)


@pytest.fixture
def client_for(any_db: None) -> Callable[..., Client]:
    """Return a browser on a site: `client_for(site)`, `client_for(site, mei)` when signed in."""

    def make(site: Site, person: people.Staff | people.Buyer | None = None) -> Client:
        client = Client(HTTP_HOST=primary_host(site.id) or "", REMOTE_ADDR="192.0.2.10")
        if person is not None:
            people.sign_in(client, site=site, person=person)
        return client

    return make
