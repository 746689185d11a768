"""The system user that the database server runs as.

PostgreSQL refuses to run as root. A program started by root lends its server an unprivileged
user; any other user keeps its own. Whoever owns existing data stays its user.
"""

import errno
import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from kameng.config.launch.failure import LaunchFailed

CANDIDATES = ("postgres", "nobody")


class Identity(TypedDict, total=False):
    """The arguments of `subprocess.Popen` that change the user; empty when it stays."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A system user; `is_lent` when it is another one than ours."""

    name: str
    uid: int
    gid: int
    is_lent: bool

    @property
    def identity(self) -> Identity:
        """Return the `Popen` arguments that start a program as this user."""
        if not self.is_lent:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_use(self, folder: Path) -> bool:
        """Try, as that user, to enter and write the folder: the kernel knows all the rules."""
        if not self.is_lent:
            return os.access(folder, os.W_OK | os.X_OK)
        return self.succeeds("/bin/sh", "-c", 'test -w "$1" && test -x "$1"', "sh", str(folder))

    def can_run(self, program: Path) -> bool:
        """Try, as that user, to start the program with its libraries."""
        return self.succeeds(str(program), "--version")

    def succeeds(self, *command: str) -> bool:
        """Run a harmless command as that user, and return whether it went well."""
        try:
            done = subprocess.run(
                command,
                check=False,
                cwd="/",
                env={"LC_ALL": "C"},
                capture_output=True,
                **self.identity,
            )
        except OSError as fault:
            if self.is_lent and fault.errno in {errno.EPERM, errno.EINVAL}:
                raise LaunchFailed(
                    f"This machine does not let root start a program as user {self.name}.",
                    remedy="Run Kameng as an ordinary user, or set KAMENG_DATABASE_URL.",
                ) from fault
            return False
        return done.returncode == 0

    def own(self, folder: Path) -> None:
        """Make this user the owner of a folder that we have just made."""
        folder.chmod(0o700)
        if self.is_lent:
            os.chown(folder, self.uid, self.gid)


def _describe(uid: int, gid: int) -> Account:
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:  # a container may run under a number without a name
        name = str(uid)
    return Account(name=name, uid=uid, gid=gid, is_lent=uid != os.geteuid())


def choose_account(data: Path) -> Account:
    """Return the user to run the server of this data folder (which need not exist yet) as."""
    if os.geteuid() != 0:
        return _describe(os.geteuid(), os.getegid())
    if data.exists() and data.stat().st_uid != 0:
        found = data.stat()
        return _describe(found.st_uid, found.st_gid)
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return _describe(entry.pw_uid, entry.pw_gid)
    raise LaunchFailed(
        "The database server cannot run as root, and there is no user `postgres` or `nobody`.",
        remedy="Make one (`useradd --system postgres`), or run Kameng as an ordinary user.",
    )
