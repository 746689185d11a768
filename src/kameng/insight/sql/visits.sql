-- Visits, in batches from the memory of the web processes. A visitor is a digest of a day; whoever
-- holds the clock of a site is the only one who counts its visitors. Source 1 is a visit that came
-- from nowhere else, 2 stands for the rest once a day has brought too many sources.
create or replace function insight_note_sources(
    p_site bigint[], p_key bigint[], p_kind text[], p_host text[], p_medium text[],
    p_campaign text[], p_day date[], p_most int)
returns void language sql security definer set search_path = public, pg_temp as $$
    with given as (
        select distinct on (g.site_id, g.source_key) g.*
          from (select u.site_id, u.source_key, u.kind, u.host, u.medium, u.campaign, u.day, 1 factor
                  from unnest(p_site, p_key, p_kind, p_host, p_medium, p_campaign, p_day)
                       u(site_id, source_key, kind, host, medium, campaign, day)
                union all
                select k.main_site_id, u.source_key, u.kind, u.host, u.medium, u.campaign, u.day, 10
                  from unnest(p_site, p_key, p_kind, p_host, p_medium, p_campaign, p_day)
                       u(site_id, source_key, kind, host, medium, campaign, day)
                  join insight_shopclock k on k.site_id = u.site_id) g
          left join insight_source s on s.site_id = g.site_id and s.source_key = g.source_key
         where s.site_id is null order by g.site_id, g.source_key, g.factor desc),
    counted as (
        select g.*, row_number() over (partition by g.site_id, g.day order by g.source_key)
               + (select count(*) from insight_source s
                   where s.site_id = g.site_id and s.first_day = g.day) n
          from given g)
    insert into insight_source (site_id, source_key, kind, host, medium, campaign, first_day)
    select site_id, source_key, kind, host, medium, campaign, day from counted
     where n <= p_most * factor order by site_id, source_key
    on conflict (site_id, source_key) do nothing;
$$;

create or replace function insight_note_visits(
    p_site bigint[], p_day date[], p_digest bytea[], p_hour smallint[], p_step smallint[],
    p_source bigint[])
