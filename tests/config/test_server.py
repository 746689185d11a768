"""The program as the server calls it: environments, bodies of every kind, one answer each."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]  # re-exported, unmarked

from kameng.config import server as server_module
from kameng.config.server import Server, find_route, make_environ
from tests.config.rsgi import Protocol, ask, make_scope

HOST = [("Host", "a.localhost")]


class Echo:
    """Pages that answer what they were sent, and note in which thread."""

    def __init__(self) -> None:
        self.environs: list[dict[str, Any]] = []
        self.threads: set[str] = set()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.environs.append(environ)
        self.threads.add(threading.current_thread().name)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [str(len(body)).encode(), b":", body[-3:]]


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def server(echo: Echo) -> Server:
    return Server(echo, threads=2)  # type: ignore[arg-type]


def test_a_page_is_made_in_a_thread(server: Server, echo: Echo) -> None:
    (answer,) = ask(server, (make_scope("GET", "/x?a=1", HOST), Protocol()))

    assert (answer.status, answer.content) == (200, b"0:")
    assert answer.headers["content-type"] == "text/plain"
    assert all(name.startswith("page") for name in echo.threads)
    assert echo.environs[0]["QUERY_STRING"] == "a=1"


def test_head_has_no_body(server: Server) -> None:
    (answer,) = ask(server, (make_scope("HEAD", "/", HOST), Protocol()))

    assert (answer.status, answer.content) == (200, b"")


def test_a_small_body_is_whole_before_a_thread_sees_it(server: Server) -> None:
    headers = [*HOST, ("Content-Length", "5"), ("Content-Type", "text/plain")]

    (answer,) = ask(server, (make_scope("POST", "/", headers), Protocol(body=b"12345")))

    assert answer.content == b"5:345"


def test_a_slow_sender_is_turned_away_and_holds_no_thread(
    server: Server, echo: Echo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "BODY_SECONDS", 0.1)
    headers = [*HOST, ("Content-Length", "5")]
    slow = [(make_scope("POST", "/", headers), Protocol(body=b"x" * 5, delay_seconds=5))] * 4
    slow = [(scope, Protocol(body=b"x" * 5, delay_seconds=5)) for scope, _protocol in slow]

    *late, quick = ask(server, *slow, (make_scope("GET", "/", HOST), Protocol()))

    assert [each.status for each in late] == [408] * 4
    assert quick.status == 200
    assert len(echo.environs) == 1


def test_a_large_upload_is_passed_on_in_pieces(server: Server) -> None:
    count, piece = 40, b"0123456789" * 6_000
    length = count * len(piece)
    headers = [
        *HOST,
        ("Content-Length", str(length)),
        ("Content-Type", "multipart/form-data; boundary=x"),
    ]
    protocol = Protocol(pieces=[piece] * count)

    (answer,) = ask(server, (make_scope("POST", "/console/card-keys/", headers), protocol))

    assert answer.content == f"{length}:789".encode()
    assert answer.pieces_taken == count


def test_an_upload_that_never_ends_lets_its_thread_go(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django answers 400 to what reading raises here; a thread must not wait for ever."""
    monkeypatch.setattr(server_module, "UPLOAD_SECONDS", 0.0)
    headers = [*HOST, ("Content-Length", "600000"), ("Content-Type", "multipart/form-data")]
    protocol = Protocol(pieces=[b"x" * 300_000] * 2)

    with pytest.raises(TimeoutError):
        ask(server, (make_scope("POST", "/console/card-keys/", headers), protocol))

    assert protocol.pieces_taken == 0


class Giving:
    """Pages whose answer is a file, as Django's streaming responses are."""

    streaming = True

    def __init__(self, *, count: int) -> None:
        self.count = count
        self.read_count = 0
        self.close_count = 0

    def __call__(self, _environ: dict[str, Any], start_response: Any) -> "Giving":
        start_response("200 OK", [("Content-Type", "text/csv")])
        return self

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self.count):
            self.read_count += 1
            yield b"x" * 1000

    def close(self) -> None:
        self.close_count += 1


def test_a_file_goes_out_in_pieces_as_it_is_taken() -> None:
    pages = Giving(count=50)

    (answer,) = ask(Server(pages, threads=1), (make_scope("POST", "/x", HOST), Protocol()))  # type: ignore[arg-type]

    assert (answer.status, answer.content) == (200, b"")
    assert answer.sent == [b"x" * 1000] * 50
    assert pages.close_count == 1


def test_a_slow_receiver_holds_no_thread(echo: Echo) -> None:
    """One thread serves a page while a file waits for its receiver."""
    taken = threading.Event()

    class Slow(Protocol):
        async def send_bytes(self, piece: bytes) -> None:
            while not taken.is_set():
                await asyncio.sleep(0.01)
            self.sent.append(piece)

    class Other(Protocol):
        def response_bytes(self, status: int, headers: Any, body: bytes) -> None:
            super().response_bytes(status, headers, body)
            taken.set()

    file = Giving(count=3)
    pages = {"/file": file, "/page": echo}
    server = Server(lambda environ, start: pages[environ["PATH_INFO"]](environ, start), threads=1)  # type: ignore[arg-type]

    slow, page = ask(
        server,
        (make_scope("GET", "/file", HOST), Slow()),
        (make_scope("GET", "/page", HOST), Other()),
    )

    assert (page.status, page.content) == (200, b"0:")
    assert len(slow.sent) == 3


