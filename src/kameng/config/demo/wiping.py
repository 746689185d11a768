"""The mark of a load that is not finished, and the removal of what a cut one left.

The mark is the comment on the schema: it needs no table, commits at once, and is gone with the
database. Only a load that began on an empty database sets it, so nothing else is ever wiped.
"""

import shutil

from django.conf import settings
from django.db import connections, transaction

from kameng.config.security import kameng_tables
from kameng.config.settings import MIGRATION_ALIAS
from kameng.core.scope import platform_scope

MARK = "kameng: the demo is being loaded"


def is_marked() -> bool:
    """Tell whether a load of the demo did not come to its end."""
    rows = _run("select obj_description('public'::regnamespace, 'pg_namespace')")
    return rows == [(MARK,)]


def mark() -> None:
    """Note that a load begins on an empty database."""
    _run(f"comment on schema public is '{MARK}'")


def unmark() -> None:
    """Note that the load is complete."""
    _run("comment on schema public is null")


def wipe() -> None:
    """Empty every table of Kameng and the folder of uploads. Only after `is_marked`."""
    names = ", ".join(table for table, _has_site, _shared in kameng_tables())
    with platform_scope("wipe a demo that was cut short"), transaction.atomic(MIGRATION_ALIAS):
        _run("alter table ledger_transfer disable trigger user")
        _run(f"truncate {names}, procrastinate_jobs cascade")
        _run("alter table ledger_transfer enable trigger user")
    shutil.rmtree(settings.HOME / "uploads", ignore_errors=True)


def _run(sql: str) -> list[tuple[object, ...]]:
    with connections[MIGRATION_ALIAS].cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []
