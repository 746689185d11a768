-- The transfers of a month (Beijing time) lie in a partition of their own. `kameng migrate` and the worker
-- make months ahead, so that the default partition, which only keeps an insert from failing, stays empty.
-- Owned by the owner of the tables, because only that may make one: it takes dates, bounded, and nothing
-- else. A partition is made beside the table and then attached, which does not wait for readers or
-- writers of other months. Partitions are reached through ledger_transfer alone: nobody has a right on
-- them, and row-level security without a policy shows nothing.
create or replace function ledger_make_months(p_from date, p_until date)
returns int language plpgsql security definer set search_path = public, pg_temp as $$
declare
    month date := date_trunc('month', p_from)::date;
    following date;
    name text;
    made int := 0;
begin
    if p_from is null or p_until is null or p_until > p_from + 6000 or p_from < date '2000-01-01'
       or p_until > date '2200-01-01' then
        raise exception 'ledger: these are no months to make' using errcode = '22023';
    end if;
    while month <= p_until loop
        following := (month + interval '1 month')::date;
        name := 'ledger_transfer_' || to_char(month, 'YYYY_MM');
        if to_regclass('public.' || name) is null then
            execute format('create table public.%I (like public.ledger_transfer including defaults'
                           ' including constraints)', name);
            execute format('revoke all on public.%I from public', name);
            execute format('alter table public.%I enable row level security', name);
            execute format('alter table public.%I force row level security', name);
            execute format(
                'alter table public.ledger_transfer attach partition public.%I for values from (%L) to (%L)',
                name, month::text || ' 00:00:00+08', following::text || ' 00:00:00+08');
            made := made + 1;
        end if;
        month := following;
    end loop;
    return made;
end $$;
