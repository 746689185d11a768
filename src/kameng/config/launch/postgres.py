"""The embedded PostgreSQL server: made, started, found again, recovered and stopped.

Promise: whatever was killed, `ensure_server` gives a running server on whole data or says why
not; it never starts a second server on one data folder, not even from another container. Unix
socket only.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from kameng.config.launch.binaries import Binaries, choose_binaries, reachable
from kameng.config.launch.cluster import SOCKET_NAME, Cluster, find_cluster, make_cluster
from kameng.config.launch.failure import LaunchFailed
from kameng.config.launch.home import Home, open_lock, prepare_home, try_lock, turn
from kameng.config.launch.processes import (
    POLL_SECONDS,
    Pause,
    die_with_parent,
    end_processes,
    list_pids,
    read_process,
    send,
    wait_until,
    working_folder,
)
from kameng.config.launch.report import Report, say
from kameng.config.launch.tuning import render_settings

SUPERUSER = "postgres"
OWNER = "kameng_owner"
APP = "kameng_app"  # what the running program signs in as; made by `kameng migrate`
DATABASE = "kameng"
REPORT_EVERY_SECONDS = 5.0
ORPHAN_GRACE_SECONDS = 3.0
STOP_SECONDS = 120.0
MODES = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}


@dataclass(slots=True, kw_only=True)
class Server:
    """A running server; `process` is set when this program started it."""

    cluster: Cluster
    binaries: Binaries
    pid: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket_dir(self) -> Path:
        """The folder of the server's socket, the only way in."""
        return self.cluster.socket_folder

    def dsn(self, role: str = OWNER, dbname: str = DATABASE) -> str:
        """Return the address of one database as one role; only this machine's users can use it."""
        folder = quote(str(self.socket_dir), safe="")
        return f"postgresql://{quote(role, safe='')}@/{quote(dbname, safe='')}?host={folder}"

    @property
    def is_alive(self) -> bool:
        """Tell whether the server runs; a zombie or a stranger with its number does not count."""
        if self.process is not None:
            return self.process.poll() is None
        return _is_postmaster(self.pid, self.cluster)

    def stop(self, mode: str = "fast", *, pause: Pause = time.sleep) -> None:
        """Stop the server: `smart` waits for clients, `fast` ends them, `immediate` is a crash.

        Falls back to `immediate`, which loses nothing, when it takes longer than two minutes.
        """
        for number in (MODES[mode], MODES["immediate"], signal.SIGKILL):
            if not self.is_alive or not send(self.pid, number):
                break
            if wait_until(lambda: not self.is_alive, seconds=STOP_SECONDS, pause=pause):
                break


def app_dsn(server: Server) -> str:
    """Return the address that the running program uses: a role that owns nothing."""
    return server.dsn(APP, DATABASE)


def find_server(home: Home) -> Server | None:
    """Return the server that runs for this home, if one does."""
    cluster = find_cluster(home)
    if cluster is None or not cluster.is_initialised:
        return None
    pid = _recorded_pid(cluster)
    if pid is None or not _is_postmaster(pid, cluster):
        return None
    return Server(cluster=cluster, binaries=choose_binaries(cluster.read_major()), pid=pid)


def ensure_server(
    home: Path | Home,
    *,
    settings: Mapping[str, str] | None = None,
    report: Report = say,
    pause: Pause = time.sleep,
) -> Server:
    """Return the running server of this home; make and start it when needed.

    It ends (fast shutdown) with the thread that started it. `settings` are server settings that win
    over the built-in ones; they are not applied to a server that already runs. Recovery after a
    crash takes as long as it takes, with a line every five seconds.
    """
    home = prepare_home(home if isinstance(home, Home) else Home(Path(home).absolute()))
    with turn(
        home.run / "postgres.lock", waiting_for="it starts the database", pause=pause, report=report
    ):
        cluster = find_cluster(home) or make_cluster(home, report=report)
        binaries = choose_binaries(cluster.read_major())
        usable = reachable(binaries, cluster.account, report=report)
        if not cluster.is_initialised:
            _initialise(cluster, usable, report=report)
        start = _Start(home=home, cluster=cluster, binaries=usable, report=report, pause=pause)
        return start.run(settings or {})


