-- Count one hit on a key and say how many there were in its window and how many seconds it lasts.
-- One upsert: parallel hits are all counted.
create or replace function risk_hit(p_key bytea, p_window_seconds int)
returns table (hits int, seconds_left int)
language sql security definer set search_path = public, pg_temp as $$
    insert into risk_throttle as t (key, hits, window_ends_at)
    values (p_key, 1, now() + make_interval(secs => p_window_seconds))
    on conflict (key) do update
       set hits = case when t.window_ends_at <= now() then 1 else t.hits + 1 end,
           window_ends_at = case when t.window_ends_at <= now() then excluded.window_ends_at
                                 else t.window_ends_at end
    returning t.hits, greatest(1, ceil(extract(epoch from t.window_ends_at - now())))::int;
$$;

-- Hits of a key in its running window, without counting one.
create or replace function risk_peek(p_key bytea)
returns table (hits int, seconds_left int)
language sql stable security definer set search_path = public, pg_temp as $$
    select t.hits, greatest(1, ceil(extract(epoch from t.window_ends_at - now())))::int
      from risk_throttle t where t.key = p_key and t.window_ends_at > now();
$$;

create or replace function risk_forget(p_key bytea)
returns void language sql security definer set search_path = public, pg_temp as $$
    delete from risk_throttle where key = p_key;
$$;

create or replace function risk_sweep()
returns int language plpgsql security definer set search_path = public, pg_temp as $$
declare swept int;
begin
    delete from risk_throttle where window_ends_at < now() - interval '1 minute';
    get diagnostics swept = row_count;
    return swept;
end $$;