returns void language plpgsql security definer set search_path = public, pg_temp as $$
begin
    -- Not beside a roller, which adds to the same sums in another order; and of each site one at a
    -- time: what is there must not change between being read and being counted.
    perform 1 from insight_mark where id = 1 for share;
    if exists (select unnest(p_site) except select site_id from insight_shopclock) then
        perform insight_sync_clocks();
    end if;
    perform 1 from insight_shopclock where site_id = any (p_site) order by site_id for no key update;
    with given as (
        select g.site_id, g.day, g.digest, g.hour, g.step,
               case when g.source_key is null or s.site_id is not null then g.source_key else 2 end
               as source_key
          from unnest(p_site, p_day, p_digest, p_hour, p_step, p_source)
               g(site_id, day, digest, hour, step, source_key)
          left join insight_source s on s.site_id = g.site_id and s.source_key = g.source_key),
    met as materialized (
        select g.site_id, k.main_site_id, g.day, g.digest, coalesce(v.hour, g.hour) as hour,
               coalesce(v.steps, 0::smallint) | g.step steps,
               coalesce(v.source_key, g.source_key) source_key, v.steps old_steps,
               v.source_key old_source, v.site_id is null is_new
          from given g join insight_shopclock k on k.site_id = g.site_id
          left join insight_visitor v
            on v.site_id = g.site_id and v.day = g.day and v.digest = g.digest),
    kept as (
        insert into insight_visitor (site_id, day, digest, hour, steps, source_key)
        select site_id, day, digest, hour, steps, source_key from met
         where (steps, source_key) is distinct from (old_steps, old_source)
         order by 1, 2, 3
        on conflict (site_id, day, digest) do update
            set steps = excluded.steps, source_key = excluded.source_key),
    delta as (
        select site_id, main_site_id, day, hour, coalesce(source_key, 1) source_key, 1 people,
               (steps & 2) / 2 products, (steps & 4) / 4 checkouts from met
        union all
        select site_id, main_site_id, day, hour, coalesce(old_source, 1), -1, -((old_steps & 2) / 2),
               -((old_steps & 4) / 4) from met where not is_new),
    hours as (
        insert into insight_salestotal as t (site_id, span, grain, day, hour, visitor_count,
            product_count, checkout_count)
        select g.site_id, g.span, g.grain, g.day, g.hour, sum(people), sum(products), sum(checkouts)
          from delta d, lateral (values
               (d.site_id, 1, 0, d.day, d.hour), (d.site_id, 1, 1, d.day, 0),
               (d.site_id, 1, 2, date_trunc('month', d.day)::date, 0),
               (d.main_site_id, 2, 0, d.day, d.hour), (d.main_site_id, 2, 1, d.day, 0),
               (d.main_site_id, 2, 2, date_trunc('month', d.day)::date, 0))
               g(site_id, span, grain, day, hour)
         group by 1, 2, 3, 4, 5
        having (sum(people), sum(products), sum(checkouts)) is distinct from (0, 0, 0)
         order by 1, 2, 3, 4, 5
        on conflict (site_id, span, grain, day, hour) do update set
            visitor_count = t.visitor_count + excluded.visitor_count,
            product_count = t.product_count + excluded.product_count,
            checkout_count = t.checkout_count + excluded.checkout_count)
    insert into insight_sourcetotal as t (site_id, span, grain, day, source_key, visitor_count,
        product_count, checkout_count)
    select g.site_id, g.span, g.grain, g.day, d.source_key, sum(people), sum(products), sum(checkouts)
      from delta d, lateral (values
           (d.site_id, 1, 1, d.day), (d.site_id, 1, 2, date_trunc('month', d.day)::date),
           (d.main_site_id, 2, 1, d.day), (d.main_site_id, 2, 2, date_trunc('month', d.day)::date))
           g(site_id, span, grain, day)
     group by 1, 2, 3, 4, 5
    having (sum(people), sum(products), sum(checkouts)) is distinct from (0, 0, 0)
     order by 1, 2, 3, 4, 5
    on conflict (site_id, span, grain, day, source_key) do update set
        visitor_count = t.visitor_count + excluded.visitor_count,
        product_count = t.product_count + excluded.product_count,
        checkout_count = t.checkout_count + excluded.checkout_count;
end $$;

-- From which source these orders came: the one of their visitor. The first answer stays; the day of a
-- paid order is counted again.
create or replace function insight_note_orders(
    p_site bigint[], p_order_no text[], p_day date[], p_digest bytea[])
returns int language plpgsql security definer set search_path = public, pg_temp as $$
declare
    v_order bigint[];
begin
    with kept as (
        insert into insight_ordersource (site_id, order_id, source_key)
        select g.site_id, o.order_id, coalesce(v.source_key, 1)
          from unnest(p_site, p_order_no, p_day, p_digest) g(site_id, order_no, day, digest)
         cross join lateral orders_numbered(g.site_id, g.order_no, now() - interval '2 hours') o
          join insight_visitor v
            on v.site_id = g.site_id and v.day = g.day and v.digest = g.digest
         order by 1, 2
        on conflict (site_id, order_id) do nothing
        returning order_id)
    select array_agg(order_id) into v_order from kept;
    perform insight_mark_orders(v_order);
    return coalesce(cardinality(v_order), 0);
end $$;

-- The salt of a day: the first who asks makes it.
create or replace function insight_salt_of(p_day date, p_salt bytea)
returns bytea language plpgsql security definer set search_path = public, pg_temp as $$
begin
    insert into insight_daysalt (day, salt) values (p_day, p_salt) on conflict (day) do nothing;
    return (select salt from insight_daysalt where day = p_day);
end $$;

-- Forget the visitors and salts of days before this one, some at a time; return how many went.
create or replace function insight_forget_visitors(p_before date, p_most int)
returns int language plpgsql security definer set search_path = public, pg_temp as $$
declare
    v_count int;
begin
    delete from insight_daysalt where day < p_before;
    delete from insight_visitor where (site_id, day, digest) in (
        select v.site_id, v.day, v.digest from insight_shopclock k, lateral (
            select * from insight_visitor v where v.site_id = k.site_id and v.day < p_before
             limit p_most) v limit p_most);
    get diagnostics v_count = row_count;
    return v_count;
end $$;
