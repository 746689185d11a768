"""What the figures mean, in one place. Pure.

GMV (成交额): what buyers paid for orders of a period, refunds of those orders taken off.
Margin (利润) of a sub-site: GMV less wholesale price and gateway fees, refunds taken off part by
part. Profit of the main site: its own GMV less fees, plus wholesale income, less what the goods
cost it now (an estimate: the cost of the day is not kept with the order).
Buyers: different customers, and different contacts of guests, who paid.
"""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time, `until` not included."""

    since: dt.datetime
    until: dt.datetime


def day_start(now: dt.datetime, *, zone: ZoneInfo) -> dt.datetime:
    """Return the midnight at which the day of `now` began in a time zone."""
    local = now.astimezone(zone)
    return local.replace(hour=0, minute=0, second=0, microsecond=0)


def same_hour_before(now: dt.datetime, *, zone: ZoneInfo, days: int) -> Window:
    """Return the day so many days before, cut at the same time of day."""
    start = day_start(now, zone=zone)
    local = now.astimezone(zone)
    began = (start - dt.timedelta(days=days)).replace(tzinfo=zone)
    ended = (local.replace(tzinfo=None) - dt.timedelta(days=days)).replace(tzinfo=zone)
    return Window(since=began, until=ended)


def median(values: list[int]) -> int:
    """Return the middle value, the lower of two."""
    return sorted(values)[(len(values) - 1) // 2] if values else 0


def robust_tenths(value: int, *, past: list[int], least: int) -> int:
    """Return how far a value is from its past in tenths of a robust standard deviation.

    1.4826 times the median of the distances from the median (MAD); `least` is what the deviation is
    taken for at least, so that a quiet past does not make every ripple an alarm.
    """
    middle = median(past)
    deviation = max(least, median([abs(each - middle) for each in past]) * 14_826 // 10_000)
    return (value - middle) * 10 // max(1, deviation)
