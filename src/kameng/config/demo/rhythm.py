"""When people buy, and how often what: the shape of the demo's three months. Pure.

Growth over the weeks, the week's own rhythm, holidays, the hours of a day in China. The same seed
gives the same shape.
"""

import datetime as dt
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar
from zoneinfo import ZoneInfo

T = TypeVar("T")
ZONE = ZoneInfo("Asia/Shanghai")
DAYS = 92
ORDERS = 6_250
WEEK = (0.90, 0.92, 0.94, 0.98, 1.14, 1.24, 1.10)  # Monday first
HOURS = (
    *(2.4, 1.3, 0.7, 0.4, 0.3, 0.4, 0.8, 1.6, 2.8, 3.8, 4.5, 4.9),
    *(5.6, 5.2, 4.6, 4.7, 4.9, 5.2, 5.8, 6.9, 8.0, 8.6, 7.4, 4.6),
)
FACE_WEIGHTS = (0.85, 1.0, 0.8, 0.55, 0.3, 0.14, 0.06, 0.04)  # the small ones sell
QUANTITIES = ((1, 88), (2, 8), (3, 3), (5, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day of the history: from when to when, and how many orders."""

    starts_at: dt.datetime
    ends_at: dt.datetime
    order_count: int


def seeded(*names: object) -> Random:
    """Return a source of chance that gives the same for the same names."""
    return Random(":".join(["kameng", *map(str, names)]))  # noqa: S311 - no secret comes of it


def plan_days(now: dt.datetime, *, order_count: int, rng: Random) -> list[Day]:
    """Spread the orders over the days up to `now`; the last day is as long as it is old."""
    today = now.astimezone(ZONE).date()
    dates = [today - dt.timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    elapsed = share_of_day(now)
    weights = [_weight(date, number, rng) for number, date in enumerate(dates)]
    weights[-1] *= elapsed
    whole = sum(weights)
    counts = [round(order_count * weight / whole) for weight in weights]
    days = []
    for date, count in zip(dates, counts, strict=True):
        starts_at = dt.datetime.combine(date, dt.time(), tzinfo=ZONE).astimezone(dt.UTC)
        ends_at = min(starts_at + dt.timedelta(days=1), now)
        days.append(Day(starts_at=starts_at, ends_at=ends_at, order_count=count))
    return days


def share_of_day(now: dt.datetime) -> float:
    """Return how much of a day's orders has usually come by this time of day."""
    local = now.astimezone(ZONE)
    whole = sum(HOURS[: local.hour]) + HOURS[local.hour] * local.minute / 60
    return max(whole / sum(HOURS), 0.01)


def draw_moments(day: Day, *, rng: Random) -> list[dt.datetime]:
    """Return the moments of a day's orders, in order."""
    starts = list(itertools.accumulate(HOURS))
    moments: list[dt.datetime] = []
    seconds_open = (day.ends_at - day.starts_at).total_seconds()
    tries = 0
    while len(moments) < day.order_count and tries < day.order_count * 200:
        tries += 1
        point = rng.random() * starts[-1]
        hour = next(number for number, end in enumerate(starts) if point < end)
        second = hour * 3600 + rng.random() * 3600
        if second < seconds_open:
            moments.append(day.starts_at + dt.timedelta(seconds=second))
    return sorted(moments)


def _weight(date: dt.date, number: int, rng: Random) -> float:
    growth = 0.6 + 0.8 * number / DAYS
    noise = math.exp(rng.gauss(0, 0.09))
    return growth * WEEK[date.weekday()] * _season(date) * noise


def _season(date: dt.date) -> float:
    if (date.month, date.day) == (11, 11):
        return 1.8
    if (date.month, date.day) in {(6, 18), (12, 12), (12, 24), (12, 31)}:
        return 1.35
    if date.month == 10 and date.day <= 7:
        return 1.25
    return 1.15 if date.day <= 3 else 1.0  # phone bills are due


def pick(choices: Sequence[tuple[T, float]], *, rng: Random) -> T:
    """Return one of the weighted choices."""
    return rng.choices([item for item, _ in choices], [weight for _, weight in choices])[0]


def draw_wait(rng: Random, *, median_minutes: float, spread: float = 0.7) -> dt.timedelta:
    """Return a waiting time: most are short, some are long."""
    return dt.timedelta(minutes=median_minutes * math.exp(rng.gauss(0, spread)))


def at_work(moment: dt.datetime) -> dt.datetime:
    """Return the moment, or the next morning's nine o'clock when nobody is at work."""
    local = moment.astimezone(ZONE)
    if local.hour >= 9 or local.hour == 0:
        return moment
    morning = local.replace(hour=9, minute=local.minute % 25, second=local.second)
    return morning.astimezone(dt.UTC)
