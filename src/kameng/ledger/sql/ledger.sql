-- The ledger's own functions. Nothing else writes these tables: the application role has no right to.

-- Lock the wallets of a batch (ascending account number, so that batches cannot deadlock) and say for
-- each wish whether the wallet covers it, covered wishes before it in the batch included (one that is
-- too large does not shut out a smaller one behind it). Writes nothing; the locks last until the end of
-- the transaction. A wallet without a row holds zero. A prepaid balance covers its credit line too.
create or replace function ledger_lock_funds(p_account bigint[], p_amount bigint[])
returns boolean[] language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform 1 from ledger_balance b
      where b.account_id = any (p_account) order by b.account_id for no key update;
    return ledger_covered(p_account, p_amount);
end $$;

-- The same answer for wallets that the caller has locked already. A wish that is not covered takes
-- nothing from the wishes of the same wallet behind it.
create or replace function ledger_covered(p_account bigint[], p_amount bigint[])
returns boolean[] language plpgsql security definer set search_path = public, pg_temp as $$
declare
    result boolean[];
begin
    select array_agg(coalesce(b.posted_amount + b.credit_amount, 0) >= t.amount order by t.i) into result
      from unnest(p_account, p_amount) with ordinality as t(account, amount, i)
      left join ledger_balance b on b.account_id = t.account;
    if cardinality(p_account) = 1
       or (select count(distinct a) from unnest(p_account) a) = cardinality(p_account) then
        return result;
    end if;
    for k in 1 .. cardinality(p_account) loop
        result[k] := p_amount[k] <= (
            select coalesce((select b.posted_amount + b.credit_amount from ledger_balance b
                              where b.account_id = p_account[k]), 0)
                 - coalesce(sum(t.amount), 0)
              from unnest(p_account[: k - 1], p_amount[: k - 1], result[: k - 1])
                   as t(account, amount, covered)
             where t.account = p_account[k] and t.covered);
    end loop;
    return result;
end $$;

-- Lock the wallets of a batch, ascending, without asking what they hold.
create or replace function ledger_lock_wallets(p_account bigint[])
returns void language sql security definer set search_path = public, pg_temp as $$
    select 1 from ledger_balance b
     where b.account_id = any (p_account) order by b.account_id for no key update;
$$;

-- Set the credit line of a prepaid balance: how far below zero it may fall. Fails (check constraint)
-- when more than that is used already.
create or replace function ledger_set_credit(p_site bigint, p_account bigint, p_amount bigint)
returns void language sql security definer set search_path = public, pg_temp as $$
    insert into ledger_balance as b (account_id, site_id, posted_amount, credit_amount)
    values (p_account, p_site, 0, p_amount)
    on conflict (account_id) do update set credit_amount = p_amount, updated_at = now();
$$;

-- Append transfers and move the balances of the wallets among them, in account order.
-- Zero amounts are skipped. A wallet that would fall below zero, or a prepaid balance below its credit
-- line, fails the whole call (check constraint).
create or replace function ledger_apply(
    p_site bigint[], p_debit bigint[], p_credit bigint[], p_amount bigint[], p_code smallint[],
    p_reference_kind smallint[], p_reference bigint[])
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
    spent int;
    moved int;
