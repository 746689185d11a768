"""The chain over the ledger, and its months: tampering is named, orders are not held up."""

import threading
from collections.abc import Iterator

import pytest
from django.db import DatabaseError, connection, connections, transaction

from kameng.config.settings import MIGRATION_ALIAS
from kameng.core.scope import platform_scope
from kameng.ledger import sealing
from kameng.ledger.sealing import make_months_ahead, seal_transfers, verify_seals
from kameng.tenancy.models import Site
from tests.factories import fund_wallet, make_customer


def rows(sql: str) -> list[tuple[object, ...]]:
    with platform_scope("test"), connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []


def as_superuser(*statements: str) -> None:
    with platform_scope("test"), connections[MIGRATION_ALIAS].cursor() as cursor:
        cursor.execute("alter table ledger_transfer disable trigger user")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("alter table ledger_transfer enable trigger user")
    connections[MIGRATION_ALIAS].close()


def seal() -> int:
    """Note the numbers, note the transactions, seal."""
    return sum(seal_transfers() for _step in range(3))


@pytest.fixture
def three_transfers(committed_db: None, site_a: Site) -> Iterator[list[int]]:
    """Three sealed transfers; what a test broke is taken away before the audit after it."""
    customer = make_customer(site_a)
    for amount in (10_000, 20_000, 30_000):
        fund_wallet(customer, amount)
    assert seal() > 0
    assert list(verify_seals()) == []
    yield [int(str(number)) for (number,) in rows("select id from ledger_transfer order by id")]
    as_superuser(
        "delete from ledger_sealbatch",
        "delete from ledger_sealmark",
        "delete from ledger_transfer",
        "delete from ledger_balance",
    )


TAMPERING = {
    "changed": "update ledger_transfer set amount = amount + 1 where id = {id}",
    "gone": "delete from ledger_transfer where id = {id}",
}


@pytest.mark.parametrize("what", ["changed", "gone"])
def test_the_transfer_that_was_tampered_with_is_named_in_one_run(
    what: str, three_transfers: list[int]
) -> None:
    as_superuser(TAMPERING[what].format(id=three_transfers[1]))

    found = list(verify_seals())

    assert len(found) == 1
    assert found[0].startswith(f"ledger_transfer {three_transfers[1]}: {what} since it was sealed")


def test_a_date_moved_into_another_month_is_found_too(three_transfers: list[int]) -> None:
    as_superuser(
        "update ledger_transfer set created_at = created_at + interval '40 days'"
        f" where id = {three_transfers[0]}"
    )

    assert len(list(verify_seals())) == 1


def test_a_seal_that_was_made_anew_over_changed_rows_breaks_the_next_link(
    three_transfers: list[int], site_a: Site
) -> None:
    fund_wallet(make_customer(site_a), 40_000)
    seal()
    assert rows("select count(*) from ledger_sealbatch") == [(2,)]

    as_superuser(
        f"update ledger_transfer set amount = 1 where id = {three_transfers[0]}",
        "update ledger_sealbatch b set chain_hash = sha256(decode(repeat('00', 32), 'hex') ||"
        " convert_to((select string_agg(ledger_canonical(t), E'\\n' order by t.id)"
        " from ledger_transfer t where t.id <= b.last_id), 'UTF8'))"
        " where batch_no = (select min(batch_no) from ledger_sealbatch)",
    )

    found = list(verify_seals())
    assert len(found) == 1
    assert "do not follow from the link before" in found[0]


def test_what_is_not_committed_yet_is_not_sealed_past(
    committed_db: None, main_site: Site, site_a: Site
) -> None:
    early, late = make_customer(site_a), make_customer(site_a)
    holds, goes_on = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            fund_wallet(early, 10_000)
            holds.set()
            goes_on.wait(60)
        connections.close_all()

    thread = threading.Thread(target=slow)
    thread.start()
    try:
        assert holds.wait(60)
        fund_wallet(late, 20_000)  # a later number, committed first: nobody waited for the seal
        while_open = seal()
    finally:
        goes_on.set()
        thread.join()
    afterwards = seal()

    assert while_open == 0
    assert afterwards > 0
    assert rows("select sum(transfer_count) from ledger_sealbatch") == [(2,)]
    assert list(verify_seals()) == []


def test_control_without_waiting_for_open_transactions_one_is_missed(
    committed_db: None, main_site: Site, site_a: Site
) -> None:
    """The same with the wait taken out of the function: the late transfer is not as sealed."""
    (source,) = rows("select pg_get_functiondef('ledger_seal(int)'::regprocedure)")[0]
    guard = "pg_snapshot_xmin(pg_current_snapshot()) < mark.pending_xid"
    assert guard in str(source)
    _as_owner(str(source).replace(guard, "false"))
    customer, other = make_customer(site_a), make_customer(site_a)
    holds, goes_on = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            fund_wallet(customer, 10_000)
            holds.set()
            goes_on.wait(60)
        connections.close_all()

    thread = threading.Thread(target=slow)
    thread.start()
    try:
        assert holds.wait(60)
        fund_wallet(other, 20_000)
        seal()
    finally:
        goes_on.set()
        thread.join()
        _as_owner(str(source))
    try:
        assert len(list(verify_seals())) == 1
    finally:
        as_superuser("delete from ledger_sealbatch", "delete from ledger_sealmark")


def _as_owner(statement: str) -> None:
    with platform_scope("test"), connections[MIGRATION_ALIAS].cursor() as cursor:
        cursor.execute(statement.replace("%", "%%"))
    connections[MIGRATION_ALIAS].close()


def test_a_transfer_cannot_be_dated_otherwise_than_by_its_transaction(
    db: None, site_a: Site
) -> None:
    for moment in ("now() - interval '40 days'", "now() + interval '1 second'"):
        insert = (
            "insert into ledger_transfer (site_id, debit_account, credit_account, amount, code,"
            " reference_kind, reference_id, created_at)"
            f" values ({site_a.id}, 140, 150, 5, 60, 4, 1, {moment})"
        )
        with pytest.raises(DatabaseError, match="dated by its transaction"), transaction.atomic():
            rows(f"set local role kameng_engine; {insert}")
    assert rows("select count(*) from ledger_transfer") == [(0,)]


def test_months_are_made_ahead_once_and_the_rest_stays_empty(
    db: None, site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    fund_wallet(make_customer(site_a), 10_000)
    monkeypatch.setattr(sealing, "MONTHS_AHEAD", 9)

    first, again = make_months_ahead(), make_months_ahead()

    assert first >= 5
    assert again == 0
    assert rows("select count(*) from ledger_transfer") == [(1,)]
    assert rows(
        "select count(*) from ledger_transfer t"
        " where t.tableoid = 'ledger_transfer_default'::regclass"
    ) == [(0,)]


def test_a_time_bounded_statement_reads_its_months_only(db: None, site_a: Site) -> None:
    make_months_ahead()
    plan = "\n".join(
        str(line)
        for (line,) in rows(
            "explain (costs off) select * from ledger_transfer where credit_account = -10"
            " and credit_account < 0 and created_at >= date_trunc('month', now())"
            " and created_at < date_trunc('month', now()) + interval '20 days'"
        )
    )

    assert plan.count("ledger_transfer_20") <= 2 or "Subplans Removed" in plan
