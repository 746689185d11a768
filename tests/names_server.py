"""A small real domain name server on loopback: answers from a zone that a test changes."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = dict[tuple[str, str], list[str]]  # (name, type) to values
CHAIN_MOST = 8


class NamesServer:
    """Speaks DNS over UDP. `zone` may be changed while it runs; `is_silent` answers nothing.

    With a file the zone is read from it at each question, so that another process can change it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.zone: Zone = {}
        self.is_silent = False
        self.asked: list[tuple[str, str]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True, name="names")

    @property
    def address(self) -> str:
        """Return where it is asked, as the settings name it."""
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def set(self, name: str, kind: str, *values: str) -> None:
        """Let a name have these values of a type; none: no such record."""
        if values:
            self.zone[name, kind] = list(values)
        else:
            self.zone.pop((name, kind), None)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                data, peer = self._socket.recvfrom(4096)
            except OSError:
                return
            if self.is_silent:
                continue
            self._socket.sendto(self._answer(dns.message.from_wire(data)).to_wire(), peer)

    def _answer(self, query: dns.message.Message) -> dns.message.Message:
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA | dns.flags.AA
        if self.path is not None:
            self.zone = read_zone(self.path)
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        name = question.name.to_text().rstrip(".").lower()
        self.asked.append((name, kind))
        for _ in range(CHAIN_MOST):
            target = self.zone.get((name, "CNAME"))
            if target is None or kind == "CNAME":
                break
            reply.answer.append(_rrset(name, "CNAME", target))
            name = target[0].rstrip(".").lower()
        values = self.zone.get((name, kind), [])
        if values:
            reply.answer.append(_rrset(name, kind, values))
        elif not self._is_there(name):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        return reply

    def _is_there(self, name: str) -> bool:
        return any(known == name or known.endswith(f".{name}") for known, _ in self.zone)


def _rrset(name: str, kind: str, values: list[str]) -> dns.rrset.RRset:
    texts = [f'"{value}"' if kind == "TXT" else _dotted(value, kind) for value in values]
    return dns.rrset.from_text(dns.name.from_text(name), 60, "IN", kind, *texts)


def _dotted(value: str, kind: str) -> str:
    return f"{value.rstrip('.')}." if kind in {"CNAME", "NS"} else value


def read_zone(path: Path) -> Zone:
    """Return the zone that stands in a file; an empty one without it."""
    if not path.exists():
        return {}
    kept: dict[str, list[str]] = json.loads(path.read_text())
    return {(key.split()[0], key.split()[1]): values for key, values in kept.items()}


def write_record(path: Path, name: str, kind: str, *values: str) -> None:
    """Let a name have these values of a type in the zone of a file; none: no such record."""
    zone = read_zone(path)
    zone.pop((name, kind), None)
    if values:
        zone[name, kind] = list(values)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps({" ".join(key): values for key, values in zone.items()}))
    draft.replace(path)


@contextmanager
def names_server(path: Path | None = None) -> Iterator[NamesServer]:
    """Run a server for the block."""
    server = NamesServer(path)
    server.start()
    try:
        yield server
    finally:
        server.stop()
