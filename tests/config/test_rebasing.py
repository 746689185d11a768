"""A database restored from a dump goes on: nothing is read twice, skipped, or counted wrongly."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections, transaction

from kameng.config.rebasing import rebase_transaction_ids
from kameng.core import audit
from kameng.core.audit import SYSTEM, record, seal_entries
from kameng.core.database import fetch, fetch_one
from kameng.core.events import LoggedEvent, consume
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind, Code, account_id
from kameng.ledger.services import Posting, post_transfers, roll_up_balances
from kameng.ledger.store import balance_of
from kameng.tenancy.models import Site

KIND = "orders.paid"
FAR = 10**15  # ids of a server that had counted much further than this one


@contextmanager
def as_owner() -> Iterator[Any]:
    with (
        platform_scope("a test restores"),
        transaction.atomic(using="owner"),
        connections["owner"].cursor() as cursor,
    ):
        yield cursor


def publish(site: Site, *subjects: int) -> None:
    with transaction.atomic(), platform_scope("a test publishes"):
        for subject in subjects:
            fetch(
                "select core_publish(array[%s], array[%s::bigint], array[%s::bigint],"
                " array['{}'::jsonb])",
                (KIND, site.id, subject),
            )


def read(consumer: str) -> list[int]:
    seen: list[int] = []

    def hear(events: Sequence[LoggedEvent]) -> None:
        seen.extend(event.subject_id for event in events)

    consume(consumer, [KIND], hear)
    return seen


def pretend_restored() -> None:
    """Move every stored transaction id into the future, as a dump brings it."""
    with as_owner() as cursor:
        for table in ("core_event", "core_eventposition", "core_auditentry", "ledger_rollupmark"):
            cursor.execute(f"update {table} set xid = (xid::text::bigint + {FAR})::text::xid8")
        cursor.execute("alter table ledger_transfer disable trigger user")
        cursor.execute(f"update ledger_transfer set xid = (xid::text::bigint + {FAR})::text::xid8")
        cursor.execute("alter table ledger_transfer enable trigger user")


def repair() -> bool:
    with as_owner() as cursor:
        return rebase_transaction_ids(cursor)


@pytest.mark.usefixtures("committed_db")
def test_each_consumer_goes_on_where_it_was(main_site: Site) -> None:
    publish(main_site, 1, 2)
    assert read("early") == [1, 2]
    publish(main_site, 3)
    assert read("late") == [1, 2, 3]
    publish(main_site, 4)

    pretend_restored()
    assert read("early") == []  # what the repair is for

    assert repair() is True
    publish(main_site, 5)
    assert read("early") == [3, 4, 5]
    assert read("late") == [4, 5]
    assert read("new") == [1, 2, 3, 4, 5]


@pytest.mark.usefixtures("committed_db")
def test_balances_count_every_transfer_once(main_site: Site) -> None:
    sales = account_id(AccountKind.SALES, main_site.id)
    post(main_site.id, sales, 300)
    roll_up_balances()
    post(main_site.id, sales, 50)

    pretend_restored()
    assert repair() is True
    post(main_site.id, sales, 7)

    with platform_scope("a test looks"):
        assert balance_of(sales) == 357
        roll_up_balances()
        assert balance_of(sales) == 357


def post(site_id: int, account: int, amount: int) -> None:
    with transaction.atomic(), platform_scope("a test posts"):
        post_transfers(
            [
                Posting(
                    site_id=site_id,
                    debit=account_id(AccountKind.ADJUSTMENTS, site_id),
                    credit=account,
                    amount=amount,
                    code=Code.ADJUST_UP,
                    reference_kind=4,
                    reference_id=1,
                )
            ]
        )


@pytest.mark.usefixtures("committed_db")
def test_the_audit_chain_goes_on() -> None:
    note("before")
    seal_entries()
    note("unsealed")

    pretend_restored()
    assert repair() is True
    note("after")

    assert seal_entries() == 2
    assert list(audit.verify_chain()) == []


def note(action: str) -> None:
    with transaction.atomic(), platform_scope("a test records"):
        record(f"test.{action}", actor=SYSTEM, site_id=None)


@pytest.mark.usefixtures("committed_db")
def test_a_database_that_was_not_restored_is_left_alone(main_site: Site) -> None:
    publish(main_site, 1)
    with platform_scope("a test looks"):
        before = fetch_one("select xid::text from core_event")

    assert repair() is False

    with platform_scope("a test looks"):
        assert fetch_one("select xid::text from core_event") == before
