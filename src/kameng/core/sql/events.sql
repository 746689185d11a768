-- Append events in the caller's transaction: one insert for the whole batch.
create or replace function core_publish(
    p_kind text[], p_site bigint[], p_subject bigint[], p_payload jsonb[])
returns void language sql security definer set search_path = public, pg_temp as $$
    insert into core_event (kind, site_id, subject_id, payload)
    select k, s, o, coalesce(p, '{}'::jsonb)
      from unnest(p_kind, p_site, p_subject, p_payload) as t(k, s, o, p);
$$;

-- Make sure the consumer has a position and hold it until the end of the transaction.
-- A new consumer starts at the beginning of the log.
create or replace function core_open_consumer(p_consumer text)
returns void language plpgsql as $$
begin
    insert into core_eventposition (consumer, xid, event_id)
    values (p_consumer, '0'::xid8, 0) on conflict (consumer) do nothing;
    perform 1 from core_eventposition where consumer = p_consumer for update;
end $$;

-- The next events of these kinds behind the position, in commit-safe order: only transactions older
-- than every running one are read, so nothing can appear later in front of what was read.
create or replace function core_read_events(p_consumer text, p_kinds text[], p_limit int)
returns table (event_id bigint, event_xid xid8, kind text, site_id bigint, subject_id bigint,
               payload jsonb)
language sql stable as $$
    select e.id, e.xid, e.kind, e.site_id, e.subject_id, e.payload
      from core_eventposition p
      join core_event e on (e.xid, e.id) > (p.xid, p.event_id)
     where p.consumer = p_consumer
       and e.xid < pg_snapshot_xmin(pg_current_snapshot())
       and e.kind = any (p_kinds)
     order by e.xid, e.id
     limit p_limit;
$$;

create or replace function core_move_consumer(p_consumer text, p_xid xid8, p_event bigint)
returns void language sql as $$
    update core_eventposition set xid = p_xid, event_id = p_event, updated_at = now()
     where consumer = p_consumer;
$$;

-- Seconds since the oldest event of these kinds that the consumer has not read (null: none).
create or replace function core_consumer_lag(p_consumer text, p_kinds text[])
returns double precision language sql stable as $$
    select extract(epoch from now() - min(e.created_at))
      from core_event e left join core_eventposition p on p.consumer = p_consumer
     where (p.consumer is null or (e.xid, e.id) > (p.xid, p.event_id)) and e.kind = any (p_kinds);
$$;

-- Whether a consumer has something to read; a cheap look before it locks its position.
create or replace function core_events_waiting(p_consumer text, p_kinds text[])
returns boolean language sql stable as $$
    select exists (
        select 1 from core_event e
         where (e.xid, e.id) > (
                coalesce((select p.xid from core_eventposition p where p.consumer = p_consumer),
                         '0'::xid8),
                coalesce((select p.event_id from core_eventposition p
                           where p.consumer = p_consumer), 0))
           and e.xid < pg_snapshot_xmin(pg_current_snapshot()) and e.kind = any (p_kinds));
$$;

-- Delete a batch of old events that every consumer has read.
create or replace function core_purge_events(p_days int, p_limit int)
returns int language plpgsql security definer set search_path = public, pg_temp as $$
declare
    gone int;
begin
    delete from core_event where id in (
        select e.id from core_event e
         where e.created_at < now() - make_interval(days => p_days)
           and not exists (select 1 from core_eventposition p where (p.xid, p.event_id) < (e.xid, e.id))
         order by e.xid, e.id limit p_limit);
    get diagnostics gone = row_count;
    return gone;
end $$;

-- Step over events of other kinds, so that a reader of rare ones does not look at the whole log at each
-- turn. One statement, one snapshot: nothing of its own kinds can lie between.
create or replace function core_skip_events(p_consumer text, p_kinds text[])
returns void language sql as $$
    update core_eventposition p
       set xid = e.xid, event_id = e.id, updated_at = now()
      from (select xid, id from core_event
             where xid < pg_snapshot_xmin(pg_current_snapshot())
             order by xid desc, id desc limit 1) e
     where p.consumer = p_consumer and (p.xid, p.event_id) < (e.xid, e.id)
       and not exists (
            select 1 from core_event x
             where (x.xid, x.id) > (p.xid, p.event_id) and (x.xid, x.id) <= (e.xid, e.id)
               and x.kind = any (p_kinds));
$$;
