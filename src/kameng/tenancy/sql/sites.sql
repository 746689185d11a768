-- One site as a request needs it: read by tenancy.selectors.site_view in this order. Whether shops need
-- verified details of their operators is the main site's to say, so its word stands in their settings.
create or replace function tenancy_site_row(p_site bigint)
returns table (site_id bigint, main_id bigint, slug text, name text, state smallint,
               suspended_reason text, plan_id bigint, settlement_way smallint, catalogue_version bigint,
               main_version bigint, settings text)
language sql stable as $$
    select s.id, coalesce(s.parent_id, s.id), s.slug, s.name, s.state, s.suspended_reason,
           s.plan_id, s.settlement_way, s.catalogue_version, m.catalogue_version,
           case when s.parent_id is not null and m.settings -> 'licence_required' = 'true'
                then s.settings || '{"licence_required": true}' else s.settings end::text
      from tenancy_site s join tenancy_site m on m.id = coalesce(s.parent_id, s.id)
     where s.id = p_site;
$$;

-- What changes with any change of a site or of its main site: which versions of the two rows these are.
-- A process that keeps a site's view compares this instead of reading the row again.
create or replace function tenancy_site_stamp(p_site bigint)
returns table (stamp text)
language sql stable as $$
    select s.xmin::text || ':' || m.xmin::text
      from tenancy_site s join tenancy_site m on m.id = coalesce(s.parent_id, s.id)
     where s.id = p_site;
$$;

-- A site with its stamp, whoever asks: before the scope of a request is known.
create or replace function tenancy_stamped_site(p_site bigint)
returns table (stamp text, site_id bigint, main_id bigint, slug text, name text, state smallint,
               suspended_reason text, plan_id bigint, settlement_way smallint, catalogue_version bigint,
               main_version bigint, settings text)
language sql stable security definer set search_path = public, pg_temp as $$
    select t.stamp, r.* from tenancy_site_stamp(p_site) t, tenancy_site_row(p_site) r;
$$;

-- Tell every process that what a site offers moved, whoever found it out. Locks the site.
create or replace function tenancy_move_catalogue(p_site bigint)
returns void language sql security definer set search_path = public, pg_temp as $$
    update tenancy_site set catalogue_version = catalogue_version + 1 where id = p_site;
$$;
