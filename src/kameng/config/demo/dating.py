"""Puts the demo's history back in time: the one place that changes rows behind the services' backs.

The history is written by the real services within a minute, so PostgreSQL stamped every row with
the minute of the load. Here the owner of the tables moves those stamps to the moments in the diary,
in one transaction: amounts, states, links and order stay as the services left them, and
`kameng audit` holds afterwards. The guard of the ledger, which refuses every change, is off inside
this transaction alone. Audit rows are dated before they are sealed.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction

from kameng.config.demo.diary import Diary
from kameng.config.settings import MIGRATION_ALIAS
from kameng.core.scope import platform_scope

OPENED_BEFORE = dt.timedelta(days=135)  # the main site is older than its history

TABLES = """
create temp table demo_order (
    id bigint primary key, placed timestamptz, paid timestamptz, delivered timestamptz,
    closed timestamptz, refunded timestamptz, repaired timestamptz) on commit drop;
create temp table demo_customer (id bigint primary key, at timestamptz) on commit drop;
create temp table demo_top_up (id bigint primary key, at timestamptz) on commit drop;
create temp table demo_prepaid (id bigint primary key, at timestamptz) on commit drop;
create temp table demo_switch (id bigint primary key, at timestamptz) on commit drop;
create temp table demo_import (id bigint primary key, at timestamptz) on commit drop;
create temp table demo_site (id bigint primary key, at timestamptz) on commit drop;
"""

# Nine of ten buyers look at their goods at once; the rest have not looked yet.
ORDERS = """
update orders_order o
   set placed_at = m.placed,
       paid_at = case when o.paid_at is not null then coalesce(m.paid, m.placed) end,
       delivered_at = case when o.delivered_at is not null
                           then coalesce(m.delivered, m.paid + interval '1 second') end,
       closed_at = case o.state when 5 then o.expires_at + interval '17 seconds'
                                when 4 then m.closed else o.closed_at end,
       revealed_at = coalesce(o.revealed_at, case when o.state = 3 and o.id % 10 <> 3
           then coalesce(m.delivered, m.paid) + make_interval(secs => 5 + o.id * 7 % 90) end)
  from demo_order m where m.id = o.id;
update orders_delivery d set created_at = o.delivered_at
  from orders_order o where o.id = d.order_id and o.delivered_at is not null;
update orders_orderrefund r
   set created_at = m.refunded, done_at = case when r.done_at is not null then m.refunded end
  from demo_order m where m.id = r.order_id;
update orders_note n
   set created_at = case n.kind when 'delivered_by_hand' then coalesce(m.delivered, m.paid)
                                else coalesce(m.repaired, m.refunded, m.paid, m.placed) end
  from demo_order m where m.id = n.order_id;
update inventory_cardkey k set sold_at = o.paid_at
  from orders_order o where o.id = k.order_id and k.sold_at is not null;
"""

PAYMENTS = """
update payments_payment p
   set created_at = m.placed, confirmed_at = case when p.confirmed_at is not null then m.paid end,
       closed_at = case when p.closed_at is not null then p.expires_at + interval '1 minute' end
  from demo_order m where p.purpose = 1 and p.subject_id = m.id;
update payments_payment p
   set created_at = m.at - interval '25 seconds', confirmed_at = m.at
  from demo_top_up m where p.purpose = 2 and p.subject_id = m.id;
update payments_topup t set created_at = m.at - interval '25 seconds', credited_at = m.at
  from demo_top_up m where t.id = m.id;
update payments_payment p
   set created_at = m.at - interval '25 seconds', confirmed_at = m.at
  from demo_prepaid m where p.purpose = 8 and p.subject_id = m.id;
update payments_prepaidin t set created_at = m.at - interval '25 seconds', credited_at = m.at
  from demo_prepaid m where t.id = m.id;
update payments_proof f set created_at = p.confirmed_at
  from payments_payment p where p.id = f.payment_id and p.confirmed_at is not null;
