-- Orders of a site that a buyer disputes, by the payment that paid them.
create or replace function orders_disputed(p_site bigint)
returns table (order_id bigint) language sql stable set search_path = public, pg_temp as $$
    select o.id from payments_disputed(p_site) d
      join orders_order o on o.id = d.order_id and o.payment_id = d.payment_id;
$$;

-- What the orders brought a site as margin: sold, less what refunds and lost disputes took back.
create or replace function orders_margin(p_orders bigint[])
returns bigint language sql stable set search_path = public, pg_temp as $$
    select coalesce(sum(case s.code when 31 then s.amount else -s.amount end), 0)::bigint
      from ledger_sum_codes(1::smallint, p_orders, array[31, 41, 93]::smallint[]) s;
$$;

-- What a site's orders brought it as margin that is not settled yet, its part of its child sites' orders
-- included: paid and not delivered, delivered after p_before, with a refund under way, or disputed. Index ranges instead of one scan: the queue, what
-- was delivered as it was paid (orders_by_day), what was delivered later (orders_late_delivery).
create or replace function orders_held_margin(p_site bigint, p_before timestamptz)
returns bigint language sql stable set search_path = public, pg_temp as $$
    with held as (
        select id from orders_order where site_id = p_site and state in (2, 6)
        union
        select id from orders_order where site_id = p_site and paid_at > p_before
        union
        select id from orders_order
         where site_id = p_site and delivered_at > p_before and delivered_at > paid_at
        union
        select r.order_id from orders_orderrefund r
         where r.site_id = p_site and r.state in (1, 3)
        union
        select order_id from orders_disputed(p_site))
    select orders_margin((select coalesce(array_agg(id), '{}') from held))
         + orders_held_upline(p_site, p_before);
$$;

-- What of a site's margin is disputed now, settled or not, its part of its child sites' orders included.
create or replace function orders_disputed_margin(p_site bigint)
returns bigint language sql stable set search_path = public, pg_temp as $$
    select orders_margin((select coalesce(array_agg(order_id), '{}') from orders_disputed(p_site)))
         + orders_disputed_upline(p_site);
$$;
