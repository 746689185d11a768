"""`kameng up` and `kameng demo`: from nothing, or from any wreck, to a shop that answers.

Steps: claim the home, end what a killed supervisor left, check the ports, make secrets and
database, migrate, load the demo, serve. Each step says what it does.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

from kameng.config.launch.failure import LaunchFailed, StopRequested
from kameng.config.launch.home import Home, claim, prepare_home
from kameng.config.launch.options import SUPERVISED, Options, find_strange, read_options
from kameng.config.launch.ports import find_port_fault
from kameng.config.launch.postgres import app_dsn, ensure_server
from kameng.config.launch.processes import die_with_parent, end_processes, list_marked
from kameng.config.launch.report import Report, recorded
from kameng.config.launch.session import prepare
from kameng.config.launch.signals import Signals
from kameng.config.launch.supervisor import Child, Supervisor

LEFTOVER_SECONDS = 5.0
PORT_SECONDS = 3.0
WELCOME = "welcome.txt"
SHOPS = "shops.txt"  # the addresses of the shops at the last migration, or how to open one


def own_command(*arguments: str) -> list[str]:
    """Return the command line of one of this program's own commands.

    `-P`: a file in the current folder must not stand in for a module of the same name.
    """
    return [sys.executable, "-P", "-m", "kameng.config.cli", *arguments]


def run_up(home: Home, *, with_demo: bool) -> int:
    """Run everything until asked to stop; return the exit code."""
    options = read_options()
    prepare_home(home)
    with claim(home), Signals() as signals:
        report = recorded(home.log("kameng"))
        try:
            _Launch(home=home, options=options, signals=signals, report=report).run(
                with_demo=with_demo
            )
        except StopRequested:
            report("Stopped. Everything is saved.")
    return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Launch:
    """The way up, step by step."""

    home: Home
    options: Options
    signals: Signals
    report: Report

    def run(self, *, with_demo: bool) -> None:
        self._end_leftovers()
        self._check_ports(with_demo=with_demo)
        prepare(self.home)
        self._warn()
        supervisor = self._supervisor(with_demo=with_demo)
        try:
            if not self.options.database_url:
                self.report(f"Starting the database of {self.home.path}.")
                supervisor.server = ensure_server(
                    self.home, report=self.report, pause=self.signals.pause
                )
            self._run_step("migrate", say="Bringing the database up to date.")
            supervisor.environment = self._environment(supervisor, with_demo=with_demo)
            if with_demo:
                self._run_step("load-demo", say="Looking after the demo's data.")
            self._check_ports(with_demo=with_demo)  # again: the steps before take a minute
            self.report("Starting the web server and the worker.")
            supervisor.start()
            self._welcome(with_demo=with_demo)
            supervisor.watch()
        finally:
            self.report("Stopping …")
            supervisor.stop()

    def _warn(self) -> None:
        """Say what does not stop us, and what a person would want to know."""
        for name in find_strange(os.environ):
            self.report(f"{name} is no setting of Kameng and has no effect (docs/settings.md).")
        key_file = self.home.keyring
        if key_file.stat().st_mode & 0o077:
            self.report(f"The key file is open to other users: chmod 600 {key_file}")

    def _supervisor(self, *, with_demo: bool) -> Supervisor:
        children = [
            Child(name="web", command=own_command("web")),
            Child(name="worker", command=own_command("worker")),
        ]
        if with_demo:
            children.append(Child(name="simulator", command=own_command("simulate")))
        return Supervisor(
            home=self.home,
            options=self.options,
            environment={},
            children=children,
            signals=self.signals,
            report=self.report,
        )

    def _environment(self, supervisor: Supervisor, *, with_demo: bool) -> dict[str, str]:
        # What serves strangers knows one address of the database: not the owner's, where it can be.
        given = self.options.app_database_url or self.options.database_url
        url = app_dsn(supervisor.server) if supervisor.server else given
        return {
            **(self._demo_environment() if with_demo else {}),
            **os.environ,
            "KAMENG_DATABASE_URL": url,
            "KAMENG_APP_DATABASE_URL": "",
            SUPERVISED: str(self.home.path),
            "PYTHONUNBUFFERED": "1",
            # Each of many threads would else keep a heap of its own that is never given back.
            "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2"),
        }

    def _demo_environment(self) -> dict[str, str]:
        """Let the shop reach the simulator and its mail sink; the person's own settings win."""
        return {
            "KAMENG_ALLOW_LOOPBACK": "1",
            "KAMENG_MAIL_HOST": "127.0.0.1",
            "KAMENG_MAIL_PORT": str(self.options.mail_port),
        }

    def _end_leftovers(self) -> None:
        """End the children of a supervisor that was killed; we hold its claim, so it is gone."""
        leftovers = list_marked(SUPERVISED, str(self.home.path))
        if leftovers:
            self.report("Ending what the last run left behind.")
            end_processes(leftovers, grace_seconds=LEFTOVER_SECONDS, pause=self.signals.pause)

    def _check_ports(self, *, with_demo: bool) -> None:
        ports = [self.options.port]
        if with_demo:
            ports += [self.options.simulator_port, self.options.mail_port]
        for port in ports:
            end = time.monotonic() + PORT_SECONDS
            while (fault := find_port_fault(self.options.host, port)) is not None:
                if time.monotonic() > end:
                    raise fault
                self.signals.pause(0.2)

    def _run_step(self, name: str, *, say: str) -> None:
        """Run one of our commands to its end, its words on our terminal."""
        self.report(say)
        process = subprocess.Popen(
            own_command(name),
            stdin=subprocess.DEVNULL,
            preexec_fn=die_with_parent(signal.SIGTERM),  # noqa: PLW1509  one thread
        )
        try:
            while process.poll() is None:
                self.signals.pause(0.5)
        except StopRequested:
            process.terminate()
            process.wait()
            raise
        if process.returncode != 0:
            raise LaunchFailed(
                f"`kameng {name}` failed.",
                remedy="The reason stands above; a new start tries again.",
            )

    def _welcome(self, *, with_demo: bool) -> None:
        port = self.options.port
        self.report("")
        self.report(f"Kameng answers at http://localhost:{port}/  (Ctrl-C stops it)")
        if with_demo:
            self.report(f"Gateway simulator: http://localhost:{self.options.simulator_port}/")
        note = self.home.run / (WELCOME if with_demo else SHOPS)
        if note.exists():
            for line in note.read_text(encoding="utf-8").splitlines():
                self.report(line)
        self.report(f"Logs and data: {self.home.path}")


def read_processes(home: Home) -> dict[str, int]:
    """Return the process ids that the supervisor of this home has noted, by name."""
    try:
        text = (home.run / "processes.json").read_text()
    except FileNotFoundError:
        return {}
    noted: dict[str, int] = json.loads(text)
    return noted