update payments_gatewayrefund g
   set created_at = m.refunded, done_at = case when g.done_at is not null then m.refunded end
  from payments_payment p join demo_order m on m.id = p.subject_id
 where p.id = g.payment_id and p.purpose = 1;
"""

LEDGER = """
select ledger_make_months((select (min(placed) - interval '1 month')::date from demo_order),
                          current_date);
delete from ledger_sealbatch;  -- of minutes ago, by a worker: nobody has relied on it
delete from ledger_sealmark;
alter table ledger_transfer disable trigger user;
update ledger_transfer t
   set created_at = case when t.code between 40 and 53 then m.refunded
                         else coalesce(m.paid, m.placed) end
  from demo_order m where t.reference_kind = 1 and t.reference_id = m.id;
update ledger_transfer t set created_at = m.at
  from demo_top_up m where t.reference_kind = 2 and t.reference_id = m.id;
update ledger_transfer t set created_at = m.at
  from demo_prepaid m where t.reference_kind = 8 and t.reference_id = m.id;
alter table ledger_transfer enable trigger user;
update ledger_balance b set updated_at = t.at
  from (select account, max(created_at) as at from (
            select debit_account as account, created_at from ledger_transfer
             where debit_account < 0
            union all
            select credit_account, created_at from ledger_transfer
             where credit_account < 0) sides
         group by account) t
 where t.account = b.account_id;
"""

# A message carries the number of its event, the mail about what was not paid its address and day
# (orders.notices); messages older than two days were mostly read.
MESSAGES = """
update core_event e
   set created_at = case e.kind when 'orders.paid' then o.paid_at
                                when 'orders.closed' then o.closed_at
                                when 'orders.refunded' then m.refunded
                                else coalesce(m.repaired, o.delivered_at) end
  from orders_order o join demo_order m on m.id = o.id
 where e.kind like 'orders.%' and e.subject_id = o.id
   and case e.kind when 'orders.paid' then o.paid_at when 'orders.closed' then o.closed_at
                   when 'orders.refunded' then m.refunded
                   else coalesce(m.repaired, o.delivered_at) end is not null;
update core_event e set created_at = p.confirmed_at
  from payments_payment p
 where e.kind = 'payments.confirmed' and e.subject_id = p.id and p.confirmed_at is not null;
update core_event e set created_at = g.created_at
  from payments_gatewayrefund g where e.kind like 'payments.refund%' and e.subject_id = g.id;
update messaging_inboxmessage i
   set created_at = e.created_at,
       read_at = case when e.created_at < now() - interval '2 days' and i.id % 6 <> 0
                      then e.created_at + make_interval(mins => 3 + (i.id * 37 % 500)::int) end
  from core_event e where i.dedupe_key = e.kind || ':' || e.id;
update messaging_email m
   set created_at = e.created_at, next_attempt_at = e.created_at, state = 2, attempts = 1
  from core_event e where m.dedupe_key = e.kind || ':' || e.id;
update messaging_email m
   set created_at = e.created_at, next_attempt_at = e.created_at, state = 2, attempts = 1
  from core_event e join orders_order o on o.id = e.subject_id
 where e.kind = 'orders.closed' and m.site_id = o.site_id
   and m.dedupe_key like e.kind || ':' || encode(o.contact_digest, 'hex') || ':%';
"""

PEOPLE = """
update accounts_customer c
   set created_at = m.at, last_signed_in_at = greatest(m.at, (
           select max(o.placed_at) from orders_order o
            where o.site_id = c.site_id and o.customer_id = c.id) - interval '3 minutes')
  from demo_customer m where m.id = c.id;
update catalog_importjob j
   set created_at = m.at - interval '2 minutes', finished_at = m.at
  from demo_import m where m.id = j.id;
update inventory_cardbatch b set created_at = m.at
  from demo_import m where m.id = b.import_job_id;
"""

# Shares that were planned with the deliveries of their orders.
SPLITS = """
update settlement_split s
   set delivered_at = o.delivered_at, created_at = o.delivered_at + interval '3 seconds',
       finish_by = s.finish_by + (o.paid_at - s.delivered_at),
       next_attempt_at = case when s.next_attempt_at is not null
                              then s.next_attempt_at + (o.delivered_at - s.delivered_at) end
  from orders_order o where o.id = s.order_id;
