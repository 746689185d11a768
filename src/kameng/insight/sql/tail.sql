-- What is not rolled up yet, read from the orders by their index: the last hour or so. The same
-- columns as the roll-ups, for one site (span 1) or for all shops together (span 2).

create or replace function insight_shops(p_site bigint, p_span int)
returns table (site_id bigint, zone text) language sql stable as $$
    select c.site_id, c.zone from tenancy_clocks() c where p_span = 2 or c.site_id = p_site
$$;

create or replace function insight_tail_sales(p_site bigint, p_span int, p_since timestamptz,
                                              p_until timestamptz)
returns table (day date, hour smallint, order_count bigint, piece_count bigint,
               revenue_amount numeric, refunded_amount numeric, refund_count bigint,
               delivered_count bigint, margin_amount numeric, income_amount numeric)
language sql stable security definer set search_path = public, pg_temp as $$
    select (o.paid_at at time zone s.zone)::date,
           extract(hour from o.paid_at at time zone s.zone)::smallint, count(*), sum(o.quantity),
           sum(o.total_amount), sum(o.refunded_amount),
           count(*) filter (where o.refunded_amount > 0), count(*) filter (where o.is_delivered),
           sum(o.margin_amount), sum(o.income_amount)
      from insight_shops(p_site, p_span) s,
           lateral (select * from orders_paid_rows(s.site_id, p_since, p_until) offset 0) o
     group by 1, 2
$$;

create or replace function insight_tail_by_site(p_site bigint, p_span int, p_since timestamptz,
                                                p_until timestamptz)
returns table (site_id bigint, order_count bigint, piece_count bigint, revenue_amount numeric,
               refunded_amount numeric, refund_count bigint, delivered_count bigint,
               margin_amount numeric, income_amount numeric)
language sql stable security definer set search_path = public, pg_temp as $$
    select s.site_id, count(*), sum(o.quantity), sum(o.total_amount), sum(o.refunded_amount),
           count(*) filter (where o.refunded_amount > 0), count(*) filter (where o.is_delivered),
           sum(o.margin_amount), sum(o.income_amount)
      from insight_shops(p_site, p_span) s,
           lateral (select * from orders_paid_rows(s.site_id, p_since, p_until) offset 0) o
     group by 1
$$;

create or replace function insight_tail_placed(p_site bigint, p_span int, p_since timestamptz,
                                               p_until timestamptz)
returns table (day date, hour smallint, placed_count bigint)
language sql stable security definer set search_path = public, pg_temp as $$
    select (o.placed_at at time zone s.zone)::date,
           extract(hour from o.placed_at at time zone s.zone)::smallint, count(*)
      from insight_shops(p_site, p_span) s,
           lateral (select * from orders_placed_rows(s.site_id,
               coalesce((select f.order_id from insight_floor f where f.moment <= p_since
                          order by f.moment desc limit 1) - 10000, 0),
               coalesce((select f.order_id from insight_floor f where f.moment >= p_until
                          order by f.moment limit 1) + 10000, 9223372036854775807),
               p_since, p_until) offset 0) o
     group by 1, 2
$$;

create or replace function insight_tail_goods(p_site bigint, p_span int, p_since timestamptz,
                                              p_until timestamptz)
returns table (variant_id bigint, product_id bigint, order_count bigint, piece_count bigint,
               kept_piece_count bigint, revenue_amount numeric, refunded_amount numeric)
language sql stable security definer set search_path = public, pg_temp as $$
    select o.variant_id, max(o.product_id), count(*), sum(o.quantity),
           coalesce(sum(o.quantity) filter (where o.is_kept), 0), sum(o.total_amount),
           sum(o.refunded_amount)
      from insight_shops(p_site, p_span) s,
           lateral (select * from orders_paid_rows(s.site_id, p_since, p_until) offset 0) o
     group by 1
$$;

create or replace function insight_tail_sources(p_site bigint, p_span int, p_since timestamptz,
                                                p_until timestamptz)
