"""SQL functions live in files: `<app>/sql/*.sql`, (re)created whole by `kameng migrate`.

No version in a name and nothing by hand in a migration. Files are run in the order of the apps,
lowest first, so that a function may call those of lower apps.
"""

import re
from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Any

import psycopg

FUNCTION = re.compile(r"create or replace function\s+([a-z0-9_]+)\s*\(", re.IGNORECASE)


def sql_files(apps: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Yield (app, file name, text) for each SQL file, lowest app first."""
    for app in apps:
        folder = resources.files(f"kameng.{app}").joinpath("sql")
        if not folder.is_dir():
            continue
        for entry in sorted(folder.iterdir(), key=lambda path: path.name):
            if entry.name.endswith(".sql"):
                yield app, entry.name, entry.read_text(encoding="utf-8")


def install(cursor: Any, apps: Sequence[str]) -> list[str]:
    """(Re)create every function; return their names. Run as the owner, inside a transaction.

    A function whose signature changed cannot be replaced in place, so all versions of a name are
    dropped first, except trigger functions, which tables hold on to.
    """
    names: list[str] = []
    texts = list(sql_files(apps))
    for _app, _name, text in texts:
        names.extend(FUNCTION.findall(text))
    cursor.execute(
        "select p.oid::regprocedure::text from pg_proc p"
        " join pg_namespace n on n.oid = p.pronamespace"
        " where n.nspname = 'public' and p.proname = any (%s)"
        " and p.prorettype <> 'trigger'::regtype",
        (names,),
    )
    for (signature,) in cursor.fetchall():
        cursor.execute(f"drop function if exists {signature} cascade")
    for app, name, text in texts:
        try:
            cursor.execute(text.replace("%", "%%") if isinstance(cursor, psycopg.Cursor) else text)
        except Exception as fault:
            raise RuntimeError(f"{app}/sql/{name}: {fault}") from fault
    return names
