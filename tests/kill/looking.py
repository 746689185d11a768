"""Looks at the database of a stack after the storm, as its superuser, past every wall of ours."""

from pathlib import Path
from typing import Any

import psycopg

from kameng.config.launch.home import Home
from kameng.config.launch.postgres import SUPERUSER, find_server

PAID = """
select o.order_no, o.state, o.paid_by, extract(epoch from o.placed_at)::float8,
       (select count(*) from inventory_cardkey k where k.order_id = o.id and k.state = 2),
       (select count(*) from ledger_transfer t where t.reference_kind = 1
           and t.reference_id = o.id and t.code = 30),
       (select count(*) from ledger_transfer t where t.reference_kind = 1
           and t.reference_id = o.id and t.code = 20),
       o.customer_id, o.total_amount
  from orders_order o
"""


def look(home: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    server = find_server(Home(home))
    assert server is not None
    with psycopg.connect(server.dsn(SUPERUSER, "kameng")) as connection:
        return connection.execute(sql).fetchall()


def look_at(home: Path, sql: str) -> int:
    """Return the one number of a query."""
    return int(look(home, sql)[0][0])
