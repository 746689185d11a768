-- The site and the person of one request in one round trip. No session, an ended one, one of another
-- site, a switched-off person: all give no person. Runs before any scope is known, hence as engine.
create or replace function accounts_open_request(p_site bigint, p_token bytea)
returns table (site_id bigint, main_id bigint, slug text, name text, state smallint,
               suspended_reason text, plan_id bigint, catalogue_version bigint,
               main_version bigint, settings text,
               customer_id bigint, user_id bigint, person_name text, is_platform boolean,
               role_sites bigint[], role_names text[])
language sql stable security definer set search_path = public, pg_temp as $$
    select t.site_id, t.main_id, t.slug, t.name, t.state, t.suspended_reason, t.plan_id,
           t.catalogue_version, t.main_version, t.settings,
           c.id, u.id, coalesce(c.nickname, u.display_name), coalesce(u.is_platform, false),
           r.sites, r.names
      from tenancy_site_row(p_site) t
      left join accounts_session s
        on s.token_digest = p_token and s.site_id = p_site and s.expires_at > now()
      left join accounts_customer c
        on c.id = s.customer_id and c.site_id = p_site and c.is_active
      left join accounts_user u on u.id = s.user_id and u.is_active
      left join lateral (
          select array_agg(x.site_id order by x.id) as sites,
                 array_agg(x.role::text order by x.id) as names
            from accounts_siterole x where x.user_id = u.id) r on u.id is not null;
$$;
