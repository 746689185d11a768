-- Say for each pair whether the site is open and the catalogue is still what the quote was made from.
create or replace function tenancy_fresh(p_site bigint[], p_version bigint[], p_main_version bigint[])
returns boolean[] language sql stable security definer set search_path = public, pg_temp as $$
    select array_agg(coalesce(s.state = 1 and m.state = 1 and s.catalogue_version = t.version
                              and m.catalogue_version = t.main_version, false) order by t.i)
      from unnest(p_site, p_version, p_main_version) with ordinality as t(site, version, main_version, i)
      left join tenancy_site s on s.id = t.site
      left join tenancy_site m on m.id = coalesce(s.parent_id, s.id);
$$;
