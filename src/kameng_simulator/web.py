"""The simulator's HTTP server: the standard library's, with bounds.

Owns reading a request and writing a reply; knows no gateway. A body is at most 64 KiB, a request
takes at most 15 s to arrive.
"""

import json
import re
import socket
import struct
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

MAX_BODY_BYTES = 64 * 1024
DRIBBLE_STEPS = 20
_HOST = re.compile(r"[A-Za-z0-9.-]{1,100}(:[0-9]{1,5})?|\[::1\](:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request with its query and form read."""

    method: str
    path: str
    query: dict[str, str]
    body: bytes
    host: str
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    target: str = ""  # path and query as they came, for signatures that cover them

    @property
    def base_url(self) -> str:
        """The address under which the caller reached us."""
        return f"http://{self.host}"

    def read_form(self) -> dict[str, str]:
        """Return the form of a POST; raise ValueError if it is none."""
        return _read_pairs(self.body.decode("utf-8"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A reply; `drop` breaks the connection instead, as gateways sometimes do.

    `dribble_seconds` is how long the body takes, a few bytes at a time.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    dribble_seconds: float = 0.0


def reply_json(data: object, *, status: int = 200) -> Reply:
    """Return data as JSON."""
    body = json.dumps(data, ensure_ascii=False).encode()
    return Reply(status=status, body=body, content_type="application/json; charset=utf-8")


def redirect(address: str, *, status: int = 302) -> Reply:
    """Return a redirect."""
    return Reply(status=status, headers={"Location": address})


def _read_pairs(text: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100)
    return dict(pairs)


def make_server(
    address: tuple[str, int], answer: Callable[[Request], Reply]
) -> ThreadingHTTPServer:
    """Return a server that gives every request to `answer`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version = "KamengSimulator"
        timeout = 15
        # One segment per reply: otherwise Nagle and delayed acknowledgements cost 40 ms a call.
        wbufsize = 64 * 1024
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._serve()

        do_POST = do_PUT = do_DELETE = do_GET

        def log_message(self, format: str, *args: object) -> None:
            """Stay silent: addresses of the API hold keys."""

        def _serve(self) -> None:
            reply = _answer(self, answer)
            if reply.drop:
                # SO_LINGER of zero sends RST, which is what a dying gateway looks like.
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.close_connection = True
                return
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
            self.send_header("Cache-Control", "no-store")
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                if reply.dribble_seconds:
                    self._dribble(reply)
                else:
                    self.wfile.write(reply.body)
                self.wfile.flush()
            except ConnectionError:
                self.close_connection = True

        def _dribble(self, reply: Reply) -> None:
            step = max(1, len(reply.body) // DRIBBLE_STEPS)
            for start in range(0, len(reply.body), step):
                self.wfile.write(reply.body[start : start + step])
                self.wfile.flush()
                time.sleep(reply.dribble_seconds / DRIBBLE_STEPS)

    server = ThreadingHTTPServer(address, Handler, bind_and_activate=False)
    server.daemon_threads = True
    server.request_queue_size = 128
    server.allow_reuse_address = True
    server.server_bind()
    server.server_activate()
    return server


def _answer(handler: BaseHTTPRequestHandler, answer: Callable[[Request], Reply]) -> Reply:
    try:
        length = int(handler.headers.get("Content-Length") or 0)
    except ValueError:
        length = -1
    if not 0 <= length <= MAX_BODY_BYTES:
        handler.close_connection = True
        return reply_json({"error": "body too large"}, status=413)
    try:
        body = handler.rfile.read(length) if length else b""
        target = urlsplit(handler.path)
        host = handler.headers.get("Host", "")
        request = Request(
            method=handler.command,
            path=target.path,
            query=_read_pairs(target.query),
            body=body,
            host=host if _HOST.fullmatch(host) else "127.0.0.1",
            headers={name.lower(): value for name, value in handler.headers.items()},
            target=handler.path,
        )
        return answer(request)
    except ValueError:
        return reply_json({"error": "malformed request"}, status=400)
    except Exception:
        traceback.print_exc()
        return reply_json({"error": "simulator failure"}, status=500)
