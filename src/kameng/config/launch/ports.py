"""Ports as the kernel tells of them: may this program listen there, and who does so already.

Who holds a port is read from /proc, for people to act on: where that shows nothing (another
user's program, another system), nobody is named.
"""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from kameng.config.launch.failure import LaunchFailed
from kameng.config.launch.processes import ProcessFacts, list_pids, read_process

LISTENING = "0A"  # of /proc/net/tcp


def find_port_fault(host: str, port: int) -> LaunchFailed | None:
    """Return why the address cannot be listened at, None when it can."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except socket.gaierror:
        return LaunchFailed(
            f"KAMENG_HOST is {host!r}, which is no address.", remedy="Set it to 127.0.0.1."
        )
    except OSError as fault:
        if fault.errno == errno.EADDRINUSE:
            return port_taken(port)
        if fault.errno == errno.EACCES:
            return LaunchFailed(
                f"Port {port} may only be used by root.",
                remedy="Set KAMENG_PORT to a port above 1023.",
            )
        return LaunchFailed(
            f"This machine has no address {host} to listen at ({fault.strerror}).",
            remedy="Set KAMENG_HOST to 127.0.0.1, or to 0.0.0.0 for all addresses.",
        )
    return None


def port_taken(port: int) -> LaunchFailed:
    """Return the refusal for a port that somebody else listens at, named where it is known."""
    holder = next(find_holders(port), None)
    who = f"{holder.program} (process {holder.pid})" if holder else "another program"
    return LaunchFailed(
        f"Port {port} is in use by {who}.",
        remedy="Stop that one, or set KAMENG_PORT to another port"
        " (Kameng also uses the two ports after it for the demo).",
    )


def find_holders(port: int) -> Iterator[ProcessFacts]:
    """Yield the processes that listen at a port of this machine, as far as they can be seen."""
    wanted = {f"socket:[{inode}]" for inode in _list_sockets(port)}
    for pid in list_pids() if wanted else ():
        try:
            with os.scandir(f"/proc/{pid}/fd") as opened:
                holds = any(os.readlink(each.path) in wanted for each in opened)
        except OSError:  # it is gone, or another user's
            continue
        facts = read_process(pid)
        if holds and facts is not None:
            yield facts


def _list_sockets(port: int) -> Iterator[str]:
    for name in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]
