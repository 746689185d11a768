-- One site as a request needs it: read by tenancy.selectors.site_view in this order.
create or replace function tenancy_site_row(p_site bigint)
returns table (site_id bigint, main_id bigint, slug text, name text, state smallint,
               suspended_reason text, plan_id bigint, catalogue_version bigint,
               main_version bigint, settings text)
language sql stable as $$
    select s.id, coalesce(s.parent_id, s.id), s.slug, s.name, s.state, s.suspended_reason,
           s.plan_id, s.catalogue_version, m.catalogue_version, s.settings::text
      from tenancy_site s join tenancy_site m on m.id = coalesce(s.parent_id, s.id)
     where s.id = p_site;
$$;