returns table (source_key bigint, order_count bigint, revenue_amount numeric, refunded_amount numeric)
language sql stable security definer set search_path = public, pg_temp as $$
    select coalesce(r.source_key, 0), count(*), sum(o.total_amount), sum(o.refunded_amount)
      from insight_shops(p_site, p_span) s
     cross join lateral (select * from orders_paid_rows(s.site_id, p_since, p_until) offset 0) o
      left join insight_ordersource r on r.site_id = s.site_id and r.order_id = o.order_id
     group by 1
$$;

-- Buyers who paid after the roll-up ends and before a moment: only where the roll-up lags behind the
-- beginning of what is shown.
create or replace function insight_between_marks(p_site bigint, p_span int, p_since timestamptz)
returns table (site_id bigint, buyer bytea) language sql stable as $$
    select distinct s.site_id, o.buyer
      from insight_shops(p_site, p_span) s, lateral (
           select buyer from orders_paid_rows(s.site_id, coalesce(
               (select rolled_until from insight_mark where id = 1),
               timestamptz '2000-01-01 00:00+00'), p_since) where buyer is not null offset 0) o
$$;

-- Buyers of a stretch that is not rolled up, against what is since `p_first`: how many are not
-- counted yet, how many come to their second order in it, how many never paid before, and for how
-- many it is the first order of the day. Guests and customers in two rows.
create or replace function insight_tail_buyers(p_site bigint, p_span int, p_since timestamptz,
                                               p_until timestamptz, p_first date)
returns table (is_guest boolean, buyer_count bigint, repeat_count bigint, new_count bigint,
               day_count bigint)
language sql stable security definer set search_path = public, pg_temp as $$
    with fresh as (
        select s.site_id, o.buyer, bool_and(o.is_guest) is_guest, count(*) n,
               array_agg(distinct (o.paid_at at time zone s.zone)::date) days
          from insight_shops(p_site, p_span) s,
               lateral (select * from orders_paid_rows(s.site_id, p_since, p_until)
                         where buyer is not null offset 0) o
         group by 1, 2)
    select f.is_guest, count(*) filter (where b.n = 0),
           count(*) filter (where b.n < 2 and b.n + f.n >= 2),
           count(*) filter (where b.n = 0 and not b.is_known
                            and l.buyer is null),
           sum(cardinality(f.days) - b.same_days)::bigint
      from fresh f
      left join insight_between_marks(p_site, p_span, p_since) l
        on l.site_id = f.site_id and l.buyer = f.buyer
     cross join lateral (
           select coalesce(sum(x.order_count) filter (where x.day >= p_first), 0) n,
                  count(*) > 0 is_known, count(*) filter (where x.day = any (f.days)) same_days
             from insight_buyerday x where x.site_id = f.site_id and x.buyer = f.buyer) b
     group by 1
$$;

-- The buyers of one stretch alone, for a day that is compared up to the same time: those who paid,
-- those who paid twice, and those who had not paid on a day before.
create or replace function insight_count_buyers(p_site bigint, p_span int, p_since timestamptz,
                                                p_until timestamptz)
returns table (is_guest boolean, buyer_count bigint, repeat_count bigint, new_count bigint)
language sql stable security definer set search_path = public, pg_temp as $$
    with fresh as (
        select s.site_id, o.buyer, bool_and(o.is_guest) is_guest, count(*) n,
               min((o.paid_at at time zone s.zone)::date) as day
          from insight_shops(p_site, p_span) s,
               lateral (select * from orders_paid_rows(s.site_id, p_since, p_until)
                         where buyer is not null offset 0) o
         group by 1, 2)
    select f.is_guest, count(*), count(*) filter (where f.n >= 2),
           count(*) filter (where not exists (
               select 1 from insight_buyerday x
                where x.site_id = f.site_id and x.buyer = f.buyer and x.day < f.day)
               and l.buyer is null)
      from fresh f
      left join insight_between_marks(p_site, p_span, p_since) l
        on l.site_id = f.site_id and l.buyer = f.buyer
     group by 1
$$;
