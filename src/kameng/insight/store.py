"""The hand-written SQL of this app: one function per SQL function in sql/.

Why by hand: a roll-up is one set-based statement over thousands of orders, and what is not rolled
up is read by the index of each site's orders, which only a lateral query walks for many sites.
All of them run as the engine role and take the site as an argument: callers have checked it.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kameng.core.arrays import array_of_bytes, array_of_numbers, array_of_texts
from kameng.core.database import fetch, fetch_one

SALES = (
    "order_count",
    "piece_count",
    "revenue_amount",
    "refunded_amount",
    "refund_count",
    "delivered_count",
    "margin_amount",
    "income_amount",
    "below_amount",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What of whom: a site, whose trade (models.Span), and a stretch of time."""

    site_id: int
    span: int
    since: dt.datetime
    until: dt.datetime

    @property
    def arguments(self) -> tuple[Any, ...]:
        """Return the parameters of the functions of tail.sql."""
        return (self.site_id, self.span, self.since, self.until)


def roll_up(now: dt.datetime, *, order_count: int) -> tuple[int, bool]:
    """Roll up the next full hours; return how many days were computed and whether there is more.

    (-1, False) when another roller is at work. Holds the row of insight_mark; call in autocommit,
    so that each step is a transaction of its own.
    """
    row = fetch_one("select * from insight_roll_up(%s, %s)", (now, order_count), scoped=False)
    return (int(row[0]), bool(row[1])) if row else (-1, False)


def mark_orders(order_ids: Sequence[int]) -> int:
    """Mark the days of these orders that are rolled up; return how many are newly marked.

    Holds the row of insight_mark shared until the end of the transaction.
    """
    ids = array_of_numbers(order_ids)
    row = fetch_one("select insight_mark_orders(%s::bigint[])", (ids,), scoped=False)
    return int(row[0]) if row else 0


def begin_anew() -> None:
    """Forget every roll-up of sales."""
    fetch("select insight_begin_anew()", scoped=False)


def rolled_until() -> dt.datetime | None:
    """Return the moment up to which orders are rolled up; None before the first time."""
    row = fetch_one("select rolled_until from insight_mark where id = 1", scoped=False)
    return row[0] if row else None


def tail_sales(stretch: Stretch) -> list[tuple[Any, ...]]:
    """Return rows of (day, hour, *SALES) of what was paid in a stretch."""
    return fetch(
        "select * from insight_tail_sales(%s, %s, %s, %s)", stretch.arguments, scoped=False
    )


def tail_by_site(stretch: Stretch) -> list[tuple[Any, ...]]:
    """Return rows of (site, *SALES) of what each shop of a stretch was paid."""
    return fetch(
        "select * from insight_tail_by_site(%s, %s, %s, %s)", stretch.arguments, scoped=False
    )


def tail_placed(stretch: Stretch) -> list[tuple[Any, ...]]:
    """Return rows of (day, hour, placed_count)."""
    return fetch(
        "select * from insight_tail_placed(%s, %s, %s, %s)", stretch.arguments, scoped=False
    )


def tail_goods(stretch: Stretch) -> list[tuple[Any, ...]]:
    """Return (variant, product, orders, pieces, kept pieces, revenue, refunded) by variant."""
    return fetch(
        "select * from insight_tail_goods(%s, %s, %s, %s)", stretch.arguments, scoped=False
    )


def tail_sources(stretch: Stretch) -> list[tuple[Any, ...]]:
    """Return rows of (source, orders, revenue, refunded)."""
    return fetch(
        "select * from insight_tail_sources(%s, %s, %s, %s)", stretch.arguments, scoped=False
    )


def tail_buyers(stretch: Stretch, *, first_day: dt.date) -> list[tuple[Any, ...]]:
    """Return (is guest, buyers, repeating, new, buyers by day) on top of what is rolled up."""
    return fetch(
        "select * from insight_tail_buyers(%s, %s, %s, %s, %s)",
        (*stretch.arguments, first_day),
        scoped=False,
    )


def count_buyers(stretch: Stretch) -> list[tuple[Any, ...]]:
    """Return (is guest, buyers, repeating, new) of a stretch by itself."""
    return fetch(
        "select * from insight_count_buyers(%s, %s, %s, %s)", stretch.arguments, scoped=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """A source to be known, as the database gets it."""

    site_id: int
    key: int
    kind: str
    host: str
    medium: str
    campaign: str
    day: dt.date


def note_sources(rows: Sequence[SourceRow], *, most: int) -> None:
    """Keep the words of sources, at most so many new ones a day and site."""
    fetch(
        "select insight_note_sources(%s::bigint[], %s::bigint[], %s::text[], %s::text[],"
        " %s::text[], %s::text[], %s::date[], %s)",
        (
            array_of_numbers([row.site_id for row in rows]),
            array_of_numbers([row.key for row in rows]),
            *(
                array_of_texts([getattr(row, name) for row in rows])
                for name in ("kind", "host", "medium", "campaign")
            ),
            array_of_texts([row.day.isoformat() for row in rows]),
            most,
        ),
        scoped=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitRow:
    """A visitor of a day, as the database gets it; `step` is a sum of bits."""

    site_id: int
    day: dt.date
    digest: bytes
    hour: int
    step: int
    source_key: int | None


def note_visits(rows: Sequence[VisitRow]) -> None:
    """Count visitors; a visitor may be named once a call.

    Holds the rows of the sites in insight_shopclock, and that of insight_mark shared.
    """
    fetch(
        "select insight_note_visits(%s::bigint[], %s::date[], %s::bytea[], %s::smallint[],"
        " %s::smallint[], %s::bigint[])",
        (
            array_of_numbers([row.site_id for row in rows]),
            array_of_texts([row.day.isoformat() for row in rows]),
            array_of_bytes([row.digest for row in rows]),
            array_of_numbers([row.hour for row in rows]),
            array_of_numbers([row.step for row in rows]),
            array_of_numbers([row.source_key for row in rows]),
        ),
        scoped=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRow:
    """An order that a visitor was shown."""

    site_id: int
    order_no: str
    day: dt.date
    digest: bytes


def note_orders(rows: Sequence[OrderRow]) -> int:
    """Keep the sources of orders; return how many are new."""
    row = fetch_one(
        "select insight_note_orders(%s::bigint[], %s::text[], %s::date[], %s::bytea[])",
        (
            array_of_numbers([row.site_id for row in rows]),
            array_of_texts([row.order_no for row in rows]),
            array_of_texts([row.day.isoformat() for row in rows]),
            array_of_bytes([row.digest for row in rows]),
        ),
        scoped=False,
    )
    return int(row[0]) if row else 0


def salt_of(day: dt.date, *, fresh: bytes) -> bytes:
    """Return the salt of a day; `fresh` becomes it when there is none."""
    row = fetch_one("select insight_salt_of(%s, %s)", (day, fresh), scoped=False)
    return bytes(row[0]) if row else fresh


def forget_visitors(before: dt.date, *, most: int) -> int:
    """Delete visitors and salts of days before one, some at a time; return how many went."""
    row = fetch_one("select insight_forget_visitors(%s, %s)", (before, most), scoped=False)
    return int(row[0]) if row else 0
