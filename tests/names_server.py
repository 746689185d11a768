"""A small real domain name server on loopback: answers from a zone that a test changes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = dict[tuple[str, str], list[str]]  # (name, type) to values
CHAIN_MOST = 8


class NamesServer:
    """Speaks DNS over UDP. `zone` may be changed while it runs; `is_silent` answers nothing."""

    def __init__(self) -> None:
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
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        name = question.name.to_text().rstrip(".").lower()
        self.asked.append((name, kind))
        for _ in range(CHAIN_MOST):
            target = self.zone.get((name, "CNAME"))
            if target is None or kind == "CNAME":
                break
            reply.answer.append(_rrset(name, "CNAME", target))
            name = target[0].rstrip(".")
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


@contextmanager
def names_server() -> Iterator[NamesServer]:
    """Run a server for the block."""
    server = NamesServer()
    server.start()
    try:
        yield server
    finally:
        server.stop()
