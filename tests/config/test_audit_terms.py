"""What `kameng audit` finds of terms and of the orders that pay for them, by damage."""

import pytest
from django.db import connection

from kameng.config import audit
from kameng.core.audit import SYSTEM
from kameng.core.scope import platform_scope
from kameng.tenancy.models import Site
from kameng.tenancy.terms import set_term_by_hand
from tests.damage import as_owner
from tests.orders.test_plan_refunds import give_back
from tests.plan_shop import PlanShop, buy_shop, fulfil, open_plan_shop, place_shop, place_term
from tests.plan_shop import new_shop as wished

FIRST = "(select min(id) from orders_order where delivery_kind = 4 and state = 3)"
LAST_TERM = "(select max(id) from tenancy_siteterm where replaced_at is null)"
UNGUARD = "alter table orders_order drop constraint orders_opening_earns_nobody; "
OF_TERMS = [
    ("I30", f"delete from tenancy_siteterm where order_id = {FIRST}"),
    ("I30", f"update orders_sitepurchase set done_at = null where order_id = {FIRST}"),
    ("I30", "update tenancy_siteterm set order_id = order_id + 1000 where order_id is not null"),
    ("I30", f"update tenancy_siteterm set site_id = site_id + 1 where order_id = {FIRST}"),
    ("I30", f"delete from orders_sitepurchase where order_id = {FIRST}"),
    ("I30", f"update tenancy_siteterm set refunded_at = now() where order_id = {FIRST}"),
    ("I30", "update tenancy_siteterm set refunded_at = null where refunded_at is not null"),
    ("I31", "update tenancy_site set expires_at = expires_at - interval '1 day'"),
    ("I31", "update tenancy_site set lapses_at = lapses_at + interval '1 day'"),
    (
        "I31",
        f"update tenancy_siteterm set ends_at = ends_at + interval '1 h' where id = {LAST_TERM}",
    ),
    (
        "I31",
        f"update tenancy_siteterm set starts_at = now() - interval '9 d' where id = {LAST_TERM}",
    ),
    ("I31", "update tenancy_plan set grace_days = grace_days + 1"),
    ("I32", f"{UNGUARD}update orders_order set wholesale_amount = 1 where id = {FIRST}"),
    (
        "I32",
        f"update ledger_transfer set code = 31 where reference_kind = 1 and reference_id = {FIRST}",
    ),
]


@pytest.fixture
def plans(db: None, main_site: Site, site_a: Site) -> PlanShop:
    """Shops opened, prolonged, moved to another plan, set by hand; and one that waits."""
    plans = open_plan_shop(main_site)
    _placed, site = buy_shop(plans)
    fulfil(plans, place_term(plans, site))
    _placed, other = buy_shop(plans)
    fulfil(plans, place_term(plans, other, variant=plans.year))
    with platform_scope("a test sets a term"):
        site.refresh_from_db()
        set_term_by_hand(
            site_id=site_a.id, plan=plans.pro, ends_at=site.expires_at, reason="x", actor=SYSTEM
        )
    place_shop(plans, wished())
    given, _back = buy_shop(plans)
    give_back(plans, given)
    _placed, last = buy_shop(plans)
    fulfil(plans, place_term(plans, last))
    return plans


def test_sound_terms_are_no_breach(plans: PlanShop) -> None:
    assert audit.find_breaches() == []


@pytest.mark.parametrize(("name", "damage"), OF_TERMS)
def test_each_breach_is_found(plans: PlanShop, name: str, damage: str) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")
        cursor.execute(damage)

    found = audit.find_breaches()

    assert name in {line.partition(":")[0] for line in found}, found
