"""The demo's visitors: who looked at the shops in these three months, and where they came from.

Counted by the same function as real visits. Which source an order came from is written by the owner
of the tables: the product does it within two hours of an order, and these are older. At the end the
roll-ups are made from the dated orders.
"""

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Final

from django.db import connections, transaction

from kameng.config.demo.rhythm import seeded
from kameng.config.demo.shops import Shop
from kameng.config.settings import MIGRATION_ALIAS
from kameng.core.arrays import array_of_numbers
from kameng.core.scope import platform_scope
from kameng.insight import store
from kameng.insight.services.rolling import roll_up, roll_up_anew
from kameng.insight.services.visiting import CHECKOUT, PAGE, PRODUCT
from kameng.insight.sources import SOURCE_DIRECT, SOURCES_A_DAY, SourceWords
from kameng.orders.models import Order

BATCH: Final = 2000
VISITORS_AN_ORDER: Final = (9, 24)
RECORDED: Final = 0.9  # of the orders have a visit; the rest asked not to be tracked
SOURCES: Final[Sequence[tuple[SourceWords | None, int]]] = (
    (None, 34),
    (SourceWords(kind="search", host="baidu.com"), 17),
    (SourceWords(kind="search", host="so.com"), 4),
    (SourceWords(kind="search", host="bing.com"), 3),
    (SourceWords(kind="social", host="mp.weixin.qq.com"), 12),
    (SourceWords(kind="social", host="weibo.com"), 4),
    (SourceWords(kind="social", host="bilibili.com"), 5),
    (SourceWords(kind="site", host="hao123.com"), 3),
    (SourceWords(kind="campaign", host="wechat", medium="group", campaign="开学季"), 8),
    (SourceWords(kind="campaign", host="douyin", medium="video", campaign="会员日"), 6),
    (SourceWords(kind="campaign", host="sms", medium="message", campaign="老客回访"), 4),
)


def bring_visitors(shops: Sequence[Shop]) -> int:
    """Count visitors around the orders of every shop and roll everything up; return how many."""
    roll_up(steps=1)  # learns of the sites and their time zones
    total = 0
    for shop in shops:
        rng = seeded("visits", shop.site_id)
        hours, sources = _draw_sources(shop, rng)
        rows = _draw_visits(shop, hours, rng)
        _write(shop, rows)
        _write_sources(shop, sources)
        total += len(rows)
    roll_up_anew()
    return total


def _draw(rng: Random) -> SourceWords | None:
    return rng.choices([words for words, _weight in SOURCES], [w for _words, w in SOURCES])[0]


def _draw_sources(
    shop: Shop, rng: Random
) -> tuple[Counter[tuple[dt.date, int]], list[tuple[int, int]]]:
    """Return how many orders each hour had, and from which source each order came."""
    hours: Counter[tuple[dt.date, int]] = Counter()
    sources = []
    with platform_scope("visitors of the demo"):
        orders = list(
            Order.unscoped.filter(site_id=shop.site_id)
            .values_list("id", "placed_at")
            .order_by("id")
        )
    for order_id, placed_at in orders:
        local = placed_at.astimezone(dt.timezone(dt.timedelta(hours=8)))
        hours[local.date(), local.hour] += 1
        if rng.random() < RECORDED:
            words = _draw(rng)
            sources.append((order_id, words.key if words else SOURCE_DIRECT))
    return hours, sources


def _draw_visits(
    shop: Shop, hours: Counter[tuple[dt.date, int]], rng: Random
) -> list[tuple[store.VisitRow, SourceWords | None]]:
    rows = []
    for (day, hour), orders in sorted(hours.items()):
        for number in range(orders * rng.randint(*VISITORS_AN_ORDER)):
            if number < orders:
                step = PAGE | PRODUCT | CHECKOUT
            else:
                step = PAGE | (PRODUCT if rng.random() < 0.46 else 0)
                step |= CHECKOUT if step & PRODUCT and rng.random() < 0.12 else 0
            words = _draw(rng)
            row = store.VisitRow(
                site_id=shop.site_id,
                day=day,
                digest=rng.randbytes(8),
                hour=hour,
                step=step,
                source_key=words.key if words else None,
            )
            rows.append((row, words))
    return rows


def _write(shop: Shop, rows: Sequence[tuple[store.VisitRow, SourceWords | None]]) -> None:
    named = {
        words.key: store.SourceRow(
            site_id=shop.site_id,
            key=words.key,
            kind=words.kind,
            host=words.host,
            medium=words.medium,
            campaign=words.campaign,
            day=row.day,
        )
        for row, words in reversed(rows)
        if words is not None
    }
    store.note_sources(list(named.values()), most=SOURCES_A_DAY)
    for start in range(0, len(rows), BATCH):
        with transaction.atomic():
            store.note_visits([row for row, _words in rows[start : start + BATCH]])


def _write_sources(shop: Shop, sources: Sequence[tuple[int, int]]) -> None:
    with platform_scope("sources of the demo"), connections[MIGRATION_ALIAS].cursor() as cursor:
        cursor.execute(
            "insert into insight_ordersource (site_id, order_id, source_key)"
            " select %s, * from unnest(%s::bigint[], %s::bigint[]) on conflict do nothing",
            (
                shop.site_id,
                array_of_numbers([order_id for order_id, _key in sources]),
                array_of_numbers([key for _order_id, key in sources]),
            ),
        )
