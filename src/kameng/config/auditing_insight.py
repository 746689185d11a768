"""The checks of `kameng audit` on the roll-ups of the dashboards: they equal a recount.

Counted again, in statements of their own: every day that touches the last three, and some older
days drawn at random. Days that wait to be computed again, and those of orders whose events are not
read yet, are left out: they are known to be behind.
"""

from collections.abc import Iterator

from kameng.config.audit_rows import read_rows

DRAWN = 20

# The days that are counted again: units(site, day, zone, since, until).
UNITS = """
    with mark as (
        select coalesce(max(rolled_until), timestamptz '2000-01-01') at from insight_mark),
    place as (select coalesce(max(xid), '0'::xid8) xid, coalesce(max(event_id), 0) id
                from core_eventposition where consumer = 'insight.mark_orders'),
    behind as (
        select o.site_id, (o.paid_at at time zone k.zone)::date as day
          from core_event e join orders_order o on o.id = e.subject_id
          join insight_shopclock k on k.site_id = o.site_id, place
         where e.kind in ('orders.paid', 'orders.delivered', 'orders.refund_asked',
                          'orders.refunded')
           and (e.xid, e.id) > (place.xid, place.id) and o.paid_at is not null
        union
        select o.upline_site_id, (o.paid_at at time zone k.zone)::date
          from core_event e join orders_order o on o.id = e.subject_id
          join insight_shopclock k on k.site_id = o.upline_site_id, place
         where e.kind in ('orders.paid', 'orders.delivered', 'orders.refund_asked',
                          'orders.refunded')
           and (e.xid, e.id) > (place.xid, place.id) and o.paid_at is not null
        union select site_id, day from insight_dirtyday),
    drawn as (
        select site_id, day from (
            select site_id, day from insight_salestotal where span = 1 and grain = 1
             order by random() limit %s) d
        union
        select k.site_id, (mark.at at time zone k.zone)::date - back
          from insight_shopclock k, mark, generate_series(0, 2) back),
    units as materialized (
        select k.site_id, d.day, k.zone, d.day::timestamp at time zone k.zone since,
               least((d.day + 1)::timestamp at time zone k.zone, mark.at) until
          from drawn d join insight_shopclock k on k.site_id = d.site_id, mark
         where not exists (select 1 from behind b where b.site_id = d.site_id and b.day = d.day))
"""

SALES = f"""
    {UNITS},
    refunds as (
        select r.order_id, sum(r.own_amount) own, sum(r.margin_amount) margin
          from orders_orderrefund r group by r.order_id),
    truth as (
        select u.site_id, u.day, extract(hour from o.paid_at at time zone u.zone)::int as hour,
               count(*) orders, sum(o.quantity) pieces, sum(o.total_amount) revenue,
               sum(o.refunded_amount) refunded,
               count(*) filter (where o.delivered_at is not null) sent,
               sum(case when o.site_id = o.main_site_id
                        then o.total_amount - o.fee_amount - coalesce(r.own + r.margin, 0)
                        else greatest(o.total_amount - o.wholesale_amount
                                      - coalesce(o.upline_amount, 0) - o.fee_amount, 0)
                             - coalesce(r.margin, 0) end) margin
          from units u join orders_order o
            on o.site_id = u.site_id and o.paid_at >= u.since and o.paid_at < u.until
          left join refunds r on r.order_id = o.id and o.refunded_amount > 0
         group by 1, 2, 3),
    stored as (
        select t.site_id, t.day, t.hour, t.order_count, t.piece_count, t.revenue_amount,
               t.refunded_amount, t.delivered_count, t.margin_amount
          from units u join insight_salestotal t
            on t.site_id = u.site_id and t.day = u.day and t.span = 1 and t.grain = 0
         where (t.order_count, t.piece_count, t.revenue_amount, t.refunded_amount,
                t.delivered_count, t.margin_amount) is distinct from (0, 0, 0, 0, 0, 0))
    select site_id, day, hour,
           row(t.orders, t.pieces, t.revenue, t.refunded, t.sent, t.margin)::text,
           row(s.order_count, s.piece_count, s.revenue_amount, s.refunded_amount,
               s.delivered_count, s.margin_amount)::text
      from truth t full join stored s using (site_id, day, hour)
     where (t.orders, t.pieces, t.revenue, t.refunded, t.sent, t.margin) is distinct from
           (s.order_count, s.piece_count, s.revenue_amount, s.refunded_amount, s.delivered_count,
            s.margin_amount)
"""  # noqa: S608 - a constant

