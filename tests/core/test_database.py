"""Straight calls: the scope goes ahead, a lost connection is opened again, the walls hold."""

import psycopg
import pytest
from django.db import connection, transaction

from kameng.accounts.models import Customer
from kameng.core.database import DatabaseAway, fetch, fetch_one
from kameng.core.scope import (
    NO_SCOPE,
    Scope,
    ScopeMissing,
    current_scope,
    open_scope,
    platform_scope,
    require_site_id,
)
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.database import Wiper
from tests.people import Buyer


def cut(wiper: Wiper) -> None:
    """Let the server end this thread's connection."""
    (pid,) = fetch_one("select pg_backend_pid()") or (0,)
    wiper.connection.execute("select pg_terminate_backend(%s, 5000)", (pid,))


def test_a_lost_connection_is_opened_again_for_a_read(committed_db: None, wiper: Wiper) -> None:
    cut(wiper)

    assert fetch_one("select 1") == (1,)


def test_a_lost_connection_in_a_transaction_is_a_fault(committed_db: None, wiper: Wiper) -> None:
    def lose() -> None:
        with transaction.atomic():
            cut(wiper)
            fetch("select 1")

    with pytest.raises(psycopg.OperationalError):
        lose()

    assert fetch_one("select 1") == (1,)


def test_the_scope_is_sent_anew_on_a_new_connection(
    committed_db: None, site_a: Site, mei: Buyer, wiper: Wiper
) -> None:
    with site_scope(site_a.id):
        cut(wiper)
        assert fetch_one("select count(*) from accounts_customer") == (1,)


def test_a_server_that_cannot_be_reached_is_said_to_be_away(
    committed_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.close()
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nonexistent")

    with pytest.raises(DatabaseAway):
        fetch("select 1")

    monkeypatch.undo()
    assert fetch_one("select 1") == (1,)


def test_a_statement_that_fails_is_not_repeated(db: None) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), transaction.atomic():
        fetch("select 1 / 0")


def test_after_a_rollback_the_server_is_told_the_scope_again(
    committed_db: None, site_a: Site, site_b: Site, mei: Buyer
) -> None:
    def look_and_fail() -> None:
        with transaction.atomic(), site_scope(site_b.id):
            assert fetch_one("select count(*) from accounts_customer") == (0,)
            raise ZeroDivisionError

    with site_scope(site_a.id):
        with pytest.raises(ZeroDivisionError):
            look_and_fail()
        assert fetch_one("select count(*) from accounts_customer") == (1,)
        assert Customer.objects.count() == 1


def test_the_role_owns_nothing_and_makes_nothing(
    committed_db: None, site_b: Site, mei: Buyer
) -> None:
    with site_scope(site_b.id):
        for statement in (
            "alter table accounts_customer disable row level security",
            "create table mine (x int)",
            "create policy mine on accounts_customer using (true)",
            "update ledger_transfer set amount = 1",
            "drop table accounts_customer",
        ):
            with pytest.raises(psycopg.Error):
                fetch(statement)


def test_scopes_nest_and_close() -> None:
    assert current_scope() == NO_SCOPE
    with open_scope(Scope(site_id=1)):
        assert require_site_id() == 1
        with platform_scope("look at everything"):
            assert current_scope().is_platform
            with pytest.raises(ScopeMissing):
                require_site_id()
        assert require_site_id() == 1
    assert current_scope() == NO_SCOPE
    with pytest.raises(ValueError, match="reason"), platform_scope(""):
        raise AssertionError
