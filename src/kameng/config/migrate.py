"""`kameng migrate`: schema, SQL functions, roles, grants, policies, in this order, repeatable.

Runs as the owner of the database; one at a time (advisory lock).
"""

import os
from typing import Any

from kameng.config.launch.failure import LaunchFailed
from kameng.core.locks import LOCK_CLASS, MIGRATE

APPS = (  # lowest first: a function may call those of lower apps
    "core",
    "tenancy",
    "accounts",
    "ledger",
    "risk",
    "messaging",
    "catalog",
    "inventory",
    "payments",
    "orders",
    "settlement",
    "reconciliation",
    "insight",
)
MINIMUM_VERSION = 150_000
MONTHS = """
    select ledger_make_months((now() at time zone 'Asia/Shanghai')::date,
                              ((now() + interval '93 days') at time zone 'Asia/Shanghai')::date)
"""


def run(*, verbosity: int = 0) -> None:
    """Bring the database to this version of the code, and see that our key ring opens it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kameng.config.settings")
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()
    from kameng.config.rotation import check_ring

    migrate(alias="owner", verbosity=verbosity)
    check_ring()


def migrate(*, alias: str, verbosity: int = 0) -> None:
    """Migrate the database of a connection whose role owns it."""
    from django.core.management import call_command
    from django.db import connections, transaction

    from kameng.config.rebasing import rebase_transaction_ids
    from kameng.config.security import ensure_roles, secure_tables
    from kameng.core.scope import platform_scope
    from kameng.core.sqlfiles import install

    connection: Any = connections[alias]
    with connection.cursor() as cursor:
        if connection.pg_version < MINIMUM_VERSION:
            raise LaunchFailed(
                f"The server is PostgreSQL {connection.pg_version // 10_000}.",
                remedy="Kameng needs PostgreSQL 15 or newer.",
            )
        cursor.execute("select pg_advisory_lock(%s, %s)", (LOCK_CLASS, MIGRATE))
        try:
            _refuse_foreign(cursor)
            ensure_roles(cursor)
            cursor.execute("set lock_timeout = '30s'")
            call_command("migrate", database=alias, verbosity=verbosity, interactive=False)
            with transaction.atomic(using=alias):
                names = install(cursor, APPS)
                secure_tables(cursor, names)
                _tune(cursor)
                cursor.execute(MONTHS)
                with platform_scope("repair of a restored database"):
                    rebase_transaction_ids(cursor)
        finally:
            cursor.execute("select pg_advisory_unlock(%s, %s)", (LOCK_CLASS, MIGRATE))


FOREIGN_TABLES = """
    select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname = 'public' and c.relkind in ('r', 'p') and c.relname <> 'django_migrations'
       and not exists (select 1 from pg_depend d where d.objid = c.oid and d.deptype = 'e')
     order by c.relname limit 3
"""


def _refuse_foreign(cursor: Any) -> None:
    """Raise when other tables than ours lie here: rights on the schema would be taken from them."""
    cursor.execute("select to_regclass('public.django_migrations')")
    if cursor.fetchone()[0] is not None:
        cursor.execute("select 1 from django_migrations where app = any (%s) limit 1", [list(APPS)])
        if cursor.fetchone() is not None:
            return
    cursor.execute(FOREIGN_TABLES)
    names = [row[0] for row in cursor.fetchall()]
    if names:
        raise LaunchFailed(
            f"The database holds tables that are not Kameng's: {', '.join(names)}.",
            remedy="Give Kameng a database of its own; nothing was changed.",
        )


def _tune(cursor: object) -> None:
    """Storage settings that the hot tables need (measured: docs/architecture.md)."""
    execute = cursor.execute  # type: ignore[attr-defined]
    execute(
        "alter table inventory_cardkey set (autovacuum_vacuum_scale_factor = 0.02,"
        " autovacuum_vacuum_insert_scale_factor = 0.2, fillfactor = 90)"
    )
    execute("alter table ledger_balance set (fillfactor = 70)")
    execute("alter table risk_throttle set (fillfactor = 70)")
    execute("alter table tenancy_site set (fillfactor = 50)")
