"""The README's own commands, in a fresh clone, word for word.

The packages come from pip's and npm's caches when they are there. `make test` runs in the clone
with a few tests only, and with `KAMENG_README_TEST` set, so that this test does not start itself.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.journeys.stack import ROOT
from tests.ports import free_port

MARK = "KAMENG_README_TEST"
SETUP_SECONDS = 420.0
DEMO_SECONDS = 300.0
STOP_SECONDS = 120.0

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(bool(os.environ.get(MARK)), reason="this is the README test's own clone"),
    pytest.mark.skipif(shutil.which("make") is None, reason="no make here"),
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone: nothing to clone from"),
]


@dataclass(frozen=True, slots=True)
class Clone:
    """A fresh clone and the environment of a newcomer's shell."""

    folder: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        """Return what a new shell has: nothing of ours but the port and the mark."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("KAMENG_", "DJANGO_", "PYTEST_", "VIRTUAL_ENV", "PYTHON"))
        }
        return {**kept, "KAMENG_PORT": str(self.port), MARK: "1"}

    def run(self, *command: str, seconds: float) -> str:
        """Run a command to its end and return what it said; it must succeed."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    @contextlib.contextmanager
    def serve(self, command: str, *, within: float) -> Iterator[float]:
        """Run a serving command for the block; the value is the seconds until it answered."""
        begun = time.monotonic()
        with (self.folder / "said.txt").open("wb") as said:
            child = subprocess.Popen(
                command.split(),
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                self._wait(child, until=begun + within)
                yield time.monotonic() - begun
                os.killpg(child.pid, signal.SIGINT)  # as Ctrl-C does: to all in front
                child.wait(STOP_SECONDS)
            finally:
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGTERM)
                    child.wait(STOP_SECONDS)

    def read_said(self) -> str:
        """Return what the last serving command has said so far."""
        return (self.folder / "said.txt").read_text(encoding="utf-8")

    def is_healthy(self) -> bool:
        """Tell whether the web server answers that all is well."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/healthz", timeout=2).is_success
        except httpx.HTTPError:
            return False

    def _wait(self, child: "subprocess.Popen[bytes]", *, until: float) -> None:
        while not self.is_healthy():
            assert child.poll() is None, self.read_said()
            assert time.monotonic() < until, self.read_said()
            time.sleep(0.1)


@pytest.fixture(scope="module")
def clone() -> Iterator[Clone]:
    """The repository as a newcomer clones it."""
    # Not pytest's own folder: the database's user must be able to enter it.
    folder = Path(tempfile.mkdtemp(prefix="kameng-readme-", dir="/tmp"))
    folder.chmod(0o755)
    made = Clone(folder / "kameng", free_port(in_a_row=3))
    try:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(made.folder)], check=True)
        yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_commands(clone: Clone) -> list[str]:
    """Return the commands of the README's first section, as they stand there."""
    text = (clone.folder / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:sh|bash|console)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def test_the_readme_names_the_two_commands(clone: Clone) -> None:
    commands = read_commands(clone)
    assert "make demo" in commands
    assert "make test" in commands


def test_make_demo_serves_says_where_stops_and_starts_again_quickly(clone: Clone) -> None:
    with clone.serve("make demo", within=SETUP_SECONDS + DEMO_SECONDS) as first_seconds:
        _wait_for_welcome(clone)
        said = clone.read_said()
        assert f"http://main.localhost:{clone.port}/" in said
        assert f"http://127.0.0.1:{clone.port + 1}/" in said
        assert "ada" in said
        assert "mei@example.com" in said
        home = httpx.get(
            f"http://127.0.0.1:{clone.port}/", headers={"Host": "main.localhost"}, timeout=60
        )
        assert home.status_code == 200
    assert "Everything is saved" in clone.read_said()
    assert not clone.is_healthy()

    with clone.serve("make demo", within=DEMO_SECONDS) as seconds:
        assert seconds < first_seconds / 2  # usually a tenth: nothing is set up and written anew
        home = httpx.get(
            f"http://127.0.0.1:{clone.port}/", headers={"Host": "main.localhost"}, timeout=60
        )
        assert home.status_code == 200
    assert not clone.is_healthy()


def _wait_for_welcome(clone: Clone) -> None:
    end = time.monotonic() + 120
    while "mei@example.com" not in clone.read_said():
        assert time.monotonic() < end, clone.read_said()
        time.sleep(0.1)


def test_make_test_runs_the_tests(clone: Clone) -> None:
    said = clone.run(
        "make", "test", "ARGS=tests/pricing tests/readme -p no:cacheprovider", seconds=SETUP_SECONDS
    )
    assert re.search(r"\d+ passed", said), said
