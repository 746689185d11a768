"""The second wall, swept from the database's own catalogue: nothing stands outside by accident."""

import pytest
from django.db import DatabaseError, connection, transaction

from kameng.config.security import (
    APPEND_ONLY,
    FUNCTION_WRITTEN,
    OWNER_FUNCTIONS,
    PLATFORM_TABLES,
    kameng_tables,
)
from kameng.core.scope import Scope, open_scope
from kameng.ledger.models import Transfer
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.factories import fund_wallet
from tests.people import Buyer

# Functions that see rows of every site. Each needs a reason to be here: it serves several sites in
# one statement, or answers from tables that the application may not write.
DEFINERS = {
    "accounts_open_buyers",
    "accounts_open_request",
    "catalog_card_variants",
    "core_publish",
    "core_purge_events",
    "core_seal_entry",
    "insight_begin_anew",
    "insight_count_buyers",
    "insight_forget_visitors",
    "insight_mark_orders",
    "insight_note_orders",
    "insight_note_sources",
    "insight_note_visits",
    "insight_open_mark",
    "insight_roll_up",
    "insight_salt_of",
    "insight_tail_buyers",
    "insight_tail_by_site",
    "insight_tail_goods",
    "insight_tail_placed",
    "insight_tail_sales",
    "insight_tail_sources",
    "inventory_claim",
    "inventory_keys_of",
    "inventory_release",
    "inventory_replace_key",
    "inventory_reserve",
    "inventory_return_counted",
    "inventory_sell_reserved",
    "inventory_stock",
    "inventory_take_back",
    "ledger_apply",
    "ledger_broken_batches",
    "ledger_changed_transfers",
    "ledger_make_months",
    "ledger_seal",
    "ledger_seal_state",
    "ledger_balance_at",
    "ledger_statement",
    "ledger_statement_sums",
    "ledger_totals_between",
    "payments_booked",
    "ledger_balance_of",
    "ledger_covered",
    "ledger_lock_funds",
    "ledger_lock_wallets",
    "ledger_roll_up",
    "ledger_set_credit",
    "orders_change_part",
    "orders_close",
    "orders_confirm",
    "orders_confirm_once",
    "orders_disputed_upline",
    "orders_expire",
    "orders_held_upline",
    "orders_pay_by_wallet",
    "orders_place",
    "orders_resume",
    "orders_settle",
    "orders_sums_below",
    "orders_take_stock",
    "orders_upline_sums",
    "orders_waiting_sites",
    "payments_begin",
    "payments_claim_probes",
    "payments_claim_queries",
    "payments_claim_refunds",
    "payments_confirm",
    "payments_drop",
    "payments_free_cap",
    "payments_give_up",
    "payments_known",
    "payments_note_answer",
    "payments_note_fault",
    "payments_open",
    "payments_take_nonces",
    "payments_taken_days",
    "payments_terms_of",
    "risk_forget",
    "risk_hit",
    "risk_peek",
    "risk_sweep",
    "settlement_booked",
    "tenancy_fresh",
    "tenancy_move_children",
    "tenancy_move_catalogue",
    "tenancy_stamped_site",
}


def rows(sql: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())


def test_every_table_is_forced_or_named_as_the_platforms(db: None) -> None:
    forced = {
        name
        for (name,) in rows(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition"
            " and c.relrowsecurity and c.relforcerowsecurity"
        )
    }
    every = {
        name
        for (name,) in rows(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = 'public' and c.relkind in ('r', 'p') and not c.relispartition"
            " and c.relname not like 'django%' and c.relname not like 'procrastinate%'"
        )
    }

    assert every - forced == PLATFORM_TABLES
    assert {table for table, has_site, _shared in kameng_tables() if has_site} == forced


def test_no_table_has_a_column_of_a_site_and_no_wall(db: None) -> None:
    with_site = {
        name
        for (name,) in rows(
            "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid"
            " join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname = 'public' and c.relkind = 'r' and a.attname = 'site_id'"
            " and not c.relforcerowsecurity"
        )
    }

    assert with_site <= {"tenancy_domain"}  # hosts are looked up before the site is known


def test_there_is_no_view_that_sees_with_its_owners_eyes(db: None) -> None:
    views = rows(
        "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname = 'public' and c.relkind in ('v', 'm')"
        " and not coalesce('security_invoker=true' = any (c.reloptions), false)"
    )

    assert views == []


def test_functions_that_see_every_site_are_exactly_those_named_here(db: None) -> None:
    found = rows(
        "select p.proname, r.rolname, p.proconfig from pg_proc p"
        " join pg_namespace n on n.oid = p.pronamespace join pg_roles r on r.oid = p.proowner"
        " where n.nspname = 'public' and p.prosecdef"
    )

    assert {name for name, _owner, _config in found} == DEFINERS
    assert {name for name, owner, _config in found if owner != "kameng_engine"} == OWNER_FUNCTIONS
    assert all(config == ["search_path=public, pg_temp"] for _name, _owner, config in found)


def test_nobody_but_the_two_roles_may_call_a_function_of_ours(db: None) -> None:
    open_to_all = rows(
        "select p.proname from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
        " where n.nspname = 'public' and p.prosecdef and has_function_privilege('public', p.oid,"
        " 'execute')"
    )

    assert open_to_all == []


