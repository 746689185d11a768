"""Where the data of one home lies, and how far it is: nothing yet, whole, or in use.

Usually `<home>/postgres`. When the server's user cannot enter the home (root's home is closed to
all), a folder below /var/lib/kameng, named in `<home>/postgres.location`. Data is never moved,
adopted or deleted.
"""

import hashlib
import os
import re
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kameng.config.launch.account import Account, choose_account
from kameng.config.launch.binaries import SHARED_FOLDER
from kameng.config.launch.failure import LaunchFailed
from kameng.config.launch.home import Home, write_whole
from kameng.config.launch.report import Report, say

SOCKET_NAME = ".s.PGSQL.5432"
SOCKET_PATH_LIMIT = 107
SAFE_PATH = re.compile(r"[A-Za-z0-9/._+-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """One data folder, its server's user and the folder of its socket."""

    base: Path
    account: Account

    @property
    def data(self) -> Path:
        """Where PostgreSQL keeps everything."""
        return self.base / "data"

    @property
    def pid_file(self) -> Path:
        """The server's own note of its process id and state."""
        return self.data / "postmaster.pid"

    @property
    def lock(self) -> Path:
        """Held open by the server and all its processes: free means that none is left."""
        return self.base / "server.lock"

    @property
    def is_initialised(self) -> bool:
        """Tell whether the data was made; it appears whole or not at all."""
        return (self.data / "PG_VERSION").exists()

    @property
    def socket_folder(self) -> Path:
        """Return the folder of the socket: short and plain enough for every client.

        The kernel limits the path of a socket to 107 bytes, and a comma in it would mean two hosts.
        """
        own = self.base / "run"
        if fits_socket(own):
            return own
        digest = _digest(self.base)
        if os.geteuid() == 0 and Path("/run").is_dir():
            return Path("/run") / f"kameng-{digest}"
        return Path("/tmp") / f"kameng-{os.geteuid()}-{digest}"  # noqa: S108  (made 0700, checked)

    def read_major(self) -> int | None:
        """Return the major version that wrote the data, None before there is any."""
        try:
            text = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return None
        except PermissionError as fault:
            raise LaunchFailed(
                f"The database folder {self.data} belongs to another user.",
                remedy="Run Kameng as the user who made it, or as root.",
            ) from fault
        return int(text)

    def prepare_socket_folder(self) -> Path:
        """Make the folder of the socket, private to the server's user (and root)."""
        folder = self.socket_folder
        try:
            folder.mkdir(mode=0o700)
            self.account.own(folder)
        except FileExistsError:
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {0, self.account.uid}:
                raise LaunchFailed(
                    f"{folder} belongs to another user; the database's socket cannot lie there.",
                    remedy="Delete it, or set KAMENG_HOME to a shorter path.",
                ) from None
            self.account.own(folder)
        return folder


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def fits_socket(folder: Path) -> bool:
    """Tell whether a socket in this folder has a path that kernel and clients accept."""
    full = os.fsencode(folder / SOCKET_NAME)
    return len(full) <= SOCKET_PATH_LIMIT and bool(SAFE_PATH.fullmatch(str(folder)))


def pointer(home: Home) -> Path:
    """Return the file that names the data folder when it lies outside the home."""
    return home.path / "postgres.location"


def find_cluster(home: Home) -> Cluster | None:
    """Return the cluster that this home already has, None before the first start."""
    own = home.path / "postgres"
    if pointer(home).exists():
        lines = pointer(home).read_text(encoding="utf-8").splitlines()
        base = Path(next((line for line in lines if line.startswith("/")), "/nonexistent"))
        if not base.is_dir():
            raise LaunchFailed(
                f"The database folder {base}, named in {pointer(home)}, is gone.",
                remedy="Put it back from your backup; or delete that file to begin anew, empty.",
            )
        _check_owner_home(base, home)
        return Cluster(base=base, account=choose_account(base))
    if own.is_dir():
        cluster = Cluster(base=own, account=choose_account(own))
        if cluster.account.can_use(own):
            return cluster
        if not _is_bare(own):
            raise LaunchFailed(
                f"User {cluster.account.name} can no longer reach the database in {own}.",
                remedy=f"Give it to that user (chown -R {cluster.account.name}: {own}) and open the"
                " folders above it (chmod o+x), or move KAMENG_HOME.",
            )
    return None


def _is_bare(base: Path) -> bool:
    return not (base / "data").exists()


def _check_owner_home(base: Path, home: Home) -> None:
    """Refuse a copied home: two homes on one data folder would fight over it."""
    note = base / "home.txt"
    recorded = Path(note.read_text(encoding="utf-8").strip()) if note.exists() else home.path
    if recorded == home.path:
        return
    if pointer(Home(recorded)).exists():
        raise LaunchFailed(
            f"The database folder {base} belongs to the home {recorded}.",
            remedy=f"Delete {pointer(home)} to give this home a database of its own.",
        )
    write_whole(note, f"{home.path}\n")  # the home was moved


def make_cluster(home: Home, *, report: Report = say) -> Cluster:
    """Choose and make the base folder of a new cluster, where the server's user can work."""
    own = home.path / "postgres"
    account = choose_account(own)
    try:
        own.mkdir(exist_ok=True)
        account.own(own)
        usable = account.can_use(own)
    except PermissionError:
        usable = False
    if usable:
        return Cluster(base=own, account=account)
    if not account.is_lent:
        raise LaunchFailed(
            f"The database folder {own} cannot be made private on this file system.",
            remedy="Set KAMENG_HOME to a folder on a Linux file system.",
        )
    if own.is_dir() and _is_bare(own):
        for leftover in own.iterdir():
            leftover.unlink()
        own.rmdir()
    return _make_elsewhere(home, account=account, report=report)


def _make_elsewhere(home: Home, *, account: Account, report: Report) -> Cluster:
    digest = _digest(home.path)
    try:
        SHARED_FOLDER.mkdir(parents=True, exist_ok=True)
        SHARED_FOLDER.chmod(0o755)
        # A folder of that name is data of an earlier home at the same path: never adopted, because
        # its key file is gone with that home; never deleted, because it may be all that is left.
        base = SHARED_FOLDER / digest
        if base.exists():
            report(f"The database of an earlier {home.path} is kept in {base}.")
            base = Path(tempfile.mkdtemp(dir=SHARED_FOLDER, prefix=f"{digest}-"))
        else:
            base.mkdir()
        account.own(base)
    except OSError as fault:
        raise LaunchFailed(
            f"{SHARED_FOLDER} cannot be written: {fault.strerror}.",
            remedy="Set KAMENG_HOME to a folder that every user can enter.",
        ) from fault
    write_whole(base / "home.txt", f"{home.path}\n")
    write_whole(
        pointer(home),
        f"{base}\n# The database lies there because user {account.name}, which its server runs as,"
        f" cannot enter {home.path}.\n",
    )
    report(f"User {account.name} cannot enter {home.path}: the database goes to {base}.")
    return Cluster(base=base, account=account)
