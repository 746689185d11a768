-- Stand in line for the places of a site's own goods (core/locks.py: class 7004), until the end of the
-- transaction.
create or replace function catalog_lock_own_goods(p_site bigint)
returns void language sql volatile set search_path = public, pg_temp as $$
    select pg_advisory_xact_lock(7004, (p_site % 2147483647)::int);
$$;
