-- How much of each variant is in stock: unsold keys counted up to a limit, or the counted level.
-- A service without a level is not limited. Answers counts only, so sub-sites may ask for the main
-- site's goods.
create or replace function inventory_stock(p_variant bigint[], p_limit int)
returns table (variant_id bigint, is_counted boolean, stock_count bigint)
language sql stable security definer set search_path = public, pg_temp as $$
    select v.id,
           v.id = any (k.card) or l.variant_id is not null,
           case when v.id = any (k.card) then (
               select count(*) from (
                   select 1 from inventory_cardkey c
                    where c.variant_id = v.id and c.state = 0 limit p_limit) unsold)
           else coalesce(l.available_count, 0) end
      from unnest(p_variant) as v(id)
      cross join (select catalog_card_variants(p_variant) as card) k
      left join inventory_stocklevel l on l.variant_id = v.id;
$$;
