"""The database inside a server: made once, and checked when it is someone else's server.

Owns the role `kameng_owner` and the database it owns; the roles that the application uses are
made by `kameng migrate`. Imports psycopg only when called, because the supervisor must stay
small.
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kameng.config.launch.binaries import OLDEST_MAJOR
from kameng.config.launch.failure import LaunchFailed
from kameng.config.launch.postgres import DATABASE, OWNER, SUPERUSER, Server

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 10


def ensure_database(server: Server, name: str = DATABASE) -> str:
    """Make the owner role and the database when missing; return the owner's address of it."""
    import psycopg
    from psycopg import errors, sql

    owner = sql.Identifier(OWNER)
    with psycopg.connect(server.dsn(SUPERUSER, "postgres"), autocommit=True) as connection:
        roles = connection.execute("select 1 from pg_roles where rolname = %s", (OWNER,))
        if roles.fetchone() is None:
            # Another command may be quicker: then the role is there, which is all we want.
            with contextlib.suppress(errors.DuplicateObject, errors.UniqueViolation):
                connection.execute(
                    sql.SQL("create role {} login createrole nosuperuser").format(owner)
                )
        found = connection.execute("select 1 from pg_database where datname = %s", (name,))
        if found.fetchone() is None:
            make_database = sql.SQL("create database {} owner {}").format(
                sql.Identifier(name), owner
            )
            with contextlib.suppress(errors.DuplicateDatabase, errors.UniqueViolation):
                connection.execute(make_database)
    return server.dsn(OWNER, name)


def check_database(url: str, *, needs_schema: bool = False) -> None:
    """Raise unless a PostgreSQL server of a known version answers at this address.

    With `needs_schema` also when `kameng migrate` never ran in this database.
    """
    with _visit(url) as connection:
        version = connection.info.server_version
        has_schema = not needs_schema or _has_table(connection, "django_migrations")
    if version < OLDEST_MAJOR * 10_000:
        raise LaunchFailed(
            f"The server that KAMENG_DATABASE_URL names is PostgreSQL {version // 10_000}.",
            remedy=f"Kameng needs PostgreSQL {OLDEST_MAJOR} or newer.",
        )
    if not has_schema:
        raise LaunchFailed(
            "This database holds nothing of Kameng yet.",
            remedy="Run `kameng migrate` first; `kameng up` does so by itself.",
        )


def holds_sites(url: str) -> bool:
    """Tell whether a shop was opened in this database."""
    with _visit(url) as connection:
        if not _has_table(connection, "tenancy_site"):
            return False
        row = connection.execute("select exists (select 1 from tenancy_site)").fetchone()
        return row is not None and bool(row[0])


@contextlib.contextmanager
def _visit(url: str) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=CONNECT_SECONDS) as connection:
            yield connection
    except psycopg.Error as fault:
        reason = str(fault).strip().splitlines()[-1] if str(fault).strip() else "no reason given"
        raise LaunchFailed(
            f"The database that KAMENG_DATABASE_URL names cannot be reached: {reason}",
            remedy="Check the address, the password, and that the server runs.",
        ) from fault


def _has_table(connection: "psycopg.Connection[tuple[Any, ...]]", name: str) -> bool:
    row = connection.execute("select to_regclass(%s)", (f"public.{name}",)).fetchone()
    return row is not None and row[0] is not None
