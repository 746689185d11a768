-- Which of the given variants are delivered as card keys (delivery kind 1).
create or replace function catalog_card_variants(p_variant bigint[])
returns bigint[] language sql stable security definer set search_path = public, pg_temp as $$
    select coalesce(array_agg(v.id), '{}')
      from catalog_variant v join catalog_product p on p.id = v.product_id
     where v.id = any (p_variant) and p.delivery_kind = 1;
$$;
