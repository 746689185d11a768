"""Ports for programs that tests start: chosen now, bound a moment later by somebody else.

They lie below those that Linux gives to calls going out and to port 0, or one of these would now
and then be the chosen one; each call gets ports of its own, and each process begins elsewhere.
"""

import contextlib
import os
import socket

_FIRST, _STEP, _STEPS = 12_000, 10, 2_000
# Processes of one session have neighbouring numbers: this spreads them.
_next = [os.getpid() * 7_919 % _STEPS]


def free_port(*, in_a_row: int = 1) -> int:
    """Return the first of so many ports in a row (at most ten) that nobody uses."""
    for _attempt in range(_STEPS):
        port = _FIRST + _next[0] * _STEP
        _next[0] = (_next[0] + 1) % _STEPS
        with contextlib.ExitStack() as held:
            try:
                for number in range(port, port + in_a_row):
                    probe = held.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", number))
            except OSError:
                continue
            return port
    raise RuntimeError(f"no {in_a_row} free ports in a row")
