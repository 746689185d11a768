"""The load generator: a process of its own, keep-alive connections, one coroutine a client.

Speaks just enough HTTP/1.1. Each request list is bounded in count and time and goes to loopback.
"""

import asyncio
import hashlib
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import uvloop

CSRF = "k" * 32
PLACERS = 16
SAMPLED = 20  # of so many callbacks one is asked whether its order is delivered


@dataclass(slots=True)
class Result:
    """Latencies in seconds of what succeeded, counts of what did not, seconds in all."""

    latencies: list[float] = field(default_factory=list)
    refused: int = 0
    errors: int = 0
    seconds: float = 0.0
    samples: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return what the report needs."""
        ordered = sorted(self.latencies)
        return {
            "count": len(ordered),
            "refused": self.refused,
            "errors": self.errors,
            "seconds": self.seconds,
            "p50_ms": _at(ordered, 0.50) * 1000,
            "p99_ms": _at(ordered, 0.99) * 1000,
            "samples": self.samples[:3],
        }


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


class Connection(asyncio.Protocol):
    """One keep-alive connection: one request, then its answer.

    A protocol and not a pair of streams: the machine's processors are for the shop.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._transport: asyncio.WriteTransport | None = None
        self._data = b""
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None

    async def open(self) -> None:
        """Connect."""
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, "127.0.0.1", self._port)

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send one request; return status and body. Raises ConnectionError when it is cut off."""
        if self._transport is None:
            await self.open()
        assert self._transport is not None
        answer = self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await answer

    def connection_made(self, transport: Any) -> None:
        """Be connected."""
        self._transport, self._data = transport, b""

    def data_received(self, data: bytes) -> None:
        """Take what came, and answer the asker when it is whole."""
        self._data = self._data + data if self._data else data
        end = self._data.find(b"\r\n\r\n")
        if end < 0 or self._answer is None:
            return
        head, body = self._data[:end].lower(), self._data[end + 4 :]
        if len(body) < _length_of(head):
            return
        answer, self._answer, self._data = self._answer, None, b""
        if b"connection: close" in head:
            self.close()
        if not answer.done():
            answer.set_result((int(head[9:12]), body))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits that nothing more comes."""
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server hung up"))

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()
        self._transport = None


def _length_of(head: bytes) -> int:
    """Return how long the body is; every answer that is asked for here says so."""
    _, found, rest = head.partition(b"\r\ncontent-length:")
    if not found:
        raise ValueError("an answer without a length")
    return int(rest.partition(b"\r\n")[0])


