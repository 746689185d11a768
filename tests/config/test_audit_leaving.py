"""The audit finds damage to closed sites, to owners and to what shops show, and none without."""

import pytest
from django.db import connection

from kameng.config import audit
from kameng.core.audit import SYSTEM
from kameng.core.scope import platform_scope
from kameng.insight.services.leaving import complete_closing
from kameng.settlement.services.handing_over import TakeOver, offer_site_to, take_site_over
from kameng.tenancy.closing import begin_closing
from kameng.tenancy.licensing import submit_licence, verify_licence
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import cancel, make_buyers, open_shop, order
from tests.damage import as_owner
from tests.factories import make_staff
from tests.people import make_lin, make_wei
from tests.tenancy.test_licensing import details

A, B = "(select id from tenancy_site where slug = 'site-a')", "slug = 'site-b'"
LATE_MARGIN = (
    "insert into ledger_transfer (site_id, debit_account, credit_account, amount, code,"
    f" reference_kind, reference_id) select {A}, {A} * 100 + 70, {A} * 100 + 50, 7, 76, 4, 1"
)
STRIPPED = (
    "update accounts_siterole set role = 'viewer'"
    f" where site_id = (select id from tenancy_site where {B})"
)
TWO_OWNERS = (
    "insert into accounts_siterole (site_id, user_id, role) select s.id, u.id, 'owner'"
    f" from tenancy_site s, accounts_user u where s.{B} and u.login = 'lin'"
)
BREAKS = [
    ("I33", "update orders_order set state = 1, closed_at = null, path = '{1}'"),
    ("I33", "update tenancy_site set state = 3 where slug = 'site-b'"),
    ("I33", "update tenancy_closing set completed_at = null"),
    ("I33", "update tenancy_closing set ended_at = now()"),
    ("I33", LATE_MARGIN),
    ("I34", STRIPPED),
    ("I34", TWO_OWNERS),
    ("I35", f"update tenancy_site set settings = '{{}}' where {B}"),
    ("I35", "update tenancy_licence set name = 'someone else'"),
    ("I35", "update tenancy_licence set state = 5"),
]


@pytest.fixture
def left(db: None, main_site: Site, site_a: Site, site_b: Site) -> None:
    """Site A sold and closed, site B was verified and handed from Wei to Sun."""
    shop = open_shop(main_site, site_a, keys=3)
    make_lin(site_a)
    make_wei(site_b)
    make_buyers(site_a, 1, amount=0)
    cancel(shop, order(shop))
    with site_scope(site_a.id):
        begin_closing(reason="x", is_by_platform=False, actor=SYSTEM)
        complete_closing(actor=SYSTEM)
    sun = make_staff(login="sun", name="Sun")
    with site_scope(site_b.id):
        token = offer_site_to("sun", reason="", is_by_platform=False, actor=SYSTEM).token
        take_site_over(TakeOver(token=token, user=sun, keeps_manager=False), actor=SYSTEM)
        made = submit_licence(details(), actor=SYSTEM)
    with platform_scope("verify"):
        verify_licence(made.id, actor=SYSTEM)


def test_sites_that_were_left_well_have_no_breach(left: None) -> None:
    assert audit.find_breaches() == []


@pytest.mark.parametrize(("name", "damage"), BREAKS)
def test_damage_is_found_under_its_name(name: str, damage: str, left: None) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(damage)
        assert cursor.rowcount > 0

    assert name in {line.partition(":")[0] for line in audit.find_breaches()}
