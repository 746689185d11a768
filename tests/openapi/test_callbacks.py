"""Who sends forged callbacks is turned away, whatever address of one line they come from."""

from collections.abc import Callable, Iterator

import pytest
from django.test import Client

from kameng.risk.rules import FORGED_CALLBACK_BY_IP
from kameng.risk.services import forged_callbacks
from kameng.tenancy.models import Site


@pytest.fixture(autouse=True)
def _fresh_window(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("kameng.risk.windows.time.monotonic_ns", lambda: 1_000_000_000)
    forged_callbacks.clear()
    yield
    forged_callbacks.clear()


def test_one_line_of_ipv6_is_one_forger(site_a: Site, client_for: Callable[..., Client]) -> None:
    client = client_for(site_a)
    statuses = [
        client.post("/notify/999/", {"a": "b"}, REMOTE_ADDR=f"2001:db8:1:2::{number:x}").status_code
        for number in range(FORGED_CALLBACK_BY_IP.hits + 1)
    ]

    other = client.post("/notify/999/", {"a": "b"}, REMOTE_ADDR="2001:db8:1:3::1")

    assert statuses == [404] * FORGED_CALLBACK_BY_IP.hits + [429]
    assert other.status_code == 404
