-- What was received and given back at a gateway in a time, and whatever carries one of the numbers (ours
-- or the gateway's) at any time: the side of the books when its bill is compared. Of every site, because
-- sub-sites use the main site's gateways.
create or replace function payments_booked(
    p_gateway bigint, p_from timestamptz, p_until timestamptz, p_numbers text[])
returns table (kind text, own_no text, external_no text, amount bigint, fee_amount bigint, state text,
               is_done boolean, happened_at timestamptz, site_id bigint)
language sql stable security definer set search_path = public, pg_temp as $$
    -- Each way in is a join of its own: an OR of three would look each number up in all of them.
    with wanted as materialized (
        select distinct n.no from unnest(p_numbers) as n(no) where n.no <> ''
    ), payment_ids as materialized (
        select p.id from payments_payment p
         where p.gateway_id = p_gateway and p.confirmed_at >= p_from and p.confirmed_at < p_until
        union
        select p.id from wanted w join payments_payment p on p.payment_no = w.no
         where p.gateway_id = p_gateway
        union
        select p.id from wanted w
          join payments_payment p on p.gateway_id = p_gateway and p.external_no = w.no
    ), refund_ids as materialized (
        select r.id from payments_gatewayrefund r where r.done_at >= p_from and r.done_at < p_until
        union
        select r.id from wanted w join payments_gatewayrefund r on r.refund_no = w.no
    )
    select 'payment', p.payment_no::text, coalesce(p.external_no, '')::text,
           coalesce(p.received_amount, p.amount), p.fee_amount,
           case p.state when 1 then 'open' when 2 then 'paid' when 3 then 'closed'
                        else 'mismatched' end,
           p.state in (2, 4), coalesce(p.confirmed_at, p.created_at), p.site_id
      from payment_ids i join payments_payment p on p.id = i.id
    union all
    select 'refund', r.refund_no::text, '', r.amount, 0::bigint,
           case r.state when 1 then 'waiting' when 2 then 'done' else 'refused' end,
           r.state = 2, coalesce(r.done_at, r.created_at), r.site_id
      from refund_ids i join payments_gatewayrefund r on r.id = i.id
      join payments_payment p on p.id = r.payment_id
     where p.gateway_id = p_gateway;
$$;

-- On which days (Beijing time) gateways took money in a time, of every site like payments_booked. One
-- pass over the payments for all of them and for months at once: it is asked when a month is closed.
create or replace function payments_taken_days(
    p_gateways bigint[], p_from timestamptz, p_until timestamptz)
returns table (gateway_id bigint, day date)
language sql stable security definer set search_path = public, pg_temp as $$
    select distinct p.gateway_id, (p.confirmed_at at time zone 'Asia/Shanghai')::date
      from payments_payment p
     where p.gateway_id = any (p_gateways) and p.state in (2, 4)
       and p.confirmed_at >= p_from and p.confirmed_at < p_until;
$$;