"""

# What was set up before the first day, with each site.
SETTING_UP = """
update tenancy_site t set created_at = s.at from demo_site s where s.id = t.id;
update tenancy_domain t set created_at = s.at from demo_site s where s.id = t.site_id;
update accounts_siterole t set created_at = s.at from demo_site s where s.id = t.site_id;
update accounts_user t set created_at = r.created_at from accounts_siterole r
 where r.user_id = t.id;
update catalog_product t set created_at = s.at, updated_at = s.at from demo_site s
 where s.id = t.site_id;
update catalog_pricerule t set updated_at = s.at from demo_site s where s.id = t.site_id;
update payments_gateway t set created_at = s.at from demo_site s where s.id = t.site_id;
"""

AUDIT = """
update core_auditentry a
   set created_at = case a.action when 'order.delivered_by_hand' then o.delivered_at
                                  when 'order.refunded' then m.refunded
                                  else coalesce(m.repaired, m.closed, o.paid_at) end
  from orders_order o join demo_order m on m.id = o.id
 where a.subject_kind = 'order' and a.subject_id = o.order_no and a.sealed_hash is null;
update core_auditentry a set created_at = m.at
  from demo_import m
 where a.subject_kind = 'import' and a.subject_id = m.id::text and a.sealed_hash is null;
update core_auditentry a set created_at = m.at
  from demo_prepaid m join payments_prepaidin p on p.id = m.id
 where a.subject_kind = 'prepaid' and a.subject_id = p.prepaid_no and a.sealed_hash is null;
update core_auditentry a set created_at = m.at
  from demo_switch m
 where a.action = 'site.settlement_way.changed' and a.subject_id = m.id::text
   and a.sealed_hash is null;
update core_auditentry a set created_at = s.at
  from demo_site s
 where a.subject_kind not in ('order', 'import', 'prepaid') and a.sealed_hash is null
   and not (a.action = 'site.settlement_way.changed'
            and a.subject_id in (select id::text from demo_switch))
   and a.action <> 'stock.level.set'  -- of today
   and s.id = coalesce(a.site_id, (select min(id) from demo_site));
"""

# What is done after the history was dated, moved in steps of its own.
RECEIVERS = """
update settlement_splitreceiver r
   set created_at = m.at + interval '10 minutes', usable_at = m.at + interval '1 day'
  from demo_switch m where r.site_id = m.id;
"""
SHARES = """
alter table ledger_transfer disable trigger user;
update settlement_split s
   set done_at = least(now(), s.delivered_at + make_interval(hours => %(hours)s)
                              + make_interval(secs => 4 + s.id %% 9))
 where s.state in (3, 6);
update ledger_transfer t set created_at = s.done_at - interval '1 second' * (81 - t.code)
  from settlement_split s
 where t.reference_kind = 5 and t.reference_id = s.id and s.state = 3 and t.code in (80, 81);
alter table ledger_transfer enable trigger user;
"""
ACCOUNTS = """
update settlement_payoutaccount set created_at = created_at - %(age)s where id = any(%(ids)s);
"""
# The gateway was asked at the end of the load; the clock of who decided stood at the moment.
CLAIMS = """
update settlement_withdrawal w
   set created_at = m.at,
       ended_at = case when w.gateway_id is not null and w.ended_at is not null
                       then w.decided_at + interval '40 seconds' else w.ended_at end
  from demo_claim m where w.id = m.id;
update settlement_approval a set created_at = w.decided_at
  from settlement_withdrawal w join demo_claim m on m.id = w.id
 where a.withdrawal_id = w.id and w.decided_at is not null;
update settlement_payoutbatch b set created_at = w.decided_at + interval '20 seconds'
  from settlement_withdrawal w join demo_claim m on m.id = w.id where w.batch_id = b.id;
