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
    perform 1 from core_eventposition where consumer = p_consumer for update;
    if not found then
        insert into core_eventposition (consumer, xid, event_id)
        values (p_consumer, '0'::xid8, 0) on conflict (consumer) do nothing;
        perform 1 from core_eventposition where consumer = p_consumer for update;
    end if;
end $$;

-- The next events of these kinds behind the position, which is held from here on, in commit-safe order:
-- only transactions older than every running one are read, so nothing can appear later in front of what
-- was read. Here and below the position is compared as a plain variable and the order is asked for, so
-- that the index core_event_position is entered behind the position. A join or a `coalesce` there, which
-- row-level security holds back until it has looked at the row, walks the log from its beginning.
create or replace function core_read_events(p_consumer text, p_kinds text[], p_limit int)
returns table (event_id bigint, event_xid xid8, kind text, site_id bigint, subject_id bigint,
               payload jsonb)
language plpgsql as $$
#variable_conflict use_column
declare
    v_xid xid8;
    v_event bigint;
begin
    perform core_open_consumer(p_consumer);
    select p.xid, p.event_id into v_xid, v_event
      from core_eventposition p where p.consumer = p_consumer;
    return query
        select e.id, e.xid, e.kind::text, e.site_id, e.subject_id, e.payload
          from core_event e
         where (e.xid, e.id) > (v_xid, v_event)
           and e.xid < pg_snapshot_xmin(pg_current_snapshot())
           and e.kind = any (p_kinds)
         order by e.xid, e.id
         limit p_limit;
end $$;

create or replace function core_move_consumer(p_consumer text, p_xid xid8, p_event bigint)
returns void language sql as $$
    update core_eventposition set xid = p_xid, event_id = p_event, updated_at = now()
     where consumer = p_consumer;
$$;

-- Seconds since the oldest event of these kinds that the consumer has not read (null: none). Looks at
-- the next batch only, which begins with the oldest: one far behind must not make the question dear.
create or replace function core_consumer_lag(p_consumer text, p_kinds text[])
returns double precision language plpgsql stable as $$
declare
    v_xid xid8;
    v_event bigint;
begin
    select p.xid, p.event_id into v_xid, v_event
      from core_eventposition p where p.consumer = p_consumer;
    if not found then
        v_xid := '0';
        v_event := 0;
    end if;
    return (select extract(epoch from now() - min(t.created_at)) from (
        select e.created_at from core_event e
         where (e.xid, e.id) > (v_xid, v_event)
           and e.kind = any (p_kinds)
         order by e.xid, e.id limit 500) t);
end $$;

-- Whether a consumer has something to read; a cheap look before it locks its position. Not `exists`,
-- which drops the order and then reads the whole log to find nothing.
create or replace function core_events_waiting(p_consumer text, p_kinds text[])
returns boolean language plpgsql stable as $$
declare
    v_xid xid8;
    v_event bigint;
begin
    select p.xid, p.event_id into v_xid, v_event
      from core_eventposition p where p.consumer = p_consumer;
    if not found then
        v_xid := '0';
        v_event := 0;
    end if;
    perform 1 from core_event e
      where (e.xid, e.id) > (v_xid, v_event)
        and e.xid < pg_snapshot_xmin(pg_current_snapshot())
        and e.kind = any (p_kinds)
      order by e.xid, e.id limit 1;
    return found;
end $$;

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
-- turn. What is stepped over belongs to transactions that had ended when the last event was chosen, so
-- the look for its own kinds, which comes after, sees all there will ever be.
create or replace function core_skip_events(p_consumer text, p_kinds text[])
returns void language plpgsql as $$
declare
    v_xid xid8;
    v_event bigint;
    v_last_xid xid8;
    v_last_event bigint;
begin
    select p.xid, p.event_id into v_xid, v_event
      from core_eventposition p where p.consumer = p_consumer;
    select e.xid, e.id into v_last_xid, v_last_event
      from core_event e
     where e.xid < pg_snapshot_xmin(pg_current_snapshot())
     order by e.xid desc, e.id desc limit 1;
    perform 1 from core_event e
      where (e.xid, e.id) > (v_xid, v_event) and (e.xid, e.id) <= (v_last_xid, v_last_event)
        and e.kind = any (p_kinds)
      order by e.xid, e.id limit 1;
    if not found then
        update core_eventposition p
           set xid = v_last_xid, event_id = v_last_event, updated_at = now()
         where p.consumer = p_consumer and (p.xid, p.event_id) < (v_last_xid, v_last_event);
    end if;
end $$;
