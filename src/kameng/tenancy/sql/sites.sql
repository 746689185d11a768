-- Whether a site's paid term and the grace after it are over at the moment of the statement. Compared at
-- each request, so that it needs no worker; a renewal moves the moment and so lifts exactly this.
create or replace function tenancy_is_lapsed(p_lapses timestamptz)
returns boolean language sql stable as $$
    select coalesce(p_lapses <= now(), false);
$$;

-- One site as a request needs it: read by tenancy.selectors.site_view in this order. A child whose upline
-- is not open is suspended with it (is_held); what it pays over its upline's wholesale price is its own
-- terms, else its upline's. Whether shops need verified details of their operators is the main site's to say,
-- so its word stands in their settings.
create or replace function tenancy_site_row(p_site bigint)
returns table (site_id bigint, main_id bigint, slug text, name text, state smallint,
               suspended_reason text, plan_id bigint, settlement_way smallint, catalogue_version bigint,
               main_version bigint, settings text, expires_at timestamptz, is_lapsed boolean,
               upline_id bigint, is_held boolean, child_markup_bps int, child_minimum_amount bigint)
language sql stable as $$
    select s.id, coalesce(s.parent_id, s.id), s.slug, s.name,
           case when s.state = 1 and (tenancy_is_lapsed(s.lapses_at) or u.state <> 1
                                      or tenancy_is_lapsed(u.lapses_at))
                then 2 else s.state end::smallint,
           s.suspended_reason, s.plan_id, s.settlement_way, s.catalogue_version, m.catalogue_version,
           case when s.parent_id is not null and m.settings -> 'licence_required' = 'true'
                then s.settings || '{"licence_required": true}' else s.settings end::text,
           s.expires_at, tenancy_is_lapsed(s.lapses_at), s.upline_id,
           s.state = 1 and coalesce(u.state <> 1 or tenancy_is_lapsed(u.lapses_at), false),
           case when s.upline_id is null then 0
                else coalesce(s.child_markup_bps, u.child_markup_bps, 0) end,
           case when s.upline_id is null then 0
                else coalesce(s.child_minimum_amount, u.child_minimum_amount, 0) end
      from tenancy_site s join tenancy_site m on m.id = coalesce(s.parent_id, s.id)
      left join tenancy_site u on u.id = s.upline_id
     where s.id = p_site;
$$;

-- What changes with any change of a site or of its main site: which versions of the two rows these are.
-- A process that keeps a site's view compares this instead of reading the row again. It moves too when the
-- term and grace of the site or of its upline run out, which changes no row.
create or replace function tenancy_site_stamp(p_site bigint)
returns table (stamp text)
language sql stable as $$
    select s.xmin::text || ':' || m.xmin::text
           || case when tenancy_is_lapsed(s.lapses_at) then ':lapsed' else '' end
           || case when tenancy_is_lapsed(u.lapses_at) then ':held' else '' end
      from tenancy_site s join tenancy_site m on m.id = coalesce(s.parent_id, s.id)
      left join tenancy_site u on u.id = s.upline_id
     where s.id = p_site;
$$;

-- A site with its stamp, whoever asks: before the scope of a request is known.
create or replace function tenancy_stamped_site(p_site bigint)
returns table (stamp text, site_id bigint, main_id bigint, slug text, name text, state smallint,
               suspended_reason text, plan_id bigint, settlement_way smallint, catalogue_version bigint,
               main_version bigint, settings text, expires_at timestamptz, is_lapsed boolean,
               upline_id bigint, is_held boolean, child_markup_bps int, child_minimum_amount bigint)
language sql stable security definer set search_path = public, pg_temp as $$
    select t.stamp, r.* from tenancy_site_stamp(p_site) t, tenancy_site_row(p_site) r;
$$;

-- Tell every process that what a site offers moved, whoever found it out. Locks the site.
create or replace function tenancy_move_catalogue(p_site bigint)
returns void language sql security definer set search_path = public, pg_temp as $$
    update tenancy_site set catalogue_version = catalogue_version + 1 where id = p_site;
$$;
