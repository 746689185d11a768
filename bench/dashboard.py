"""The dashboard over ten million orders: how fast they roll up, how fast any period opens.

`kameng bench dashboard`: on a stack of its own, orders of three years are made by one set-based
statement a month (shape of real ones: few goods sell most, some buyers come often, a fortieth is
refunded), rolled up by the product's own steps, and the page's own queries timed over periods from
a day to three years, for one shop and for all together. Cold is a process of its own, without
connection, plans or kept figures; warm the median of the next ones. Beside each stands what the
database alone needs to sum the same orders without a roll-up.
"""

import argparse
import datetime as dt
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from kameng.config.launch.home import find_home
from kameng.config.launch.session import database_session

DAYS = 1096
WARM = 7
PAUSE_SECONDS = 0.05
PERIODS = (("today", 1), ("7", 7), ("30", 30), ("90", 90), ("365", 365), ("1095", 1095))
# Ranks of goods and buyers by the square and the cube of an even draw: a few have the most.
ORDERS = """
insert into orders_order (site_id, main_site_id, order_no, customer_id, product_id, variant_id,
    title, delivery_kind, quantity, unit_amount, total_amount, wholesale_amount, fee_amount,
    refunded_amount, state, path, paid_by, request_key, request_digest, buyer_ip, placed_at,
    paid_at, delivered_at, staff_note)
select %(site)s, %(main)s, 'D' || %(base)s + i, 1 + (power(d.r1, 3) * %(buyers)s)::bigint,
       1 + (d.r2 * d.r2 * 200)::bigint, 1 + (d.r2 * d.r2 * 200)::bigint, 'bench', 1, 1,
       100000 + (d.r2 * 900000)::bigint, 100000 + (d.r2 * 900000)::bigint,
       (case when %(site)s = %(main)s then 100000 + (d.r2 * 900000)::bigint
             else 90000 + (d.r2 * 810000)::bigint end), 600,
       case when i %% 40 = 0 then 100000 else 0 end, 3, '{1,2,3}', 2,
       decode(lpad(to_hex(%(base)s + i), 32, '0'), 'hex'), '\\x00', '', d.at, d.at, d.at, ''
  from generate_series(1, %(count)s) i,
       lateral (select random() r1, random() r2,
                       %(since)s::timestamptz + (i * 1.0 / %(count)s) * (%(until)s::timestamptz
                       - %(since)s::timestamptz) as at where i > 0) d
"""
RECOUNT = """
select count(*), sum(total_amount), sum(refunded_amount), count(distinct customer_id)
  from orders_order where site_id = any (%s) and paid_at >= %s and paid_at < %s
"""