def test_who_leaves_ends_the_file() -> None:
    pages = Giving(count=50)

    (answer,) = ask(
        Server(pages, threads=1),  # type: ignore[arg-type]
        (make_scope("GET", "/x", HOST), Protocol(leaves_after=2)),
    )

    assert len(answer.sent) == 2
    assert (pages.read_count, pages.close_count) == (3, 1)


def test_who_takes_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "PIECE_SECONDS", 0.05)
    pages = Giving(count=50)

    (answer,) = ask(
        Server(pages, threads=1),  # type: ignore[arg-type]
        (make_scope("GET", "/x", HOST), Protocol(pause_seconds=60)),
    )

    assert (answer.sent, pages.close_count) == ([], 1)


@pytest.mark.parametrize("length", ["300000", "9" * 12, "-1", "abc", "１２", "9" * 40])
def test_what_is_too_large_or_has_no_length_is_not_read(server: Server, length: str) -> None:
    headers = [*HOST, ("Content-Length", length), ("Content-Type", "text/plain")]
    protocol = Protocol(body=b"never", pieces=[b"never"])

    class Refusing(Echo):
        def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
            assert environ["wsgi.input"].read() == b""
            start_response("413 Too Large", [])
            return [b""]

    (answer,) = ask(Server(Refusing(), threads=1), (make_scope("POST", "/", headers), protocol))  # type: ignore[arg-type]

    assert answer.status == 413
    assert answer.pieces_taken == 0


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("192.0.2.10:4711", "192.0.2.10"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("[::1]:4711", "::1"),
        ("[::ffff:127.0.0.1]:4711", "127.0.0.1"),
        ("[::FFFF:192.0.2.10]:4711", "192.0.2.10"),
        ("[::ffff:1]:4711", "::ffff:1"),
    ],
)
def test_the_address_of_a_sender_is_the_one_it_came_by(client: str, address: str) -> None:
    scope = make_scope("GET", "/", HOST)
    scope.client = client

    assert make_environ(scope)["REMOTE_ADDR"] == address


def test_header_names_with_an_underscore_are_dropped() -> None:
    scope = make_scope("GET", "/", [*HOST, ("X_Forwarded_For", "1.2.3.4"), ("x-a", "1")])

    environ = make_environ(scope)

    assert "HTTP_X_FORWARDED_FOR" not in environ
    assert environ["HTTP_X_A"] == "1"
    assert environ["REMOTE_ADDR"] == "192.0.2.10"


def test_repeated_headers_are_joined() -> None:
    headers = [("Cookie", "a=1"), ("Cookie", "b=2"), ("X-A", "1"), ("X-A", "2")]

    environ = make_environ(make_scope("GET", "/", headers))

    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert environ["HTTP_X_A"] == "1,2"


def test_the_host_of_a_whole_address_counts_and_not_the_header() -> None:
    """TEN-02: what stands in front and we must not take one request for two different sites."""
    scope = make_scope("GET", "/", HOST)
    assert make_environ(scope)["HTTP_HOST"] == "a.localhost"

    scope.authority = "b.localhost:8000"

    assert make_environ(scope)["HTTP_HOST"] == "b.localhost:8000"


def test_a_path_is_bytes_as_latin_1() -> None:
    environ = make_environ(make_scope("GET", "/中/", HOST))

    assert environ["PATH_INFO"].encode("latin-1").decode() == "/中/"


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/checkout/", "storefront:checkout"),
        ("GET", "/checkout/", None),
        ("POST", "/checkout", None),
        ("POST", "/checkout//", None),
        ("GET", "/notify/12/", "openapi:gateway_callback"),
        ("POST", "/notify/12/", "openapi:gateway_callback"),
        ("GET", "/notify/１/", None),
        ("GET", "/notify//", None),
        ("GET", "/notify/1/x/", None),
        ("GET", f"/notify/{'9' * 30}/", None),
        ("GET", "/", None),
    ],
)
def test_only_hot_addresses_take_the_express_way(method: str, path: str, name: str | None) -> None:
    route = find_route(make_environ(make_scope(method, path, HOST)))

    assert (route.view_name if route else None) == name


class Gone(Protocol):
    """A sender that hangs up in the middle of its body."""

    async def __call__(self) -> bytes:
        raise ProtocolClosed("gone")

    async def __aiter__(self) -> Any:
        yield b"half"
        raise ProtocolClosed("gone")


def test_a_sender_that_hangs_up_is_nobodys_fault(server: Server, echo: Echo) -> None:
    headers = [*HOST, ("Content-Length", "5")]

    (answer,) = ask(server, (make_scope("POST", "/", headers), Gone()))

    assert (answer.status, echo.environs) == (0, [])


def test_half_an_upload_is_an_unreadable_one(server: Server) -> None:
    seen: list[Exception] = []

    class Reading(Echo):
        def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
            try:
                environ["wsgi.input"].read(1_000_000)
            except OSError as fault:
                seen.append(fault)
            start_response("400 Bad Request", [])
            return [b""]

    headers = [*HOST, ("Content-Length", "1000000"), ("Content-Type", "multipart/form-data")]
    scope = make_scope("POST", "/console/card-keys/", headers)

    ask(Server(Reading(), threads=1), (scope, Gone()))  # type: ignore[arg-type]

    assert isinstance(seen[0], ConnectionResetError)
