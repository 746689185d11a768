-- Counted stock: a level for each variant, and what each order took of it, so that exactly this can go
-- back, once. available + what orders took = what was supplied.

-- Lower the level of a variant for one order. True when there is enough, or when nothing is counted.
-- Locks the level.
create or replace function inventory_take_counted(p_variant bigint, p_order bigint, p_quantity int)
returns boolean language plpgsql volatile set search_path = public, pg_temp as $$
declare
    v_site bigint;
begin
    update inventory_stocklevel l set available_count = l.available_count - p_quantity
     where l.variant_id = p_variant and l.available_count >= p_quantity
    returning l.site_id into v_site;
    if not found then
        return not exists (select 1 from inventory_stocklevel l where l.variant_id = p_variant);
    end if;
    insert into inventory_countedclaim as k (order_id, site_id, variant_id, count)
    values (p_order, v_site, p_variant, p_quantity)
    on conflict (order_id) do update set count = k.count + excluded.count;
    return true;
end $$;

-- Raise the levels by what these orders took and did not give back yet; how many pieces. Levels in the
-- order of the variants, as those who take them do. Call with the orders locked, after wallets.
create or replace function inventory_return_counted(p_order bigint[])
returns int language plpgsql security definer set search_path = public, pg_temp as $$
declare
    pieces int := 0;
    held record;
begin
    for held in
        with gone as (
            delete from inventory_countedclaim k where k.order_id = any (p_order)
            returning k.variant_id, k.count)
        select g.variant_id, sum(g.count)::int as count from gone g
         group by g.variant_id order by g.variant_id
    loop
        update inventory_stocklevel l set available_count = l.available_count + held.count
         where l.variant_id = held.variant_id;
        pieces := pieces + held.count;
    end loop;
    return pieces;
end $$;
