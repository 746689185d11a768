"""The whole program as a customer runs it: database, web server, worker, simulator, mail sink.

Starts `kameng up` and `kameng simulate` with a home and ports of their own, fills the shop in a
process of its own, and ends every process it started.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.names_server import names_server, write_record
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 240.0
STOP_SECONDS = 60.0
CALL_SECONDS = 60.0  # of the simulator, which a busy machine keeps waiting too
ZONE = "zone.json"
SPEED = 20  # the simulator repeats a callback after 15 s in life


@dataclass(slots=True, kw_only=True)
class Stack:
    """A running shop: where it answers, and what a test may do behind the screen."""

    home: Path
    port: int
    environment: Mapping[str, str]
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def simulator(self) -> str:
        """Return the address of the gateway simulator."""
        return f"http://127.0.0.1:{self.port + 1}"

    def url(self, path: str = "/", *, host: str = "star.localhost") -> str:
        """Return an address of a shop."""
        return f"http://{host}:{self.port}{path}"

    def act(self, *words: str) -> Any:
        """Run one act of `tests.journeys.seeding` in a process of its own; return its answer."""
        done = subprocess.run(
            [sys.executable, "-m", "tests.journeys.seeding", *words],
            cwd=ROOT,
            env=dict(self.environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def set_record(self, name: str, kind: str, *values: str) -> None:
        """Let a name have these values in the domain name system that the shop asks; none: none."""
        write_record(self.home / ZONE, name, kind, *values)

    def pay(self, payment_no: str, mode: str = "success", **more: object) -> None:
        """Let the simulator do to a payment what its buttons do."""
        body = {"out_trade_no": payment_no, "mode": mode, **more}
        httpx.post(
            f"{self.simulator}/control/pay", json=body, timeout=CALL_SECONDS
        ).raise_for_status()

    def list_payments(self) -> list[dict[str, Any]]:
        """Return what the simulator knows, newest first."""
        told = httpx.get(f"{self.simulator}/control/state", timeout=CALL_SECONDS).json()
        known: list[dict[str, Any]] = told["payments"]
        return known

    def wait_for_mail(self, to: str, *, subject: str = "", seconds: float = 60) -> str:
        """Return the text of the newest mail to an address."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            mails = httpx.get(f"{self.simulator}/control/mail", timeout=CALL_SECONDS).json()
            for mail in mails:
                if to in mail["to"] and subject in mail["subject"]:
                    return str(mail["text"])
            time.sleep(0.3)
        raise AssertionError(f"no mail to {to} came within {seconds} s")


@contextlib.contextmanager
def run_stack(**settings: str) -> Iterator[Stack]:
    """Run everything for the block, with more settings of Kameng than the usual ones."""
    # Not pytest's own folder: the database's user must be able to enter it.
    home = Path(tempfile.mkdtemp(prefix="kameng-journeys-", dir="/tmp"))
    home.chmod(0o711)
    with names_server(home / ZONE) as names:
        told = {"KAMENG_DNS_SERVERS": names.address, **settings}
        stack = _describe(home, free_port(in_a_row=3), told)
        yield from _run_all(stack)


def _run_all(stack: Stack) -> Iterator[Stack]:
    try:
        with _run(stack, "simulate", "--speed", str(SPEED)):
            _wait(f"{stack.simulator}/healthz", stack)
            with _run(stack, "up"):
                _wait(f"http://127.0.0.1:{stack.port}/healthz", stack)
                stack.facts = stack.act("seed", stack.simulator)
                yield stack
    finally:
        shutil.rmtree(stack.home, ignore_errors=True)


def attach(note: Path) -> Stack:
    """Return the stack that `python -m tests.journeys` keeps running."""
    told = json.loads(note.read_text())
    stack = _describe(Path(told["home"]), told["port"], {})
    stack.facts = told["facts"]
    return stack


def _describe(home: Path, port: int, settings: Mapping[str, str]) -> Stack:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KAMENG_")}
    told = {
        "KAMENG_HOME": str(home),
        "KAMENG_PORT": str(port),
        "KAMENG_ALLOW_LOOPBACK": "1",
        "KAMENG_MAIL_HOST": "127.0.0.1",
        "KAMENG_MAIL_PORT": str(port + 2),
        "DJANGO_SETTINGS_MODULE": "kameng.config.settings",
        **settings,
    }
    return Stack(home=home, port=port, environment={**kept, **told})


@contextlib.contextmanager
def _run(stack: Stack, *words: str) -> Iterator[None]:
    with (stack.home / f"{words[0]}.out").open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "kameng.config.cli", *words],
            cwd=ROOT,
            env=dict(stack.environment),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            yield
        finally:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _wait(address: str, stack: Stack) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(address, timeout=2).status_code == 200:
                return
        time.sleep(0.1)
    words = "".join(path.read_text(errors="replace") for path in stack.home.glob("*.out"))
    raise AssertionError(f"{address} does not answer:\n{words}")
