-- Payouts that should be asked of their gateway now, put off by two minutes for the one who took them.
create or replace function settlement_claim_payouts(p_limit int)
returns table (withdrawal_id bigint, site_id bigint)
language sql set search_path = public, pg_temp as $$
    update settlement_withdrawal w
       set next_attempt_at = now() + interval '2 minutes', asked_count = w.asked_count + 1
      from (select id from settlement_withdrawal where state = 3 and next_attempt_at <= now()
             order by next_attempt_at limit p_limit for no key update skip locked) due
     where w.id = due.id
    returning w.id, w.site_id;
$$;

-- Paid withdrawals whose gateway should be asked whether they came back, put off by an hour.
create or replace function settlement_claim_rechecks(p_limit int)
returns table (withdrawal_id bigint, site_id bigint)
language sql set search_path = public, pg_temp as $$
    update settlement_withdrawal w set recheck_at = now() + interval '1 hour'
      from (select id from settlement_withdrawal where state = 5 and recheck_at <= now()
             order by recheck_at limit p_limit for no key update skip locked) due
     where w.id = due.id
    returning w.id, w.site_id;
$$;

-- Removed receivers that their gateways shall forget now, put off by an hour.
create or replace function settlement_claim_forgets(p_limit int)
returns table (receiver_id bigint)
language sql set search_path = public, pg_temp as $$
    update settlement_splitreceiver r
       set forget_at = now() + interval '1 hour', forget_count = r.forget_count + 1
      from (select id from settlement_splitreceiver where forget_at <= now()
             order by forget_at limit p_limit for no key update skip locked) due
     where r.id = due.id
    returning r.id;
$$;

-- Splits that something should be done about now, put off by two minutes for the one who took them.
create or replace function settlement_claim_splits(p_state smallint, p_limit int)
returns table (split_id bigint)
language sql set search_path = public, pg_temp as $$
    update settlement_split s
       set next_attempt_at = now() + interval '2 minutes',
           asked_count = s.asked_count + case when p_state = 1 then 0 else 1 end
      from (select id from settlement_split
             where state = p_state and state in (1, 2, 5) and next_attempt_at <= now()
             order by next_attempt_at limit p_limit for no key update skip locked) due
     where s.id = due.id
    returning s.id;
$$;

-- Returns of shares that should be asked for now, put off by two minutes for the one who took them.
create or replace function settlement_claim_returns(p_limit int)
returns table (return_id bigint)
language sql set search_path = public, pg_temp as $$
    update settlement_splitreturn r
       set next_attempt_at = now() + interval '2 minutes', asked_count = r.asked_count + 1
      from (select id from settlement_splitreturn where state = 1 and next_attempt_at <= now()
             order by next_attempt_at limit p_limit for no key update skip locked) due
     where r.id = due.id
    returning r.id;
$$;
