"""Sends callbacks as the real gateways do: until the shop says `success`, on their calendars.

Owns the retry calendars and one thread that finds what is due. Sends to this machine only, unless
told otherwise: a demo must not call strangers.
"""

import http.client
import ipaddress
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit

from kameng_simulator.store import Notice, Payment, Store

# Seconds from one attempt to the next. Alipay documents 8 sends in 25 hours.
CALENDARS = {
    "epay": (5, 15, 30, 60, 180, 600, 1800),
    "alipay": (240, 600, 600, 3600, 7200, 21600, 54000),
}
SEND_SECONDS = 10
LEASE_SECONDS = 60
REPLY_BYTES = 4096


class Courier:
    """The thread that sends what is due."""

    def __init__(
        self,
        store: Store,
        *,
        speed: float,
        any_host: bool,
        pay_late: Callable[[Payment], None],
    ) -> None:
        self._store = store
        self._speed = speed
        self._any_host = any_host
        self._pay_late = pay_late
        self._wake = threading.Event()
        self._stopped = False
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="callback")
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking for work; what is on its way may finish later from the store."""
        self._stopped = True
        self._wake.set()
        self._thread.join(timeout=2)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def wake(self) -> None:
        """Look for due callbacks now."""
        self._wake.set()

    def _run(self) -> None:
        while not self._stopped:
            for payment in self._store.list_due_payments():
                self._pay_late(payment)
            notices = self._store.claim_notices(limit=50, lease_seconds=LEASE_SECONDS)
            for notice in notices:
                self._pool.submit(self._deliver, notice)
            if not notices:
                self._wake.wait(0.2)
                self._wake.clear()

    def _deliver(self, notice: Notice) -> None:
        try:
            status, reply = self._send(notice)
        except (OSError, http.client.HTTPException, ValueError) as problem:
            status, reply = 0, f"{type(problem).__name__}: {problem}"[:200]
        done = status == 200 and reply.strip() == "success"
        calendar = CALENDARS[notice.gateway]
        is_last = notice.attempt_count >= len(calendar)
        wait = None if done or is_last else calendar[notice.attempt_count] / self._speed
        if self._stopped:
            return
        self._store.record_attempt(
            notice,
            status=status,
            reply=reply,
            next_at=None if wait is None else time.time() + wait,
            done=done,
        )

    def _send(self, notice: Notice) -> tuple[int, str]:
        target = urlsplit(notice.notify_url)
        host = target.hostname or ""
        is_local = is_loopback(host)
        if not is_local and not self._any_host:
            raise ValueError(f"{host} 不在本机，模拟器不发送（可用 --any-callback-host 放开）")
        is_secure = target.scheme == "https"
        kind = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
        address = "127.0.0.1" if is_local and "localhost" in host else host
        connection = kind(address, target.port or (443 if is_secure else 80), timeout=SEND_SECONDS)
        data = urlencode(notice.fields)
        path = target.path or "/"
        query = target.query
        headers = {"Host": target.netloc.rpartition("@")[2], "User-Agent": "Mozilla/4.0"}
        try:
            if notice.gateway == "epay":
                query = f"{query}&{data}" if query else data
                connection.request("GET", f"{path}?{query}", headers=headers)
            else:
                headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
                path = f"{path}?{query}" if query else path
                connection.request("POST", path, body=data.encode(), headers=headers)
            reply = connection.getresponse()
            return reply.status, reply.read(REPLY_BYTES).decode(errors="replace")[:200]
        finally:
            connection.close()


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
