"""The audit finds every damaged row of the roll-ups, and nothing in sound ones."""

import datetime as dt

import pytest
from django.db import connection

from kameng.config import audit
from kameng.insight import store
from kameng.insight.services.rolling import roll_up
from kameng.insight.services.visiting import PAGE, PRODUCT, Seen, flush_visits, note_visit
from kameng.insight.sources import SourceWords
from kameng.orders.models import Order
from kameng.tenancy.models import Site
from kameng.tenancy.scoping import platform_scope
from tests.concurrency.shop import Shop, open_shop, order
from tests.damage import as_owner
from tests.factories import fund_wallet
from tests.people import Buyer

YUAN = 10_000
DAMAGES = [
    ("I37", "update insight_salestotal set order_count = order_count + 1 where grain = 0"),
    ("I37", "update insight_salestotal set margin_amount = 0 where grain = 0"),
    ("I37", "update insight_salestotal set revenue_amount = 1 where grain = 1 and span = 1"),
    ("I37", "update insight_salestotal set refunded_amount = 1 where grain = 2 and span = 2"),
    ("I37", "update insight_salestotal set visitor_count = 9 where grain = 0 and span = 2"),
    ("I37", "update insight_salestotal set below_amount = 1 where grain = 0 and span = 1"),
    ("I37", "update insight_salestotal set below_amount = 1 where grain = 2 and span = 2"),
    ("I37", "delete from insight_salestotal where grain = 0 and span = 1"),
    ("I38", "update insight_goodstotal set piece_count = 0 where grain = 1 and span = 1"),
    ("I38", "delete from insight_goodstotal where grain = 1"),
    ("I38", "update insight_sourcetotal set order_count = 0 where grain = 1 and span = 1"),
    ("I39", "update insight_buyerday set order_count = order_count + 1"),
    ("I39", "update insight_buyerday set prev_day = '2026-01-01'"),
    ("I39", "update insight_buyertotal set buyer_count = 7 where rank = 1 and span = 2"),
    ("I39", "update insight_buyertotal set buyer_count = 7 where grain = 2 and prev_grain = 1"),
    ("I39", "delete from insight_buyertotal where rank = 2"),
    ("I39", "delete from insight_buyertotal where prev_grain = 2"),
    ("I40", "update insight_visitor set steps = 1"),
    ("I40", "delete from insight_visitor"),
]


@pytest.fixture
def rolled(main_site: Site, site_a: Site, mei: Buyer) -> Shop:
    """A shop with orders of three days and a visitor of today, all rolled up, all events read."""
    shop = open_shop(main_site, site_a, keys=20)
    fund_wallet(mei.customer, 1000 * YUAN)
    now = dt.datetime.now(tz=dt.UTC)
    for days in (1, 1, 2, 40):
        placed = order(shop, customer=mei.customer, by_wallet=True)
        with platform_scope("test"):
            at = now - dt.timedelta(days=days)
            Order.unscoped.filter(id=placed.order_id).update(
                placed_at=at, paid_at=at, delivered_at=at
            )
    roll_up()
    words = SourceWords(kind="search", host="baidu.com")
    for visitor, step in (("a" * 12, PAGE | PRODUCT), ("b" * 12, PAGE)):
        note_visit(Seen(site_id=shop.site.id, at=now, visitor=visitor, step=step, source=words))
    assert flush_visits() == 2
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            "insert into core_eventposition (consumer, xid, event_id)"
            " values ('insight.mark_orders', '9223372036854775807', 0)"
        )
    return shop


def test_sound_roll_ups_are_no_breach(rolled: Shop) -> None:
    assert audit.find_breaches() == []
    assert store.rolled_until() is not None


@pytest.mark.parametrize(("name", "damage"), DAMAGES)
def test_each_damaged_row_is_found(rolled: Shop, name: str, damage: str) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(damage)
        assert cursor.rowcount > 0, damage

    assert name in {line.partition(":")[0] for line in audit.find_breaches()}, damage


def test_a_day_that_waits_to_be_computed_again_is_no_breach(rolled: Shop) -> None:
    with platform_scope("test"):
        Order.unscoped.filter(site_id=rolled.site.id).update(refunded_amount=YUAN)
    with as_owner(), connection.cursor() as cursor:
        assert audit_names() == {"I37", "I38"}
        cursor.execute(
            "insert into insight_dirtyday (site_id, day)"
            " select site_id, day from insight_salestotal where span = 1 and grain = 1"
        )

    assert "I37" not in audit_names()


def audit_names() -> set[str]:
    """Return the names of the roll-ups' checks that find something."""
    found = {line.partition(":")[0] for line in audit.find_breaches()}
    return {name for name in found if name in {"I37", "I38", "I39", "I40"}}
