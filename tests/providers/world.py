"""A simulator and a shop's callback address, both on loopback, and how to act on them."""

import dataclasses
import json
import pathlib
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from kameng.payments.providers.port import CallbackRequest
from kameng_simulator.app import Simulator
from kameng_simulator.store import Notice

PATIENCE_SECONDS = 60  # a busy machine is slow, not wrong


@dataclass
class Shop:
    """Takes callbacks: keeps each one and answers as told, when it `may_answer`."""

    url: str
    may_answer: threading.Event = field(default_factory=threading.Event)
    callbacks: list[CallbackRequest] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def wait_for(self, count: int, *, seconds: float = PATIENCE_SECONDS) -> list[CallbackRequest]:
        wait_until(lambda: len(self.callbacks) >= count, seconds=seconds)
        return self.callbacks[:]


def wait_until(holds: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


@contextmanager
def open_shop() -> Iterator[Shop]:
    shop = Shop(url="")
    shop.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._take()

        def do_POST(self) -> None:
            self._take()

        def log_message(self, *_: object) -> None:
            pass

        def _take(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            callback = CallbackRequest(
                method=self.command,
                query=urlsplit(self.path).query.encode(),
                body=self.rfile.read(length),
                headers=dict(self.headers.items()),
            )
            answer = shop.answers.pop(0) if shop.answers else b"success"
            status = shop.statuses.pop(0) if shop.statuses else 200
            shop.callbacks.append(callback)
            shop.may_answer.wait(timeout=PATIENCE_SECONDS)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    shop.url = f"http://lin.localhost:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield shop
    finally:
        shop.may_answer.set()
        server.shutdown()
        server.server_close()


@dataclass(frozen=True)
class World:
    """A running simulator under its address."""

    simulator: Simulator
    url: str

    def credentials(self, kind: str) -> dict[str, str]:
        return dict(self._get("/credentials")[kind])

    def pay(self, number: str, mode: str, **more: object) -> dict[str, Any]:
        return dict(self._post("/control/pay", {"out_trade_no": number, "mode": mode, **more}))

    def break_call(self, kind: str, fault: str, *, after: int = 0) -> None:
        self._post("/control/fault", {"gateway": kind, "fault": fault, "after": after})

    def listen(self, account: str, address: str) -> None:
        """Set where Stripe sends its events, as its dashboard does."""
        key = self.credentials(account)["secret_key"]
        request = urllib.request.Request(
            f"{self.url}/v1/webhook_endpoints",
            data=urlencode({"url": address}).encode(),
            headers={"Authorization": f"Bearer {key}"},
        )
        urllib.request.urlopen(request, timeout=PATIENCE_SECONDS).close()

    def dispute(self, number: str, *, status: str) -> None:
        self._post("/control/dispute", {"out_trade_no": number, "status": status})

    def rotate(self, account: str) -> str:
        return str(self._post("/control/rotate", {"gateway": account})["told"])

    def state(self, number: str) -> dict[str, Any]:
        return dict(self._get(f"/control/state?out_trade_no={quote(number)}")["payments"][0])

    def words(self, kind: str, number: str, **changes: Any) -> CallbackRequest:
        """Return what the gateway sends of a payment that was made; with its key, any words."""
        found = self.simulator.store.find_payment(kind, number)
        assert found is not None
        paid_fen = found.paid_fen or found.amount_fen
        paid = dataclasses.replace(found, state="paid", paid_fen=paid_fen, **changes)
        peer = self.simulator.peers[kind]
        facts = peer.tell_paid(paid)
        notice = Notice(
            id=0, payment_id=paid.id, gateway=kind, notify_url="", fields=facts, attempt_count=0
        )
        sent = peer.pack(notice)
        return CallbackRequest(
            method=sent.method, query=sent.query.encode(), body=sent.body, headers=sent.headers
        )

    def browse(self, address: str, *, fields: Mapping[str, str] | None = None) -> str:
        """Open an address, or post a form to it."""
        data = urlencode(fields).encode() if fields else None
        with urllib.request.urlopen(address, data=data, timeout=PATIENCE_SECONDS) as reply:
            text: str = reply.read().decode()
        return text

    def post_bridge(self, fields: Mapping[str, str]) -> str:
        """Hand over what a page inside WeChat gives to its bridge; return the answer."""
        data = json.dumps(dict(fields)).encode()
        request = urllib.request.Request(f"{self.url}/wechat/receive", data=data)
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as reply:
            text: str = reply.read().decode()
        return text

    def _get(self, path: str) -> Any:
        return json.loads(self.browse(self.url + path))

    def _post(self, path: str, data: object) -> Any:
        body = json.dumps(data).encode()
        with urllib.request.urlopen(self.url + path, data=body, timeout=PATIENCE_SECONDS) as reply:
            return json.loads(reply.read())


@contextmanager
def open_world(home: pathlib.Path, *, speed: float = 1000) -> Iterator[World]:
    simulator = Simulator(home, speed=speed)
    port = simulator.start(port=0, smtp_port=None)
    try:
        yield World(simulator=simulator, url=f"http://127.0.0.1:{port}")
    finally:
        simulator.stop()
