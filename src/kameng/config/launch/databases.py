"""The database inside a server: made once, and checked when it is someone else's server.

Owns the role `kameng_owner` and the database it owns; the roles that the application uses are
made by `kameng migrate`, and `kameng_app` may sign in to our own server. Imports psycopg only when
called, because the supervisor must stay small.
"""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from kameng.config.launch.binaries import OLDEST_MAJOR
from kameng.config.launch.failure import LaunchFailed
from kameng.config.launch.postgres import APP, DATABASE, OWNER, SUPERUSER, Server

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS = 10
URL_SETTING = "KAMENG_DATABASE_URL"
FORM = "postgresql://owner:password@host:port/database"
ESCAPES = "signs like @ : / % stand in a password as %40 %3A %2F %25"


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
        _let_app_sign_in(connection)
        found = connection.execute("select 1 from pg_database where datname = %s", (name,))
        if found.fetchone() is None:
            make_database = sql.SQL("create database {} owner {}").format(
                sql.Identifier(name), owner
            )
            with contextlib.suppress(errors.DuplicateDatabase, errors.UniqueViolation):
                connection.execute(make_database)
    return server.dsn(OWNER, name)


def _let_app_sign_in(connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
    """An installation of before, or one restored from another server, has the role without it."""
    from psycopg import sql

    found = connection.execute(
        "select 1 from pg_roles where rolname = %s and not rolcanlogin", (APP,)
    )
    if found.fetchone() is not None:
        connection.execute(sql.SQL("alter role {} login").format(sql.Identifier(APP)))


def check_database(url: str, *, needs_schema: bool = False, setting: str = URL_SETTING) -> None:
    """Raise unless a PostgreSQL server of a known version answers at this address.

    With `needs_schema` also when `kameng migrate` never ran in this database.
    """
    with _visit(url, setting=setting) as connection:
        version = connection.info.server_version
        has_schema = not needs_schema or _has_table(connection, "django_migrations")
    if version < OLDEST_MAJOR * 10_000:
        raise LaunchFailed(
            f"The server that {setting} names is PostgreSQL {version // 10_000}.",
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
def _visit(
    url: str, *, setting: str = URL_SETTING
) -> "Iterator[psycopg.Connection[tuple[Any, ...]]]":
    import psycopg

    _check_form(url, setting=setting)
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_SECONDS) as connection:
            yield connection
    except psycopg.Error as fault:
        reason = " ".join(str(fault).split())[:300] or "no reason given"
        raise LaunchFailed(
            f"The database that {setting} names cannot be reached: {reason}.",
            remedy=f"Check the address, the password ({ESCAPES}), and that the server runs.",
        ) from fault


def _check_form(url: str, *, setting: str) -> None:
    """Refuse what is no such address before the driver does: its words would repeat the password.

    A password with a bare @ or / would be taken for a host.
    """
    scheme, separator, rest = url.partition("://")
    if scheme not in {"postgresql", "postgres"} or not separator:
        raise LaunchFailed(f"{setting} must have the form {FORM}.")
    place, _, name = rest.partition("?")[0].partition("/")
    if place.count("@") > 1 or "/" in name:
        raise LaunchFailed(
            f"{setting} cannot be understood.", remedy=f"Its form is {FORM}; {ESCAPES}."
        )
    if not name:
        raise LaunchFailed(f"{setting} names no database.", remedy=f"Its form is {FORM}.")


def _has_table(connection: "psycopg.Connection[tuple[Any, ...]]", name: str) -> bool:
    row = connection.execute("select to_regclass(%s)", (f"public.{name}",)).fetchone()
    return row is not None and row[0] is not None
