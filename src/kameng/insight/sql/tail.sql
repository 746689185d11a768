-- What is not rolled up yet, read from the orders by their index: the last hour or so. The same
-- columns as the roll-ups, for one site (span 1) or for all shops together (span 2). All shops are read
-- by time alone: ten thousand walks down the index of a site would take longer than the sales.

-- Paid orders of a stretch, each with the time zone of its shop.
create or replace function insight_paid(p_site bigint, p_span int, p_since timestamptz,
                                        p_until timestamptz)
returns table (zone text, site_id bigint, order_id bigint, paid_at timestamptz, variant_id bigint,
               product_id bigint, quantity int, total_amount bigint, refunded_amount bigint,
               is_delivered boolean, is_kept boolean, margin_amount bigint, income_amount bigint,
               buyer bytea, is_guest boolean)
language sql stable as $$
    select c.zone, o.* from tenancy_clocks() c
     cross join lateral (select * from orders_paid() p where p.site_id = p_site
                            and p.paid_at >= p_since and p.paid_at < p_until offset 0) o
     where p_span = 1 and c.site_id = p_site
    union all
    select c.zone, o.* from (select * from orders_paid() p
                              where p.paid_at >= p_since and p.paid_at < p_until offset 0) o
      join tenancy_clocks() c on c.site_id = o.site_id
     where p_span = 2
$$;

-- What uplines got of a stretch, each with its time zone.
create or replace function insight_below(p_site bigint, p_span int, p_since timestamptz,
                                         p_until timestamptz)
returns table (zone text, site_id bigint, paid_at timestamptz, part_amount bigint)
language sql stable as $$
    select c.zone, c.site_id, o.paid_at, o.part_amount from tenancy_clocks() c
     cross join lateral (select * from orders_below() p where p.upline_site_id = p_site
                            and p.paid_at >= p_since and p.paid_at < p_until offset 0) o
     where p_span = 1 and c.site_id = p_site
    union all
    select c.zone, c.site_id, o.paid_at, o.part_amount
      from (select * from orders_below() p
             where p.paid_at >= p_since and p.paid_at < p_until offset 0) o
      join tenancy_clocks() c on c.site_id = o.upline_site_id
     where p_span = 2
$$;

create or replace function insight_tail_sales(p_site bigint, p_span int, p_since timestamptz,
                                              p_until timestamptz)
returns table (day date, hour smallint, order_count bigint, piece_count bigint,
               revenue_amount numeric, refunded_amount numeric, refund_count bigint,
               delivered_count bigint, margin_amount numeric, income_amount numeric,
               below_amount numeric)
language sql stable security definer set search_path = public, pg_temp as $$
    select (o.paid_at at time zone o.zone)::date,
           extract(hour from o.paid_at at time zone o.zone)::smallint, count(*), sum(o.quantity),
           sum(o.total_amount), sum(o.refunded_amount),
           count(*) filter (where o.refunded_amount > 0), count(*) filter (where o.is_delivered),
           sum(o.margin_amount), sum(o.income_amount), 0
      from insight_paid(p_site, p_span, p_since, p_until) o
     group by 1, 2
    union all
    select (o.paid_at at time zone o.zone)::date,
           extract(hour from o.paid_at at time zone o.zone)::smallint, 0, 0, 0, 0, 0, 0, 0, 0,
           sum(o.part_amount)
      from insight_below(p_site, p_span, p_since, p_until) o
     group by 1, 2
$$;

create or replace function insight_tail_by_site(p_site bigint, p_span int, p_since timestamptz,
                                                p_until timestamptz)
returns table (site_id bigint, order_count bigint, piece_count bigint, revenue_amount numeric,
               refunded_amount numeric, refund_count bigint, delivered_count bigint,
               margin_amount numeric, income_amount numeric, below_amount numeric)
language sql stable security definer set search_path = public, pg_temp as $$
    select o.site_id, count(*), sum(o.quantity), sum(o.total_amount), sum(o.refunded_amount),
           count(*) filter (where o.refunded_amount > 0), count(*) filter (where o.is_delivered),
           sum(o.margin_amount), sum(o.income_amount), 0
      from insight_paid(p_site, p_span, p_since, p_until) o
     group by 1
    union all
    select o.site_id, 0, 0, 0, 0, 0, 0, 0, 0, sum(o.part_amount)
      from insight_below(p_site, p_span, p_since, p_until) o
     group by 1
