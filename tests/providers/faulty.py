"""A server on loopback that answers in every wrong way a gateway or an attacker might."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

FAULTS = (
    "hang",
    "dribble",
    "dribble_head",
    "reset",
    "close",
    "garbage",
    "empty",
    "deep",
    "huge",
    "endless",
    "gzip",
    "error",
    "redirect",
    "no_http",
    "array",
    "nan",
)
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def _whole(body: bytes, *, head: bytes = _HEAD) -> bytes:
    return head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body


_REPLIES = {
    "close": b"",
    "garbage": _whole("<html>系统繁忙</html>".encode()),
    "empty": _whole(b""),
    "deep": _whole(b"[" * 60_000),
    "huge": _whole(b'{"code":1,"msg":"' + b"x" * 3_000_000 + b'"}'),
    "gzip": _whole(b"\x1f\x8b" + b"0" * 50, head=_HEAD + b"Content-Encoding: gzip\r\n"),
    "error": b'HTTP/1.1 500 Oops\r\nContent-Length: 10\r\n\r\n{"code":1}',
    "redirect": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    "no_http": b"220 mail.example.com ESMTP\r\n",
    "array": _whole(b'[{"code":1}]'),
    "nan": _whole(b'{"code":NaN}'),
}


def _answer(connection: socket.socket, fault: str, stop: threading.Event) -> None:
    with connection:
        connection.settimeout(60)
        try:
            connection.recv(65_536)
            if fault == "hang":
                stop.wait(60)
            elif fault == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif fault in ("dribble", "dribble_head"):
                start = (
                    _HEAD + b"Content-Length: 500\r\n\r\n" if fault == "dribble" else b"HTTP/1.1 "
                )
                connection.sendall(start)
                while not stop.wait(0.05):
                    connection.sendall(b"2")
            elif fault == "endless":
                connection.sendall(_HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
                while not stop.is_set():
                    connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
            else:
                connection.sendall(_REPLIES[fault])
        except OSError:
            # The client gave up, which is what the tests want.
            time.sleep(0)


@contextmanager
def faulty_server(fault: str) -> Iterator[int]:
    """Serve one fault and give the port."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_answer, args=(connection, fault, stop), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