begin
    -- A transaction id before a number of a transfer: sealing tells by it who may still hold one.
    perform pg_current_xact_id();
    -- Those that gain are moved before those that lose: with both, all are locked first, ascending.
    if 0 > any (p_debit) and 0 > any (p_credit) then
        perform ledger_lock_wallets(p_debit || p_credit);
    end if;
    insert into ledger_transfer
        (site_id, debit_account, credit_account, amount, code, reference_kind, reference_id)
    select t.site, t.debit, t.credit, t.amount, t.code, t.kind, t.reference
      from unnest(p_site, p_debit, p_credit, p_amount, p_code, p_reference_kind, p_reference)
           as t(site, debit, credit, amount, code, kind, reference)
     where t.amount <> 0;

    if 0 > any (p_credit) then
        insert into ledger_balance as b (account_id, site_id, posted_amount)
        select m.account, m.site, m.delta from (
            select v.account, min(v.site) as site, sum(v.delta)::bigint as delta from (
                select t.debit as account, t.site, -t.amount as delta
                  from unnest(p_debit, p_site, p_amount) as t(debit, site, amount) where t.debit < 0
                union all
                select t.credit, t.site, t.amount
                  from unnest(p_credit, p_site, p_amount) as t(credit, site, amount)
                 where t.credit < 0
            ) v group by v.account having sum(v.delta) > 0 order by v.account) m
            on conflict (account_id) do update
           set posted_amount = b.posted_amount + excluded.posted_amount, updated_at = now();
    end if;

    if not 0 > any (p_debit) then
        return;
    end if;
    with wanted as materialized (
        select v.account, sum(v.delta)::bigint as delta from (
            select t.debit as account, -t.amount as delta
              from unnest(p_debit, p_amount) as t(debit, amount) where t.debit < 0
            union all
            select t.credit, t.amount
              from unnest(p_credit, p_amount) as t(credit, amount) where t.credit < 0
        ) v group by v.account having sum(v.delta) < 0
    ), taken as (
        update ledger_balance b set posted_amount = b.posted_amount + w.delta, updated_at = now()
          from wanted w where b.account_id = w.account
        returning b.account_id
    )
    select (select count(*) from wanted), (select count(*) from taken) into spent, moved;
    if spent <> moved then  -- a wallet without a row holds zero: nothing can be taken from it
        raise exception 'ledger: a wallet that holds nothing was debited' using errcode = '23514';
    end if;
end $$;

-- Add what was committed since the last call to the totals per account. Only transactions older than
-- every running one are read, so none is ever missed. One at a time (key 2 of core/locks.py).
create or replace function ledger_roll_up(p_limit int)
returns int language plpgsql security definer set search_path = public, pg_temp as $$
declare
    counted int;
begin
    perform pg_advisory_xact_lock(7001, 2);
    insert into ledger_rollupmark (id, xid, transfer_id) values (1, '0'::xid8, 0)
        on conflict (id) do nothing;
    with mark as materialized (
        select xid, transfer_id from ledger_rollupmark where id = 1
    ), fresh as materialized (
        select t.site_id, t.debit_account, t.credit_account, t.amount, t.xid, t.id
          from ledger_transfer t
         where (t.xid, t.id) > ((select xid from mark), (select transfer_id from mark))
           and t.xid < pg_snapshot_xmin(pg_current_snapshot())
         order by t.xid, t.id limit p_limit
    ), totals as (
        insert into ledger_rollup as r (account_id, site_id, debit_amount, credit_amount)
        select v.account, min(v.site), sum(v.debit), sum(v.credit) from (
            select debit_account as account, site_id as site, amount as debit, 0::bigint as credit
              from fresh
            union all
            select credit_account, site_id, 0, amount from fresh
        ) v group by v.account order by v.account
        on conflict (account_id) do update
           set debit_amount = r.debit_amount + excluded.debit_amount,
               credit_amount = r.credit_amount + excluded.credit_amount
    ), moved as (
        update ledger_rollupmark m set xid = f.xid, transfer_id = f.id
          from (select xid, id from fresh order by xid desc, id desc limit 1) f where m.id = 1
    )
    select count(*) into counted from fresh;
    return counted;
end $$;

-- Balance (credits minus debits) of any account as of now: stored totals plus the tail behind them.
create or replace function ledger_balance_of(p_account bigint)
returns bigint language sql stable security definer set search_path = public, pg_temp as $$
    select coalesce((select credit_amount - debit_amount from ledger_rollup
                      where account_id = p_account), 0)
         + coalesce((select sum(case when t.credit_account = p_account then t.amount else -t.amount end)
                       from ledger_transfer t, (
                            select coalesce(max(xid), '0'::xid8) as xid,
                                   coalesce(max(transfer_id), 0) as transfer_id
                              from ledger_rollupmark) m
                      where (t.xid, t.id) > (m.xid, m.transfer_id)
                        and p_account in (t.debit_account, t.credit_account)), 0);
$$;
