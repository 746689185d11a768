"""The audit log: sealed into a chain that names what was changed, removed or put in."""

import pytest
from django.db import ProgrammingError, transaction

from kameng.core.audit import SYSTEM, Actor, list_entries, record, seal_entries, verify_chain
from kameng.core.database import fetch
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.database import Wiper

LIN = Actor(kind="user", actor_id=5, name="Lin", ip="192.0.2.1")


def act(site: Site, count: int = 1) -> None:
    with site_scope(site.id), transaction.atomic():
        for number in range(count):
            record("test.act", actor=LIN, site_id=site.id, subject=("thing", number))


def tamper(wiper: Wiper, statement: str) -> None:
    """Do as the owner of the database what the application cannot."""
    wiper.connection.execute(statement)


def breaches() -> list[str]:
    return list(verify_chain())


def test_rows_are_sealed_in_order_and_the_chain_holds(committed_db: None, site_a: Site) -> None:
    act(site_a, 3)
    assert seal_entries() == 3
    act(site_a, 2)
    assert seal_entries() == 2
    assert seal_entries() == 0

    assert breaches() == []
    with platform_scope("test"):
        assert list(AuditEntry.objects.order_by("seal_no").values_list("seal_no", flat=True)) == [
            *range(1, 6)
        ]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("update core_auditentry set actor_name = 'Wei' where seal_no = 2", "seal 2"),
        ("update core_auditentry set detail = '{\"x\": 1}' where seal_no = 2", "seal 2"),
        (
            "update core_auditentry set created_at = now() - interval '1 d' where seal_no = 2",
            "seal",
        ),
        ("delete from core_auditentry where seal_no = 2", "seal 2 is missing"),
    ],
)
def test_a_row_changed_or_removed_afterwards_is_named(
    committed_db: None, site_a: Site, wiper: Wiper, statement: str, said: str
) -> None:
    act(site_a, 3)
    seal_entries()

    tamper(wiper, statement)

    assert any(said in each for each in breaches())
    tamper(wiper, "truncate core_auditentry")


def test_the_application_cannot_change_or_remove_a_row(committed_db: None, site_a: Site) -> None:
    act(site_a)
    for statement in ("update core_auditentry set ip = ''", "delete from core_auditentry"):
        with platform_scope("test"), pytest.raises(Exception, match="permission denied"):
            fetch(statement)


def test_the_act_and_its_row_are_one(committed_db: None, site_a: Site) -> None:
    def fail() -> None:
        with site_scope(site_a.id), transaction.atomic():
            record("test.act", actor=SYSTEM, site_id=site_a.id)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with site_scope(site_a.id):
        assert not list_entries(site_id=site_a.id).exists()


def test_nobody_writes_or_reads_the_log_of_another_site(site_a: Site, site_b: Site) -> None:
    act(site_a)
    with site_scope(site_b.id):
        assert not list_entries(site_id=None).exists()
        with pytest.raises(ProgrammingError), transaction.atomic():
            record("test.act", actor=LIN, site_id=site_a.id)


def test_the_log_is_read_newest_first_and_searched(site_a: Site) -> None:
    act(site_a, 5)
    with site_scope(site_a.id):
        rows = list(list_entries(site_id=site_a.id))
        assert [row.subject_id for row in rows] == ["4", "3", "2", "1", "0"]
        older = list_entries(site_id=site_a.id, before_id=rows[2].id)
        assert [row.subject_id for row in older] == ["1", "0"]
        assert list_entries(site_id=site_a.id, text="Lin").count() == 5
        assert list_entries(site_id=site_a.id, text="3").get().subject_id == "3"
        assert list_entries(site_id=site_a.id, text="%").count() == 0
