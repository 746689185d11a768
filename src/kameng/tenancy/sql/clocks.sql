-- Every site with its time zone and the main site above it.
create or replace function tenancy_clocks()
returns table (site_id bigint, main_site_id bigint, zone text)
language sql stable as $$
    select s.id, (select m.id from tenancy_site m where m.kind = 1),
           coalesce(s.settings ->> 'timezone', 'Asia/Shanghai')
      from tenancy_site s
$$;