$$;

-- Placed orders of a range of ids, each with the time zone of its shop.
create or replace function insight_placed(p_site bigint, p_span int, p_low bigint, p_high bigint)
returns table (zone text, placed_at timestamptz)
language sql stable as $$
    select c.zone, o.placed_at from tenancy_clocks() c
     cross join lateral (select * from orders_placed_rows(p_site, p_low, p_high) offset 0) o
     where p_span = 1 and c.site_id = p_site
    union all
    select c.zone, o.placed_at
      from (select * from orders_placed_between(p_low, p_high) offset 0) o
      join tenancy_clocks() c on c.site_id = o.site_id
     where p_span = 2
$$;

create or replace function insight_tail_placed(p_site bigint, p_span int, p_since timestamptz,
                                               p_until timestamptz)
returns table (day date, hour smallint, placed_count bigint)
language sql stable security definer set search_path = public, pg_temp as $$
    select (o.placed_at at time zone o.zone)::date,
           extract(hour from o.placed_at at time zone o.zone)::smallint, count(*)
      from insight_placed(p_site, p_span,
               coalesce((select f.order_id from insight_floor f where f.moment <= p_since
                          order by f.moment desc limit 1) - 10000, 0),
               coalesce((select f.order_id from insight_floor f where f.moment >= p_until
                          order by f.moment limit 1) + 10000, 9223372036854775807)) o
     where o.placed_at >= p_since and o.placed_at < p_until
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
      from insight_paid(p_site, p_span, p_since, p_until) o
     group by 1
$$;

create or replace function insight_tail_sources(p_site bigint, p_span int, p_since timestamptz,
                                                p_until timestamptz)
returns table (source_key bigint, order_count bigint, revenue_amount numeric, refunded_amount numeric)
language sql stable security definer set search_path = public, pg_temp as $$
    select coalesce(r.source_key, 0), count(*), sum(o.total_amount), sum(o.refunded_amount)
      from insight_paid(p_site, p_span, p_since, p_until) o
      left join insight_ordersource r on r.site_id = o.site_id and r.order_id = o.order_id
     group by 1
$$;

-- Buyers who paid after the roll-up ends and before a moment: only where the roll-up lags behind the
-- beginning of what is shown.
create or replace function insight_between_marks(p_site bigint, p_span int, p_since timestamptz)
returns table (site_id bigint, buyer bytea) language sql stable as $$
    select distinct o.site_id, o.buyer
      from insight_paid(p_site, p_span, coalesce((select rolled_until from insight_mark where id = 1),
                        timestamptz '2000-01-01 00:00+00'), p_since) o
     where o.buyer is not null
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
        select o.site_id, o.buyer, bool_and(o.is_guest) is_guest, count(*) n,
               array_agg(distinct (o.paid_at at time zone o.zone)::date) days
          from insight_paid(p_site, p_span, p_since, p_until) o
         where o.buyer is not null
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
        select o.site_id, o.buyer, bool_and(o.is_guest) is_guest, count(*) n,
               min((o.paid_at at time zone o.zone)::date) as day
          from insight_paid(p_site, p_span, p_since, p_until) o
         where o.buyer is not null
         group by 1, 2),
    -- Rows of a day lie side by side: read together, not one by one for each buyer.
    known as materialized (
        select b.site_id, b.day, b.buyer, b.prev_day
          from (select distinct site_id, day from fresh) d
         cross join lateral (select * from insight_buyerday b
                              where b.site_id = d.site_id and b.day = d.day offset 0) b)
    select f.is_guest, count(*), count(*) filter (where f.n >= 2),
           count(*) filter (where l.buyer is null
               and case when k.buyer is not null then k.prev_day = insight_none_day()
                        else not exists (
                            select 1 from insight_buyerday x
                             where x.site_id = f.site_id and x.buyer = f.buyer and x.day < f.day)
                   end)
      from fresh f
      left join known k on k.site_id = f.site_id and k.day = f.day and k.buyer = f.buyer
      left join insight_between_marks(p_site, p_span, p_since) l
        on l.site_id = f.site_id and l.buyer = f.buyer
     group by 1
$$;
