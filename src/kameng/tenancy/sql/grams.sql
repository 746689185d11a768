-- The characters and the pairs of neighbours of a site's name and slug, in lower case: what a search within
-- them looks up. The index goes and comes back with the function at each `migrate`: a second for 10 000.
create or replace function tenancy_grams(p_name text, p_slug text)
returns text[] language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select coalesce(array_agg(distinct g.gram), '{}')
      from unnest(array[lower(p_name), lower(p_slug)]) as t(whole),
           generate_series(1, length(t.whole)) as i,
           generate_series(1, 2) as n,
           lateral (select substr(t.whole, i, n) as gram) g
     where length(g.gram) = n;
$$;
create index if not exists tenancy_by_gram on tenancy_site using gin (tenancy_grams(name, slug));
