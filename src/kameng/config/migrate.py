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
    "insight",
)
MINIMUM_VERSION = 150_000


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
            ensure_roles(cursor)
            cursor.execute("set lock_timeout = '30s'")
            call_command("migrate", database=alias, verbosity=verbosity, interactive=False)
            with transaction.atomic(using=alias):
                names = install(cursor, APPS)
                secure_tables(cursor, names)
                _tune(cursor)
                with platform_scope("repair of a restored database"):
                    rebase_transaction_ids(cursor)
        finally:
            cursor.execute("select pg_advisory_unlock(%s, %s)", (LOCK_CLASS, MIGRATE))


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