def get(host: str, path: str) -> bytes:
    """Return a GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\n\r\n".encode()


def post(host: str, path: str, fields: dict[str, str], token: str = "") -> bytes:
    """Return a form POST that asks for JSON, with the CSRF pair and a session."""
    # What is sent needs no quoting; the generator shall cost the machine as little as it can.
    body = "&".join([*map("=".join, fields.items()), f"csrfmiddlewaretoken={CSRF}"]).encode()
    cookies = f"kameng_csrf={CSRF}" + (f"; kameng_session={token}" if token else "")
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n"
        f"Content-Type: application/x-www-form-urlencoded\r\nCookie: {cookies}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def run_clients(
    port: int,
    clients: int,
    step: Callable[[Connection, int, int, Result], Awaitable[bool]],
    **limits: Any,
) -> Result:
    """Let `clients` repeat `step(connection, client, turn, result)` until time or turns end."""
    result = Result()
    connections = [Connection(port) for _ in range(clients)]
    await asyncio.gather(*(connection.open() for connection in connections))
    started = time.perf_counter()
    end = started + float(limits.get("seconds", 10**9))
    turns = int(limits.get("turns", 10**9))

    async def work(number: int) -> None:
        for turn in range(turns):
            if time.perf_counter() >= end:
                return
            try:
                if not await step(connections[number], number, turn, result):
                    return
            except (OSError, asyncio.IncompleteReadError, ValueError) as fault:
                result.errors += 1
                result.samples.append(repr(fault)[:200])
                connections[number].close()

    await asyncio.gather(*(work(number) for number in range(clients)))
    result.seconds = time.perf_counter() - started
    for connection in connections:
        connection.close()
    return result


def _count(result: Result, status: int, body: bytes, started: float) -> bool:
    if 200 <= status < 400:
        result.latencies.append(time.perf_counter() - started)
        return True
    if 400 <= status < 500:
        result.refused += 1
    else:
        result.errors += 1
    if len(result.samples) < 5:
        result.samples.append(f"{status} {body[:200].decode('utf-8', 'replace')}")
    return False


def order_fields(variant: int, pay: str, key: str, contact: str = "") -> dict[str, str]:
    """Return the form of one order of one piece."""
    return {
        "variant": str(variant),
        "quantity": "1",
        "pay": pay,
        "contact": contact,
        "idempotency_key": key,
        "agree": "1",
    }


async def wallet_orders(port: int, shop: dict[str, Any], **limits: Any) -> Result:
    """Orders paid from wallets, spread over goods, sites and customers."""
    sessions, variants = shop["sessions"], shop["variants"]
    clients, salt = int(limits.pop("clients")), random.randrange(10**12)

    async def step(connection: Connection, client: int, turn: int, result: Result) -> bool:
        host, _customer, token = sessions[(client + turn * clients) % len(sessions)]
        variant = variants[(client * 7 + turn) % len(variants)][1]
        request = post(
            host, "/checkout/", order_fields(variant, "wallet", f"{salt}-{client}-{turn}"), token
        )
        started = time.perf_counter()
        _count(result, *await connection.ask(request), started)
        return True

    return await run_clients(port, clients, step, **limits)


async def gateway_orders(port: int, shop: dict[str, Any], **limits: Any) -> Result:
    """Guest orders through the gateway: placed, signed callback, delivered."""
    hosts, variants = shop["hosts"], shop["variants"]
    clients, salt = int(limits.pop("clients")), random.randrange(10**12)

    async def step(connection: Connection, client: int, turn: int, result: Result) -> bool:
        host = hosts[(client + turn) % len(hosts)]
        variant = variants[(client * 7 + turn) % len(variants)][1]
        key = f"{salt}-{client}-{turn}"
        fields = order_fields(variant, str(shop["gateway_id"]), key, f"g{key}@example.com")
        started = time.perf_counter()
        status, body = await connection.ask(post(host, "/checkout/", fields))
        if status != 201:
            _count(result, status, body, started)
            return True
        placed = json.loads(body)
        callback = signed_callback(shop, placed["payment_no"], placed["total"])
        path = f"/notify/{shop['gateway_id']}/?{callback}"
        status, body = await connection.ask(get(host, path))
        if status == 200 and body != b"success":
            status = 500
        _count(result, status, body, started)
        return True

    return await run_clients(port, clients, step, **limits)


async def callbacks(port: int, shop: dict[str, Any], **limits: Any) -> Result:
    """Callbacks of placed orders at an even rate, whether or not the shop keeps up.

    A latency runs from the moment at which the callback was due until the answer that follows the
    commit; every `SAMPLED`th order is asked for at once and must be delivered by then.
    """
    rate, clients = int(limits["rate"]), int(limits["clients"])
    placed = await _place_for_callbacks(port, shop, count=rate * int(limits["seconds"]))
    connections = [Connection(port) for _ in range(clients)]
    await asyncio.gather(*(connection.open() for connection in connections))
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for connection in connections:
        free.put_nowait(connection)
    result, began = Result(), time.perf_counter() + 0.1

    async def tell(number: int, host: str, order: dict[str, Any]) -> None:
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        connection = await free.get()
        try:
            query = signed_callback(shop, order["payment_no"], order["total"])
            path = f"/notify/{shop['gateway_id']}/?{query}"
            status, body = await connection.ask(get(host, path))
            _count(result, status if body == b"success" else 500, body, due)
            if number % SAMPLED == 0:
                _, state = await connection.ask(get(host, _status_address(order)))
                if json.loads(state)["state"] != "delivered":
                    result.errors += 1
                    result.samples.append("confirmed, and not delivered")
        finally:
            free.put_nowait(connection)

    await asyncio.gather(*(tell(number, *each) for number, each in enumerate(placed)))
    result.seconds = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return result


async def _place_for_callbacks(
    port: int, shop: dict[str, Any], *, count: int
) -> list[tuple[str, dict[str, Any]]]:
    """Place so many unpaid orders; return each with its host."""
    hosts, variants, salt = shop["hosts"], shop["variants"], random.randrange(10**12)
    placed: list[tuple[str, dict[str, Any]]] = []

    async def step(connection: Connection, client: int, turn: int, result: Result) -> bool:
        number = client + turn * PLACERS
        if number >= count:
            return False
        host, variant = hosts[number % len(hosts)], variants[number % len(variants)][1]
        key = f"{salt}-c-{number}"
        fields = order_fields(variant, str(shop["gateway_id"]), key, f"g{key}@example.com")
        status, body = await connection.ask(post(host, "/checkout/", fields))
        if status != 201:
            raise ValueError(f"not placed: {status} {body[:200]!r}")
        placed.append((host, json.loads(body)))
        return True

    made = await run_clients(port, PLACERS, step)
    if made.errors:
        raise ValueError(made.samples[0])
    return placed


def _status_address(order: dict[str, Any]) -> str:
    token = str(order["url"]).partition("?")[2]
    return f"/pay/{order['order_no']}/status/?{token}"


def signed_callback(shop: dict[str, Any], payment_no: str, total: str) -> str:
    """Return the query of a callback, signed as 易支付 v1 does."""
    fields = {
        "money": total,
        "name": "bench",
        "out_trade_no": payment_no,
        "pid": shop["gateway_pid"],
        "trade_no": f"E{payment_no}",
        "trade_status": "TRADE_SUCCESS",
        "type": "alipay",
    }
    text = "&".join(f"{name}={value}" for name, value in sorted(fields.items()))
    sign = hashlib.md5((text + shop["gateway_key"]).encode()).hexdigest()
    return "&".join(f"{k}={quote(v)}" for k, v in fields.items()) + f"&sign={sign}&sign_type=MD5"


async def hot_orders(port: int, shop: dict[str, Any], variant: int, buyers: int) -> Result:
    """Everyone wants the same product at the same moment, each once."""
    sessions = shop["sessions"]
    salt = random.randrange(10**12)

    async def step(connection: Connection, client: int, turn: int, result: Result) -> bool:
        host, _customer, token = sessions[client % len(sessions)]
        request = post(
            host, "/checkout/", order_fields(variant, "wallet", f"h{salt}-{client}-{turn}"), token
        )
        started = time.perf_counter()
        _count(result, *await connection.ask(request), started)
        return True

    return await run_clients(port, buyers, step, turns=1)


async def pages(port: int, shop: dict[str, Any], kind: str, **limits: Any) -> Result:
    """Storefront pages, as guests see them."""
    hosts, variants = shop["hosts"], shop["variants"]

    async def step(connection: Connection, client: int, turn: int, result: Result) -> bool:
        host = hosts[(client + turn) % len(hosts)]
        product = variants[(client * 7 + turn) % len(variants)][0]
        path = "/" if kind == "home" else f"/p/{product}/"
        started = time.perf_counter()
        _count(result, *await connection.ask(get(host, path)), started)
        return True

    return await run_clients(port, int(limits.pop("clients")), step, **limits)


def main() -> None:
    """Run one load described by JSON on standard input; print its result as JSON."""
    import sys

    wanted = json.load(sys.stdin)
    kind, port, shop, limits = wanted["kind"], wanted["port"], wanted["shop"], wanted["limits"]
    if kind == "wallet":
        result = uvloop.run(wallet_orders(port, shop, **limits))
    elif kind == "gateway":
        result = uvloop.run(gateway_orders(port, shop, **limits))
    elif kind == "callback":
        result = uvloop.run(callbacks(port, shop, **limits))
    elif kind == "hot":
        result = uvloop.run(hot_orders(port, shop, limits["variant"], limits["buyers"]))
    else:
        result = uvloop.run(pages(port, shop, kind, **limits))
    json.dump(result.to_json(), sys.stdout)


if __name__ == "__main__":
    main()
