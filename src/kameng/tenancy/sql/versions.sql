-- Say for each pair whether the site is open and the catalogue is still what the quote was made from,
-- and, where a stamp is given (sites.sql), whether nothing else of the two sites has changed.
create or replace function tenancy_fresh(
    p_site bigint[], p_version bigint[], p_main_version bigint[], p_stamp text[])
returns boolean[] language sql stable security definer set search_path = public, pg_temp as $$
    select array_agg(coalesce(s.state = 1 and m.state = 1 and coalesce(u.state, 1) = 1
                              and not tenancy_is_lapsed(s.lapses_at) and not tenancy_is_lapsed(u.lapses_at)
                              and s.catalogue_version = t.version
                              and m.catalogue_version = t.main_version
                              and (t.stamp = '' or t.stamp = s.xmin::text || ':' || m.xmin::text), false)
                     order by t.i)
      from unnest(p_site, p_version, p_main_version, p_stamp) with ordinality
           as t(site, version, main_version, stamp, i)
      left join tenancy_site s on s.id = t.site
      left join tenancy_site m on m.id = coalesce(s.parent_id, s.id)
      left join tenancy_site u on u.id = s.upline_id;
$$;

-- Say for each site whether its stamp (sites.sql) is still this one; an empty one says nothing.
create or replace function tenancy_are_stamped(p_site bigint[], p_stamp text[])
returns boolean[] language sql stable as $$
    select array_agg(t.stamp = '' or coalesce(t.stamp = s.xmin::text || ':' || m.xmin::text
                         || case when tenancy_is_lapsed(s.lapses_at) then ':lapsed' else '' end
                         || case when tenancy_is_lapsed(u.lapses_at) then ':held' else '' end, false)
                     order by t.i)
      from unnest(p_site, p_stamp) with ordinality as t(site, stamp, i)
      left join tenancy_site s on s.id = t.site
      left join tenancy_site m on m.id = coalesce(s.parent_id, s.id)
      left join tenancy_site u on u.id = s.upline_id;
$$;