# What uplines got of their child sites' sales, by the upline's clock.
BELOW = f"""
    {UNITS},
    refunds as (
        select r.order_id, sum(r.upline_amount) part
          from orders_orderrefund r where r.upline_site_id is not null group by r.order_id),
    truth as (
        select u.site_id, u.day, extract(hour from o.paid_at at time zone u.zone)::int as hour,
               sum(case when o.fee_amount <= o.total_amount - o.upline_amount
                        then o.upline_amount else greatest(o.total_amount - o.fee_amount, 0) end
                   - coalesce(r.part, 0)) below
          from units u join orders_order o
            on o.upline_site_id = u.site_id and o.paid_at >= u.since and o.paid_at < u.until
          left join refunds r on r.order_id = o.id and o.refunded_amount > 0
         group by 1, 2, 3),
    stored as (
        select t.site_id, t.day, t.hour, t.below_amount below
          from units u join insight_salestotal t
            on t.site_id = u.site_id and t.day = u.day and t.span = 1 and t.grain = 0)
    select site_id, day, hour, coalesce(t.below, 0), coalesce(s.below, 0)
      from truth t full join stored s using (site_id, day, hour)
     where coalesce(t.below, 0) <> coalesce(s.below, 0)
"""  # noqa: S608 - a constant

COUNTS = (
    *("order_count", "piece_count", "revenue_amount", "refunded_amount", "refund_count"),
    *("delivered_count", "margin_amount", "income_amount", "below_amount", "placed_count"),
    *("visitor_count", "product_count", "checkout_count"),
)
_SUMS = ", ".join(f"sum({name}) {name}" for name in COUNTS)
_ROW = ", ".join(f"coalesce({{0}}.{name}, 0)" for name in COUNTS)

# Coarser rows are the sums of finer ones, and the main site's those of all shops.
FOLDED = f"""
    with finer as (
        select site_id, span, 1 grain, day, 0 as hour, {_SUMS} from insight_salestotal
         where grain = 0 group by site_id, span, day
        union all
        select site_id, span, 2, date_trunc('month', day)::date, 0, {_SUMS} from insight_salestotal
         where grain = 1 group by site_id, span, date_trunc('month', day)
        union all
        select k.main_site_id, 2, t.grain, t.day, t.hour, {_SUMS}
          from insight_salestotal t join insight_shopclock k on k.site_id = t.site_id
         where t.span = 1 and t.grain = 0 group by 1, 3, 4, 5),
    stored as (select * from insight_salestotal where grain > 0 or span = 2)
    select site_id, span, grain, day, hour
      from finer f full join stored s using (site_id, span, grain, day, hour)
     where ({_ROW.format("f")}) is distinct from ({_ROW.format("s")})
"""  # noqa: S608 - names of columns, from the list above

GOODS = f"""
    {UNITS},
    truth as (
        select u.site_id, u.day, o.variant_id, count(*) orders, sum(o.quantity) pieces,
               coalesce(sum(o.quantity) filter (where o.state not in (6, 7)), 0) kept,
               sum(o.total_amount - o.refunded_amount) net
          from units u join orders_order o
            on o.site_id = u.site_id and o.paid_at >= u.since and o.paid_at < u.until
         group by 1, 2, 3),
    stored as (
        select t.site_id, t.day, t.variant_id, t.order_count, t.piece_count, t.kept_piece_count,
               t.revenue_amount - t.refunded_amount net
          from units u join insight_goodstotal t
            on t.site_id = u.site_id and t.day = u.day and t.span = 1 and t.grain = 1
         where t.order_count <> 0)
    select site_id, day, variant_id from truth t full join stored s using (site_id, day, variant_id)
     where (t.orders, t.pieces, t.kept, t.net) is distinct from
           (s.order_count, s.piece_count, s.kept_piece_count, s.net)
"""  # noqa: S608 - a constant

SOURCES = f"""
    {UNITS},
    truth as (
        select u.site_id, u.day, coalesce(r.source_key, 0) source_key, count(*) orders,
               sum(o.total_amount) revenue, sum(o.refunded_amount) refunded
          from units u join orders_order o
            on o.site_id = u.site_id and o.paid_at >= u.since and o.paid_at < u.until
          left join insight_ordersource r on r.site_id = o.site_id and r.order_id = o.id
         group by 1, 2, 3),
    stored as (
        select t.site_id, t.day, t.source_key, t.order_count, t.revenue_amount, t.refunded_amount
          from units u join insight_sourcetotal t
            on t.site_id = u.site_id and t.day = u.day and t.span = 1 and t.grain = 1
         where t.order_count <> 0)
    select site_id, day, source_key from truth t full join stored s using (site_id, day, source_key)
     where (t.orders, t.revenue, t.refunded) is distinct from
           (s.order_count, s.revenue_amount, s.refunded_amount)
"""  # noqa: S608 - a constant

BUYERS = f"""
    {UNITS},
    truth as (
        select u.site_id, u.day, coalesce(int8send(o.customer_id), o.contact_digest) buyer,
               count(*)::int n
          from units u join orders_order o
            on o.site_id = u.site_id and o.paid_at >= u.since and o.paid_at < u.until
         where o.customer_id is not null or o.contact_digest is not null group by 1, 2, 3),
    stored as (
        select b.site_id, b.day, b.buyer, b.order_count from units u join insight_buyerday b
            on b.site_id = u.site_id and b.day = u.day)
    select site_id, day, encode(buyer, 'hex'), t.n, s.order_count
      from truth t full join stored s using (site_id, day, buyer)
     where t.n is distinct from s.order_count
"""  # noqa: S608 - a constant

