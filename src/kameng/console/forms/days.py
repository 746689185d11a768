"""From which day to which: the filter that lists share. Days are those of the site's time zone."""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from django.http import QueryDict

FIRST_DAY, LAST_DAY = dt.date(2000, 1, 1), dt.date(9000, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """The days of an address, as it says them; empty ones do not narrow."""

    day_from: str = ""
    day_until: str = ""

    def since(self, zone: ZoneInfo) -> dt.datetime | None:
        """Return the moment at which the first day begins."""
        return _day_start(self.day_from, zone=zone, days=0)

    def until(self, zone: ZoneInfo) -> dt.datetime | None:
        """Return the moment at which the last day is over."""
        return _day_start(self.day_until, zone=zone, days=1)

    def __bool__(self) -> bool:
        return bool(self.day_from or self.day_until)

    @property
    def query(self) -> dict[str, str]:
        """Return the parts of an address that say these days."""
        named = {"from": self.day_from, "until": self.day_until}
        return {name: day for name, day in named.items() if day}


def read_days(query: QueryDict, *, names: tuple[str, str] = ("from", "until")) -> Days:
    """Return the days of an address; what is no day is left out."""
    first, last = names
    return Days(day_from=_day(query.get(first, "")), day_until=_day(query.get(last, "")))


def _day(text: str) -> str:
    try:
        return dt.date.fromisoformat(text).isoformat() if len(text) == 10 else ""
    except ValueError:
        return ""


def _day_start(day: str, *, zone: ZoneInfo, days: int) -> dt.datetime | None:
    if not day:
        return None
    date = dt.date.fromisoformat(day)
    if not FIRST_DAY <= date <= LAST_DAY:
        return None
    return dt.datetime.combine(date + dt.timedelta(days=days), dt.time(), tzinfo=zone)
