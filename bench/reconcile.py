"""A day of many payments compared with its bill: reading, storing, matching, writing differences.

Run beside the stack as a program. Beside the seconds stands what the database alone needs for the
bare of it (the lines copied into a plain table and joined with the payments), so that machines can
be compared. What was made for it, but for the bill and its cases, is taken away again.
"""

import argparse
import datetime as dt
import json
import sys
import time
from typing import Any

from kameng.config.launch.home import find_home
from kameng.config.launch.session import database_session

DIFFERENT_EVERY = 1000  # one line in so many has another amount, another an unknown number
PAY = """
insert into payments_payment (site_id, payment_no, purpose, subject_id, gateway_id, amount,
       fee_amount, state, external_no, received_amount, refunded_amount, created_at, expires_at,
       confirmed_at, query_count)
select %s, 'bench' || i, 1, 0, %s, 10000 + i, 60, 2, 'ext' || i, 10000 + i, 0, %s, %s,
       %s::timestamptz + make_interval(secs => i %% 70000), 0
  from generate_series(1, %s) i
"""


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=100_000)
    wanted = parser.parse_args()
    with database_session(find_home()):
        import django

        django.setup()
        report = measure(wanted.lines)
    json.dump(report, sys.stdout)


def measure(count: int) -> dict[str, Any]:
    """Write payments of yesterday, take in their bill as a person uploads it, look at the cases."""
    from django.db import connection

    from kameng.core.audit import SYSTEM
    from kameng.core.scope import platform_scope
    from kameng.payments.models import Gateway, Payment
    from kameng.reconciliation.models import Case
    from kameng.reconciliation.selectors import today_there
    from kameng.reconciliation.services.fetching import upload_bill
    from kameng.tenancy.models import Site
    from kameng.tenancy.selectors import site_scope

    main_id = Site.objects.get(kind=1).id
    day = today_there() - dt.timedelta(days=1)
    begin = dt.datetime.combine(day, dt.time(2), tzinfo=dt.timezone(dt.timedelta(hours=8)))
    with site_scope(main_id):
        gateway = Gateway.objects.create(
            site_id=main_id, kind="epay", name="bill", method="alipay", config_cipher=b""
        )
        with connection.cursor() as cursor:
            cursor.execute(PAY, (main_id, gateway.id, begin, begin, begin, count))
        file = make_bill(count, day=day)
        started = time.perf_counter()
        bill = upload_bill(gateway_id=gateway.id, day=day, data=file, name="b.csv", actor=SYSTEM)
        seconds = time.perf_counter() - started
        bare = bare_seconds(file)
        cases = Case.objects.filter(bill_id=bill.id).count()
    with platform_scope("what was made for the measurement"):
        Payment.unscoped.filter(gateway_id=gateway.id).delete()
    expected = 3 * (count // DIFFERENT_EVERY)  # amount, unknown here, missing there
    return {
        "lines": bill.line_count,
        "cases": cases,
        "is_right": cases == expected and bill.line_count == count,
        "seconds": round(seconds, 2),
        "lines_per_second": round(count / seconds),
        "ratio": round(bare / seconds, 3),
    }


def make_bill(count: int, *, day: dt.date) -> bytes:
    """Return the bill as a gateway's page exports it."""
    lines = ["商户订单号,交易号,订单金额,手续费,支付时间,状态"]
    for i in range(1, count + 1):
        amount = 10_000 + i + (1 if i % DIFFERENT_EVERY == 0 else 0)
        number = f"bench{i}" if i % DIFFERENT_EVERY != 1 else f"other{i}"
        lines.append(
            f"{number},ext{i if number[0] == 'b' else -i},{amount // 10_000}.{amount % 10_000:04d},"
            f"0.006,{day} 12:00:00,已支付"
        )
    return "\n".join(lines).encode()


def bare_seconds(file: bytes) -> float:
    """Return what copying the same lines and joining them with the payments costs at least."""
    from django.db import connection, transaction

    started = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "create temp table bare (own_no text, external_no text, amount text, fee text,"
            " happened text, state text) on commit drop"
        )
        with cursor.copy("copy bare from stdin with (format csv, header)") as copy:
            copy.write(file)
        cursor.execute(
            "select count(*) from bare b join payments_payment p on p.payment_no = b.own_no"
        )
        cursor.fetchone()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
