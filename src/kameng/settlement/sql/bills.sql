-- What was handed over, taken back, paid out and sent back at a gateway in a time, and whatever carries one of the
-- numbers (ours or the gateway's) at any time: the side of the books when its bill is compared. Of every
-- site, because the shares of sub-sites are handed over at the main site's gateways. Numbers are looked up
-- as an array, never joined: the caller has nested loops off, and a hash join would read whole tables.
create or replace function settlement_booked(
    p_gateway bigint, p_from timestamptz, p_until timestamptz, p_numbers text[])
returns table (kind text, own_no text, external_no text, amount bigint, fee_amount bigint, state text,
               is_done boolean, happened_at timestamptz, site_id bigint)
language sql stable security definer set search_path = public, pg_temp as $$
    with split_ids as materialized (
        select s.id from settlement_split s
         where s.gateway_id = p_gateway and s.state = 3 and s.done_at >= p_from and s.done_at < p_until
        union
        select s.id from settlement_split s where s.split_no = any (p_numbers)
        union
        select s.id from settlement_split s
         where s.external_no <> '' and s.external_no = any (p_numbers)
    ), return_ids as materialized (
        select r.id from settlement_splitreturn r
         where r.state = 2 and r.done_at >= p_from and r.done_at < p_until
        union
        select r.id from settlement_splitreturn r where r.return_no = any (p_numbers)
        union
        select r.id from settlement_splitreturn r
         where r.external_no <> '' and r.external_no = any (p_numbers)
    ), payout_ids as materialized (
        select w.id from settlement_withdrawal w
         where w.gateway_id = p_gateway and w.state in (5, 9) and w.ended_at >= p_from and w.ended_at < p_until
        union
        select w.id from settlement_withdrawal w
         where w.gateway_id = p_gateway and w.state = 9 and w.ended_at < p_until
           and w.returned_at >= p_from and w.returned_at < p_until
        union
        select w.id from settlement_withdrawal w where w.payout_no = any (p_numbers)
        union
        select w.id from settlement_withdrawal w
         where w.external_no <> '' and w.external_no = any (p_numbers)
    )
    select 'split', s.split_no::text, s.external_no::text, s.amount, 0::bigint,
           case s.state when 1 then 'planned' when 2 then 'asked' when 3 then 'done'
                        when 4 then 'refused' else 'left' end,
           s.state = 3, coalesce(s.done_at, s.created_at), s.site_id
      from split_ids i join settlement_split s on s.id = i.id
     where s.gateway_id = p_gateway
    union all
    select 'split_return', r.return_no::text, r.external_no::text, r.amount, 0::bigint,
           case r.state when 1 then 'asked' when 2 then 'done' when 3 then 'refused' else 'left' end,
           r.state = 2, coalesce(r.done_at, r.created_at), r.site_id
      from return_ids i join settlement_splitreturn r on r.id = i.id
      join settlement_split s on s.id = r.split_id
     where s.gateway_id = p_gateway
    union all
    select 'payout', w.payout_no::text, w.external_no::text, w.payout_amount, 0::bigint,
           case when w.state in (1, 2) then 'planned' when w.state in (3, 4) then 'asked'
                when w.state in (5, 9) then 'done' when w.state = 8 then 'left' else 'refused' end,
           w.state in (5, 9), coalesce(w.ended_at, w.created_at), w.site_id
      from payout_ids i join settlement_withdrawal w on w.id = i.id
     where w.gateway_id = p_gateway
    union all
    select 'payout_return', w.payout_no::text, w.external_no::text, w.payout_amount, 0::bigint,
           case w.state when 9 then 'done' else 'left' end,
           w.state = 9, coalesce(w.returned_at, w.ended_at, w.created_at), w.site_id
      from payout_ids i join settlement_withdrawal w on w.id = i.id
     where w.gateway_id = p_gateway;
$$;
