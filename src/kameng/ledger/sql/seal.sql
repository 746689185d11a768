-- The chain over the ledger: committed transfers, by number, in batches; each batch's digest covers the one
-- before. The hot path knows nothing of it.

-- What the chain says of a transfer: everything but the transaction id, which a restore writes anew.
create or replace function ledger_canonical(p ledger_transfer)
returns text language sql stable as $$
    select concat_ws('|', p.id, p.site_id, p.debit_account, p.credit_account, p.amount, p.code,
                     p.reference_kind, p.reference_id,
                     (extract(epoch from p.created_at) * 1000000)::bigint);
$$;

-- Seal what cannot change any more, at most p_limit numbers; returns how many numbers. Two steps that need no
-- lock: note the last number given out and the next transaction id; when every transaction older than
-- that has ended, all numbers up to it are committed or will never be (ledger_apply takes its transaction
-- id before it takes a number). One sealer at a time (key 4 of core/locks.py).
create or replace function ledger_seal(p_limit int)
returns int language plpgsql security definer set search_path = public, pg_temp as $$
declare
    mark ledger_sealmark;
    reached bigint;
    after bigint;
    previous bytea;
begin
    perform pg_advisory_xact_lock(7001, 4);
    insert into ledger_sealmark (id, sealed_id, pending_id) values (1, 0, 0) on conflict (id) do nothing;
    select * into mark from ledger_sealmark where id = 1;
    if mark.pending_id <= mark.sealed_id then
        update ledger_sealmark set pending_id = (select case when is_called then last_value else 0 end
                                                   from ledger_transfer_id_seq),
               pending_at = clock_timestamp(), pending_xid = null where id = 1;
        return 0;
    end if;
    if mark.pending_xid is null then  -- a later look than the one at the numbers
        update ledger_sealmark set pending_xid = pg_snapshot_xmax(pg_current_snapshot()) where id = 1;
        return 0;
    end if;
    if pg_snapshot_xmin(pg_current_snapshot()) < mark.pending_xid then
        return 0;
    end if;
    reached := least(mark.pending_id, mark.sealed_id + p_limit);
    -- A link begins where the one before ended: numbers that were never used are covered too.
    select coalesce(max(b.last_id), 0), coalesce((array_agg(b.chain_hash))[1],
                                                 decode(repeat('00', 32), 'hex'))
      into after, previous
      from (select last_id, chain_hash from ledger_sealbatch order by batch_no desc limit 1) b;
    insert into ledger_sealbatch (after_id, last_id, transfer_count, transfer_amount, row_marks,
                                  chain_hash, created_at)
    select after, reached, s.counted, s.amount, s.marks,
           sha256(previous || convert_to(s.content, 'UTF8')), now()
      from (select count(*) as counted, coalesce(sum(r.amount), 0)::bigint as amount,
                   coalesce(string_agg(int8send(r.id) || substr(sha256(convert_to(r.line, 'UTF8')), 1, 4),
                                       ''::bytea order by r.id), ''::bytea) as marks,
                   coalesce(string_agg(r.line, E'\n' order by r.id), '') as content
              from (select t.id, t.amount, ledger_canonical(t) as line from ledger_transfer t
                     where t.id > after and t.id <= reached) r) s
     where s.counted > 0;
    update ledger_sealmark set sealed_id = reached,
           sealed_at = case when reached = pending_id then pending_at else sealed_at end where id = 1;
    return reached - mark.sealed_id;
end $$;

-- Every batch whose digest does not follow from the one before and its transfers.
create or replace function ledger_broken_batches()
returns table (batch_no bigint, after_id bigint, last_id bigint, is_link_broken boolean)
language sql stable security definer set search_path = public, pg_temp as $$
    with sealed as (
        select b.*, lag(b.chain_hash) over (order by b.batch_no) as previous,
               lag(b.last_id) over (order by b.batch_no) as previous_last
          from ledger_sealbatch b
    ), computed as (
        select s.batch_no, s.after_id, s.last_id, s.chain_hash,
               coalesce(s.previous_last, 0) <> s.after_id as is_torn,
               sha256(coalesce(s.previous, decode(repeat('00', 32), 'hex')) || convert_to(
                   (select coalesce(string_agg(ledger_canonical(t), E'\n' order by t.id), '')
                      from ledger_transfer t where t.id > s.after_id and t.id <= s.last_id),
                   'UTF8')) as truth
          from sealed s
    )
    select c.batch_no, c.after_id, c.last_id, c.is_torn from computed c
     where c.is_torn or c.truth <> c.chain_hash order by c.batch_no;
$$;

-- The transfers of a batch that are not as they were sealed: changed, gone, or added.
create or replace function ledger_changed_transfers(p_batch bigint)
returns table (transfer_id bigint, what text)
language sql stable security definer set search_path = public, pg_temp as $$
    with batch as (
        select * from ledger_sealbatch where batch_no = p_batch
    ), marks as (
        select ('x' || encode(substr(b.row_marks, i * 12 + 1, 8), 'hex'))::bit(64)::bigint as id,
               substr(b.row_marks, i * 12 + 9, 4) as mark
          from batch b, generate_series(0, length(b.row_marks) / 12 - 1) i
    ), present as (
        select t.id, substr(sha256(convert_to(ledger_canonical(t), 'UTF8')), 1, 4) as mark
          from ledger_transfer t, batch b where t.id > b.after_id and t.id <= b.last_id
    )
    select coalesce(m.id, p.id),
           case when p.id is null then 'gone' when m.id is null then 'added' else 'changed' end
      from marks m full join present p on p.id = m.id
     where m.mark is distinct from p.mark order by 1;
$$;

-- What each account moved between two moments, and how far the chain has come: the content of a month's seal.
create or replace function ledger_totals_between(p_from timestamptz, p_until timestamptz)
returns table (account bigint, debit_amount bigint, credit_amount bigint, transfer_count bigint)
language sql stable security definer set search_path = public, pg_temp as $$
    select v.account, sum(v.debit)::bigint, sum(v.credit)::bigint, count(*) from (
        select t.debit_account as account, t.amount as debit, 0::bigint as credit
          from ledger_transfer t where t.created_at >= p_from and t.created_at < p_until
        union all
        select t.credit_account, 0, t.amount
          from ledger_transfer t where t.created_at >= p_from and t.created_at < p_until) v
     group by v.account order by v.account;
$$;

-- How far the chain has come: the last number sealed, whether all given out before p_moment are, the last
-- batch and its digest.
create or replace function ledger_seal_state(p_moment timestamptz)
returns table (sealed_id bigint, is_past boolean, batch_no bigint, chain_hash bytea)
language sql stable security definer set search_path = public, pg_temp as $$
    select m.sealed_id, coalesce(m.sealed_at >= p_moment, false), coalesce(b.batch_no, 0),
           coalesce(b.chain_hash, decode(repeat('00', 32), 'hex'))
      from ledger_sealmark m left join lateral (
            select s.batch_no, s.chain_hash from ledger_sealbatch s
             order by s.batch_no desc limit 1) b on true
     where m.id = 1;
$$;
