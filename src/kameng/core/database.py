"""Straight calls of SQL functions on the connection of this thread.

The hot operations are one function call each. Django's cursor layers cost a third of such a call
(measured: 1 204 against 1 618 orders a second), so this goes to psycopg directly, on the same
connection and in the same transaction as the ORM.
"""

from collections.abc import Sequence
from typing import Any

import psycopg
from django.db import InterfaceError, OperationalError, connection

from kameng.core.scope import current_scope


class DatabaseAway(RuntimeError):
    """The database does not answer now. Nothing is known to have changed; try again."""


def in_transaction() -> bool:
    """Tell whether a transaction is open on this thread's connection."""
    return connection.in_atomic_block


def _run(sql: str, params: Sequence[object], *, scoped: bool) -> list[tuple[Any, ...]]:
    connection.ensure_connection()
    scope = current_scope()
    sent = connection._sent  # type: ignore[attr-defined]
    if scoped and scope is not sent and scope != sent:
        connection.send_scope(scope)  # type: ignore[attr-defined]
    with psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(sql, params, prepare=True)
        return cursor.fetchall() if cursor.description else []


def fetch(sql: str, params: Sequence[object] = (), *, scoped: bool = True) -> list[tuple[Any, ...]]:
    """Run one statement and return its rows.

    `scoped=False` spares the round trip that tells the server the scope: only for functions of the
    engine role, which take the site as an argument, and for tables of no site.

    Outside a transaction a lost connection is opened again and the statement repeated once: use it
    only for statements that may run twice (reads, and functions guarded by a unique key).
    Raises `DatabaseAway` when the server cannot be reached.
    """
    try:
        return _run(sql, params, scoped=scoped)
    except psycopg.OperationalError as fault:
        if connection.in_atomic_block or not is_lost(fault):
            raise
    except (psycopg.InterfaceError, OperationalError, InterfaceError):  # Django's: no connection
        if connection.in_atomic_block:
            raise
    connection.close()
    try:
        return _run(sql, params, scoped=scoped)
    except (psycopg.OperationalError, psycopg.InterfaceError) as fault:
        connection.close()
        raise DatabaseAway(str(type(fault).__name__)) from fault
    except Exception as fault:
        if is_lost(fault.__cause__ or fault):
            raise DatabaseAway(str(type(fault).__name__)) from fault
        raise


def is_lost(fault: BaseException) -> bool:
    """Tell a lost or refused connection from a statement that failed."""
    if not isinstance(fault, psycopg.OperationalError):
        return False
    state = fault.sqlstate or ""
    return state == "" or state.startswith(("08", "57P"))


def fetch_one(
    sql: str, params: Sequence[object] = (), *, scoped: bool = True
) -> tuple[Any, ...] | None:
    """Run one statement and return its first row, or None."""
    rows = fetch(sql, params, scoped=scoped)
    return rows[0] if rows else None