def test_neither_role_passes_the_walls(db: None) -> None:
    found = rows(
        "select rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolcanlogin"
        " from pg_roles where rolname in ('kameng_app', 'kameng_engine') order by 1"
    )

    assert found == [
        ("kameng_app", False, False, False, False, False),
        ("kameng_engine", False, False, False, False, False),
    ]
    assert rows(
        "select count(*) from pg_class c join pg_roles r on r.oid = c.relowner"
        " where r.rolname in ('kameng_app', 'kameng_engine')"
    ) == [(0,)]


def test_a_month_of_the_ledger_is_shut_by_its_own_name(mei: Buyer, site_a: Site) -> None:
    fund_wallet(mei.customer, 50_000)
    with site_scope(site_a.id):
        (name,) = rows("select tableoid::regclass::text from ledger_transfer")[0]

    walls = rows(
        "select c.relname, c.relrowsecurity, c.relforcerowsecurity,"
        " has_table_privilege('kameng_app', c.oid, 'select'),"
        " has_table_privilege('kameng_app', c.oid, 'insert')"
        " from pg_class c where c.relispartition and c.relkind = 'r'"
    )

    assert str(name).startswith("ledger_transfer_20")
    assert len(walls) >= 4
    assert {wall[1:] for wall in walls} == {(True, True, False, False)}
    for statement in (f"select * from {name}", f"delete from {name}", f"truncate {name}"):
        with pytest.raises(DatabaseError), transaction.atomic():
            rows(statement)


@pytest.mark.parametrize("table", sorted(FUNCTION_WRITTEN | APPEND_ONLY))
def test_what_is_written_once_cannot_be_changed(table: str, db: None) -> None:
    allowed = {
        right
        for right in ("insert", "update", "delete", "truncate")
        if rows(f"select has_table_privilege('kameng_app', '{table}', '{right}')") == [(True,)]
    }

    assert allowed == (set() if table in FUNCTION_WRITTEN else {"insert"})


LEDGER = [
    "update ledger_transfer set amount = 1",
    "delete from ledger_transfer",
    "truncate ledger_transfer",
    (
        "insert into ledger_transfer (site_id, debit_account, credit_account, amount, code,"
        " reference_kind, reference_id) values (1, 1, 2, 100, 30, 1, 1)"
    ),
    "update ledger_balance set posted_amount = posted_amount + 100",
    "update ledger_balance set posted_amount = -1",
    "insert into ledger_balance (account_id, site_id, posted_amount) values (-1, 1, 100)",
    "delete from ledger_balance",
    "update ledger_rollup set credit_amount = 0",
    "alter table ledger_transfer disable trigger user",
    "set session_replication_role = replica",
    "alter table ledger_balance no force row level security",
]


@pytest.mark.parametrize("statement", LEDGER)
def test_the_application_cannot_write_the_ledger_by_itself(
    statement: str, mei: Buyer, site_a: Site
) -> None:
    fund_wallet(mei.customer, 50_000)

    with site_scope(site_a.id):
        with pytest.raises(DatabaseError) as refused, transaction.atomic():
            rows(statement)
        assert Transfer.objects.get().amount == 50_000
    assert "permission denied" in str(refused.value) or "must be owner" in str(refused.value)


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("update ledger_transfer set amount = 1", "append-only"),
        ("update ledger_balance set posted_amount = -1", "ledger_balance_not_negative"),
    ],
)
def test_not_even_the_engine_changes_a_transfer_or_overdraws_a_wallet(
    statement: str, reason: str, mei: Buyer, site_a: Site
) -> None:
    fund_wallet(mei.customer, 50_000)

    with site_scope(site_a.id):
        with connection.cursor() as cursor:
            cursor.execute("set local role kameng_engine")
        with pytest.raises(DatabaseError, match=reason), transaction.atomic():
            rows(statement)


@pytest.mark.parametrize(
    "tell",
    [
        "reset app.site; reset app.reads; reset app.platform",
        "set local app.site = ''; set local app.reads = ''; set local app.platform = ''",
        "set local app.site = '0'; set local app.reads = '{0}'; set local app.platform = 'off'",
    ],
)
def test_without_a_site_no_table_gives_a_row(tell: str, mei: Buyer, site_a: Site) -> None:
    fund_wallet(mei.customer, 50_000)
    with open_scope(Scope()):
        connection.ensure_connection()
        rows("select 1")  # the scope has been told: none
        with connection.cursor() as cursor:
            cursor.execute(tell)
        for table, has_site, _shared in kameng_tables():
            if has_site:
                assert rows(f"select count(*) from {table}") == [(0,)], table


def test_control_with_the_site_the_rows_are_there(mei: Buyer, site_a: Site, site_b: Site) -> None:
    fund_wallet(mei.customer, 50_000)

    def seen(site: Site) -> list[tuple[object, ...]]:
        with site_scope(site.id):
            return rows("select count(*) from ledger_transfer")

    assert (seen(site_a), seen(site_b)) == ([(1,)], [(0,)])
