"""A shop with goods and a gateway, seen from the back office."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from kameng.catalog.selectors import forget_catalogues
from kameng.insight.dashboard import forget_figures
from kameng.inventory.selectors import forget_stock
from kameng.risk.services import forget_windows
from kameng.tenancy.models import Site
from tests.concurrency.shop import Shop, open_shop
from tests.people import Staff


@pytest.fixture(autouse=True)
def _fresh_process() -> None:
    """Nothing that an earlier test kept in the process is still there."""
    for forget in (forget_catalogues, forget_stock, forget_windows, forget_figures):
        forget()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One member of staff at the back office of one site."""

    client: Client
    slug: str

    def url(self, path: str = "") -> str:
        """Return the address of a page."""
        return f"/console/{self.slug}/{path}"

    def get(self, path: str = "", **query: Any) -> HttpResponse:
        """Open a page."""
        return self.client.get(self.url(path), query)

    def post(self, path: str, **fields: Any) -> HttpResponse:
        """Send a form."""
        return self.client.post(self.url(path), fields)


@pytest.fixture
def desk_of(client_for: Callable[..., Client]) -> Callable[..., Desk]:
    """Return a desk: `desk_of(lin, site_a)`, or of another site on a host: `host=main_site`."""

    def make(person: Staff | None, site: Site, *, host: Site | None = None) -> Desk:
        return Desk(client=client_for(host or site, person), slug=site.slug)

    return make


@pytest.fixture
def shop(main_site: Site, site_a: Site) -> Shop:
    """Site A sells keys of the main site; buyers pay by a gateway or by wallet."""
    return open_shop(main_site, site_a, keys=20)


@pytest.fixture
def desk(desk_of: Callable[..., Desk], lin: Staff, site_a: Site) -> Desk:
    """Lin at the back office of site A."""
    return desk_of(lin, site_a)
