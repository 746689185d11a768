-- Remember the nonces of accepted callbacks: true for each that is new. In the transaction that accepts
-- them, so that a nonce whose callback was not accepted in the end may come again. Whoever sends the same
-- one at the same moment waits at its unique key. No two of one call may be the same.
create or replace function payments_take_nonces(p_gateway bigint[], p_nonce text[])
returns table (i int, is_new boolean)
language sql security definer set search_path = public, pg_temp as $$
    with taken as (
        insert into payments_callbacknonce (site_id, gateway_id, nonce)
        select g.site_id, t.gateway, t.nonce
          from unnest(p_gateway, p_nonce) as t(gateway, nonce)
          join payments_gateway g on g.id = t.gateway
         order by t.gateway, t.nonce
            on conflict (gateway_id, nonce) do nothing
        returning gateway_id, nonce)
    select t.k::int, taken.nonce is not null
      from unnest(p_gateway, p_nonce) with ordinality as t(gateway, nonce, k)
      left join taken on taken.gateway_id = t.gateway and taken.nonce = t.nonce
     order by t.k;
$$;
