"""What machines ask: health, figures, the description of the JSON addresses."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client

from kameng.core.database import DatabaseAway
from kameng.openapi.document import build_document
from kameng.openapi.views import machines
from kameng.tenancy.models import Site
from kameng.web import api
from kameng.web.api import Operation, Parameter

STRANGER = "203.0.113.5"


@pytest.fixture
def beat(settings: LazySettings, tmp_path: Path) -> Path:
    settings.HOME = tmp_path
    path = tmp_path / "run" / "worker.beat"
    path.parent.mkdir()
    path.touch()
    return path


def ask(path: str, **options: Any) -> Any:
    host = "localhost:8000" if path == "/metrics" else "any.host"
    return Client(HTTP_HOST=host, REMOTE_ADDR="127.0.0.1").get(path, **options)


def test_a_well_system_says_so_on_any_host(db: None, beat: Path) -> None:
    response = ask("/healthz")

    assert response.status_code == 200
    assert response.json() == {
        "status": "ok",
        "checks": {"database": "ok", "worker": "ok", "events": "ok"},
    }


def test_a_worker_that_does_not_beat_is_told_and_the_shop_goes_on(db: None, beat: Path) -> None:
    os.utime(beat, (time.time() - 60, time.time() - 60))
    assert ask("/healthz").json()["checks"]["worker"] == "away"
    beat.unlink()

    response = ask("/healthz")

    assert response.status_code == 200
    assert response.json()["status"] == "degraded"


def test_events_that_wait_are_told(db: None, beat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "list_lags", lambda: {"orders.notify_buyers": 600})

    assert ask("/healthz").json()["checks"]["events"] == "late"


def test_without_a_database_the_answer_is_503(beat: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> dict[str, int]:
        raise DatabaseAway("x")

    monkeypatch.setattr(machines, "list_lags", away)

    response = ask("/healthz")

    assert response.status_code == 503
    assert response.json() == {
        "status": "away",
        "checks": {"database": "away", "worker": "ok", "events": "unknown"},
    }
    figures = ask("/metrics")
    assert figures.status_code == 200
    assert b"kameng_database_up 0" in figures.content


def test_figures_are_counted(
    db: None, beat: Path, client_for: Callable[..., Client], site_a: Site
) -> None:
    client_for(site_a).get("/openapi.json")

    text = ask("/metrics").content.decode()

    assert "kameng_database_up 1" in text
    assert 'kameng_request_seconds_count{method="GET"' in text
    assert 'view="openapi:document"' in text
    assert text.count("# TYPE kameng_event_lag_seconds gauge") == 1


@pytest.mark.parametrize(
    ("remote", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        (STRANGER, {}, 404),
        ("127.0.0.1", {"X-Forwarded-For": STRANGER}, 404),
        ("127.0.0.1", {"Forwarded": f"for={STRANGER}"}, 404),
        ("127.0.0.1", {"X-Real-IP": STRANGER}, 404),
        (STRANGER, {"Authorization": "Bearer right-token"}, 200),
        (STRANGER, {"Authorization": "Bearer wrong-token"}, 404),
        (STRANGER, {"Authorization": "Bearer "}, 404),
        (STRANGER, {"Authorization": "Bearer \xff"}, 404),
        ("", {}, 404),
    ],
)
def test_figures_are_for_this_machine_and_for_who_has_the_token(
    db: None,
    beat: Path,
    settings: LazySettings,
    remote: str,
    headers: dict[str, str],
    status: int,
) -> None:
    settings.METRICS_TOKEN = "right-token"

    assert ask("/metrics", REMOTE_ADDR=remote, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("a.localhost:8000", 404),
        ("shop.example", 404),
        ("localhost.shop.example", 404),
        ("127.0.0.1.shop.example", 404),
    ],
)
def test_figures_are_not_shown_under_the_name_of_a_shop(
    db: None, beat: Path, site_a: Site, host: str, status: int
) -> None:
    assert ask("/metrics", HTTP_HOST=host).status_code == status


def test_no_token_is_no_key(db: None, beat: Path, settings: LazySettings) -> None:
    settings.METRICS_TOKEN = ""

    response = ask("/metrics", REMOTE_ADDR=STRANGER, headers={"Authorization": "Bearer "})

    assert response.status_code == 404


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/openapi.json"])
def test_machines_may_only_ask(db: None, beat: Path, path: str, site_a: Site) -> None:
    host = "127.0.0.1" if path == "/metrics" else "a.localhost"
    client = Client(HTTP_HOST=host, REMOTE_ADDR="127.0.0.1")

    assert client.post(path).status_code == 405
    assert client.head(path).status_code == 200


def test_what_a_face_describes_is_in_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "operations", api.operations.copy())
    api.operations["/order/{order_no}/state", "get"] = Operation(
        path="/order/{order_no}/state",
        method="get",
        summary="Tell how far an order is",
        parameters=(Parameter(name="order_no", place="path", schema=api.TEXT),),
        form=None,
        statuses=(404,),
    )
    monkeypatch.setattr("kameng.openapi.document.operations", api.operations)

    described = build_document()["paths"]["/order/{order_no}/state"]["get"]

    assert described["parameters"][0]["required"] is True
    assert set(described["responses"]) == {"200", "404"}


def test_the_document_is_served(client_for: Callable[..., Client], site_a: Site) -> None:
    document = client_for(site_a).get("/openapi.json").json()

    assert document["openapi"] == "3.1.0"
    assert "Problem" in document["components"]["schemas"]
