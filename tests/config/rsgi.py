"""The server's side of RSGI: scopes and protocols as granian hands them to the program."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from granian.rsgi import ProtocolClosed  # type: ignore[attr-defined]  # re-exported, unmarked

from kameng.config.server import Server
from tests.loops import close_lanes

CSRF = "k" * 32


@dataclass(slots=True)
class Protocol:
    """One request's body and the answer it got."""

    body: bytes = b""
    pieces: Iterable[bytes] = ()
    delay_seconds: float = 0.0
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    pieces_taken: int = 0
    sent: list[bytes] = field(default_factory=list)
    leaves_after: int = 1_000_000  # pieces, after which the receiver goes
    pause_seconds: float = 0.0  # before each piece is taken

    async def __call__(self) -> bytes:
        await asyncio.sleep(self.delay_seconds)
        return self.body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            self.pieces_taken += 1
            yield piece

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Take the answer."""
        assert self.status == 0, "answered twice"
        self.status, self.content = status, body
        self.headers = {name.lower(): value for name, value in headers}

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> "Protocol":
        """Take the head of an answer that comes in pieces."""
        self.response_bytes(status, headers, b"")
        return self

    async def send_bytes(self, piece: bytes) -> None:
        """Take one piece."""
        await asyncio.sleep(self.pause_seconds)
        if len(self.sent) >= self.leaves_after:
            raise ProtocolClosed
        self.sent.append(piece)


def make_scope(method: str, path: str, headers: Iterable[tuple[str, str]]) -> Any:
    """Return a scope; header names in lower case, as granian gives them."""
    before, _, query = path.partition("?")
    given = [(name.lower(), value) for name, value in headers]
    return SimpleNamespace(
        proto="http",
        http_version="1.1",
        scheme="http",
        method=method,
        path=before,
        query_string=query,
        client="192.0.2.10:4711",
        server="127.0.0.1:8000",
        authority=None,
        headers=SimpleNamespace(items=lambda: given),
    )


def ask(server: Server, *requests: tuple[Any, Protocol]) -> list[Protocol]:
    """Let a server answer these requests at the same time on a fresh loop."""

    async def work() -> None:
        server.__rsgi_init__(asyncio.get_running_loop())
        try:
            await asyncio.gather(*(server.__rsgi__(scope, each) for scope, each in requests))
        finally:
            await close_lanes()

    asyncio.run(work())
    server.__rsgi_del__(asyncio.new_event_loop())
    return [protocol for _scope, protocol in requests]
