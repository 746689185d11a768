"""The home folder: where everything of one installation lies, and who may use it now.

Owns its layout (secrets, logs, run, postgres), the claim that keeps two programs from serving one
home, and the secrets that are made on the first start. Never changes a file that exists.
"""

import contextlib
import errno
import fcntl
import os
import secrets
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kameng.config.launch.failure import LaunchFailed
from kameng.config.launch.processes import Pause, wait_until
from kameng.config.launch.report import Report, say

REPORT_EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Home:
    """The paths of one installation."""

    path: Path

    @property
    def secrets(self) -> Path:
        """Key files, for this user alone."""
        return self.path / "secrets"

    @property
    def keyring(self) -> Path:
        """The key file; KAMENG_KEYRING may keep it away from the data it opens."""
        named = os.environ.get("KAMENG_KEYRING", "").strip()
        return Path(named) if named else self.secrets / "keyring.json"

    @property
    def django_key(self) -> Path:
        """The key that signs cookies and tokens."""
        return self.secrets / "django.key"

    @property
    def logs(self) -> Path:
        """One file for each process, bounded by `launch.logs`."""
        return self.path / "logs"

    @property
    def run(self) -> Path:
        """Locks and notes of what runs now; worthless when nothing does."""
        return self.path / "run"

    def log(self, name: str) -> Path:
        """Return the log file of one process."""
        return self.logs / f"{name}.log"


def repository() -> Path | None:
    """Return the root of the source tree that this program runs from, or None when installed."""
    root = Path(__file__).resolve().parents[4]
    return root if (root / "pyproject.toml").is_file() and (root / "src").is_dir() else None


def find_home(environ: Mapping[str, str] | None = None) -> Home:
    """Return the home that KAMENG_HOME names; `var` of the source tree or of this folder else."""
    named = (os.environ if environ is None else environ).get("KAMENG_HOME", "").strip()
    if named:
        return Home(Path(named).expanduser().absolute())
    return Home((repository() or Path.cwd()) / "var")


def _make_folder(folder: Path, *, mode: int) -> None:
    """Make a folder with these rights; leave one that exists, or that another command just made."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=mode)
        folder.chmod(mode)
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "a file stands in its place", str(folder))


def prepare_home(home: Home) -> Home:
    """Make the folders that are missing; raise when this user cannot write there."""
    try:
        for folder, mode in (
            (home.path, 0o755),
            (home.secrets, 0o700),
            (home.logs, 0o750),
            (home.run, 0o755),
        ):
            _make_folder(folder, mode=mode)
    except OSError as fault:
        raise LaunchFailed(
            f"The home folder {home.path} cannot be made: {fault.strerror}.",
            remedy="Give this user the right to write there, or set KAMENG_HOME to another folder.",
        ) from fault
    if not os.access(home.path, os.W_OK | os.X_OK) or not os.access(home.secrets, os.R_OK):
        raise LaunchFailed(
            f"The home folder {home.path} belongs to another user.",
            remedy="Run Kameng as the user who made it, or set KAMENG_HOME to another folder.",
        )
    return home


def prepare_secrets(home: Home, *, has_data: bool) -> None:
    """Make the key files on the first start.

    With data but without its key ring nothing could be read any more, and a new ring would hide
    that: `has_data` refuses to make one.
    """
    from kameng.core import keyring

    with turn(home.run / "secrets.lock", waiting_for="it makes the key files"):
        if has_data and not home.keyring.exists():
            raise LaunchFailed(
                f"The key file {home.keyring} is missing, but the database holds data made with"
                " it.",
                remedy="Put the key file back from your backup; without it no card key can be"
                " read.",
            )
        try:
            keyring.load(keyring.ensure(home.keyring))
        except keyring.KeyringBroken as fault:
            what = f"{fault}"
            raise LaunchFailed(
                f"{what[:1].upper()}{what[1:]}.",
                remedy="Give this user the right to read it, or put it back from your backup; the"
                " data was not touched.",
            ) from fault
        if not home.django_key.exists() or not home.django_key.read_text().strip():
            write_whole(home.django_key, secrets.token_urlsafe(64) + "\n", mode=0o600)


def write_whole(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file so that a reader, or the next start after a power cut, sees all or nothing."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def try_lock(handle: int) -> bool:
    """Take the lock of an open file; return False when someone else has it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def open_lock(path: Path, *, mode: int = 0o644) -> int:
    """Open (make) a lock file without locking it; a link in its place is refused."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, mode)


@contextlib.contextmanager
def turn(
    path: Path, *, waiting_for: str, pause: Pause = time.sleep, report: Report = say
) -> Iterator[None]:
    """Wait for one's turn at a short piece of work that two programs must not do at once."""
    handle = open_lock(path)
    try:
        next_word = time.monotonic() + 1.0
        while not try_lock(handle):
            if time.monotonic() >= next_word:
                report(f"Waiting for another Kameng command: {waiting_for} …")
                next_word += REPORT_EVERY_SECONDS
            pause(0.05)
        yield
    finally:
        os.close(handle)


def claim_path(home: Home) -> Path:
    """Return the file whose lock says that a supervisor serves this home."""
    return home.run / "supervisor.lock"


def find_supervisor(home: Home) -> int | None:
    """Return the process id of the supervisor that serves this home, 0 when it is not told."""
    try:
        handle = os.open(claim_path(home), os.O_RDWR | os.O_CLOEXEC)
    except PermissionError as fault:
        raise LaunchFailed(
            f"The home folder {home.path} belongs to another user.",
            remedy="Run Kameng as the user who made it.",
        ) from fault
    except OSError:
        return None
    try:
        if try_lock(handle):
            return None
        text = os.read(handle, 32).decode("ascii", errors="replace").strip()
        return int(text) if text.isdigit() else 0
    finally:
        os.close(handle)


@contextlib.contextmanager
def claim(home: Home) -> Iterator[None]:
    """Hold this home for one supervisor; raise when another one has it."""
    handle = open_lock(claim_path(home))
    try:
        # A short patience: `find_supervisor` takes the lock for a moment to look at it.
        if not wait_until(lambda: try_lock(handle), seconds=0.3):
            pid = os.read(handle, 32).decode("ascii", errors="replace").strip()
            raise LaunchFailed(
                f"Kameng already runs for {home.path} (process {pid or 'unknown'}).",
                remedy="Stop it with `kameng stop`, or set KAMENG_HOME to another folder.",
            )
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)
