"""Buyers who do not give up: each wish is sent again, blind, with the same key until answered.

What was answered is written to a file outside the system, each line forced to disk before the next
wish, as a buyer who keeps the receipt.
"""

import http.client
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from bench.client import CSRF, signed_callback

TIMEOUT_SECONDS = 15.0
PATIENCE_SECONDS = 150.0


class Impatient(RuntimeError):
    """A wish was not answered for so long that the system counts as down."""


@dataclass
class Receipts:
    """The log of what was acknowledged; one JSON object a line, forced to disk."""

    path: Path
    lock: threading.Lock = field(default_factory=threading.Lock)
    count: int = 0

    def __post_init__(self) -> None:
        self._file = self.path.open("ab", buffering=0)

    def keep(self, **receipt: Any) -> None:
        """Write one receipt and force it to disk."""
        line = json.dumps(receipt).encode() + b"\n"
        with self.lock:
            self._file.write(line)
            os.fsync(self._file.fileno())
            self.count += 1

    def read(self) -> list[dict[str, Any]]:
        """Return every receipt."""
        return [json.loads(line) for line in self.path.read_bytes().splitlines()]


@dataclass
class Buyer:
    """One client thread's connection, and how often it had to ask again."""

    port: int
    shop: dict[str, Any]
    receipts: Receipts
    retries: int = 0
    connection: http.client.HTTPConnection | None = None

    def buy_by_wallet(self, number: int) -> None:
        """Order one piece from the wallet of a customer."""
        sessions = self.shop["sessions"]
        host, customer, token = sessions[number % len(sessions)]
        key = str(uuid.uuid4())
        fields = self._wish(number, pay="wallet", key=key)
        placed, first, last = self._insist(lambda: self._order(host, fields, token=token))
        self.receipts.keep(
            kind="wallet", key=key, customer=customer, first=first, last=last, **placed
        )

    def buy_by_gateway(self, number: int) -> None:
        """Order one piece as a guest, and let the gateway say that it was paid."""
        hosts = self.shop["hosts"]
        host = hosts[number % len(hosts)]
        key = str(uuid.uuid4())
        fields = self._wish(number, pay=str(self.shop["gateway_id"]), key=key)
        fields["contact"] = f"guest{number}-{key[:8]}@example.com"
        placed, first, last = self._insist(lambda: self._order(host, fields))
        self.receipts.keep(kind="open", key=key, first=first, last=last, **placed)
        query = signed_callback(self.shop, placed["payment_no"], placed["total"])
        path = f"/notify/{self.shop['gateway_id']}/?{query}"
        self._insist(lambda: self._notify(host, path))
        self.receipts.keep(kind="paid", order_no=placed["order_no"])

    def _wish(self, number: int, *, pay: str, key: str) -> dict[str, str]:
        variants = self.shop["variants"]
        _product, variant = variants[number % len(variants)]
        return {
            "variant": str(variant),
            "quantity": "1",
            "pay": pay,
            "idempotency_key": key,
            "agree": "1",
            "csrfmiddlewaretoken": CSRF,
        }

    def _insist(self, ask: Callable[[], Any]) -> tuple[Any, float, float]:
        """Ask until there is an answer; return it with the time of the first and last try."""
        first = last = time.time()
        while True:
            try:
                answer = ask()
            except (OSError, http.client.HTTPException):
                self._hang_up()
                answer = None
            if answer is not None:
                return answer, first, last
            if time.time() > first + PATIENCE_SECONDS:
                raise Impatient
            self.retries += 1
            time.sleep(0.1)
            last = time.time()

    def _order(self, host: str, fields: dict[str, str], *, token: str = "") -> Any:
        cookies = f"kameng_csrf={CSRF}" + (f"; kameng_session={token}" if token else "")
        status, body = self._ask(
            "POST",
            "/checkout/",
            body=urlencode(fields),
            headers={
                "Host": host,
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
                "Cookie": cookies,
            },
        )
        if status == 201:
            return json.loads(body)
        # Only "come back later" may be answered while things are being killed: never a refusal.
        assert status in {500, 502, 503, 504}, (status, body[:500])
        return None

    def _notify(self, host: str, path: str) -> Any:
        status, body = self._ask("GET", path, headers={"Host": host})
        assert status in {200, 500, 502, 503, 504}, (status, body[:500])
        return body if (status, body) == (200, b"success") else None

    def _ask(self, method: str, path: str, **rest: Any) -> tuple[int, bytes]:
        if self.connection is None:
            self.connection = http.client.HTTPConnection(
                "127.0.0.1", self.port, timeout=TIMEOUT_SECONDS
            )
        self.connection.request(method, path, **rest)
        reply = self.connection.getresponse()
        body = reply.read()
        if reply.status >= 500 or reply.will_close:
            self._hang_up()
        return reply.status, body

    def _hang_up(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None


def send_and_vanish(port: int, request: bytes) -> None:
    """Send a whole request and go before the answer, as a phone in a tunnel."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(request)
        line.shutdown(socket.SHUT_WR)
        time.sleep(0.5)
