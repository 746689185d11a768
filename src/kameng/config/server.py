"""The program as granian serves it (RSGI): the event loop in front, Django's threads behind.

A request is read whole on the loop before a thread sees it, so that a slow sender occupies no
thread; large uploads are passed on piece by piece as the thread asks. A file goes out as its
receiver takes it, and between two pieces occupies no thread either. Hot addresses are answered on
the loop itself (`web.express`), the rest by `config.wsgi.application` in a pool of threads.
"""

import asyncio
import io
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final

import structlog
from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]  # re-exported, unmarked

from kameng.config.idling import IDLE_SECONDS, Seats
from kameng.config.wsgi import Application, application
from kameng.insight.services.visiting import start_flushing, stop_flushing
from kameng.openapi.views.callbacks import take_on_the_loop
from kameng.storefront.views.buying import place_on_the_loop
from kameng.web import express
from kameng.web.middleware.requests import SMALL_BODY, body_limit

BODY_SECONDS: Final = 30.0  # a small body must be here by then
PIECE_SECONDS: Final = 30.0  # and each piece of a large one
UPLOAD_SECONDS: Final = 1800.0  # and all its pieces: a thread waits for them
CHECKOUT: Final = express.Route(
    view_name="storefront:checkout", act=place_on_the_loop, is_form=True, compares_stamp=True
)
CALLBACK: Final = express.Route(
    view_name="openapi:gateway_callback",
    act=take_on_the_loop,
    is_form=False,
    is_open_when_suspended=True,
    compares_stamp=True,
)
CALLBACK_PATH: Final = re.compile(r"/notify/[0-9]{1,18}/")
TOO_SLOW: Final = (408, [("content-type", "text/plain"), ("connection", "close")], b"too slow")
log = structlog.get_logger("kameng.server")
Headers = list[tuple[str, str]]


class Server:
    """What granian calls in each worker."""

    def __init__(self, pages: Application, *, threads: int) -> None:
        self._pages = pages
        self._threads = threads
        self._pool: ThreadPoolExecutor | None = None
        self._seats = Seats()
        self._timer: asyncio.TimerHandle | None = None

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="page")
        self._look_for_idle(loop)
        start_flushing()

    def _look_for_idle(self, loop: asyncio.AbstractEventLoop) -> None:
        # In a thread: Django lets nobody close a connection where a loop runs.
        loop.run_in_executor(self._pool, partial(self._seats.close_idle, seconds=IDLE_SECONDS))
        self._timer = loop.call_later(IDLE_SECONDS / 2, self._look_for_idle, loop)

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        stop_flushing()

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        if scope.proto != "http":
            protocol.close(1003)
            return
        environ = make_environ(scope)
        length = _length(environ)
        if length > SMALL_BODY or length < 0:
            limit = body_limit(environ["PATH_INFO"], environ.get("CONTENT_TYPE", ""))
            if 0 < length <= limit:
                environ["wsgi.input"] = io.BufferedReader(_Pieces(protocol, length))
            await self._answer(environ, protocol)  # refused unread, or read piece by piece
            return
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await protocol() if length else b""
        except TimeoutError:
            protocol.response_bytes(*TOO_SLOW)
            return
        except ProtocolClosed:  # the sender has gone
            return
        route = find_route(environ)
        if route is not None:
            environ["wsgi.input"] = io.BytesIO(body)
            response = await express.serve(environ, route)
            if response is not None:
                protocol.response_bytes(
                    response.status_code, list(response.items()), response.content
                )
                return
        environ["wsgi.input"] = io.BytesIO(body)
        await self._answer(environ, protocol)

    async def _answer(self, environ: dict[str, Any], protocol: Any) -> None:
        """Let a thread make the answer; send it whole, or a file piece by piece."""
        loop = asyncio.get_running_loop()
        status, headers, content = await loop.run_in_executor(self._pool, self._serve, environ)
        if isinstance(content, bytes):
            protocol.response_bytes(status, headers, content)
            return
        pieces = iter(content)
        try:
            transport = protocol.response_stream(status, headers)
            while piece := await loop.run_in_executor(self._pool, next, pieces, b""):
                async with asyncio.timeout(PIECE_SECONDS):
                    await transport.send_bytes(piece)
        except (ProtocolClosed, TimeoutError):  # the receiver has gone, or takes nothing
            return
        finally:
            await loop.run_in_executor(self._pool, content.close)

    def _serve(self, environ: dict[str, Any]) -> tuple[int, Headers, Any]:
        """Run Django for one request; the answer is one piece, or a file still to be read."""
        with self._seats.taken():
            return self._run(environ)

    def _run(self, environ: dict[str, Any]) -> tuple[int, Headers, Any]:
        started: list[tuple[int, Headers]] = []

        def start(status: str, headers: Headers, _exc_info: Any = None) -> None:
            started.append((int(status[:3]), headers))

        pieces: Any = self._pages(environ, start)
        if getattr(pieces, "streaming", False) and environ["REQUEST_METHOD"] != "HEAD":
            return *started[-1], pieces
        try:
            content = b"".join(pieces)
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
        status, headers = started[-1]
        return status, headers, b"" if environ["REQUEST_METHOD"] == "HEAD" else content


