-- Bringing keys in, taking them out of sale, re-encrypting them. All run as the caller, under its
-- site scope: row-level security refuses another site's rows.

-- Numbers for keys to come: their order is the order of sale.
create or replace function inventory_take_key_ids(p_count int)
returns setof bigint language sql volatile set search_path = public, pg_temp as $$
    select nextval('inventory_cardkey_id_seq') from generate_series(1, p_count);
$$;

-- Add keys; the ids of those whose digest the site has already are returned and not added.
-- In the order of the digests, so that two imports of the same keys never wait in a circle.
create or replace function inventory_add_keys(
    p_site bigint, p_variant bigint, p_batch bigint, p_id bigint[], p_digest bytea[],
    p_secret bytea[])
returns bigint[] language sql volatile set search_path = public, pg_temp as $$
    with added as (
        insert into inventory_cardkey (id, site_id, variant_id, batch_id, state, secret, digest)
        select k.id, p_site, p_variant, p_batch, 0, k.secret, k.digest
          from unnest(p_id, p_digest, p_secret) as k(id, digest, secret) order by k.digest
        on conflict (site_id, digest) do nothing
        returning id)
    select coalesce(array_agg(k.id order by k.id), '{}') from unnest(p_id) as k(id)
     where k.id not in (select a.id from added a);
$$;

-- Which of these digests (by their place, from one) the site has already.
create or replace function inventory_known_digests(p_site bigint, p_digest bytea[])
returns bigint[] language sql stable set search_path = public, pg_temp as $$
    select coalesce(array_agg(k.place order by k.place), '{}')
      from unnest(p_digest) with ordinality as k(digest, place)
     where exists (select 1 from inventory_cardkey c
                    where c.site_id = p_site and c.digest = k.digest);
$$;

-- Move up to p_limit keys of a batch from one state to another, from after a key id on; those that
-- a sale holds at this moment are passed over. Answers how many, and the last id looked at.
create or replace function inventory_move_keys(
    p_batch bigint, p_from smallint, p_to smallint, p_after bigint, p_limit int)
returns table (moved int, last_id bigint)
language plpgsql volatile set search_path = public, pg_temp as $$
declare
    picked bigint[];
begin
    select array_agg(k.id order by k.id) into picked from (
        select c.id from inventory_cardkey c
         where c.batch_id = p_batch and c.state = p_from and c.id > p_after
         order by c.id limit p_limit for no key update skip locked) k;
    moved := coalesce(cardinality(picked), 0);
    last_id := picked[moved];
    if moved > 0 then
        update inventory_cardkey c set state = p_to where c.id = any (picked);
    end if;
    return next;
end $$;

-- The next secrets that another key version than p_version encrypted.
create or replace function inventory_old_secrets(p_version int, p_after bigint, p_limit int)
returns table (id bigint, site_id bigint, secret bytea)
language sql stable set search_path = public, pg_temp as $$
    select c.id, c.site_id, c.secret from inventory_cardkey c
     where c.id > p_after and get_byte(c.secret, 0) <> p_version order by c.id limit p_limit;
$$;

-- Put new cipher texts in the place of exactly those that were read, by id; keys that somebody holds at
-- this moment are passed over, so that nobody waits for a rotation that waits for him. How many.
create or replace function inventory_rewrite_secrets(p_id bigint[], p_old bytea[], p_new bytea[])
returns int language plpgsql volatile set search_path = public, pg_temp as $$
declare
    changed int;
begin
    with free as (
        select c.id, k.new from inventory_cardkey c
          join unnest(p_id, p_old, p_new) as k(id, old, new) on k.id = c.id and k.old = c.secret
         order by c.id for no key update of c skip locked)
    update inventory_cardkey c set secret = f.new from free f where c.id = f.id;
    get diagnostics changed = row_count;
    return changed;
end $$;