# Where each buyer's days point back to, and the sums over them.
CHAINS = """
    with told as (
        select site_id, buyer, day, is_guest, order_count n, prev_day, second_day,
               coalesce(lag(day) over w, date '1900-01-01') latest,
               coalesce(case when lag(order_count) over w >= 2 then lag(day) over w
                             else lag(day, 2) over w end, date '1900-01-01') earlier
          from insight_buyerday window w as (partition by site_id, buyer order by day)),
    entries as (
        select g.site_id, g.span, e.rank, p.grain, p.prev_grain, p.day, p.prev_day, t.is_guest,
               count(*) people
          from told t join insight_shopclock k on k.site_id = t.site_id,
               lateral (values (t.site_id, 1), (k.main_site_id, 2)) g(site_id, span),
               lateral (values (0, date '1900-01-01', true), (1, t.latest, true),
                               (2, t.earlier, true), (2, t.latest, t.n > 1))
                       e(rank, prev_day, is_in),
               lateral (select d.grain, b.grain, d.day, b.day
                          from (values (1, t.day), (2, date_trunc('month', t.day)::date))
                               d(grain, day),
                               (values (1, e.prev_day), (2, date_trunc('month', e.prev_day)::date))
                               b(grain, day)) p(grain, prev_grain, day, prev_day)
         where e.is_in group by 1, 2, 3, 4, 5, 6, 7, 8),
    stored as (select * from insight_buyertotal where buyer_count <> 0)
    select 'day', site_id::text, day::text from told
     where (latest, earlier) is distinct from (prev_day, second_day)
    union all
    select 'sum', site_id::text,
           concat_ws(' ', span, rank, grain, prev_grain, day, prev_day, is_guest)
      from entries e
      full join stored s using (site_id, span, rank, grain, prev_grain, day, prev_day, is_guest)
     where e.people is distinct from s.buyer_count
"""

VISITORS = """
    with days as (select coalesce(min(day), current_date) first from insight_daysalt),
    truth as (
        select v.site_id, v.day, v.hour::int as hour, count(*) people,
               count(*) filter (where v.steps & 2 > 0) products,
               count(*) filter (where v.steps & 4 > 0) checkouts
          from insight_visitor v, days where v.day >= days.first group by 1, 2, 3),
    stored as (
        select t.site_id, t.day, t.hour::int as hour, t.visitor_count, t.product_count,
               t.checkout_count
          from insight_salestotal t, days
         where t.span = 1 and t.grain = 0 and t.day >= days.first and t.visitor_count <> 0)
    select site_id, day, hour, t.people, s.visitor_count
      from truth t full join stored s using (site_id, day, hour)
     where (t.people, t.products, t.checkouts) is distinct from
           (s.visitor_count, s.product_count, s.checkout_count)
"""


def totals() -> Iterator[str]:
    """I37: what a site sold in an hour is what its orders say; days, months and the main site's
    rows are the sums of those below them."""
    for row in read_rows(SALES, (DRAWN,)):
        site, day, hour, truth, stored = row
        yield f"site {site}, {day} {hour}:00: rolled up {stored}, orders say {truth}"
    for site, day, hour, truth, stored in read_rows(BELOW, (DRAWN,)):
        yield f"site {site}, {day} {hour}:00: rolled up {stored} of child sites, orders say {truth}"
    for row in read_rows(FOLDED):
        site, span, grain, day, hour = row
        yield f"insight_salestotal {site}/{span}/{grain} {day} {hour}: not the sum of its parts"


def parts() -> Iterator[str]:
    """I38: goods and sources of a day are what its orders say."""
    for site, day, variant in read_rows(GOODS, (DRAWN,)):
        yield f"site {site}, {day}: variant {variant} is not what the orders say"
    for site, day, key in read_rows(SOURCES, (DRAWN,)):
        yield f"site {site}, {day}: source {key} is not what the orders say"


def buyers() -> Iterator[str]:
    """I39: buyers of a day are those who paid; their days point at the ones before, and the sums
    over them are right."""
    for site, day, buyer, truth, stored in read_rows(BUYERS, (DRAWN,)):
        yield f"site {site}, {day}: buyer {buyer} has {truth} orders, rolled up {stored}"
    for kind, site, what in read_rows(CHAINS):
        yield f"site {site}: {kind} of buyers {what} is wrong"


def visitors() -> Iterator[str]:
    """I40: visitors of the days whose digests are kept are counted once each."""
    for site, day, hour, truth, stored in read_rows(VISITORS):
        yield f"site {site}, {day} {hour}:00: {truth} visitors, rolled up {stored}"


CHECKS = (
    ("I37", "roll-ups of sales are what the orders say, and add up", totals),
    ("I38", "roll-ups of goods and sources are what the orders say", parts),
    ("I39", "different buyers are counted from who paid on which day", buyers),
    ("I40", "visitors are counted once a day", visitors),
)
