-- Roll-ups: each statement computes the rows of some days of some sites from the orders, subtracts
-- what is there, and adds the difference to the day, its month, and the main site's sums.
-- One roller at a time: it holds the row of insight_mark.

create or replace function insight_none_day() returns date language sql immutable as $$
    select date '1900-01-01'
$$;

-- The mark, made when it is not there. Nothing was sold before the year 2000.
create or replace function insight_open_mark()
returns void language sql security definer set search_path = public, pg_temp as $$
    insert into insight_mark (id, rolled_until) values (1, timestamptz '2000-01-01 00:00+00')
        on conflict (id) do nothing;
$$;

-- Learn of new sites; a site whose time zone changed is counted anew, day by day.
create or replace function insight_sync_clocks()
returns void language plpgsql as $$
begin
    insert into insight_dirtyday (site_id, day)
        select distinct t.site_id, t.day + shift
          from tenancy_clocks() c
          join insight_shopclock k on k.site_id = c.site_id and k.zone <> c.zone
          join insight_salestotal t on t.site_id = c.site_id and t.span = 1 and t.grain = 1,
               generate_series(-1, 1) shift
        on conflict (site_id, day) do nothing;
    insert into insight_shopclock (site_id, main_site_id, zone)
        select c.site_id, c.main_site_id, c.zone from tenancy_clocks() c
          left join insight_shopclock k on k.site_id = c.site_id
         where k.site_id is null or k.zone <> c.zone or k.main_site_id <> c.main_site_id
        on conflict (site_id) do update
            set zone = excluded.zone, main_site_id = excluded.main_site_id;
end $$;

-- The bounds of some days of some sites: in time, cut at the mark, and in ids of orders. An id may be
-- taken a little earlier or later than its moment says: hence the margin.
create or replace function insight_units(p_site bigint[], p_day date[], p_until timestamptz)
returns table (site_id bigint, main_site_id bigint, zone text, day date, since timestamptz,
               until timestamptz, low_id bigint, high_id bigint)
language sql stable as $$
    select k.site_id, k.main_site_id, k.zone::text, u.day, b.since, least(b.until, p_until),
           coalesce((select f.order_id from insight_floor f where f.moment <= b.since
                      order by f.moment desc limit 1) - 10000, 0),
           coalesce((select f.order_id from insight_floor f where f.moment >= least(b.until, p_until)
                      order by f.moment limit 1) + 10000, 9223372036854775807)
      from unnest(p_site, p_day) u(site_id, day)
      join insight_shopclock k on k.site_id = u.site_id
      cross join lateral (select u.day::timestamp at time zone k.zone since,
                                 (u.day + 1)::timestamp at time zone k.zone until) b
$$;

