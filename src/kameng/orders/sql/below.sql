-- What orders of child sites brought their upline, less what refunds and lost disputes took back. Call as
-- who may see the children's transfers.
create or replace function orders_upline_part(p_orders bigint[])
returns bigint language sql stable set search_path = public, pg_temp as $$
    select coalesce(sum(case when s.code in (38, 48) then s.amount else -s.amount end), 0)::bigint
      from ledger_sum_codes(1::smallint, p_orders, array[38, 39, 47, 48, 94]::smallint[]) s;
$$;

-- What one order of the site in force brought its upline, and what refunds and lost disputes took back:
-- legs of two sites, added up.
create or replace function orders_upline_sums(p_order bigint)
returns table (sold bigint, refunded bigint, lost bigint)
language sql stable security definer set search_path = public, pg_temp as $$
    select coalesce(sum(case s.code when 38 then s.amount when 39 then -s.amount end), 0)::bigint,
           coalesce(sum(case s.code when 47 then s.amount when 48 then -s.amount end), 0)::bigint,
           coalesce(sum(case s.code when 94 then s.amount end), 0)::bigint
      from ledger_sum_codes(1::smallint, array[p_order], array[38, 39, 47, 48, 94]::smallint[]) s;
$$;

-- Orders of child sites that buyers dispute, of which a site is the upline. Few disputes are open.
create or replace function orders_disputed_below(p_upline bigint)
returns table (order_id bigint) language sql stable set search_path = public, pg_temp as $$
    select o.id from payments_disputed_orders() d
      join orders_order o on o.id = d.order_id and o.payment_id = d.payment_id
     where o.upline_site_id = p_upline;
$$;

-- What of an upline's part is not settled yet (as orders_held_margin): the sum alone, nothing of a row.
create or replace function orders_held_upline(p_upline bigint, p_before timestamptz)
returns bigint language sql stable security definer set search_path = public, pg_temp as $$
    with held as (
        select id from orders_order where upline_site_id = p_upline and state in (2, 6)
        union
        select id from orders_order where upline_site_id = p_upline and paid_at > p_before
        union
        select id from orders_order
         where upline_site_id = p_upline and delivered_at > p_before and delivered_at > paid_at
        union
        select r.order_id from orders_orderrefund r
         where r.upline_site_id = p_upline and r.state in (1, 3)
        union
        select order_id from orders_disputed_below(p_upline))
    select case when exists (select 1 from held)
                then orders_upline_part((select array_agg(id) from held)) else 0 end;
$$;

-- What of an upline's part buyers dispute now.
create or replace function orders_disputed_upline(p_upline bigint)
returns bigint language sql stable security definer set search_path = public, pg_temp as $$
    select orders_upline_part(
        (select coalesce(array_agg(order_id), '{}') from orders_disputed_below(p_upline)));
$$;

-- What the child sites of a site sold since a moment, child by child, and its own part of that: sums alone.
-- By orders_by_upline; each child is counted for what it sold while it bought through this site.
create or replace function orders_sums_below(p_upline bigint, p_since timestamptz)
returns table (site_id bigint, order_count bigint, sold bigint, refunded bigint, part bigint)
language sql stable security definer set search_path = public, pg_temp as $$
    with sold as materialized (
        select o.id, o.site_id, o.total_amount, o.refunded_amount from orders_order o
         where o.upline_site_id = p_upline and o.paid_at >= p_since),
    parts as (
        select s.reference_id,
               sum(case when s.code in (38, 48) then s.amount else -s.amount end) amount
          from ledger_sum_codes(1::smallint, (select coalesce(array_agg(id), '{}') from sold),
                                array[38, 39, 47, 48, 94]::smallint[]) s group by 1)
    select o.site_id, count(*), sum(o.total_amount)::bigint, sum(o.refunded_amount)::bigint,
           coalesce(sum(p.amount), 0)::bigint
      from sold o left join parts p on p.reference_id = o.id group by 1;
$$;
