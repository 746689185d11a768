"""What somebody reads whose address leads to no shop."""

import pytest
from django.test import Client

from kameng.tenancy import selectors
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import (
    HOST_CACHE_SECONDS,
    UNKNOWN_SECONDS,
    find_site_id,
    forget_hosts,
)
from tests.factories import make_main_site


def _said(host: str) -> tuple[int, str]:
    reply = Client(HTTP_HOST=host, HTTP_ACCEPT="application/json").get("/")
    return reply.status_code, reply.json()["code"]


def test_before_the_first_shop_every_address_says_how_to_open_one(db: None) -> None:
    assert _said("localhost") == (404, "no_shop_yet")
    page = Client(HTTP_HOST="localhost").get("/")
    assert "kameng open-shop" in page.content.decode()
    assert "回到首页" not in page.content.decode()

    make_main_site()
    forget_hosts()

    assert _said("nobody.example") == (404, "host_unknown")
    assert "open-shop" not in Client(HTTP_HOST="nobody.example").get("/").content.decode()


def test_a_host_that_leads_nowhere_is_known_for_seconds_only(
    main_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def find(host: str) -> tuple[int, str | None] | None:
        asked.append(host)
        return (main_site.id, None) if host == "main.localhost" else None

    monkeypatch.setattr(selectors.store, "find_way", find)
    monkeypatch.setattr(selectors, "UNKNOWN_SECONDS", 0.0)
    forget_hosts()

    for host in ("new.example", "new.example", "main.localhost", "main.localhost"):
        find_site_id(host)

    assert asked == ["new.example", "new.example", "main.localhost"]
    assert 0 < UNKNOWN_SECONDS < HOST_CACHE_SECONDS
