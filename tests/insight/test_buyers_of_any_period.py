"""Different buyers of any period, by days and by months, against counting them one by one."""

import datetime as dt
import random
from typing import Any

import pytest
from django.db import connection

from kameng.config import auditing_insight
from kameng.core.scope import platform_scope
from kameng.insight import store
from kameng.insight.dashboard import Reading, read_facts
from kameng.insight.models import BuyerDay, BuyerTotal, Span
from kameng.insight.periods import Days
from kameng.insight.services.rolling import roll_up, roll_up_anew
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, site_scope
from tests.damage import as_owner

FIRST = dt.date(2025, 10, 17)
COUNT = 150  # days
PLACE = """
    insert into orders_order (site_id, main_site_id, order_no, customer_id, contact_digest,
        product_id, variant_id, title, delivery_kind, quantity, unit_amount, total_amount,
        wholesale_amount, fee_amount, refunded_amount, state, path, paid_by, request_key,
        request_digest, buyer_ip,
        placed_at, paid_at, delivered_at, staff_note)
    values (%s, %s, %s, %s, %s, 1, 1, 'x', 1, 1, 10000, 10000, 9000, 0, 0, 3, '{1,2,3}', 2,
            decode(lpad(%s, 32, '0'), 'hex'), '\\x00', '', %s, %s, %s, '')
"""


def tell(site: Site, rng: random.Random) -> list[tuple[dt.date, str]]:
    """Write the orders of thirty buyers over five months; return who paid on which day."""
    told = []
    start = dt.datetime.combine(FIRST, dt.time(4, 0), tzinfo=dt.UTC)  # noon in Shanghai
    moments = sorted(
        (rng.randrange(COUNT) ** 2 // COUNT, rng.randrange(30)) for _number in range(160)
    )
    with as_owner(), connection.cursor() as cursor:
        for number, (day, buyer) in enumerate(moments):
            at = start + dt.timedelta(days=day, seconds=number)
            is_guest = buyer % 3 == 0
            digest = bytes([buyer]) * 16 if is_guest else None
            customer = None if is_guest else 1000 + buyer
            head = (site.id, site.parent_id, f"B{number}", customer, digest, f"{number:x}")
            cursor.execute(PLACE, (*head, at, at, at))
            told.append((FIRST + dt.timedelta(days=day), f"{'g' if is_guest else 'c'}{buyer}"))
    return told


@pytest.mark.parametrize("seed", range(3))
def test_any_period_counts_each_buyer_once(main_site: Site, site_a: Site, seed: int) -> None:
    rng = random.Random(seed)
    told = tell(site_a, rng)
    roll_up()
    now = dt.datetime.combine(FIRST + dt.timedelta(days=COUNT + 5), dt.time(), tzinfo=dt.UTC)
    reading = Reading(site=get_site_view(site_a.id), span=int(Span.OWN), now=now, rolled_until=now)
    whole = Reading(site=get_site_view(main_site.id), span=int(Span.ALL), now=now, rolled_until=now)

    for _ in range(40):
        begin, length = rng.randrange(COUNT), rng.choice((1, 3, 14, 31, 62, 150))
        first = FIRST + dt.timedelta(days=begin)
        days = Days(first=first, last=first + dt.timedelta(days=length - 1))
        within = [who for day, who in told if days.first <= day <= days.last]
        earlier = {who for day, who in told if day < days.first}
        people = set(within)
        truth = (
            len(people),
            sum(who.startswith("g") for who in people),
            len(people - earlier),
            sum(within.count(who) > 1 for who in people),
            len({(day, who) for day, who in told if days.first <= day <= days.last}),
        )
        for each in (reading, whole):
            facts = _read(each, days)
            assert facts == truth, (seed, days)


@pytest.mark.parametrize("seed", range(3))
def test_days_that_change_late_come_to_the_same_as_counting_anew(
    main_site: Site, site_a: Site, seed: int
) -> None:
    rng = random.Random(seed)
    tell(site_a, rng)
    roll_up(order_count=25)
    for _ in range(4):
        _disturb(rng)
        roll_up()
        kept = _stored()
        roll_up_anew()
        assert kept == _stored()
    assert not list(auditing_insight.buyers())


def _disturb(rng: random.Random) -> None:
    """Take payments away, give some back, move some; say which days changed."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("select id, placed_at, paid_at from orders_order order by id")
        for order_id, placed_at, paid_at in rng.sample(cursor.fetchall(), 25):
            paid = None if paid_at and rng.random() < 0.5 else placed_at
            if rng.random() < 0.3:
                paid = placed_at + dt.timedelta(days=rng.randrange(3))
            if paid_at:
                store.mark_orders([order_id])
            cursor.execute(
                "update orders_order set paid_at = %s, delivered_at = %s where id = %s",
                (paid, paid, order_id),
            )
            store.mark_orders([order_id])


def _stored() -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]:
    with platform_scope("test"):
        days = BuyerDay.unscoped.values_list(
            "site_id", "buyer", "day", "order_count", "prev_day", "second_day"
        )
        sums = BuyerTotal.unscoped.exclude(buyer_count=0).values_list(
            *("site_id", "span", "rank", "grain", "prev_grain", "day", "prev_day", "is_guest"),
            "buyer_count",
        )
        return {(row[0], bytes(row[1]), *row[2:]) for row in days}, set(sums)


def _read(reading: Reading, days: Days) -> tuple[int, ...]:
    with site_scope(reading.site.site_id):
        facts = read_facts(reading, days, tail=None)
    return (
        facts.buyer_count,
        facts.guest_count,
        facts.new_count,
        facts.repeat_count,
        facts.buyer_day_count,
    )
