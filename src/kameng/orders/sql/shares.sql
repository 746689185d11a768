-- What a site's orders brought it as margin that is not settled yet: paid and not delivered, delivered
-- after p_before, or with a refund under way. Three index ranges instead of one scan: the queue, what was
-- delivered as it was paid (orders_by_day), what was delivered later (orders_late_delivery).
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
         where r.site_id = p_site and r.state in (1, 3))
    select coalesce(sum(case s.code when 31 then s.amount else -s.amount end), 0)::bigint
      from ledger_sum_codes(1::smallint, (select coalesce(array_agg(id), '{}') from held),
                            array[31, 41]::smallint[]) s;
$$;
