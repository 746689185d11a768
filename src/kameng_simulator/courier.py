"""Sends callbacks as the real platforms do: until the shop says that it heard, on their calendars.

Owns one thread that finds what is due, and how fast time goes. Sends to this machine only, unless
told otherwise: a demo must not call strangers.
"""

import base64
import http.client
import ipaddress
import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from kameng_simulator.peers import Outgoing, Peer, Twist
from kameng_simulator.store import Notice, Payment, Store

SEND_SECONDS = 10
LEASE_SECONDS = 60
REPLY_BYTES = 4096
# A callback that is somebody's trick is sent once: nobody repeats it on a calendar.
SENT_ONCE = frozenset(Twist) - {Twist.NONE}


@dataclass(slots=True)
class Clockwork:
    """How many seconds of the platforms' calendars pass in one of ours; changed while running."""

    speed: float = 1.0


class Courier:
    """The thread that sends what is due."""

    def __init__(
        self,
        store: Store,
        *,
        peers: Mapping[str, Peer],
        clockwork: Clockwork,
        any_host: bool,
        pay_late: Callable[[Payment], None],
    ) -> None:
        self._store = store
        self._peers = peers
        self._clockwork = clockwork
        self._any_host = any_host
        self._pay_late = pay_late
        # The first that is being sent of each payment, with the number of its notice: a replay may
        # be asked for before the shop has answered.
        self._on_the_way: dict[int, tuple[int, str]] = {}
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
        peer, packed = self._peers[notice.gateway], ""
        try:
            outgoing = self._pack(notice)
            packed = _freeze(outgoing)
            if notice.twist == Twist.NONE:
                self._on_the_way.setdefault(notice.payment_id, (notice.id, packed))
            status, reply = self._send(notice, outgoing)
        except (OSError, http.client.HTTPException, ValueError) as problem:
            status, reply = 0, f"{type(problem).__name__}: {problem}"[:200]
        done = peer.is_heard(status, reply)
        is_last = notice.attempt_count >= len(peer.calendar) or notice.twist in SENT_ONCE
        wait = None
        if not done and not is_last:
            wait = peer.calendar[notice.attempt_count] / self._clockwork.speed
        if self._stopped:
            return
        self._store.record_attempt(
            notice,
            status=status,
            reply=reply,
            next_at=None if wait is None else time.time() + wait,
            done=done,
            packed=packed,
        )
        if self._on_the_way.get(notice.payment_id, (0, ""))[0] == notice.id:  # not another's
            self._on_the_way.pop(notice.payment_id, None)

    def _pack(self, notice: Notice) -> Outgoing:
        if notice.twist == Twist.REPLAYED:
            # In this order: bytes leave `_on_the_way` only after the store has them.
            _, sending = self._on_the_way.get(notice.payment_id, (0, ""))
            packed = self._store.find_packed(notice.payment_id) or sending
            if not packed:
                raise ValueError("还没有发过通知，没有可以重放的")
            return _thaw(packed)
        return self._peers[notice.gateway].pack(notice)

    def _send(self, notice: Notice, outgoing: Outgoing) -> tuple[int, str]:
        target = urlsplit(notice.notify_url)
        host = target.hostname or ""
        is_local = is_loopback(host)
        if not is_local and not self._any_host:
            raise ValueError(f"{host} 不在本机，模拟器不发送（可用 --any-callback-host 放开）")
        is_secure = target.scheme == "https"
        kind = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
        address = "127.0.0.1" if is_local and "localhost" in host else host
        connection = kind(address, target.port or (443 if is_secure else 80), timeout=SEND_SECONDS)
        query = "&".join(part for part in (target.query, outgoing.query) if part)
        path = (target.path or "/") + (f"?{query}" if query else "")
        headers = {
            "Host": target.netloc.rpartition("@")[2],
            "User-Agent": "Mozilla/4.0",
            **outgoing.headers,
        }
        try:
            body = outgoing.body if outgoing.method == "POST" else None
            connection.request(outgoing.method, path, body=body, headers=headers)
            reply = connection.getresponse()
            return reply.status, reply.read(REPLY_BYTES).decode(errors="replace")[:200]
        finally:
            connection.close()


def _freeze(outgoing: Outgoing) -> str:
    return json.dumps(
        {
            **asdict(outgoing),
            "headers": dict(outgoing.headers),
            "body": base64.b64encode(outgoing.body).decode(),
        }
    )


def _thaw(packed: str) -> Outgoing:
    values = json.loads(packed)
    return Outgoing(**{**values, "body": base64.b64decode(values["body"])})


def is_loopback(host: str) -> bool:
    """Say whether a host is this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
