"""Which days a dashboard shows, and which it compares them with. Pure.

Days are those of the site's time zone. A period is compared with as many days just before it; this
month with the same days of the last one; today with yesterday and last week up to the same time.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

CODES: Final = ("today", "yesterday", "7", "30", "90", "month", "own")
DAYS_MOST: Final = 1100  # three years
MONTHS_FROM: Final = 93  # days; longer periods are drawn by month
GRAIN_DAY, GRAIN_MONTH = 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """From a day to a day, both included."""

    first: dt.date
    last: dt.date

    @property
    def count(self) -> int:
        """Return how many days these are."""
        return (self.last - self.first).days + 1

    def __iter__(self) -> Iterator[dt.date]:
        return (self.first + dt.timedelta(days=number) for number in range(self.count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What is shown (`days`) and what it is compared with (`before`)."""

    code: str
    days: Days
    before: Days
    today: dt.date

    @property
    def is_today(self) -> bool:
        """Tell whether only the day that is not over is shown."""
        return self.days.first == self.days.last == self.today

    @property
    def is_running(self) -> bool:
        """Tell whether the figures still change as orders come in."""
        return self.days.first <= self.today <= self.days.last

    @property
    def step(self) -> str:
        """Return how finely it is drawn: "hour", "day" or "month"."""
        if self.days.count == 1:
            return "hour"
        return "day" if self.days.count < MONTHS_FROM else "month"


def choose_period(
    code: str, *, today: dt.date, first: dt.date | None = None, last: dt.date | None = None
) -> Period:
    """Return the period of a code; what makes no sense is today. `first`, `last` for "own"."""
    if code == "own" and first is not None and last is not None:
        first, last = min(first, last), min(max(first, last), today)
        if first <= last:
            first = max(first, last - dt.timedelta(days=DAYS_MOST - 1))
            return _period("own", Days(first=first, last=last), today)
    if code == "yesterday":
        day = today - dt.timedelta(days=1)
        return _period(code, Days(first=day, last=day), today)
    if code in {"7", "30", "90"}:
        return _period(
            code, Days(first=today - dt.timedelta(days=int(code) - 1), last=today), today
        )
    if code == "month":
        return _month(today)
    return _period("today", Days(first=today, last=today), today)


def _period(code: str, days: Days, today: dt.date) -> Period:
    last = days.first - dt.timedelta(days=1)
    first = last - dt.timedelta(days=days.count - 1)
    return Period(code=code, days=days, before=Days(first=first, last=last), today=today)


def _month(today: dt.date) -> Period:
    first = today.replace(day=1)
    last_end = first - dt.timedelta(days=1)
    before = Days(
        first=last_end.replace(day=1), last=last_end.replace(day=min(today.day, last_end.day))
    )
    return Period(code="month", days=Days(first=first, last=today), before=before, today=today)


def cover(days: Days) -> list[tuple[int, Days]]:
    """Return the whole months within and the days at the ends, as (grain, first days)."""
    month = days.first if days.first.day == 1 else next_month(days.first)
    end = days.last + dt.timedelta(days=1)
    after = end.replace(day=1)  # the first day behind the last whole month
    if month >= after:
        return [(GRAIN_DAY, days)]
    found = [(GRAIN_MONTH, Days(first=month, last=after - dt.timedelta(days=1)))]
    if days.first < month:
        found.append((GRAIN_DAY, Days(first=days.first, last=month - dt.timedelta(days=1))))
    if after < end:
        found.append((GRAIN_DAY, Days(first=after, last=days.last)))
    return found


def next_month(day: dt.date) -> dt.date:
    """Return the first day of the month after."""
    return (day.replace(day=1) + dt.timedelta(days=32)).replace(day=1)
