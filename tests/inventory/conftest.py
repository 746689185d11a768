"""A database for claims that belong to no order: real commits, wiped, not audited."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections

from kameng.tenancy.selectors import forget_hosts
from tests.database import Wiper
from tests.parallel import run_together


@pytest.fixture
def wrecked_claims(database_url: str, wiper: Wiper, django_db_blocker: Any) -> Iterator[None]:
    """Real commits of claims whose orders do not exist."""
    with django_db_blocker.unblock():
        forget_hosts()
        try:
            yield
        finally:
            connections.close_all()
            wiper.wipe()
            forget_hosts()


@pytest.fixture
def any_db(request: pytest.FixtureRequest) -> None:
    """As the one of all tests, and `wrecked_claims` when the test asked for it."""
    names = request.fixturenames
    name = next((each for each in ("wrecked_claims", "committed_db") if each in names), "db")
    request.getfixturevalue(name)


@pytest.fixture
def run_parallel(any_db: None) -> Any:
    """Call a function of an index in n real threads at the same moment; return the outcomes."""
    return run_together
