-- What certain codes moved for certain references, added up: one row a reference and code. Reads by the
-- index over references; as the caller, under row-level security.
create or replace function ledger_sum_codes(p_kind smallint, p_reference bigint[], p_code smallint[])
returns table (reference_id bigint, code smallint, amount bigint)
language sql stable set search_path = public, pg_temp as $$
    select t.reference_id, t.code, sum(t.amount)::bigint
      from ledger_transfer t
     where t.reference_kind = p_kind and t.reference_id = any (p_reference) and t.code = any (p_code)
     group by 1, 2;
$$;