def say(text: str) -> None:
    """Tell a person what is going on, beside the figures."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def fill(count: int, *, sites: list[int], main: int, now: dt.datetime) -> float:
    """Make the orders, month by month in the order of time; return the seconds."""
    from django.db import connections

    started, base = time.perf_counter(), 0
    buyers = max(100, count // 6)
    steps = [(number, number + 1) for number in range(36)]
    first = now - dt.timedelta(days=DAYS)
    length = (now - first) / len(steps)
    with connections["owner"].cursor() as cursor:
        cursor.execute("set app.platform = 'on'")
        cursor.execute("set synchronous_commit = off")
        for begin, end in steps:
            for number, site in enumerate(sites):
                part = count // len(steps) // 2 ** min(number + 1, len(sites) - 1)
                cursor.execute(
                    ORDERS,
                    {
                        "site": site,
                        "main": main,
                        "base": base,
                        "count": part,
                        "buyers": buyers,
                        "since": first + length * begin,
                        "until": first + length * end,
                    },
                )
                base += part
            say(f"  {base:,} orders")
        cursor.execute("vacuum analyze orders_order")
    connections["owner"].close()
    return time.perf_counter() - started


def time_one(work: Callable[[], Any]) -> float:
    """Return how many milliseconds a piece of work takes."""
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def look(days: int, *, site_id: int, is_all: bool, now: dt.datetime) -> None:
    """Read one dashboard as the page does, keeping nothing."""
    from kameng.insight.dashboard import forget_figures, read_dashboard
    from kameng.insight.periods import choose_period
    from kameng.tenancy.selectors import site_scope

    forget_figures()
    today = now.astimezone(dt.timezone(dt.timedelta(hours=8))).date()
    period = choose_period(
        "today" if days == 1 else "own",
        today=today,
        first=today - dt.timedelta(days=days - 1),
        last=today,
    )
    with site_scope(site_id) as view:
        read_dashboard(view, period=period, now=now, is_all=is_all)


def recount(days: int, *, site_ids: list[int], now: dt.datetime) -> None:
    """Sum the same orders without roll-ups: what the page would cost the database alone."""
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute("set app.platform = 'on'")
        cursor.execute(RECOUNT, (site_ids, now - dt.timedelta(days=days), now))
        cursor.fetchall()


def open_periods(sites: list[int], main: int) -> dict[str, float]:
    """Time every period, for the largest sub-site and for all shops; figures by name."""
    now = dt.datetime.now(tz=dt.UTC)
    found: dict[str, float] = {}
    for name, days in PERIODS:
        for is_all in (False, True):
            site_id = main if is_all else sites[0]
            cold = _cold(days, site_id=site_id, is_all=is_all)
            warm = statistics.median(
                time_one(lambda d=days, s=site_id, a=is_all: look(d, site_id=s, is_all=a, now=now))
                for _ in range(WARM)
            )
            bare = time_one(
                lambda d=days, a=is_all: recount(d, site_ids=sites if a else sites[:1], now=now)
            )
            label = f"{name}_{'all' if is_all else 'one'}"
            found |= {f"{label}_cold_ms": round(cold, 1), f"{label}_warm_ms": round(warm, 1)}
            found[f"{label}_of_recount"] = round(warm / bare, 4) if bare else 0.0
            say(f"  {label}: cold {cold:.0f} ms, warm {warm:.0f} ms, a recount {bare:.0f} ms")
    return found


def _cold(days: int, *, site_id: int, is_all: bool) -> float:
    """Time a period in a process of its own, without plans and kept figures."""
    wanted = json.dumps({"days": days, "site_id": site_id, "is_all": is_all})
    done = subprocess.run(
        [sys.executable, "-m", "bench.dashboard", "--look", wanted],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout)


def measure(count: int) -> dict[str, Any]:
    """Make the orders, roll them up, open every period, count again; return the figures."""
    import django

    django.setup()
    from kameng.config.audit import checks
    from kameng.insight import store
    from kameng.insight.services.rolling import roll_up
    from kameng.tenancy.models import Site

    main = Site.objects.get(kind=1).id
    sites = [*Site.objects.filter(kind=2).order_by("id").values_list("id", flat=True)][:4]
    sites = [*sites, main]
    say(f"{count:,} orders …")
    filled = fill(count, sites=sites, main=main, now=dt.datetime.now(tz=dt.UTC))
    say("rolling up …")
    started = time.perf_counter()
    store.begin_anew()
    goal = dt.datetime.now(tz=dt.UTC) - dt.timedelta(hours=1, seconds=40)
    while (store.rolled_until() or goal) < goal:  # beside the stack's own worker, in turns with it
        if not roll_up():
            time.sleep(PAUSE_SECONDS)
    rolled = time.perf_counter() - started
    with _owner() as cursor:
        cursor.execute("vacuum analyze")
    say("opening periods …")
    times = open_periods(sites, main)
    say("counting again …")
    wrong = [
        line
        for name, _title, check in checks()
        if name in {"I36", "I37", "I38"}
        for line in check()
    ]
    for line in wrong[:5]:
        say(line)
    with _owner() as cursor:  # nobody paid for these: the audit of everything must not see them
        cursor.execute(
            "truncate orders_order, insight_salestotal, insight_goodstotal,"
            " insight_sourcetotal, insight_buyerday, insight_buyertotal cascade"
        )
    return {
        "orders": count,
        "fill_seconds": round(filled, 1),
        "roll_up_seconds": round(rolled, 1),
        "roll_up_per_second": round(count / rolled),
        **times,
        "slowest_ms": max(value for name, value in times.items() if name.endswith("_ms")),
        "agrees": not wrong,
    }


def _owner() -> Any:
    from django.db import connections

    return connections["owner"].cursor()


def main() -> None:
    """Measure and print; or time one period and print how long it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=10_000_000)
    parser.add_argument("--look", help="one period, as JSON")
    wanted = parser.parse_args()
    with database_session(find_home()):
        if wanted.look:
            import django

            django.setup()
            now, named = dt.datetime.now(tz=dt.UTC), json.loads(wanted.look)
            sys.stdout.write(str(time_one(lambda: look(now=now, **named))))
            return
        json.dump(measure(wanted.orders), sys.stdout)


if __name__ == "__main__":
    main()