class _Pieces(io.RawIOBase):
    """A large body as a thread reads it: each piece is fetched from the loop when it is wanted."""

    def __init__(self, protocol: Any, length: int) -> None:
        self._pieces = protocol.__aiter__()
        self._loop = asyncio.get_running_loop()
        self._rest = b""
        self._left = length
        self._ends_at = time.monotonic() + UPLOAD_SECONDS

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest and self._left > 0:
            seconds = min(PIECE_SECONDS, self._ends_at - time.monotonic())
            if seconds <= 0:
                raise TimeoutError("the upload takes too long")
            future = asyncio.run_coroutine_threadsafe(self._next(), self._loop)
            piece = future.result(seconds)
            if piece is None:
                self._left = 0
                break
            self._rest = piece
        count = min(len(buffer), len(self._rest), self._left)
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        self._left -= count
        return count

    async def _next(self) -> bytes | None:
        try:
            return bytes(await self._pieces.__anext__())
        except StopAsyncIteration:
            return None
        except ProtocolClosed as fault:
            raise ConnectionResetError("the sender has gone") from fault


def find_route(environ: dict[str, Any]) -> express.Route | None:
    """Return the express route of a request, or None for an ordinary one."""
    path = environ["PATH_INFO"]
    if path == "/checkout/":
        return CHECKOUT if environ["REQUEST_METHOD"] == "POST" else None
    return CALLBACK if CALLBACK_PATH.fullmatch(path) else None


def make_environ(scope: Any) -> dict[str, Any]:
    """Return a request as PEP 3333 has it: header and path bytes as latin-1."""
    address, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode("utf-8", "surrogatepass").decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": address.strip("[]"),
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": _client_address(scope.client),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        if "_" in name:  # X_Forwarded_For would pass for X-Forwarded-For
            continue
        key = name.upper().replace("-", "_")
        if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        known = environ.get(key)
        if known is None:
            environ[key] = value
        else:
            environ[key] = f"{known}{'; ' if key == 'HTTP_COOKIE' else ','}{value}"
    if scope.authority:  # of "GET http://host/path": it counts, not the header (RFC 9112, 3.2.2)
        environ["HTTP_HOST"] = scope.authority
    return environ


def _client_address(client: str) -> str:
    """Return the address of a peer; of one that came by IPv4 to a socket of both, the IPv4 one.

    Otherwise a proxy that the settings name as 127.0.0.1 would not be known.
    """
    address = client.rpartition(":")[0].strip("[]")
    inner = address.lower().removeprefix("::ffff:")
    return inner if "." in inner else address


def _length(environ: dict[str, Any]) -> int:
    """Return the length of the body: 0 without one, -1 when it is not said in digits."""
    text = environ.get("CONTENT_LENGTH") or "0"
    return int(text) if text.isascii() and text.isdigit() and len(text) < 13 else -1


def make_server(threads: int) -> Server:
    """Return the server of one worker."""
    return Server(application, threads=threads)
