"""The bounded client: what it refuses to call, and what it refuses to wait for."""

import socket
from dataclasses import replace
from typing import Any

import pytest

from kameng.core import http
from kameng.core.http import HttpClient, HttpLimits, HttpRequest
from tests.providers.faulty import faulty_server

# On a busy machine nothing ends in time: who is to give up for another reason has all of it.
PATIENT = HttpLimits(connect_seconds=60, read_seconds=60, total_seconds=60, reply_bytes=50_000)
HASTY = replace(PATIENT, read_seconds=0.5, total_seconds=0.7)


def send(port: int, limits: HttpLimits = PATIENT) -> bytes:
    client = HttpClient(limits=limits, allow_plain=True)
    return client.send(HttpRequest(method="GET", url=f"http://127.0.0.1:{port}/api?key=s3cret"))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("hang", http.Timeout),
        ("dribble", http.Timeout),
        ("dribble_head", http.Timeout),
        ("reset", http.ConnectionLost),
        ("close", http.ConnectionLost),
        ("no_http", http.ConnectionLost),
        ("huge", http.TooLarge),
        ("endless", http.TooLarge),
        ("gzip", http.TooLarge),
        ("error", http.BadStatus),
        ("redirect", http.BadStatus),
    ],
)
def test_bad_server_gives_a_typed_error_in_time(fault: str, error: type[Exception]) -> None:
    # Who waited for a slow one would hear the end of it, which is no `Timeout`.
    limits = HASTY if error is http.Timeout else PATIENT
    with faulty_server(fault) as port, pytest.raises(error) as caught:
        send(port, limits)

    assert "s3cret" not in str(caught.value)


def test_closed_port_is_unreachable() -> None:
    with socket.socket() as held:  # nobody listens, and nobody else can meanwhile
        held.bind(("127.0.0.1", 0))
        with pytest.raises(http.Unreachable):
            send(held.getsockname()[1])


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://shop.localhost:1/",
        "http://[::1]:1/",
        "http://pay.example.com/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::1]/",
        "ftp://pay.example.com/",
        "file:///etc/passwd",
        "https:///x",
    ],
)
def test_forbidden_addresses_are_not_called(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", pytest.fail)

    with pytest.raises(http.AddressRefused):
        HttpClient().send(HttpRequest(method="GET", url=url))


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "169.254.169.254",
        "127.0.0.9",
        "192.168.1.1",
        "100.64.0.1",
        "::1",
        "fe80::1",
        "::ffff:10.0.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "fd00::1",
        "fec0::1",
        "::127.0.0.1",
        "::ffff:0:7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2002:a00:1::",
        "2001:0:a00:1::",
    ],
)
def test_name_that_resolves_inside_is_not_called(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(2, 1, 6, "", ("93.184.216.34", 443)), (2, 1, 6, "", (address, 443))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", pytest.fail)

    with pytest.raises(http.AddressRefused):
        HttpClient().send(HttpRequest(method="GET", url="https://pay.example.com/"))


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822", "::ffff:93.184.216.34"]
)
def test_public_addresses_are_called_in_whatever_form_they_come(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = []

    def connect(target: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
        called.append(target)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", (address, 443))])
    monkeypatch.setattr(socket, "create_connection", connect)

    with pytest.raises(http.Unreachable):
        HttpClient().send(HttpRequest(method="GET", url="https://pay.example.com/"))

    assert called == [(address, 443)]


def test_plain_http_leaves_this_machine_in_no_case() -> None:
    with pytest.raises(http.AddressRefused):
        HttpClient(allow_plain=True).send(HttpRequest(method="GET", url="http://pay.example.com/"))


def test_log_holds_no_query(capsys: pytest.CaptureFixture[str]) -> None:
    with faulty_server("error") as port, pytest.raises(http.BadStatus):
        send(port)

    assert "s3cret" not in "".join(capsys.readouterr())


def test_request_shows_nothing_of_its_content() -> None:
    request = HttpRequest(
        method="POST", url="https://a/?key=s3cret", body=b"s3cret", headers={"K": "s3cret"}
    )

    assert "s3cret" not in repr(request)
