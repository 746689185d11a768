"""A stack of its own for the measurements: temporary home, free ports, full durability.

Promises that nothing of the developer's data is touched and that every process ends with the run.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Stack:
    """A running installation: where it listens, where it keeps its data, who runs it."""

    home: Path
    port: int
    process: subprocess.Popen[bytes]

    def environment(self) -> dict[str, str]:
        """Return the environment under which other commands reach this installation."""
        return _environment(self.home, self.port)

    def run(self, *arguments: str) -> str:
        """Run a module of the measurements against this installation; return what it printed."""
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self.environment(),
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stdout}\n{done.stderr}")
        return done.stdout


def _environment(home: Path, port: int) -> dict[str, str]:
    root = str(Path(__file__).resolve().parent.parent)
    return {
        **os.environ,
        "KAMENG_HOME": str(home),
        "KAMENG_PORT": str(port),
        "KAMENG_HOST": "127.0.0.1",
        "KAMENG_LOG_LEVEL": "WARNING",
        "PYTHONPATH": root,
    }


def free_port() -> int:
    """Return a port nobody listens at, with the next one free too.

    Below those that Linux gives to calls going out: while a server is killed and comes back, one of
    its thousands of callers would now and then sit on its port.
    """
    for attempt in range(2_000):
        port = 12_000 + (os.getpid() * 7_919 + attempt) % 2_000 * 10
        with socket.socket() as first, socket.socket() as second, contextlib.suppress(OSError):
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            return port
    raise RuntimeError("no two free ports in a row")


@contextlib.contextmanager
def running_stack() -> Iterator[Stack]:
    """Start an empty installation in a temporary home; stop and remove it at the end."""
    home = Path(tempfile.mkdtemp(prefix="kameng-bench-"))
    home.chmod(0o711)
    port = free_port()
    log = (home / "bench.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "kameng.config.cli", "up"],
        env=_environment(home, port),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )
    try:
        _wait(port, process, home)
        yield Stack(home=home, port=port, process=process)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()
        shutil.rmtree(home, ignore_errors=True)


def _wait(port: int, process: subprocess.Popen[bytes], home: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
                return
        except urllib.error.HTTPError:
            return  # it answers; what it thinks of its health is not our question
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the stack did not start:\n{(home / 'bench.log').read_text()[-3000:]}")
