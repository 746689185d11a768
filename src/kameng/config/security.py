"""Roles, grants and row-level security, written from the catalogue of tables at each migration.

Two roles that own no table: `kameng_app` (every process of Kameng; policies confine it to the scope
in force) and `kameng_engine` (owner of the hot SQL functions, which serve several sites in one
statement; it cannot sign in). The second wall behind the fail-closed managers.
"""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import ProgrammingError

from kameng.config.database import APP_ROLE, ENGINE_ROLE
from kameng.config.launch.failure import LaunchFailed
from kameng.tenancy.scoping import SharedDownModel

SITE = "(select nullif(current_setting('app.site', true), '')::bigint)"
READS = "(select coalesce(nullif(current_setting('app.reads', true), ''), '{}')::bigint[])"
PLATFORM = "(select coalesce(current_setting('app.platform', true), '') = 'on')"

# Tables that the application role may only read: their functions write them.
FUNCTION_WRITTEN = {
    "ledger_transfer",
    "ledger_balance",
    "ledger_rollup",
    "ledger_rollupmark",
    "ledger_sealbatch",
    "ledger_sealmark",
    "insight_mark",
    "insight_floor",
    "insight_daysalt",
    "insight_salestotal",
    "insight_goodstotal",
    "insight_sourcetotal",
    "insight_buyerday",
    "insight_buyertotal",
    "insight_shopclock",
    "insight_dirtyday",
    "insight_source",
    "insight_visitor",
    "insight_ordersource",
}
# Functions that stay with the owner of the tables: they do what only that may, and take no text.
OWNER_FUNCTIONS = {"ledger_make_months"}
# Tables whose rows are never changed or removed by the application.
APPEND_ONLY = {
    "core_event",
    "core_auditentry",
    "payments_proof",
    "reconciliation_billfile",
    "reconciliation_casenote",
    "reconciliation_monthclose",
}
# Tables of no site: their rows are platform-wide by nature.
PLATFORM_TABLES = {
    "core_eventposition",
    "tenancy_plan",
    "tenancy_site",
    "tenancy_domain",
    "tenancy_slugreservation",
    "accounts_user",
    "accounts_totp",
    "accounts_recoverycode",
    "accounts_passkey",
    "risk_throttle",
    "ledger_rollupmark",
    "ledger_sealbatch",
    "ledger_sealmark",
    "insight_mark",
    "insight_floor",
    "insight_daysalt",
    "catalog_wordscan",
}


def kameng_tables() -> list[tuple[str, bool, bool]]:
    """Return (table, has a site_id, shared down) for each table of Kameng."""
    tables = []
    for model in apps.get_models():
        if not model.__module__.startswith("kameng."):
            continue
        columns = {field.column for field in model._meta.local_fields}
        has_site = "site_id" in columns and model._meta.db_table not in PLATFORM_TABLES
        tables.append((model._meta.db_table, has_site, issubclass(model, SharedDownModel)))
    return sorted(tables)


def ensure_roles(cursor: Any) -> None:
    """Create the two roles (once per server) and let the migrating role act as them.

    The application role may sign in where the program signs in as it: the embedded server.
    """
    signs_in = settings.DATABASES["default"]["USER"] == APP_ROLE
    for role in (APP_ROLE, ENGINE_ROLE):
        cursor.execute("select 1 from pg_roles where rolname = %s", (role,))
        if cursor.fetchone() is None:
            way = "login" if signs_in and role == APP_ROLE else "nologin"
            _run_as_administrator(cursor, f"create role {role} {way}")
        if not _can_act_as(cursor, role):
            _run_as_administrator(cursor, f"grant {role} to current_user")


def _run_as_administrator(cursor: Any, statement: str) -> None:
    try:
        cursor.execute(statement)
    except ProgrammingError as fault:
        me = _me(cursor)
        raise LaunchFailed(
            f"{me} has no right to `{statement}`.",
            remedy=f"As an administrator: CREATE ROLE {APP_ROLE}; CREATE ROLE {ENGINE_ROLE};"
            f" GRANT {APP_ROLE}, {ENGINE_ROLE} TO {me}; (what exists already may be left out).",
        ) from fault


