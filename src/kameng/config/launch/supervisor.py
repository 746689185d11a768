"""The supervisor: keeps the database, the web server, the worker and the simulator running.

One thread, one loop. A child that dies is started again, after 0.2 s at first and 5 s at most;
the database too. All children end with the supervisor, also when it is killed; what it leaves
behind the next one ends.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kameng.config.launch.failure import LaunchFailed
from kameng.config.launch.home import Home, write_whole
from kameng.config.launch.logs import open_log, rotate, tail
from kameng.config.launch.options import Options
from kameng.config.launch.ports import find_holders, find_port_fault, port_taken
from kameng.config.launch.postgres import Server, ensure_server
from kameng.config.launch.processes import die_with_parent
from kameng.config.launch.report import Report
from kameng.config.launch.signals import Signals

FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 5.0
STEADY_SECONDS = 3.0
GRACE_SECONDS = 15.0
READY_SECONDS = 120.0
TICK_SECONDS = 0.5
ROTATE_SECONDS = 5.0
HOPELESS_DEATHS = 3
PROBE_SECONDS = 5.0
PROBE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@dataclass(slots=True, kw_only=True)
class Child:
    """One program that shall run, and how it has fared."""

    name: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    delay_seconds: float = FIRST_DELAY_SECONDS
    early_death_count: int = 0


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """Everything that runs for one home; use it inside `Signals`."""

    home: Home
    options: Options
    environment: Mapping[str, str]
    children: list[Child]
    signals: Signals
    report: Report
    server: Server | None = None
    fading: dict[int, float] = field(default_factory=dict)
    rotated_at: float = 0.0
    server_again_at: float = 0.0

    def start(self) -> None:
        """Start every child, and return when the web server answers.

        Raises `LaunchFailed` when a child cannot live, or when somebody else answers at its port.
        """
        for child in self.children:
            self._start(child)
        end = time.monotonic() + READY_SECONDS
        while not self.is_answering():
            self.tend()
            for child in self.children:
                if child.early_death_count >= HOPELESS_DEATHS:
                    self._give_up(child)
            if time.monotonic() > end:
                raise LaunchFailed(
                    f"The web server has not answered for {READY_SECONDS:.0f} s.",
                    remedy=f"The reason should stand in {self.home.log('web')}.",
                )
            self.signals.pause(0.1)
        self._require_own_port()

    def _require_own_port(self) -> None:
        """Refuse when a stranger gave the answer: our own server would be restarted for ever."""
        groups = {child.process.pid for child in self.children if child.process}
        holders = list(find_holders(self.options.port))
        if holders and not groups & {each.group for each in holders}:
            raise port_taken(self.options.port)

    def _give_up(self, child: Child) -> None:
        ports = {
            "web": [self.options.port],
            "simulator": [self.options.simulator_port, self.options.mail_port],
        }
        for port in ports.get(child.name, []):
            fault = find_port_fault(self.options.host, port)
            if fault is not None:
                raise fault
        raise LaunchFailed(
            f"The {child.name} process ends as soon as it is started.",
            remedy=f"Its last words stand above, the rest in {self.home.log(child.name)}.",
        )

    def watch(self) -> None:
        """Keep everything running until `StopRequested`."""
        while True:
            self.tend()
            now = time.monotonic()
            due = [child.start_again_at - now for child in self.children if not child.process]
            self.signals.pause(min([TICK_SECONDS, *due]))

    def tend(self) -> None:
        """Look after everything once: start what died, end what lingers, cut what grew."""
        self._tend_server()
        for child in self.children:
            self._tend_child(child)
        self._end_fading()
        if time.monotonic() - self.rotated_at > ROTATE_SECONDS:
            self.rotated_at = time.monotonic()
            for path in self.home.logs.glob("*.log"):
                with contextlib.suppress(OSError):  # a full disk: the next turn tries again
                    rotate(path)

    def _tend_server(self) -> None:
        if self.server is None or self.server.is_alive:
            return
        if time.monotonic() < self.server_again_at:
            return
        self.report("The database server has ended; starting it again.")
        try:
            self.server = ensure_server(self.home, report=self.report, pause=self.signals.pause)
        except (LaunchFailed, OSError) as fault:  # a full disk is one of both
            self.report(str(fault))
            self.server_again_at = time.monotonic() + LONGEST_DELAY_SECONDS
            return
        self.report("The database server runs again.")
        self._note_processes()

    def _tend_child(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is None:
            if now >= child.start_again_at:
                self._start_again(child, now=now)
            return
        code = child.process.poll()
        if code is None:
            if now - child.started_at > STEADY_SECONDS:
                child.delay_seconds = FIRST_DELAY_SECONDS
                child.early_death_count = 0
            return
        self._fade(child.process.pid)
        if now - child.started_at <= STEADY_SECONDS:
            child.early_death_count += 1
        self.report(
            f"The {child.name} process has ended ({describe_code(code)});"
            f" starting it again in {child.delay_seconds:.1f} s."
        )
        if child.early_death_count == HOPELESS_DEATHS:
            for line in tail(self.home.log(child.name)):
                self.report(f"  {child.name}: {line}")
        child.process = None
        child.start_again_at = now + child.delay_seconds
        child.delay_seconds = min(child.delay_seconds * 2, LONGEST_DELAY_SECONDS)

    def _start_again(self, child: Child, *, now: float) -> None:
        """Start a child that has ended; what the machine refuses now it may grant later."""
        try:
            self._start(child)
        except OSError as fault:
            self.report(f"The {child.name} process cannot be started: {fault}.")
            child.start_again_at = now + LONGEST_DELAY_SECONDS

    def _start(self, child: Child) -> None:
        log = open_log(self.home.log(child.name))
        try:
            child.process = subprocess.Popen(
                child.command,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops in order
                preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509  one thread
            )
        finally:
            os.close(log)
        child.started_at = time.monotonic()
        self._note_processes()

    def _note_processes(self) -> None:
        """Write down who is who, for people and for tests that kill."""
        pids = {child.name: child.process.pid for child in self.children if child.process}
        pids["supervisor"] = os.getpid()
        if self.server is not None:
            pids["postgres"] = self.server.pid
        text = json.dumps(pids, sort_keys=True) + "\n"
        with contextlib.suppress(OSError):  # a full disk
            write_whole(self.home.run / "processes.json", text)

    def _fade(self, group: int) -> None:
        """Ask what is left of a dead child's group to end; it has a grace to finish its work."""
        if kill_group(group, signal.SIGTERM):
            self.fading[group] = time.monotonic() + GRACE_SECONDS

    def _end_fading(self) -> None:
        for group, end in list(self.fading.items()):
            if time.monotonic() >= end:
                kill_group(group, signal.SIGKILL)
                del self.fading[group]
            elif not kill_group(group, None):
                del self.fading[group]

    def is_answering(self) -> bool:
        """Ask the web server whether it is well; no answer is a no."""
        address = (self.options.probe_host, self.options.port)
        try:
            with socket.create_connection(address, timeout=PROBE_SECONDS) as connection:
                # By hand: http.client would cost the supervisor a quarter of its memory.
                connection.sendall(PROBE)
                return b" 200 " in connection.makefile("rb").readline(100)
        except OSError:
            return False

    def stop(self) -> None:
        """Stop the children in order, then the database; a second request makes it abrupt."""
        asked = self.signals.request_count  # before the first is ended: somebody may be in a hurry
        processes = [child.process for child in self.children if child.process]
        for process in processes:
            process.terminate()
        end = time.monotonic() + GRACE_SECONDS
        while any(process.poll() is None for process in processes):
            if time.monotonic() > end or self.signals.request_count > asked:
                break
            self.signals.rest(0.1)
        for group in {*(process.pid for process in processes), *self.fading}:
            kill_group(group, signal.SIGKILL)
        for process in processes:
            process.wait()
        if self.server is not None:
            self.server.stop(pause=self.signals.rest)
        (self.home.run / "processes.json").unlink(missing_ok=True)


def kill_group(group: int, number: signal.Signals | None) -> bool:
    """Send a signal (None: just ask) to a process group; return whether it has a member left."""
    try:
        os.killpg(group, number or 0)
    except ProcessLookupError:
        return False
    return True


def describe_code(code: int) -> str:
    """Say in words how a process ended."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
