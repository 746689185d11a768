"""Reads of `kameng audit`: one query over the whole database, under a platform scope."""

from typing import Any

from django.db import connection

from kameng.core.scope import platform_scope


def read_rows(sql: str, params: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return every row of one query over all sites."""
    with platform_scope("audit of every invariant"), connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())