alter table ledger_transfer disable trigger user;
update ledger_transfer t
   set created_at = case t.code when 70 then m.at else coalesce(w.ended_at, m.at) end
  from settlement_withdrawal w join demo_claim m on m.id = w.id
 where t.reference_kind = 6 and t.reference_id = w.id;
alter table ledger_transfer enable trigger user;
update core_auditentry a
   set created_at = case a.action when 'settlement.withdrawal.requested' then m.at
                                  when 'settlement.withdrawal.approved' then w.decided_at
                                  else coalesce(w.ended_at, w.decided_at, m.at) end
  from settlement_withdrawal w join demo_claim m on m.id = w.id
 where a.subject_kind = 'withdrawal' and a.subject_id = w.withdrawal_no and a.sealed_hash is null;
"""


def date_back(diary: Diary, *, now: dt.datetime) -> None:
    """Move every stamp of the history to its moment, as the owner of the tables."""
    with _owner() as cursor:
        cursor.execute(TABLES)
        _fill(cursor, diary)
        _copy(cursor, "demo_site", _opening_days(cursor, now))
        for part in (ORDERS, PAYMENTS, LEDGER, MESSAGES, PEOPLE, SPLITS, SETTING_UP, AUDIT):
            cursor.execute(part)


def date_receivers(diary: Diary) -> None:
    """Let receivers of shares be as old as the splits of their site."""
    with _owner() as cursor:
        cursor.execute(TABLES)
        _copy(cursor, "demo_switch", diary.switches.items())
        cursor.execute(RECEIVERS)


def date_shares(*, hold_hours: int) -> None:
    """Let shares have been handed over, and payments freed, when they fell due."""
    with _owner() as cursor:
        cursor.execute(SHARES, {"hours": hold_hours})


def date_accounts(account_ids: Sequence[int], *, by: dt.timedelta) -> None:
    """Let payout accounts be older by so much."""
    with _owner() as cursor:
        cursor.execute(ACCOUNTS, {"ids": list(account_ids), "age": by})


def date_claims(asked: Mapping[int, dt.datetime]) -> None:
    """Let withdrawals, by id, have been asked for at these moments and gone on from there."""
    with _owner() as cursor:
        cursor.execute(
            "create temp table demo_claim (id bigint primary key, at timestamptz) on commit drop"
        )
        _copy(cursor, "demo_claim", asked.items())
        cursor.execute(CLAIMS)


@contextmanager
def _owner() -> Iterator[Any]:
    """Write as the owner of the tables, in one transaction."""
    alias = MIGRATION_ALIAS
    with (
        platform_scope("the demo's history is dated back"),
        transaction.atomic(using=alias),
        connections[alias].cursor() as cursor,
    ):
        yield cursor
    connections[alias].close()


def _fill(cursor: Any, diary: Diary) -> None:
    orders = [
        (
            order_id,
            each.placed_at,
            each.paid_at,
            each.delivered_at,
            each.closed_at,
            each.refunded_at,
            each.repaired_at,
        )
        for order_id, each in diary.orders.items()
    ]
    _copy(cursor, "demo_order", orders)
    named: Mapping[str, Mapping[int, dt.datetime]] = {
        "demo_customer": diary.customers,
        "demo_top_up": diary.top_ups,
        "demo_import": diary.imports,
        "demo_prepaid": diary.prepaid,
        "demo_switch": diary.switches,
    }
    for table, moments in named.items():
        _copy(cursor, table, moments.items())


def _opening_days(cursor: Any, now: dt.datetime) -> list[tuple[int, dt.datetime]]:
    """Return when each site opened: the main one first, the others a week apart."""
    cursor.execute("select id from tenancy_site order by id")
    opened_at = now - OPENED_BEFORE
    return [
        (row[0], opened_at + dt.timedelta(days=7) * number)
        for number, row in enumerate(cursor.fetchall())
    ]


def _copy(cursor: Any, table: str, rows: Iterable[Sequence[object]]) -> None:
    with cursor.copy(f"copy {table} from stdin") as copy:
        for row in rows:
            copy.write_row(row)
