-- The site and the person of one request in one round trip. No session, an ended one, one of another
-- site, a switched-off person: all give no person. Runs before any scope is known, hence as engine.
create or replace function accounts_open_request(p_site bigint, p_token bytea)
returns table (site_id bigint, main_id bigint, slug text, name text, state smallint,
               suspended_reason text, plan_id bigint, settlement_way smallint, catalogue_version bigint,
               main_version bigint, settings text, expires_at timestamptz, is_lapsed boolean,
               upline_id bigint, is_held boolean, child_markup_bps int, child_minimum_amount bigint,
               customer_id bigint, user_id bigint, person_name text, is_platform boolean,
               role_sites bigint[], role_names text[], role_permissions text[],
               has_second boolean, seen_at timestamptz)
language plpgsql stable security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
    v_customer bigint;
    v_user bigint;
begin
    select t.site_id, t.main_id, t.slug, t.name, t.state, t.suspended_reason, t.plan_id,
           t.settlement_way, t.catalogue_version, t.main_version, t.settings, t.expires_at, t.is_lapsed,
           t.upline_id, t.is_held, t.child_markup_bps, t.child_minimum_amount
      into site_id, main_id, slug, name, state, suspended_reason, plan_id, settlement_way,
           catalogue_version, main_version, settings, expires_at, is_lapsed, upline_id, is_held,
           child_markup_bps, child_minimum_amount
      from tenancy_site_row(p_site) t;
    if not found then
        return;
    end if;
    is_platform := false;
    has_second := false;
    if p_token is not null then  -- one look-up after the other: each is a cached plan of one index
        select s.customer_id, s.user_id, s.seen_at into v_customer, v_user, seen_at from accounts_session s
         where s.token_digest = p_token and s.site_id = p_site and s.expires_at > now();
        if v_customer is not null then
            select c.id, c.nickname into customer_id, person_name from accounts_customer c
             where c.id = v_customer and c.site_id = p_site and c.is_active;
        elsif v_user is not null then
            select u.id, u.display_name, u.is_platform into user_id, person_name, is_platform
              from accounts_user u where u.id = v_user and u.is_active;
            -- A suspended role gives nothing from the next request on; so does a changed one.
            select array_agg(x.site_id order by x.id), array_agg(x.role::text order by x.id),
                   array_agg(coalesce(array_to_string(c.permissions, ','), '') order by x.id)
              into role_sites, role_names, role_permissions
              from accounts_siterole x
              left join accounts_customrole c on c.id = x.custom_role_id and c.site_id = x.site_id
             where x.user_id = v_user and x.suspended_at is null;
            has_second := exists (select from accounts_totp t
                                   where t.user_id = v_user and t.confirmed_at is not null)
                       or exists (select from accounts_passkey k where k.user_id = v_user);
        end if;
        is_platform := coalesce(is_platform, false);
    end if;
    return next;
end $$;

-- The same for a batch of requests of buyers, without the site itself: its stamp (tenancy_site_stamp; null
-- without that site), and the customer behind the token. is_other: the token is a staff member's, or its
-- customer is switched off; such a request goes the long way.
create or replace function accounts_open_buyers(p_site bigint[], p_token bytea[])
returns table (stamp text, customer_id bigint, customer_name text, is_other boolean)
language plpgsql stable security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
begin
    return query
    select s.stamp, c.id, c.nickname::text, x.site_id is not null and c.id is null
      from unnest(p_site, p_token) with ordinality as t(site, token, k)
      left join lateral tenancy_site_stamp(t.site) s on true
      left join accounts_session x
        on x.token_digest = t.token and x.site_id = t.site and x.expires_at > now()
      left join accounts_customer c
        on c.id = x.customer_id and c.site_id = t.site and c.is_active
     order by t.k;
end $$;
