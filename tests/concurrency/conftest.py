"""Databases of races: `committed_db` is audited afterwards; `wrecked_db` is what a control leaves.

A negative control removes a guard and so breaks invariants on purpose: it asks for `wrecked_db`,
which commits and wipes like `committed_db` but does not audit.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections

from kameng.tenancy.models import Site
from kameng.tenancy.selectors import forget_hosts
from tests.concurrency.shop import Shop, open_shop
from tests.database import Wiper
from tests.parallel import run_together


@pytest.fixture
def wrecked_db(database_url: str, _wiper: Wiper, django_db_blocker: Any) -> Iterator[None]:
    """Real commits that may break invariants; wiped afterwards, not audited."""
    with django_db_blocker.unblock():
        forget_hosts()
        try:
            yield
        finally:
            connections.close_all()
            _wiper.wipe()
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
