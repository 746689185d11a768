-- What an account held at a moment: what it holds now less what it moved since. Reads the months from then on.
create or replace function ledger_balance_at(p_account bigint, p_moment timestamptz)
returns bigint language sql stable security definer set search_path = public, pg_temp as $$
    select ledger_balance_of(p_account) - coalesce((
        select sum(case when t.credit_account = p_account then t.amount else -t.amount end)
          from ledger_transfer t
         where (t.debit_account = p_account or t.credit_account = p_account)
           and t.created_at >= p_moment), 0)::bigint;
$$;

-- A statement of any account: what it moved in a time, numbered from the oldest, with the balance after each.
-- The newest come first; p_before is a number of a line, so that a page is found again after new ones.
create or replace function ledger_statement(
    p_account bigint, p_from timestamptz, p_until timestamptz, p_before bigint, p_limit int)
returns table (line_no bigint, transfer_id bigint, site_id bigint, other_account bigint, delta bigint,
               balance bigint, code smallint, reference_kind smallint, reference_id bigint,
               created_at timestamptz)
language sql stable security definer set search_path = public, pg_temp as $$
    with opening as materialized (
        select ledger_balance_at(p_account, p_from) as amount
    ), moved as (
        select t.id, t.site_id, t.code, t.reference_kind, t.reference_id, t.created_at,
               case when t.credit_account = p_account then t.debit_account
                    else t.credit_account end as other_account,
               case when t.credit_account = p_account then t.amount else -t.amount end as delta
          from ledger_transfer t
         where (t.debit_account = p_account or t.credit_account = p_account)
           and t.created_at >= p_from and t.created_at < p_until
    ), lines as (
        select m.*, row_number() over w as line_no,
               (select amount from opening) + sum(m.delta) over w as balance
          from moved m window w as (order by m.created_at, m.id)
    )
    select l.line_no, l.id, l.site_id, l.other_account, l.delta, l.balance::bigint, l.code,
           l.reference_kind, l.reference_id, l.created_at
      from lines l where p_before is null or l.line_no < p_before
     order by l.line_no desc limit p_limit;
$$;

-- The sums of a statement: opening, taken in, given out, lines.
create or replace function ledger_statement_sums(
    p_account bigint, p_from timestamptz, p_until timestamptz)
returns table (opening bigint, received bigint, spent bigint, line_count bigint)
language sql stable security definer set search_path = public, pg_temp as $$
    select ledger_balance_at(p_account, p_from),
           coalesce(sum(t.amount) filter (where t.credit_account = p_account), 0)::bigint,
           coalesce(sum(t.amount) filter (where t.debit_account = p_account), 0)::bigint, count(*)
      from ledger_transfer t
     where (t.debit_account = p_account or t.credit_account = p_account)
       and t.created_at >= p_from and t.created_at < p_until;
$$;