def _recorded_pid(cluster: Cluster) -> int | None:
    try:
        return abs(int(cluster.pid_file.read_text().split("\n", 1)[0]))
    except (OSError, ValueError):
        return None


def _is_postmaster(pid: int, cluster: Cluster) -> bool:
    """Tell a live server of this data from a zombie and from a stranger with the same number."""
    facts = read_process(pid)
    if facts is None or not facts.is_alive or facts.program != "postgres":
        return False
    folder = working_folder(pid)
    return folder is not None and folder == cluster.data.resolve()


def _initialise(cluster: Cluster, binaries: Binaries, *, report: Report) -> None:
    """Make the data folder beside its final place, so that a half-made one is never used."""
    report(f"Making the database in {cluster.data} (once, about a second).")
    for leftover in cluster.base.glob(".data-*"):
        shutil.rmtree(leftover)
    draft = Path(tempfile.mkdtemp(dir=cluster.base, prefix=".data-"))
    cluster.account.own(draft)
    command = [binaries.program("initdb"), "-D", str(draft), "-U", SUPERUSER]
    command += ["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-k", "--no-instructions"]
    done = subprocess.run(
        command,
        cwd="/",
        env=_server_environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=die_with_parent(signal.SIGKILL),
        **cluster.account.identity,
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise LaunchFailed(
            f"The database could not be made in {cluster.data}: {reason}.",
            remedy="Check the free space and the rights of that folder.",
        )
    with (draft / "postgresql.conf").open("a") as file:
        file.write("\ninclude_if_exists = 'kameng.conf'\n")
    try:
        draft.rename(cluster.data)
    except OSError as fault:
        raise LaunchFailed(
            f"{cluster.data} holds something that is no database.",
            remedy="Move it away and start again.",
        ) from fault
    folder = os.open(cluster.base, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _server_environment() -> dict[str, str]:
    """Return a clean environment: no PG* variable and no odd locale reaches the server."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """One attempt to have a running server; the caller holds the turn of the home."""

    home: Home
    cluster: Cluster
    binaries: Binaries
    report: Report
    pause: Pause

    def run(self, settings: Mapping[str, str]) -> Server:
        lock = open_lock(self.cluster.lock, mode=0o600)
        try:
            found = self._reuse_or_clear(lock)
            if found is not None:
                return found
            self._write_settings(settings)
            return self._start(lock)
        finally:
            os.close(lock)  # the server keeps its own copy, and with it the lock

    def _reuse_or_clear(self, lock: int) -> Server | None:
        """Return a server that already runs, or return None with the lock held.

        The lock is shared by the server and its processes through an inherited file: it is busy as
        long as one of them lives, wherever it lives.
        """
        next_word = time.monotonic() + REPORT_EVERY_SECONDS
        while True:
            pid = _recorded_pid(self.cluster)
            if pid is not None and _is_postmaster(pid, self.cluster):
                if self._status() == "ready":
                    return Server(cluster=self.cluster, binaries=self.binaries, pid=pid)
            elif try_lock(lock):
                return None
            else:
                self._end_orphans()
            if time.monotonic() >= next_word:
                self.report(f"Waiting for the database server (process {pid}) …")
                next_word += REPORT_EVERY_SECONDS
            self.pause(POLL_SECONDS)

    def _end_orphans(self) -> None:
        """End what a killed server left behind; it can no longer commit anything."""
        folder = self.cluster.data.resolve()
        orphans = [pid for pid in list_pids() if working_folder(pid) == folder]
        orphans = [pid for pid in orphans if _is_postmaster(pid, self.cluster)]
        if orphans:
            end_processes(orphans, grace_seconds=ORPHAN_GRACE_SECONDS, pause=self.pause)
        elif not wait_until(self._lock_is_free, seconds=ORPHAN_GRACE_SECONDS, pause=self.pause):
            raise LaunchFailed(
                f"The database in {self.cluster.data} is in use by a server that cannot be seen"
                " from here, perhaps in another container.",
                remedy="Stop that one first, or set KAMENG_HOME to another folder.",
            )

    def _lock_is_free(self) -> bool:
        handle = open_lock(self.cluster.lock, mode=0o600)
        try:
            return try_lock(handle)
        finally:
            os.close(handle)

    def _write_settings(self, settings: Mapping[str, str]) -> None:
        folder = self.cluster.prepare_socket_folder()
        # No server lives (the lock is ours), so a socket that lies there is a leftover; with a
        # foreign process under the number in its lock file the server would refuse to start.
        for name in (SOCKET_NAME, f"{SOCKET_NAME}.lock"):
            (folder / name).unlink(missing_ok=True)
        text = render_settings(major=self.binaries.major, socket_folder=str(folder), extra=settings)
        handle, draft = tempfile.mkstemp(dir=self.cluster.data, prefix=".kameng-")
        with os.fdopen(handle, "w") as file:
            file.write(text)
            if self.cluster.account.is_lent:
                os.fchown(file.fileno(), self.cluster.account.uid, self.cluster.account.gid)
        os.replace(draft, self.cluster.data / "kameng.conf")

    def _start(self, lock: int) -> Server:
        environment = _server_environment()
        stale = _recorded_pid(self.cluster)
        if stale is not None:
            # The server refuses to start while any process has the number in its old pid file; it
            # makes an exception for its grandparent's. pg_ctl sets the same variable.
            environment["PG_GRANDPARENT_PID"] = str(stale)
            self.report("The database was not stopped cleanly: it recovers by itself.")
        log = self.home.log("postgres")
        with log.open("ab") as output:
            log_start = output.tell()
            process = subprocess.Popen(
                [self.binaries.program("postgres"), "-D", str(self.cluster.data)],
                cwd="/",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=(lock,),
                preexec_fn=die_with_parent(signal.SIGINT),  # noqa: PLW1509  one system call
                **self.cluster.account.identity,
            )
        self._wait_ready(process, log=log, log_start=log_start)
        return Server(
            cluster=self.cluster, binaries=self.binaries, pid=process.pid, process=process
        )

    def _wait_ready(self, process: subprocess.Popen[bytes], *, log: Path, log_start: int) -> None:
        begun = time.monotonic()
        next_word = begun + REPORT_EVERY_SECONDS
        try:
            while _recorded_pid(self.cluster) != process.pid or self._status() != "ready":
                if process.poll() is not None:
                    raise LaunchFailed(
                        f"The database server did not start: {_last_complaint(log, log_start)}",
                        remedy=f"The whole story is in {log}.",
                    )
                if time.monotonic() >= next_word:
                    seconds = round(time.monotonic() - begun)
                    self.report(f"The database recovers, {seconds} s so far …")
                    next_word += REPORT_EVERY_SECONDS
                self.pause(POLL_SECONDS)
        except BaseException:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait()
            raise

    def _status(self) -> str:
        """Return the eighth line of the pid file: starting, ready, stopping or nothing yet."""
        try:
            lines = self.cluster.pid_file.read_text().split("\n")
        except OSError:
            return ""
        return lines[7].strip() if len(lines) > 7 else ""


def _last_complaint(log: Path, log_start: int) -> str:
    """Return what the server gave as its reason since `log_start`."""
    with log.open("rb") as file:
        file.seek(log_start)
        lines = file.read().decode(errors="replace").splitlines()
    words = [line.split(":  ", 1)[-1] for line in lines]
    for number in reversed(range(len(lines))):
        if "FATAL:" in lines[number] or "PANIC:" in lines[number]:
            # Of a wrong setting the last line tells only the file; the one before tells which.
            is_vague = number > 0 and words[number].endswith("contains errors")
            return f"{words[number - 1] if is_vague else words[number]}."
    return words[-1] if words else "it ended without a word."
