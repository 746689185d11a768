"""Days and comparisons."""

import datetime as dt
from zoneinfo import ZoneInfo

from kameng.insight.facts import change_bps
from kameng.insight.rules import day_start, same_hour_before

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")


def test_the_day_begins_at_the_sites_midnight() -> None:
    now = dt.datetime(2026, 3, 1, 17, 0, tzinfo=dt.UTC)  # already the 2nd in Shanghai

    assert day_start(now, zone=SHANGHAI) == dt.datetime(2026, 3, 1, 16, 0, tzinfo=dt.UTC)


def test_yesterday_is_cut_at_the_same_time_of_day() -> None:
    now = dt.datetime(2026, 3, 1, 6, 30, tzinfo=dt.UTC)

    window = same_hour_before(now, zone=SHANGHAI, days=7)

    assert window.since == dt.datetime(2026, 2, 21, 16, 0, tzinfo=dt.UTC)
    assert window.until == dt.datetime(2026, 2, 22, 6, 30, tzinfo=dt.UTC)


def test_a_day_with_another_clock_is_cut_at_the_same_wall_time() -> None:
    now = dt.datetime(2026, 3, 29, 10, 0, tzinfo=BERLIN)  # summer time began this night

    window = same_hour_before(now, zone=BERLIN, days=1)

    assert window.until.astimezone(dt.UTC) == dt.datetime(2026, 3, 28, 9, 0, tzinfo=dt.UTC)


def test_change_is_told_only_against_something() -> None:
    assert change_bps(150, before=100) == 5000
    assert change_bps(50, before=100) == -5000
    assert change_bps(7, before=0) is None