create or replace function insight_roll_sales(p_site bigint[], p_day date[], p_until timestamptz)
returns void language sql as $$
    with units as materialized (select * from insight_units(p_site, p_day, p_until)),
    paid as (
        select u.site_id, u.main_site_id, u.day,
               extract(hour from o.paid_at at time zone u.zone)::smallint as hour,
               count(*) orders, sum(o.quantity) pieces, sum(o.total_amount) revenue,
               sum(o.refunded_amount) refunded, count(*) filter (where o.refunded_amount > 0) refunds,
               count(*) filter (where o.is_delivered) delivered, sum(o.margin_amount) margin,
               sum(o.income_amount) income, 0::numeric below, 0::bigint placed
          from units u, lateral (select * from orders_paid() p where p.site_id = u.site_id
                                    and p.paid_at >= u.since and p.paid_at < u.until
                                  offset 0) o
         group by 1, 2, 3, 4),
    below as (
        select u.site_id, u.main_site_id, u.day,
               extract(hour from o.paid_at at time zone u.zone)::smallint as hour,
               sum(o.part_amount) below
          from units u, lateral (select * from orders_below() p where p.upline_site_id = u.site_id
                                    and p.paid_at >= u.since and p.paid_at < u.until
                                  offset 0) o
         group by 1, 2, 3, 4),
    -- Ranges of ids that overlap are walked once: a step has many days side by side.
    ranges as (
        select low_id, high_id, case when low_id <= max(high_id) over (
                   order by low_id rows between unbounded preceding and 1 preceding)
               then 0 else 1 end is_first
          from (select low_id, max(high_id) high_id from units group by low_id) r),
    islands as (
        select min(low_id) low_id, max(high_id) high_id
          from (select low_id, high_id, sum(is_first) over (order by low_id) island from ranges) r
         group by island),
    placed as (
        select u.site_id, u.main_site_id, u.day, o.hour, sum(o.placed)::bigint placed
          from (select i.low_id, i.high_id, o.site_id, (o.placed_at at time zone k.zone)::date as day,
                       extract(hour from o.placed_at at time zone k.zone)::smallint as hour,
                       count(*) placed
                  from islands i
                 cross join lateral (select * from orders_placed_between(i.low_id, i.high_id)
                                      offset 0) o
                  join insight_shopclock k on k.site_id = o.site_id
                 where o.placed_at < p_until
                 group by 1, 2, 3, 4, 5) o
          join units u on u.site_id = o.site_id and u.day = o.day
           and u.low_id >= o.low_id and u.high_id <= o.high_id
         group by 1, 2, 3, 4),
    delta as (
        select * from paid
        union all
        select site_id, main_site_id, day, hour, 0, 0, 0, 0, 0, 0, 0, 0, below, 0 from below
        union all
        select site_id, main_site_id, day, hour, 0, 0, 0, 0, 0, 0, 0, 0, 0, placed from placed
        union all
        select t.site_id, u.main_site_id, t.day, t.hour, -t.order_count, -t.piece_count,
               -t.revenue_amount, -t.refunded_amount, -t.refund_count, -t.delivered_count,
               -t.margin_amount, -t.income_amount, -t.below_amount, -t.placed_count
          from units u join insight_salestotal t
            on t.site_id = u.site_id and t.span = 1 and t.grain = 0 and t.day = u.day),
    changed as (
        select site_id, main_site_id, day, hour, sum(orders) orders, sum(pieces) pieces,
               sum(revenue) revenue, sum(refunded) refunded, sum(refunds) refunds,
               sum(delivered) delivered, sum(margin) margin, sum(income) income, sum(below) below,
               sum(placed) placed
          from delta group by 1, 2, 3, 4
        having (sum(orders), sum(pieces), sum(revenue), sum(refunded), sum(refunds), sum(delivered),
                sum(margin), sum(income), sum(below), sum(placed)) is distinct from
               (0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
    insert into insight_salestotal as t (site_id, span, grain, day, hour, order_count, piece_count,
        revenue_amount, refunded_amount, refund_count, delivered_count, margin_amount, income_amount,
        below_amount, placed_count)
    select g.site_id, g.span, g.grain, g.day, g.hour, sum(orders), sum(pieces), sum(revenue),
           sum(refunded), sum(refunds), sum(delivered), sum(margin), sum(income), sum(below),
           sum(placed)
      from changed c, lateral (values
           (c.site_id, 1, 0, c.day, c.hour), (c.site_id, 1, 1, c.day, 0),
           (c.site_id, 1, 2, date_trunc('month', c.day)::date, 0),
           (c.main_site_id, 2, 0, c.day, c.hour), (c.main_site_id, 2, 1, c.day, 0),
           (c.main_site_id, 2, 2, date_trunc('month', c.day)::date, 0))
           g(site_id, span, grain, day, hour)
     group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5
    on conflict (site_id, span, grain, day, hour) do update set
        order_count = t.order_count + excluded.order_count,
        piece_count = t.piece_count + excluded.piece_count,
        revenue_amount = t.revenue_amount + excluded.revenue_amount,
        refunded_amount = t.refunded_amount + excluded.refunded_amount,
        refund_count = t.refund_count + excluded.refund_count,
        delivered_count = t.delivered_count + excluded.delivered_count,
        margin_amount = t.margin_amount + excluded.margin_amount,
        income_amount = t.income_amount + excluded.income_amount,
        below_amount = t.below_amount + excluded.below_amount,
        placed_count = t.placed_count + excluded.placed_count;
$$;

create or replace function insight_roll_goods(p_site bigint[], p_day date[], p_until timestamptz)
returns void language sql as $$
    with units as materialized (select * from insight_units(p_site, p_day, p_until)),
    delta as (
        select u.site_id, u.main_site_id, u.day, o.variant_id, max(o.product_id) product_id,
               count(*) orders, sum(o.quantity) pieces,
               coalesce(sum(o.quantity) filter (where o.is_kept), 0) kept,
               sum(o.total_amount) revenue, sum(o.refunded_amount) refunded
          from units u, lateral (select * from orders_paid() p where p.site_id = u.site_id
                                    and p.paid_at >= u.since and p.paid_at < u.until
                                  offset 0) o
         group by 1, 2, 3, 4
        union all
        select t.site_id, u.main_site_id, t.day, t.variant_id, t.product_id, -t.order_count,
               -t.piece_count, -t.kept_piece_count, -t.revenue_amount, -t.refunded_amount
          from units u join insight_goodstotal t
            on t.site_id = u.site_id and t.span = 1 and t.grain = 1 and t.day = u.day),
    changed as (
        select site_id, main_site_id, day, variant_id, max(product_id) product_id,
               sum(orders) orders, sum(pieces) pieces, sum(kept) kept, sum(revenue) revenue,
               sum(refunded) refunded
          from delta group by 1, 2, 3, 4
        having (sum(orders), sum(pieces), sum(kept), sum(revenue), sum(refunded)) is distinct from
               (0, 0, 0, 0, 0))
    insert into insight_goodstotal as t (site_id, span, grain, day, variant_id, product_id,
        order_count, piece_count, kept_piece_count, revenue_amount, refunded_amount)
    select g.site_id, g.span, g.grain, g.day, c.variant_id, max(c.product_id), sum(orders),
           sum(pieces), sum(kept), sum(revenue), sum(refunded)
      from changed c, lateral (values
           (c.site_id, 1, 1, c.day), (c.site_id, 1, 2, date_trunc('month', c.day)::date),
           (c.main_site_id, 2, 1, c.day), (c.main_site_id, 2, 2, date_trunc('month', c.day)::date))
           g(site_id, span, grain, day)
     group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5
    on conflict (site_id, span, grain, day, variant_id) do update set
        order_count = t.order_count + excluded.order_count,
        piece_count = t.piece_count + excluded.piece_count,
        kept_piece_count = t.kept_piece_count + excluded.kept_piece_count,
        revenue_amount = t.revenue_amount + excluded.revenue_amount,
        refunded_amount = t.refunded_amount + excluded.refunded_amount;
$$;

create or replace function insight_roll_sources(p_site bigint[], p_day date[], p_until timestamptz)
returns void language sql as $$
    with units as materialized (select * from insight_units(p_site, p_day, p_until)),
    delta as (
        select u.site_id, u.main_site_id, u.day, coalesce(s.source_key, 0) source_key,
               count(*) orders, sum(o.total_amount) revenue, sum(o.refunded_amount) refunded
          from units u
          cross join lateral (select * from orders_paid() p where p.site_id = u.site_id
                                and p.paid_at >= u.since and p.paid_at < u.until offset 0) o
          left join insight_ordersource s on s.site_id = u.site_id and s.order_id = o.order_id
         group by 1, 2, 3, 4
        union all
        select t.site_id, u.main_site_id, t.day, t.source_key, -t.order_count, -t.revenue_amount,
               -t.refunded_amount
          from units u join insight_sourcetotal t
            on t.site_id = u.site_id and t.span = 1 and t.grain = 1 and t.day = u.day),
    changed as (
        select site_id, main_site_id, day, source_key, sum(orders) orders, sum(revenue) revenue,
               sum(refunded) refunded
          from delta group by 1, 2, 3, 4
        having (sum(orders), sum(revenue), sum(refunded)) is distinct from (0, 0, 0))
    insert into insight_sourcetotal as t (site_id, span, grain, day, source_key, order_count,
        revenue_amount, refunded_amount)
    select g.site_id, g.span, g.grain, g.day, c.source_key, sum(orders), sum(revenue), sum(refunded)
      from changed c, lateral (values
           (c.site_id, 1, 1, c.day), (c.site_id, 1, 2, date_trunc('month', c.day)::date),
           (c.main_site_id, 2, 1, c.day), (c.main_site_id, 2, 2, date_trunc('month', c.day)::date))
           g(site_id, span, grain, day)
     group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5
    on conflict (site_id, span, grain, day, source_key) do update set
        order_count = t.order_count + excluded.order_count,
        revenue_amount = t.revenue_amount + excluded.revenue_amount,
        refunded_amount = t.refunded_amount + excluded.refunded_amount;
$$;

-- Two days as days and as the firsts of their months, in all four ways.
create or replace function insight_pairs(p_day date, p_prev date)
returns table (grain smallint, prev_grain smallint, day date, prev_day date)
language sql immutable as $$
    select g.grain, p.grain, g.day, p.day
      from (values (1::smallint, p_day), (2::smallint, make_date(extract(year from p_day)::int,
                   extract(month from p_day)::int, 1))) g(grain, day),
           (values (1::smallint, p_prev), (2::smallint, make_date(extract(year from p_prev)::int,
                   extract(month from p_prev)::int, 1))) p(grain, day)
$$;

-- Buyers of these days. When a buyer's orders of a day change, the days around are looked at again,
-- because the two that follow point back at them. A buyer with a thousand days costs as a new one.
create or replace function insight_roll_buyers(p_site bigint[], p_day date[], p_until timestamptz)
returns void language sql as $$
    with units as materialized (select * from insight_units(p_site, p_day, p_until)),
    now_ as (
        select u.site_id, u.day, o.buyer, bool_and(o.is_guest) is_guest, count(*)::int n
          from units u, lateral (select * from orders_paid() p where p.site_id = u.site_id
                                    and p.paid_at >= u.since and p.paid_at < u.until
                                    and p.buyer is not null offset 0) o
         group by 1, 2, 3),
    old_ as (
        select b.site_id, b.day, b.buyer, b.is_guest, b.order_count n
          from units u join insight_buyerday b on b.site_id = u.site_id and b.day = u.day),
    moved as materialized (
        select site_id, day, buyer, coalesce(now_.is_guest, old_.is_guest) is_guest,
               coalesce(now_.n, 0) n
          from now_ full join old_ using (site_id, day, buyer)
         where now_.n is distinct from old_.n),
    -- A day points back at two days at most: so far around what moved, and no farther, is read. Days
    -- before the first that moved are there to be pointed at, and stay as they are.
    around as (
        select site_id, buyer, min(day) first_day, max(day) last_day from moved group by 1, 2),
    merged as (
        select site_id, buyer, day, a.first_day, coalesce(m.is_guest, b.is_guest) is_guest,
               coalesce(m.n, b.order_count) n, b.order_count old_n, b.prev_day old_prev,
               b.second_day old_second
          from moved m full join (
              select b.* from around a cross join lateral (
                  (select * from insight_buyerday b where b.site_id = a.site_id
                      and b.buyer = a.buyer and b.day < a.first_day order by b.day desc limit 2)
                  union all
                  (select * from insight_buyerday b where b.site_id = a.site_id
                      and b.buyer = a.buyer and b.day >= a.first_day and b.day <= a.last_day)
                  union all
                  (select * from insight_buyerday b where b.site_id = a.site_id
                      and b.buyer = a.buyer and b.day > a.last_day order by b.day limit 2)) b) b
         using (site_id, buyer, day)
          join around a using (site_id, buyer)),
    told as (
        select site_id, buyer, day, first_day, is_guest, n, old_n, old_prev, old_second,
               coalesce(lag(day) over w, insight_none_day()) latest,
               coalesce(case when lag(n) over w >= 2 then lag(day) over w else lag(day, 2) over w end,
                        insight_none_day()) earlier
          from merged where n > 0 window w as (partition by site_id, buyer order by day)
        union all
        select site_id, buyer, day, first_day, is_guest, 0, old_n, old_prev, old_second, null, null
          from merged where n = 0),
    differing as materialized (
        select * from told
         where day >= first_day
           and (n, latest, earlier) is distinct from (old_n, old_prev, old_second)),
    gone as (
        delete from insight_buyerday b using differing d
         where d.n = 0 and b.site_id = d.site_id and b.buyer = d.buyer and b.day = d.day),
    kept as (
        insert into insight_buyerday (site_id, buyer, day, is_guest, order_count, prev_day, second_day)
        select site_id, buyer, day, is_guest, n, latest, earlier from differing where n > 0
        on conflict (site_id, buyer, day) do update set order_count = excluded.order_count,
            prev_day = excluded.prev_day, second_day = excluded.second_day),
    entries as (
        select site_id, day, is_guest, e.rank, e.prev_day, e.weight
          from differing d, lateral (values
               (0, insight_none_day(), case when n > 0 then 1 else 0 end),
               (1, latest, case when n > 0 then 1 else 0 end),
               (2, earlier, case when n > 0 then 1 else 0 end),
               (2, latest, case when n > 1 then 1 else 0 end),
               (0, insight_none_day(), case when old_n > 0 then -1 else 0 end),
               (1, old_prev, case when old_n > 0 then -1 else 0 end),
               (2, old_second, case when old_n > 0 then -1 else 0 end),
               (2, old_prev, case when old_n > 1 then -1 else 0 end)) e(rank, prev_day, weight)
         where e.weight <> 0),
    sums as (
        select site_id, rank, day, prev_day, is_guest, sum(weight) weight
          from entries group by 1, 2, 3, 4, 5 having sum(weight) <> 0)
    insert into insight_buyertotal as t (site_id, span, rank, grain, prev_grain, day, prev_day,
        is_guest, buyer_count)
    select g.site_id, g.span, e.rank, p.grain, p.prev_grain, p.day, p.prev_day, e.is_guest,
           sum(e.weight)
      from sums e join insight_shopclock k on k.site_id = e.site_id,
           lateral (values (e.site_id, 1), (k.main_site_id, 2)) g(site_id, span),
           lateral insight_pairs(e.day, e.prev_day) p
     group by 1, 2, 3, 4, 5, 6, 7, 8 having sum(e.weight) <> 0 order by 1, 2, 3, 4, 5, 6, 7, 8
    on conflict (site_id, span, rank, grain, prev_grain, day, prev_day, is_guest) do update set
        buyer_count = t.buyer_count + excluded.buyer_count;
$$;

-- Sites and days with orders paid or placed in a stretch of time.
create or replace function insight_days_between(p_since timestamptz, p_until timestamptz, p_low bigint,
                                                p_high bigint)
returns table (site_id bigint, day date) language sql stable as $$
    select k.site_id, (o.paid_at at time zone k.zone)::date
      from orders_paid() o join insight_shopclock k on k.site_id = o.site_id
     where o.paid_at >= p_since and o.paid_at < p_until
    union
    select k.site_id, (o.paid_at at time zone k.zone)::date
      from orders_below() o join insight_shopclock k on k.site_id = o.upline_site_id
     where o.paid_at >= p_since and o.paid_at < p_until
    union
    select k.site_id, (o.placed_at at time zone k.zone)::date
      from (select * from orders_placed_between(p_low, p_high) offset 0) o
      join insight_shopclock k on k.site_id = o.site_id
     where o.placed_at >= p_since and o.placed_at < p_until
$$;

-- One step: orders of the next full hours, about `p_most` of them, and some dirty days. Returns how
-- many days were computed and whether there is more; (-1, false): another roller is at work.
create or replace function insight_roll_up(p_now timestamptz, p_most int)
returns table (day_count int, is_more boolean)
language plpgsql security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
    v_from timestamptz;
    v_until timestamptz;
    v_goal timestamptz := date_trunc('hour', p_now - interval '30 seconds', 'UTC');
    v_low bigint;
    v_high bigint;
    v_site bigint[];
    v_day date[];
begin
    perform insight_open_mark();
    select rolled_until into v_from from insight_mark where id = 1 for update skip locked;
    if not found then
        return query select -1, false;
        return;
    end if;
    perform insight_sync_clocks();
    v_until := v_from;
    if v_goal > v_from then
        select coalesce(max(order_id), 0) into v_low from insight_floor;
        v_until := coalesce(date_trunc('hour', orders_placed_after(v_low, p_most), 'UTC'), v_goal);
        if v_until <= v_from then  -- a full hour, or ids that do not follow time
            v_until := v_from + case when v_until > v_from - interval '1 hour'
                                     then interval '1 hour' else interval '1 day' end;
        end if;
        v_until := least(v_until, v_goal);
        v_high := orders_first_placed(v_low, v_until);
        insert into insight_floor (moment, order_id)
            select date_trunc('hour', o.placed_at, 'UTC'), min(o.order_id)
              from orders_placed_between(v_low, v_high) o
             where o.placed_at >= v_from and o.placed_at < v_until group by 1
            union all select v_until, v_high
            on conflict (moment) do update set order_id = excluded.order_id;
    end if;
    with dirty as (
        delete from insight_dirtyday where (site_id, day) in (
            select site_id, day from insight_dirtyday order by site_id, day limit 200)
        returning site_id, day),
    units as (
        select site_id, day from dirty
        union
        select site_id, day from insight_days_between(
            v_from, v_until, v_low - 10000, v_high + 10000)
         where v_until > v_from)
    select array_agg(site_id order by site_id, day), array_agg(day order by site_id, day)
      into v_site, v_day from units;
    if v_site is not null then
        perform insight_roll_sales(v_site, v_day, v_until);
        perform insight_roll_goods(v_site, v_day, v_until);
        perform insight_roll_sources(v_site, v_day, v_until);
        perform insight_roll_buyers(v_site, v_day, v_until);
    end if;
    update insight_mark set rolled_until = v_until where id = 1 and rolled_until <> v_until;
    return query select coalesce(cardinality(v_site), 0),
        v_until < v_goal or exists (select 1 from insight_dirtyday);
end $$;

-- Orders changed: mark their days, if they are rolled up already. The mark is held, shared, until the
-- end of the transaction: a roller that moves it is waited for, so that an order is either seen by
-- the roller or found before the new mark here.
create or replace function insight_mark_orders(p_order bigint[])
returns int language plpgsql security definer set search_path = public, pg_temp as $$
declare
    v_until timestamptz;
    v_count int;
begin
    select rolled_until into v_until from insight_mark where id = 1 for share;
    if not found then
        return 0;
    end if;
    insert into insight_dirtyday (site_id, day)
        select distinct k.site_id, (o.paid_at at time zone k.zone)::date
          from orders_paid_moments(p_order) o join insight_shopclock k on k.site_id = o.site_id
         where o.paid_at < v_until
         order by 1, 2
        on conflict (site_id, day) do nothing;
    get diagnostics v_count = row_count;
    return v_count;
end $$;

-- Forget every roll-up of sales; the next steps make them anew. Visits stay: they have no other source.
create or replace function insight_begin_anew()
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform insight_open_mark();
    perform 1 from insight_mark where id = 1 for update;
    delete from insight_buyertotal;
    delete from insight_buyerday;
    delete from insight_goodstotal;
    delete from insight_floor;
    delete from insight_dirtyday;
    update insight_salestotal set order_count = 0, piece_count = 0, revenue_amount = 0,
        refunded_amount = 0, refund_count = 0, delivered_count = 0, margin_amount = 0,
        income_amount = 0, below_amount = 0, placed_count = 0;
    delete from insight_salestotal where visitor_count = 0;
    update insight_sourcetotal set order_count = 0, revenue_amount = 0, refunded_amount = 0;
    delete from insight_sourcetotal where visitor_count = 0;
    update insight_mark set rolled_until = timestamptz '2000-01-01 00:00+00' where id = 1;
end $$;
