"""The one way out: a bounded HTTP client for payment gateways and suppliers.

Owns time-outs (connect, read and a hard total), the size of a reply, and the address policy: TLS to
public addresses only, pinned to the address that was checked; plain HTTP to loopback only when the
process allows it. No redirects, no cookies, no proxies from the environment, no decompression.
Logs never hold a query, a header or a body, because gateways put secrets into all three.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpcore
import structlog

log = structlog.get_logger(__name__)

# An address that carries an IPv4 address leads to that one; outside these blocks nothing is public.
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_deadline: ContextVar[float] = ContextVar("http_deadline")


class HttpError(Exception):
    """A call that gave no usable reply. `code` is stable; the text holds no secret."""

    code = "http_error"

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"{self.code}: {detail}" if detail else self.code)


class Timeout(HttpError):
    """No complete reply in time. The other side may have acted."""

    code = "timeout"


class ConnectionLost(HttpError):
    """The connection broke or spoke no HTTP. The other side may have acted."""

    code = "connection_lost"


class Unreachable(ConnectionLost):
    """No connection came about: nothing was sent."""

    code = "unreachable"


class TooLarge(HttpError):
    """The reply was longer than allowed, or compressed although we asked for plain bytes."""

    code = "too_large"


class BadStatus(HttpError):
    """The status was not 200. The other side may have acted."""

    code = "bad_status"


class AddressRefused(HttpError):
    """The address policy forbids this address: nothing was sent."""

    code = "address_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """What a `wire` module wants sent. `repr` shows neither query nor body nor headers."""

    method: str
    url: str = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """Bounds of one call: seconds and bytes."""

    connect_seconds: float = 3.0
    read_seconds: float = 6.0
    total_seconds: float = 10.0
    reply_bytes: int = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReply:
    """A reply of any status; header names are lower-case. `repr` shows the status only."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


def is_loopback_name(host: str) -> bool:
    """Say whether a host name or literal address means this machine (RFC 6761 included)."""
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


class _DeadlineStream(httpcore.NetworkStream):
    """Cut every wait to what is left of the total, so that a dribbling server cannot hold us."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _DeadlineStream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(timeout: float | None) -> float:
    left = _deadline.get() - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("total time used up")
    return left if timeout is None else min(timeout, left)


class _CheckedBackend(httpcore.NetworkBackend):
    """Resolve, check every address, then connect to a checked one: no gap for DNS rebinding."""

    def __init__(self, *, loopback: bool) -> None:
        self._inner = httpcore.SyncBackend()
        self._loopback = loopback

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError("no address")
        for address in _checked_addresses(host, port, loopback=self._loopback):
            try:
                return _DeadlineStream(
                    self._inner.connect_tcp(
                        address, port, _left(timeout), local_address, socket_options
                    )
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as problem:
                failure = problem
        raise failure

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(min(seconds, _left(None)))


def _checked_addresses(host: str, port: int, *, loopback: bool) -> list[str]:
    if loopback:
        return ["127.0.0.1"] if "localhost" in host else [host.strip("[]")]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as problem:
        raise httpcore.ConnectError("the name does not resolve") from problem
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))[:4]
    for address in addresses:
        # One forbidden address among good ones is an attack or a mistake; neither deserves a call.
        if not _is_public(address):
            raise AddressRefused(host)
    return addresses


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inside = parsed.ipv4_mapped or parsed.sixtofour
        if inside is None and parsed in NAT64:
            inside = ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF)
        if inside is None and parsed not in GLOBAL_UNICAST:
            return False
        parsed = inside or parsed
    return parsed.is_global and not parsed.is_multicast


class HttpClient:
    """Send one bounded request at a time per thread; connections are pooled and kept alive."""

    def __init__(self, *, limits: HttpLimits | None = None, allow_plain: bool = False) -> None:
        self._limits = limits or HttpLimits()
        self._allow_plain = allow_plain
        self._public = _pool(loopback=False)
        self._loopback = _pool(loopback=True)

    def send(self, request: HttpRequest) -> bytes:
        """Return the body of a 200 reply.

        Raises Timeout, ConnectionLost, TooLarge or BadStatus when the outcome is unknown, and
        Unreachable or AddressRefused when nothing was sent.
        """
        reply = self.exchange(request)
        if reply.status != 200:
            raise BadStatus(str(reply.status))
        return reply.body

    def exchange(self, request: HttpRequest, *, limits: HttpLimits | None = None) -> HttpReply:
        """Return the reply whatever its status, for protocols that sign or explain errors too.

        `limits` in place of the client's own: a bill is larger and slower than an answer. Raises as
        `send` does, but BadStatus.
        """
        bounds = limits or self._limits
        target = urlsplit(request.url)
        pool = self._choose_pool(target.scheme, target.hostname or "")
        started = time.monotonic()
        token = _deadline.set(started + bounds.total_seconds)
        outcome = "ok"
        try:
            reply = _exchange(pool, request, bounds)
            if reply.status != 200:
                outcome = f"status_{reply.status}"
            return reply
        except HttpError as problem:
            outcome = problem.code
            raise
        finally:
            _deadline.reset(token)
            log.info(
                "http_call",
                method=request.method,
                host=target.hostname,
                path=target.path,
                outcome=outcome,
                milliseconds=round((time.monotonic() - started) * 1000),
            )

    def _choose_pool(self, scheme: str, host: str) -> httpcore.ConnectionPool:
        local = is_loopback_name(host)
        if scheme == "http" and local and self._allow_plain:
            return self._loopback
        if scheme == "https" and host and not local:
            return self._public
        raise AddressRefused(f"{scheme} {host}")


def _exchange(pool: httpcore.ConnectionPool, request: HttpRequest, limits: HttpLimits) -> HttpReply:
    headers = {"User-Agent": "Kameng", "Accept-Encoding": "identity", **request.headers}
    timeout = {
        "connect": limits.connect_seconds,
        "read": limits.read_seconds,
        "write": limits.read_seconds,
        "pool": limits.connect_seconds,
    }
    try:
        with pool.stream(
            request.method,
            request.url,
            headers=list(headers.items()),
            content=request.body,
            extensions={"timeout": timeout},
        ) as reply:
            return HttpReply(
                status=reply.status,
                headers={
                    name.decode("latin-1").lower(): value.decode("latin-1")
                    for name, value in reply.headers
                },
                body=_read_bounded(reply, limits.reply_bytes),
            )
    except (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout) as problem:
        raise Unreachable(type(problem).__name__) from None
    except httpcore.TimeoutException as problem:
        raise Timeout(type(problem).__name__) from None
    except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as problem:
        raise ConnectionLost(type(problem).__name__) from None


def _pool(*, loopback: bool) -> httpcore.ConnectionPool:
    return httpcore.ConnectionPool(
        max_connections=32,
        max_keepalive_connections=8,
        keepalive_expiry=15.0,
        network_backend=_CheckedBackend(loopback=loopback),
    )


def _read_bounded(reply: httpcore.Response, limit: int) -> bytes:
    for name, value in reply.headers:
        if name.lower() == b"content-encoding" and value.lower() != b"identity":
            raise TooLarge("compressed reply")
    parts: list[bytes] = []
    size = 0
    for part in reply.iter_stream():
        size += len(part)
        if size > limit:
            raise TooLarge(f"more than {limit} bytes")
        parts.append(part)
    return b"".join(parts)