def _can_act_as(cursor: Any, role: str) -> bool:
    """Tell whether SET ROLE is allowed (from PostgreSQL 16 on membership alone is not enough)."""
    cursor.execute("select current_setting('server_version_num')::int")
    right = "SET" if cursor.fetchone()[0] >= 160_000 else "MEMBER"
    cursor.execute("select pg_has_role(current_user, %s, %s)", (role, right))
    return bool(cursor.fetchone()[0])


def _me(cursor: Any) -> str:
    cursor.execute("select current_user")
    return str(cursor.fetchone()[0])


def secure_tables(cursor: Any, functions: list[str]) -> None:
    """(Re)write every grant and policy. Idempotent; run after migrations and functions."""
    cursor.execute(f"revoke create on schema public from public, {APP_ROLE}")
    cursor.execute(f"grant usage on schema public to {APP_ROLE}, {ENGINE_ROLE}")
    cursor.execute(f"grant create on schema public to {ENGINE_ROLE}")
    for table, has_site, shared in kameng_tables():
        _grant(cursor, table)
        if has_site:
            _confine(cursor, table, shared=shared)
    _shut_partitions(cursor)
    cursor.execute(
        f"grant usage, select on all sequences in schema public to {APP_ROLE}, {ENGINE_ROLE}"
    )
    cursor.execute(f"grant select on django_migrations to {APP_ROLE}")  # which version this is
    _grant_jobs(cursor)
    cursor.execute(
        "select p.oid::regprocedure::text, p.prosecdef from pg_proc p"
        " join pg_namespace n on n.oid = p.pronamespace"
        " where n.nspname = 'public' and p.proname = any (%s)",
        (functions,),
    )
    for signature, definer in cursor.fetchall():
        cursor.execute(f"revoke all on function {signature} from public")
        if definer and signature.partition("(")[0] not in OWNER_FUNCTIONS:
            cursor.execute(f"alter function {signature} owner to {ENGINE_ROLE}")
        cursor.execute(f"grant execute on function {signature} to {APP_ROLE}, {ENGINE_ROLE}")
    cursor.execute(f"revoke create on schema public from {ENGINE_ROLE}")


def _grant(cursor: Any, table: str) -> None:
    cursor.execute(f"revoke all on {table} from public, {APP_ROLE}, {ENGINE_ROLE}")
    if table in FUNCTION_WRITTEN:
        rights = "select"
    elif table in APPEND_ONLY:
        rights = "select, insert"
    else:
        rights = "select, insert, update, delete"
    cursor.execute(f"grant {rights} on {table} to {APP_ROLE}")
    cursor.execute(f"grant select, insert, update, delete on {table} to {ENGINE_ROLE}")


def _confine(cursor: Any, table: str, *, shared: bool) -> None:
    cursor.execute(f"alter table {table} enable row level security")
    cursor.execute(f"alter table {table} force row level security")
    for name in ("own_site", "reads_site", "engine", "migrator"):
        cursor.execute(f"drop policy if exists {name} on {table}")
    mine = f"site_id = {SITE} or {PLATFORM}"
    cursor.execute(f"create policy own_site on {table} using ({mine}) with check ({mine})")
    if shared:
        cursor.execute(
            f"create policy reads_site on {table} for select"
            f" using (site_id = any ({READS}::bigint[]))"
        )
    cursor.execute(
        f"create policy engine on {table} to {ENGINE_ROLE} using (true) with check (true)"
    )


def _shut_partitions(cursor: Any) -> None:
    """Partitions are reached through their table alone: no right on them, and no policy."""
    cursor.execute(
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = 'public' and c.relispartition and c.relkind = 'r'"
    )
    for (partition,) in cursor.fetchall():
        cursor.execute(f"revoke all on {partition} from public, {APP_ROLE}, {ENGINE_ROLE}")
        cursor.execute(f"alter table {partition} enable row level security")
        cursor.execute(f"alter table {partition} force row level security")


def _grant_jobs(cursor: Any) -> None:
    """The job queue (procrastinate) is the application's own: full rights on its tables."""
    cursor.execute(
        "select c.oid::regclass::text, c.relkind from pg_class c"
        " join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = 'public' and c.relname like 'procrastinate%'"
        " and c.relkind in ('r', 'S')"
    )
    for name, kind in cursor.fetchall():
        what = "sequence" if kind == "S" else "table"
        cursor.execute(f"grant all on {what} {name} to {APP_ROLE}")
