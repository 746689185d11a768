"""The hand-written SQL of this app: a bill of 100 000 lines is stored and compared in sets.

By hand because a row at a time would take minutes. Own tables only; the books are read through the
functions of lower apps (`books.BOOKS`). No locks beside those of the rows written.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from kameng.core.arrays import array_of_bytes, array_of_numbers, array_of_texts
from kameng.core.database import fetch, fetch_one
from kameng.reconciliation.books import BOOKS, compared_kinds
from kameng.reconciliation.rules import CORRECTIONS, FEE_SLACK, NOTICED_LATER

STORE_BATCH = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line as it is stored."""

    digest: bytes
    kind: str
    own_no: str
    payment_no: str
    external_no: str
    amount: int
    fee_amount: int
    happened_at: dt.datetime
    text: str


STORE = """
    insert into reconciliation_billrow (site_id, bill_id, digest, kind, own_no, payment_no,
           external_no, amount, fee_amount, happened_at, text, state)
    select %s, %s, t.*, 0
      from unnest(%s::bytea[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[],
                  %s::bigint[], %s::timestamptz[], %s::text[]) as t
    on conflict (bill_id, digest) do nothing
"""


def store_lines(lines: Sequence[Line], *, site_id: int, bill_id: int) -> None:
    """Add the lines that a bill does not have yet; in the caller's transaction."""
    for start in range(0, len(lines), STORE_BATCH):
        part = lines[start : start + STORE_BATCH]
        fetch(
            STORE,
            (
                site_id,
                bill_id,
                array_of_bytes(each.digest for each in part),
                array_of_texts(each.kind for each in part),
                array_of_texts(each.own_no for each in part),
                array_of_texts(each.payment_no for each in part),
                array_of_texts(each.external_no for each in part),
                array_of_numbers(each.amount for each in part),
                array_of_numbers(each.fee_amount for each in part),
                array_of_texts(each.happened_at.isoformat() for each in part),
                array_of_texts(each.text for each in part),
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which booked things a bill must have: `must_*`; what is looked at for that: `seen_*`.

    `near_bill_ids` are the bills of the days around: what they have is not missing. Only things of
    `must_kinds` can be missing.
    """

    seen_from: dt.datetime
    seen_until: dt.datetime
    must_from: dt.datetime
    must_until: dt.datetime
    must_kinds: Sequence[str]
    near_bill_ids: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What comparing a bill found."""

    matched_count: int
    different_count: int
    uncompared_count: int
    carried_count: int


# `lines` numbers those of equal number, so that the second is a duplicate. `pairs` joins by our
# number where the bill names it, by the gateway's else. Both are hash joins over materialized sets.
BOOK = """select * from {function}(%(gateway)s, %(seen_from)s, %(seen_until)s,
    (select all_of_them from numbers))"""
MATCH = """
with lines as materialized (
    select r.*, case when r.own_no <> '' then r.own_no else r.external_no end as no,
           row_number() over (partition by r.kind, case when r.own_no <> '' then r.own_no
               when r.external_no <> '' then r.external_no
               else encode(r.digest, 'hex') end order by r.happened_at, r.id) as nth
      from reconciliation_billrow r where r.bill_id = %(bill)s
), numbers as materialized (
    select coalesce(array_agg(no), '{}') as all_of_them from lines where no <> ''
), booked as materialized (
    {books}
), fees as (
    select coalesce(bool_or(fee_amount <> 0), false) as are_told from lines
), pairs as materialized (
    select l.id, b.* from lines l join booked b on b.kind = l.kind and b.own_no = l.own_no
     where l.own_no <> ''
    union all
    select l.id, b.* from lines l join booked b on b.kind = l.kind and b.external_no = l.external_no
     where l.own_no = '' and l.external_no <> ''
), judged as materialized (
    select l.id, l.kind as line_kind, l.own_no, l.external_no, l.no, l.nth, l.amount, l.fee_amount,
           l.happened_at, l.text, p.own_no as our_no, p.external_no as our_external_no,
           p.amount as our_amount, p.fee_amount as our_fee, p.state as our_state,
           p.happened_at as our_time, p.site_id as our_site,
           case when l.kind = 'unreadable' then 7
                when l.kind = any (%(corrections)s) then case when l.nth > 1 then 6 else 1 end
                when l.kind <> all (%(kinds)s) then -1
                when l.nth > 1 then 6
                when p.id is null then 1
                when not p.is_done then 5
                when p.amount <> l.amount then 3
                when l.kind = 'payment' and (select are_told from fees)
                     and abs(l.fee_amount - p.fee_amount) >= %(slack)s then 4
                else 0 end as verdict,
           l.kind || ':' || case when l.no <> '' then l.no else encode(l.digest, 'hex') end
               || case when l.nth > 1 then '#' || l.nth else '' end as subject
      from lines l left join pairs p on p.id = l.id
), near as materialized (
    select r.kind, r.own_no, r.external_no from reconciliation_billrow r
     where r.bill_id = any (%(near)s)
), missing as materialized (
    select b.* from booked b
     where b.is_done and b.kind = any (%(must_kinds)s) and b.happened_at >= %(must_from)s
       and b.happened_at < %(seen_until)s
       and not exists (select 1 from lines l where l.kind = b.kind and l.own_no = b.own_no)
       and not exists (select 1 from lines l where l.kind = b.kind and l.own_no = ''
                        and l.external_no = b.external_no and b.external_no <> '')
       and not exists (
           select 1 from near n where n.kind = b.kind and n.own_no = b.own_no)
       and (b.external_no = '' or not exists (
           select 1 from near n
            where n.kind = b.kind and n.own_no = '' and n.external_no = b.external_no))
       and (b.kind <> all (%(noticed_later)s) or 0 = (
           select count(*)  -- counted, for "exists" may be planned as a scan of every line
             from reconciliation_billrow r join reconciliation_bill o on o.id = r.bill_id
            where r.own_no = b.own_no and r.kind = b.kind and o.gateway_id = %(gateway)s))
), found as (
    select verdict as kind, subject, line_kind, coalesce(nullif(own_no, ''), our_no, '') as own_no,
           external_no, our_site,
           case verdict when 3 then amount - our_amount when 4 then fee_amount - our_fee
                        when 7 then 0 else amount end as stake,
           case when our_no is not null then jsonb_build_object('no', our_no,
                    'external_no', our_external_no, 'amount', our_amount, 'fee', our_fee,
                    'state', our_state, 'at', our_time) end as ours,
           jsonb_build_object('no', own_no, 'external_no', external_no, 'amount', amount,
               'fee', fee_amount, 'at', happened_at, 'text', text) as theirs
      from judged where verdict > 0
    union all
    select 2, m.kind || ':' || m.own_no, m.kind, m.own_no, m.external_no, m.site_id, -m.amount,
           jsonb_build_object('no', m.own_no, 'external_no', m.external_no, 'amount', m.amount,
               'fee', m.fee_amount, 'state', m.state, 'at', m.happened_at), null
      from missing m where m.happened_at < %(must_until)s
), cases as (
    insert into reconciliation_case as c (site_id, bill_id, gateway_id, kind, state, subject,
           line_kind, own_no, external_no, subject_site_id, stake_amount, ours, theirs)
    select %(site)s, %(bill)s, %(gateway)s, f.kind, 1, f.subject, f.line_kind, f.own_no,
           f.external_no, f.our_site, f.stake, f.ours, f.theirs
      from found f order by f.subject
    on conflict (site_id, gateway_id, kind, subject) do update
       set ours = excluded.ours, theirs = excluded.theirs, gone_at = null,
           stake_amount = excluded.stake_amount
     where c.state = 1
), gone as (
    update reconciliation_case c set gone_at = now()
     where c.bill_id = %(bill)s and c.state = 1 and c.gone_at is null
       and not exists (select 1 from found f where f.kind = c.kind and f.subject = c.subject)
), later as (
    update reconciliation_case c set found_day = %(day)s
     where c.site_id = %(site)s and c.gateway_id = %(gateway)s and c.kind = 2 and c.state = 1
       and c.bill_id <> %(bill)s and c.found_day is null
       and exists (select 1 from lines l where l.kind = c.line_kind
                    and (l.own_no = c.own_no
                         or l.own_no = '' and l.external_no = c.external_no))
), marked as (
    update reconciliation_billrow r
       set state = case j.verdict when 0 then 1 when -1 then 3 else 2 end
      from judged j where j.id = r.id
       and r.state <> case j.verdict when 0 then 1 when -1 then 3 else 2 end
)
select count(*) filter (where verdict = 0), count(*) filter (where verdict > 0),
       count(*) filter (where verdict < 0),
       (select count(*) from missing where happened_at >= %(must_until)s)
  from judged
"""


def match_lines(
    *, site_id: int, bill_id: int, gateway_id: int, day: dt.date, window: Window
) -> Matched:
    """Compare a stored bill with the books and keep each difference as a case.

    In the caller's transaction, in the scope of the site that owns the gateway. Doing it again
    finds the same cases; closed ones stay closed, those that are no more say so.
    """
    books = " union all ".join(BOOK.replace("{function}", book.function) for book in BOOKS)
    values = {
        "bill": bill_id,
        "site": site_id,
        "gateway": gateway_id,
        "day": day,
        "kinds": compared_kinds(),
        "corrections": list(CORRECTIONS),
        "noticed_later": list(NOTICED_LATER),
        "slack": FEE_SLACK,
        "seen_from": window.seen_from,
        "seen_until": window.seen_until,
        "must_from": window.must_from,
        "must_until": window.must_until,
        "must_kinds": list(window.must_kinds),
        "near": list(window.near_bill_ids),
    }
    # The planner knows nothing of lines that were stored a moment ago and takes them for few: a
    # nested loop over 100 000 of them takes minutes, a hash join half a second.
    fetch("set local enable_nestloop = off")
    row = fetch_one(MATCH.replace("{books}", books), values)  # type: ignore[arg-type]
    fetch("set local enable_nestloop = on")
    matched, different, uncompared, carried = row or (0, 0, 0, 0)
    return Matched(
        matched_count=matched,
        different_count=different,
        uncompared_count=uncompared,
        carried_count=carried,
    )


def sum_lines(bill_id: int) -> tuple[int, int, int, int]:
    """Return (lines, received, refunded, fees) of a stored bill."""
    row = fetch_one(
        "select count(*), coalesce(sum(amount) filter (where kind = 'payment'), 0)::bigint,"
        " coalesce(sum(amount) filter (where kind = 'refund'), 0)::bigint,"
        " coalesce(sum(fee_amount), 0)::bigint"
        " from reconciliation_billrow where bill_id = %s",
        (bill_id,),
    )
    return row or (0, 0, 0, 0)


def claim_bills(limit: int) -> list[tuple[int, int]]:
    """Take (bill, site) pairs that should be asked for now; skips what others took.

    Each is put off by ten minutes for the one who took it. Call in a platform scope.
    """
    rows = fetch(
        "update reconciliation_bill b set next_attempt_at = now() + interval '10 minutes',"
        " asked_count = b.asked_count + 1"
        " from (select id from reconciliation_bill where next_attempt_at <= now()"
        " order by day, id limit %s for no key update skip locked) due"
        " where b.id = due.id returning b.id, b.site_id, b.day",
        (limit,),
    )
    return [(row[0], row[1]) for row in sorted(rows, key=lambda row: (row[2], row[0]))]


def list_taken_days(
    gateway_ids: Sequence[int], *, since: dt.datetime, until: dt.datetime
) -> set[tuple[int, dt.date]]:
    """Return (gateway, Beijing day) of each day on which one of these gateways took money."""
    rows = fetch(
        "select gateway_id, day from payments_taken_days(%s::bigint[], %s, %s)",
        (array_of_numbers(gateway_ids), since, until),
    )
    return {(row[0], row[1]) for row in rows}
