"""The dashboard over ten million orders: how fast they roll up, how fast any period opens.

`kameng bench dashboard`: on a stack of its own, orders of three years are made by one set-based
statement a month (shape of real ones: few goods sell most, some buyers come often, a fortieth is
refunded), rolled up by the product's own steps, and the console's pages fetched over HTTP as a
browser does, for periods from a day to three years: one shop, all shops together, and the ranking
of the shops. Every turn asks for another first day, so that nothing kept answers. Beside each
stands what the database alone needs to sum the same orders without a roll-up.
"""

import argparse
import datetime as dt
import http.client
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from kameng.config.launch.home import find_home
from kameng.config.launch.session import database_session

DAYS = 1096
WARM = 7
PAUSE_SECONDS = 0.05
KEPT_SECONDS = 3.1
PERIODS = (("today", 1), ("7", 7), ("30", 30), ("90", 90), ("365", 365), ("1095", 1095))
# Ranks of goods and buyers by the square and the cube of an even draw: a few have the most. Half of
# the orders are the first site's, a quarter the second's and so on, in the order of time like ids.
ORDERS = """
insert into orders_order (site_id, main_site_id, order_no, customer_id, product_id, variant_id,
    title, delivery_kind, quantity, unit_amount, total_amount, wholesale_amount, fee_amount,
    refunded_amount, state, path, paid_by, request_key, request_digest, buyer_ip, placed_at,
    paid_at, delivered_at, staff_note)
select d.site, %(main)s, 'D' || %(base)s + i, 1 + (power(d.r1, 3) * %(buyers)s)::bigint,
       1 + (d.r2 * d.r2 * 200)::bigint, 1 + (d.r2 * d.r2 * 200)::bigint, 'bench', 1, 1,
       100000 + (d.r2 * 900000)::bigint, 100000 + (d.r2 * 900000)::bigint,
       (case when d.site = %(main)s then 100000 + (d.r2 * 900000)::bigint
             else 90000 + (d.r2 * 810000)::bigint end), 600,
       case when i %% 40 = 0 then 100000 else 0 end, 3, '{1,2,3}', 2,
       decode(lpad(to_hex(%(base)s + i), 32, '0'), 'hex'), '\\x00', '', d.at, d.at, d.at, ''
  from generate_series(1, %(count)s) i,
       lateral (select random() r1, random() r2,
                       (%(sites)s::bigint[])[1 + least(floor(-ln(1 - random()) / ln(2)),
                           cardinality(%(sites)s::bigint[]) - 1)::int] site,
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
            part = count // len(steps)
            values = {"sites": sites, "main": main, "base": base, "count": part, "buyers": buyers}
            cursor.execute(
                ORDERS,
                values | {"since": first + length * begin, "until": first + length * end},
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


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody of the platform in front of the console: where it is, and their session."""

    port: int
    host: str
    cookie: str
    slugs: dict[int, str]  # of consoles by site

    def open(self, site_id: int, page: str, query: dict[str, str]) -> float:
        """Fetch a page as a browser does; return the milliseconds to its last byte."""
        path = f"/console/{self.slugs[site_id]}/{page}?{urlencode(query)}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        started = time.perf_counter()
        connection.request("GET", path, headers={"Host": self.host, "Cookie": self.cookie})
        response = connection.getresponse()
        body = response.read()
        elapsed = (time.perf_counter() - started) * 1000
        connection.close()
        if response.status != 200 or b"</html>" not in body:
            raise RuntimeError(f"{path} answered {response.status}")
        return elapsed


def sign_in(main_id: int, *, port: int) -> Visit:
    """Open a session of somebody who runs the platform."""
    from django.conf import settings

    from kameng.accounts.models import Session, User
    from kameng.core import clock
    from kameng.core.ids import new_token, token_digest
    from kameng.tenancy.models import Domain, Site
    from kameng.tenancy.selectors import site_scope

    token = new_token()
    with site_scope(main_id):
        user = User.objects.create(
            login="bench-owner", display_name="Bench", password="!", is_platform=True
        )
        Session.objects.create(
            site_id=main_id,
            token_digest=token_digest(token),
            user=user,
            expires_at=clock.now() + dt.timedelta(days=1),
        )
    return Visit(
        port=port,
        host=f"{Domain.objects.get(site_id=main_id, is_primary=True).host}:{port}",
        cookie=f"{settings.SESSION_COOKIE}={token}",
        slugs=dict(Site.objects.values_list("id", "slug")),
    )


def query_of(days: int, *, turn: int) -> dict[str, str]:
    """Return the address of a period up to today; no turn asks for the same one as another."""
    if days == 1:
        time.sleep(KEPT_SECONDS)  # until what the server keeps of today is too old
        return {"period": "today"}
    today = (dt.datetime.now(tz=dt.UTC) + dt.timedelta(hours=8)).date()
    first = today - dt.timedelta(days=days - 1 + turn)
    return {"period": "own", "first": first.isoformat(), "last": today.isoformat()}


def recount(days: int, *, site_ids: list[int], now: dt.datetime) -> None:
    """Sum the same orders without roll-ups: what the page would cost the database alone."""
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute("set app.platform = 'on'")
        cursor.execute(RECOUNT, (site_ids, now - dt.timedelta(days=days), now))
        cursor.fetchall()


def open_periods(visit: Visit, sites: list[int], main: int) -> dict[str, float]:
    """Open every period for the largest sub-site, for all shops together and as a ranking."""
    now = dt.datetime.now(tz=dt.UTC)
    pages = (("one", sites[0], ""), ("all", main, ""), ("ranks", main, "dashboard/sites/"))
    found: dict[str, float] = {}
    for name, days in PERIODS:
        for kind, site_id, page in pages:
            first, *rest = (
                visit.open(site_id, page, query_of(days, turn=turn)) for turn in range(WARM + 1)
            )
            wanted = sites[:1] if kind == "one" else sites
            bare = time_one(lambda d=days, w=wanted: recount(d, site_ids=w, now=now))
            usual, label = statistics.median(rest), f"{name}_{kind}"
            found |= {f"{label}_first_ms": round(first, 1), f"{label}_ms": round(usual, 1)}
            found[f"{label}_worst_ms"] = round(max(rest), 1)
            found[f"{label}_of_recount"] = round(usual / bare, 4) if bare else 0.0
            say(
                f"  {label}: first {first:.0f} ms, then {usual:.0f} (worst {max(rest):.0f}) ms,"
                f" a recount {bare:.0f} ms"
            )
    return found


def measure(count: int, *, port: int) -> dict[str, Any]:
    """Make the orders, roll them up, open every period, count again; return the figures."""
    import django

    django.setup()
    from kameng.config.auditing_insight import CHECKS
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
    times = open_periods(sign_in(main, port=port), sites, main)
    say("counting again …")
    wrong = [line for _name, _title, check in CHECKS for line in check()]
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
    """Measure and print the figures as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--orders", type=int, default=10_000_000)
    parser.add_argument("--port", type=int, required=True)
    wanted = parser.parse_args()
    with database_session(find_home()):
        json.dump(measure(wanted.orders, port=wanted.port), sys.stdout)


if __name__ == "__main__":
    main()
