"""Processes as the kernel tells of them: who lives, who is whose, who ends with whom.

A process id alone proves nothing (it may be a zombie, or used again by a stranger), so every
question is answered from /proc with a second fact. Linux only; the caller says so where that
matters.
"""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kameng.config.launch.failure import LaunchFailed

PR_SET_PDEATHSIG = 1
POLL_SECONDS = 0.02

Pause = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessFacts:
    """One line of /proc/<pid>/stat: enough to tell a live process from a corpse."""

    pid: int
    program: str
    state: str
    group: int

    @property
    def is_alive(self) -> bool:
        """A zombie is dead: it only waits for its parent to take note."""
        return self.state not in {"Z", "X", "x"}


def read_process(pid: int) -> ProcessFacts | None:
    """Return what the kernel says of `pid`, or None when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The program's name stands in brackets and may itself hold brackets and spaces.
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    return ProcessFacts(
        pid=pid, program=head.partition("(")[2], state=fields[0], group=int(fields[2])
    )


def working_folder(pid: int) -> Path | None:
    """Return the working folder of `pid`, or None when it is gone or belongs to someone else."""
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd"))
    except OSError:
        return None


def list_pids() -> Iterator[int]:
    """Yield every process id that exists now."""
    for name in os.listdir("/proc"):
        if name.isdigit():
            yield int(name)


def list_marked(variable: str, value: str) -> list[int]:
    """Return the live processes (not this one) that were started with `variable=value`."""
    wanted = os.fsencode(f"{variable}={value}")
    found = []
    for pid in list_pids():
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        facts = read_process(pid)
        if wanted in environment and pid != os.getpid() and facts and facts.is_alive:
            found.append(pid)
    return found


def die_with_parent(parting: signal.Signals) -> Callable[[], None]:
    """Return a function for `Popen(preexec_fn=…)`: the child gets `parting` when its parent ends.

    The kernel watches the *thread* that starts the child: call from one that lives as long as the
    program, in practice the main thread.
    """
    parent = os.getpid()
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def bind() -> None:
        prctl(PR_SET_PDEATHSIG, int(parting), 0, 0, 0)
        if os.getppid() != parent:  # it died between the fork and the line above
            os._exit(0)

    return bind


def send(pid: int, number: signal.Signals) -> bool:
    """Send a signal; return False when the process is gone already."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError as fault:
        raise LaunchFailed(
            f"Process {pid} belongs to another user and cannot be stopped.",
            remedy="Run the command as that user or as root.",
        ) from fault
    return True


def wait_until(condition: Callable[[], bool], *, seconds: float, pause: Pause = time.sleep) -> bool:
    """Wait at most `seconds` for the condition; return whether it came true."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= end:
            return False
        pause(POLL_SECONDS)
    return True


def end_processes(pids: list[int], *, grace_seconds: float, pause: Pause = time.sleep) -> None:
    """Ask the processes to end, and end those that have not after `grace_seconds`."""

    def all_gone() -> bool:
        facts = [read_process(pid) for pid in pids]
        return not any(one and one.is_alive for one in facts)

    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in pids:
            send(pid, number)
        if wait_until(all_gone, seconds=grace_seconds, pause=pause):
            return
