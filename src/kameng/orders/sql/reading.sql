-- Paid and placed orders as roll-ups read them. Plain SQL functions without settings, so that the
-- planner opens them inside the caller's query: with a site it walks the index of the site's orders, by
-- time alone the block ranges of orders_by_moment, whose cost grows neither with sites nor with orders.

-- Paid orders, with what each side keeps of them: to be narrowed by site and time, or by time alone. The
-- margin is the selling site's, less the gateway's fee that it bears and its part of refunds; the income
-- is the main site's, before the cost of the goods. On the main site's own shop both are the same. What an
-- upline gets of a sale is not in them (orders_below).
create or replace function orders_paid()
returns table (site_id bigint, order_id bigint, paid_at timestamptz, variant_id bigint,
               product_id bigint, quantity int, total_amount bigint, refunded_amount bigint,
               is_delivered boolean, is_kept boolean, margin_amount bigint, income_amount bigint,
               buyer bytea, is_guest boolean)
language sql stable as $$
    select o.site_id, o.id, o.paid_at, o.variant_id, o.product_id, o.quantity, o.total_amount,
           o.refunded_amount, o.delivered_at is not null, o.state not in (6, 7),
           case when o.site_id = o.main_site_id
                then o.total_amount - o.fee_amount - coalesce(b.own, 0) - coalesce(b.margin, 0)
                else g.gross - least(o.fee_amount, g.gross) - coalesce(b.margin, 0) end::bigint,
           case when o.site_id = o.main_site_id
                then o.total_amount - o.fee_amount - coalesce(b.own, 0) - coalesce(b.margin, 0)
                else o.wholesale_amount - least(o.wholesale_amount, o.fee_amount
                     - least(o.fee_amount, g.gross)) - coalesce(b.own, 0) end::bigint,
           coalesce(int8send(o.customer_id), o.contact_digest), o.customer_id is null
      from orders_order o
     cross join lateral (select o.total_amount - o.wholesale_amount - coalesce(o.upline_amount, 0)
                                as gross) g
      left join lateral (select sum(r.own_amount) own, sum(r.margin_amount) margin
                           from orders_orderrefund r
                          where r.order_id = o.id and o.refunded_amount > 0) b on true
$$;

-- What uplines got of each sale of their child sites, refunds taken off: to be narrowed like orders_paid.
-- A fee above what child and main site get of a sale is the upline's (settling.sql).
create or replace function orders_below()
returns table (upline_site_id bigint, paid_at timestamptz, part_amount bigint)
language sql stable as $$
    select o.upline_site_id, o.paid_at,
           (o.upline_amount - least(o.upline_amount, greatest(0, o.fee_amount
                - (o.total_amount - o.upline_amount))) - coalesce(b.part, 0))::bigint
      from orders_order o
      left join lateral (select sum(r.upline_amount) part from orders_orderrefund r
                          where r.order_id = o.id and o.refunded_amount > 0) b on true
     where o.upline_site_id is not null
$$;

-- Moments at which a site's orders of these ids were placed.
create or replace function orders_placed_rows(p_site bigint, p_low bigint, p_high bigint)
returns table (placed_at timestamptz)
language sql stable as $$
    select o.placed_at from orders_order o
     where o.site_id = p_site and o.id >= p_low and o.id < p_high
$$;

-- Sites and moments of orders of these ids, whoever's.
create or replace function orders_placed_between(p_low bigint, p_high bigint)
returns table (order_id bigint, site_id bigint, placed_at timestamptz)
language sql stable as $$
    select o.id, o.site_id, o.placed_at from orders_order o where o.id >= p_low and o.id < p_high
$$;

-- The moment up to which about so many orders from an id on were placed; null: there are fewer.
create or replace function orders_placed_after(p_low bigint, p_count int)
returns timestamptz language sql stable as $$
    select o.placed_at from orders_order o where o.id >= p_low order by o.id offset p_count limit 1
$$;

-- The lowest id from `p_low` on that was placed at or after a moment; the next one when none was.
create or replace function orders_first_placed(p_low bigint, p_moment timestamptz)
returns bigint language sql stable as $$
    select coalesce((select o.id from orders_order o where o.id >= p_low and o.placed_at >= p_moment
                      order by o.id limit 1),
                    (select max(o.id) + 1 from orders_order o), 0)
$$;

-- Sites and moments of payment of these orders, those that are paid; an upline is one of the sites.
create or replace function orders_paid_moments(p_order bigint[])
returns table (site_id bigint, order_id bigint, paid_at timestamptz)
language sql stable as $$
    select o.site_id, o.id, o.paid_at from orders_order o
     where o.id = any (p_order) and o.paid_at is not null
    union all
    select o.upline_site_id, o.id, o.paid_at from orders_order o
     where o.id = any (p_order) and o.paid_at is not null and o.upline_site_id is not null
$$;

-- Orders by number of one site, placed after a moment.
create or replace function orders_numbered(p_site bigint, p_order_no text, p_since timestamptz)
returns table (order_id bigint, paid_at timestamptz)
language sql stable as $$
    select o.id, o.paid_at from orders_order o
     where o.order_no = p_order_no and o.site_id = p_site and o.placed_at >= p_since
$$;
