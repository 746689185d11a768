-- Taking stock with patience, where inventory_claim_free found keys that somebody else holds.
-- Called by functions of the engine role alone, as that role.

-- Each wish for itself, keys before counted stock; those of one variant in the order in which they came.
-- The caller holds no keys.
create or replace function inventory_claim_patiently(
    p_variant bigint[], p_order bigint[], p_quantity int[], p_has_keys boolean[], p_state smallint)
returns table (i int, claimed boolean, last_position bigint)
language plpgsql volatile set search_path = public, pg_temp as $$
declare
    wish record;
begin
    for wish in
        select t.number::int as number, t.variant, t.order_id, t.quantity, t.has_keys
          from unnest(p_variant, p_order, p_quantity, p_has_keys) with ordinality
               as t(variant, order_id, quantity, has_keys, number)
         order by not t.has_keys, t.variant, t.number
    loop
        i := wish.number;
        if wish.has_keys then
            last_position := inventory_await_keys(
                wish.variant, wish.order_id, wish.quantity, p_state);
            claimed := last_position is not null;
        else
            last_position := null;
            claimed := inventory_take_counted(wish.variant, wish.order_id, wish.quantity);
        end if;
        return next;
    end loop;
end $$;

-- Take keys for one wish, waiting for those that others hold at this moment: by position, so that those
-- who wait never wait for each other in a circle. Answers the last position, or null when there are
-- fewer than wanted; then nothing stays locked.
create or replace function inventory_await_keys(
    p_variant bigint, p_order bigint, p_quantity int, p_state smallint)
returns bigint language plpgsql volatile set search_path = public, pg_temp as $$
declare
    picked bigint[];
begin
    if (select count(*) from (
            select 1 from inventory_cardkey c
             where c.variant_id = p_variant and c.state = 0 limit p_quantity) s) < p_quantity then
        return null;  -- hopeless: nobody is waited for
    end if;
    select array_agg(k.position order by k.position) into picked from (
        select c.position from inventory_cardkey c
         where c.variant_id = p_variant and c.state = 0
         order by c.position limit p_quantity for no key update) k;
    if coalesce(cardinality(picked), 0) < p_quantity then
        raise exception 'inventory: fewer keys than wanted' using errcode = 'KM002';
    end if;
    update inventory_cardkey c
       set state = p_state, order_id = p_order, sold_at = case when p_state = 2 then now() end
     where c.id = any (picked);
    return picked[p_quantity];
exception when sqlstate 'KM002' then
    return null;
end $$;
