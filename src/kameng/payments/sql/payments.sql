-- Open payments for orders that are being placed: one insert for the batch.
create or replace function payments_open(
    p_site bigint[], p_payment_no text[], p_purpose smallint[], p_subject bigint[],
    p_gateway bigint[], p_amount bigint[], p_fee bigint[], p_surcharge bigint[],
    p_expires timestamptz[])
returns void language sql security definer set search_path = public, pg_temp as $$
    insert into payments_payment
        (site_id, payment_no, purpose, subject_id, gateway_id, amount, fee_amount, surcharge_amount,
         state, refunded_amount, expires_at, next_query_at, query_count)
    select t.site, t.no, t.purpose, t.subject, t.gateway, t.amount, t.fee, t.surcharge, 1, 0, t.expires,
           now() + interval '30 seconds', 0
      from unnest(p_site, p_payment_no, p_purpose, p_subject, p_gateway, p_amount, p_fee, p_surcharge,
                  p_expires)
           as t(site, no, purpose, subject, gateway, amount, fee, surcharge, expires);
$$;

-- Accept a verified statement that a payment was made. Locks the payment row; the second statement
-- is a repeat. Outcomes: 0 confirmed, 1 repeat, 2 unknown number, 3 another gateway's payment,
-- 4 amount differs (recorded, a person decides), 5 the gateway's number already paid something else,
-- 6 this payment was already made under another number of the gateway.
-- The money received is posted at once: from the gateway's clearing to the site's suspense account.
create or replace function payments_confirm(
    p_payment_no text, p_gateway bigint, p_external text, p_amount bigint, p_source text,
    p_digest bytea, p_note text)
returns table (outcome smallint, payment_id bigint, site_id bigint, purpose smallint,
               subject_id bigint, amount bigint, fee bigint)
language plpgsql security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
    p payments_payment;
begin
    select * into p from payments_payment where payment_no = p_payment_no for no key update;
    if not found then
        outcome := 2; return next; return;
    end if;
    payment_id := p.id; site_id := p.site_id; purpose := p.purpose; subject_id := p.subject_id;
    amount := p.amount; fee := p.fee_amount;
    if p.gateway_id <> p_gateway then
        outcome := 3; return next; return;
    end if;
    if p.state in (2, 4) then
        -- Our own number stands where the gateway named none of its own.
        outcome := case when p.external_no = p_external
                          or p_payment_no in (p.external_no, p_external) then 1 else 6 end;
        return next; return;
    end if;
    if exists (select 1 from payments_payment o
                where o.gateway_id = p_gateway and o.external_no = p_external) then
        outcome := 5; return next; return;
    end if;
    -- The short payment that this one completes, while it waits: staff who take or return it, and its
    -- expiry, hold the same lock. One that waits no more is not locked: it may belong to a refund.
    perform payments_lock_waiting(p.completes_id);
    update payments_payment
       set state = case when p_amount = p.amount then 2 else 4 end, external_no = p_external,
           received_amount = p_amount, confirmed_at = now(), next_query_at = null
     where id = p.id;
    insert into payments_proof (payment_id, site_id, source, raw_digest, note)
    values (p.id, p.site_id, p_source, p_digest, p_note);
    perform ledger_apply(
        array[p.site_id], array[p_gateway * 100 + 20], array[p.site_id * 100 + 30],
        array[p_amount], array[20::smallint],
        array[p.purpose::smallint], array[p.subject_id]);
    outcome := case when p_amount = p.amount then 0 else 4 end;
    return next;
end $$;

-- The gateway of a payment, what was to be paid there, and what of it is the fee that the buyer bears.
-- Of one that completes a short payment: both together, without a surcharge (the shop bears the fees of
-- such orders), and what the first one brings; it stands alone when the first is not to be had any more.
create or replace function payments_terms_of(p_payment bigint)
returns table (gateway_id bigint, amount bigint, surcharge bigint, first_payment bigint,
               first_amount bigint, first_fee bigint, is_alone boolean)
language sql stable security definer set search_path = public, pg_temp as $$
    select p.gateway_id, p.amount - p.completed_amount + coalesce(f.received_amount, 0),
           case when p.completes_id is null and p.completed_amount = 0 then p.surcharge_amount else 0 end,
           f.id, coalesce(f.received_amount, 0), coalesce(f.fee_amount, 0),
           p.completes_id is not null and f.id is null
      from payments_payment p
      left join payments_payment f
        on f.id = p.completes_id and f.state = 4 and f.refunded_amount = 0 and f.open_disputes = 0
           and f.disputed_amount = 0
     where p.id = p_payment;
$$;

-- The gateway of a payment.
create or replace function payments_gateway_of(p_payment bigint)
returns bigint language sql stable set search_path = public, pg_temp as $$
    select gateway_id from payments_payment where id = p_payment;
$$;

-- A short payment has been completed by another: it counts as made, and nobody is asked for its rest any
-- more. Call with it locked, in the confirmation of the other.
create or replace function payments_join(p_first bigint)
returns void language sql set search_path = public, pg_temp as $$
    update payments_payment set state = 2, completed_amount = amount - received_amount
     where id = p_first and state = 4;
    update payments_shortfall set state = 2, closed_at = now() where payment_id = p_first and state = 1;
$$;

-- Lock a payment of another amount, or made twice, while it waits for a decision.
create or replace function payments_lock_waiting(p_payment bigint)
returns void language sql set search_path = public, pg_temp as $$
    select 1 from payments_payment where id = p_payment and state = 4 for no key update;
$$;

-- Nobody shall pay the rest of a short payment any more: ask the gateways of open attempts soon and close
-- them there. The caller holds the short payment, which a confirmation of an attempt wants: those that are
-- being confirmed right now are passed over.
create or replace function payments_give_up_rest(p_first bigint)
returns void language sql set search_path = public, pg_temp as $$
    update payments_payment set next_query_at = now(), expires_at = least(expires_at, now())
     where id in (select id from payments_payment where completes_id = p_first and state = 1
                     for no key update skip locked);
$$;

-- What the payments are for was given up: ask the gateway soon and close them there. The caller holds
-- the order; a confirmation holds the payment and then wants the order, so whoever is being confirmed
-- right now is passed over, never waited for (its next query stands anyway).
create or replace function payments_give_up(p_purpose smallint, p_subject bigint[])
returns void language sql security definer set search_path = public, pg_temp as $$
    update payments_payment set next_query_at = now(), expires_at = least(expires_at, now())
     where id in (select id from payments_payment
                   where purpose = p_purpose and subject_id = any (p_subject) and state = 1
                     and completes_id is null  -- those have a time of their own
                     for no key update skip locked);
$$;

-- Payments whose gateway should be asked now; each is put off by a minute for the one who took it.
create or replace function payments_claim_queries(p_limit int)
returns table (payment_id bigint, site_id bigint)
language sql security definer set search_path = public, pg_temp as $$
    update payments_payment p
       set next_query_at = now() + interval '1 minute', query_count = p.query_count + 1
      from (select id from payments_payment where next_query_at <= now()
             order by next_query_at limit p_limit for no key update skip locked) due
     where p.id = due.id
    returning p.id, p.site_id;
$$;

-- Refunds that should be asked of their gateway now, put off by two minutes for the one who took them.
create or replace function payments_claim_refunds(p_limit int)
returns table (refund_id bigint, site_id bigint)
language sql security definer set search_path = public, pg_temp as $$
    update payments_gatewayrefund r
       set next_attempt_at = now() + interval '2 minutes', asked_count = r.asked_count + 1
      from (select id from payments_gatewayrefund where state = 1 and next_attempt_at <= now()
             order by next_attempt_at limit p_limit for no key update skip locked) due
     where r.id = due.id
    returning r.id, r.site_id;
$$;

-- Answers to disputes that should be handed in now, put off by two minutes for the one who took them.
create or replace function payments_claim_evidence(p_limit int)
returns table (evidence_id bigint, site_id bigint)
language sql set search_path = public, pg_temp as $$
    update payments_disputeevidence e
       set next_attempt_at = now() + interval '2 minutes', asked_count = e.asked_count + 1
      from (select id from payments_disputeevidence where state = 1 and next_attempt_at <= now()
             order by next_attempt_at limit p_limit for no key update skip locked) due
     where e.id = due.id
    returning e.id, e.site_id;
$$;

-- What stands in our books about a payment number, of whatever site.
create or replace function payments_known(p_payment_no text)
returns table (site_id bigint, gateway_id bigint, purpose smallint, amount bigint, state smallint,
               external_no text, created_at timestamptz)
language sql stable security definer set search_path = public, pg_temp as $$
    select site_id, gateway_id, purpose, amount, state, external_no, created_at
      from payments_payment where payment_no = p_payment_no;
$$;

-- Lock those payments of a batch of verified statements that are plainly what they say: open, of that
-- gateway, for an order, of exactly that amount, under a number of the gateway that paid nothing else. The
-- others are left to payments_confirm. Ascending, so that batches cannot deadlock.
create or replace function payments_lock_plain(
    p_payment_no text[], p_gateway bigint[], p_external text[], p_amount bigint[])
returns table (i int, payment_id bigint, site_id bigint, order_id bigint, amount bigint, fee bigint,
               surcharge bigint)
language plpgsql set search_path = public, pg_temp as $$
#variable_conflict use_column
begin
    return query
    select t.k::int, p.id, p.site_id, p.subject_id, p.amount, p.fee_amount, p.surcharge_amount
      from (select distinct on (u.no) u.* from (
                select distinct on (v.gateway, v.external) v.*
                  from unnest(p_payment_no, p_gateway, p_external, p_amount) with ordinality
                       as v(no, gateway, external, amount, k)
                 order by v.gateway, v.external, v.k) u
             order by u.no, u.k) t
      join payments_payment p
        on p.payment_no = t.no and p.gateway_id = t.gateway and p.amount = t.amount
     -- Nothing but the number may be looked up by: a plan made while the table was young would take
     -- the index that begins with the purpose, and read it whole for each number.
     where p.state = 1 and p.purpose + 0 = 1 and p.completes_id is null
       and not exists (select 1 from payments_payment o
                        where o.gateway_id = t.gateway and o.external_no = t.external)
     order by p.id for no key update of p;
end $$;

-- Mark payments of payments_lock_plain as made, with their proofs, as payments_confirm does for one. What
-- was received the caller posts, with what it was for (orders_post_sales): a second call of the ledger
-- would cost each payment a tenth of its confirmation.
create or replace function payments_mark_plain(
    p_payment bigint[], p_site bigint[], p_external text[], p_amount bigint[], p_source text,
    p_digest bytea[])
returns void language plpgsql set search_path = public, pg_temp as $$
begin
    update payments_payment p
       set state = 2, external_no = t.external, received_amount = t.amount, confirmed_at = now(),
           next_query_at = null
      from unnest(p_payment, p_external, p_amount) as t(id, external, amount) where p.id = t.id;
    insert into payments_proof (payment_id, site_id, source, raw_digest, note)
    select t.id, t.site, p_source, t.digest, ''
      from unnest(p_payment, p_site, p_digest) as t(id, site, digest);
end $$;

-- Begin to tell a gateway of a payment: notes the moment and claims the amount of the gateway's daily
-- cap, once. One statement adds and compares, so parallel openings never exceed the cap. Answers: 0 go
-- on, 1 the cap is full and nothing changed, 2 not open any more. Locks the payment, then the day.
create or replace function payments_begin(p_payment bigint, p_day date)
returns smallint language plpgsql security definer set search_path = public, pg_temp as $$
declare
    p payments_payment;
    cap bigint;
    owner bigint;
    taken bigint;
begin
    select * into p from payments_payment where id = p_payment for no key update;
    if not found or p.state <> 1 then
        return 2;
    end if;
    select g.daily_cap_amount, g.site_id into cap, owner from payments_gateway g where g.id = p.gateway_id;
    if cap is not null and p.cap_day is null then
        if p.amount > cap then
            return 1;
        end if;
        insert into payments_gatewayday as d (site_id, gateway_id, day, opened_amount, opened_count)
        values (owner, p.gateway_id, p_day, p.amount, 1)
            on conflict (gateway_id, day) do update
               set opened_amount = d.opened_amount + excluded.opened_amount,
                   opened_count = d.opened_count + 1
             where d.opened_amount + excluded.opened_amount <= cap
        returning d.opened_amount into taken;
        if taken is null then
            return 1;
        end if;
        update payments_payment set cap_day = p_day, asked_at = coalesce(asked_at, now())
         where id = p.id;
    elsif p.asked_at is null then
        update payments_payment set asked_at = now() where id = p.id;
    end if;
    return 0;
end $$;

-- Give back what a closed payment holds of its gateway's cap. Locks the payment, then the day.
create or replace function payments_free_cap(p_payment bigint)
returns void language plpgsql security definer set search_path = public, pg_temp as $$
declare
    p payments_payment;
begin
    select * into p from payments_payment where id = p_payment for no key update;
    if not found or p.state <> 3 or p.cap_day is null then
        return;
    end if;
    update payments_payment set cap_day = null where id = p.id;
    update payments_gatewayday
       set opened_amount = opened_amount - p.amount, opened_count = opened_count - 1
     where gateway_id = p.gateway_id and day = p.cap_day;
end $$;

-- Close an open payment that nobody can make: its gateway refused it, or says that it knows none.
-- Its gateway is asked on where it may still turn up (p_asks). True when this closed it.
create or replace function payments_drop(p_payment bigint, p_asks boolean)
returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update payments_payment
       set state = 3, closed_at = now(), expires_at = least(expires_at, now()),
           next_query_at = case when p_asks then now() + interval '30 seconds' end
     where id = p_payment and state = 1;
    if not found then
        return false;
    end if;
    perform payments_free_cap(p_payment);
    return true;
end $$;

-- Note that a gateway failed. From p_limit faults in a row (none older than p_window seconds) it rests,
-- each time longer; one that comes from its rest rests again at the first fault. A probe is what the
-- worker asks while it rests. True when it begins to rest. Locks the gateway, then its site.
create or replace function payments_note_fault(
    p_gateway bigint, p_code text, p_limit int, p_window int, p_waits int[], p_is_probe boolean)
returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
declare
    g payments_gateway;
    faults int;
begin
    select * into g from payments_gateway where id = p_gateway for no key update;
    if not found or (g.rests_until > now() and not p_is_probe) then
        return false;
    end if;
    faults := case when g.faulted_at > now() - make_interval(secs => p_window) then g.fault_count
                   else 0 end + 1;
    if faults < p_limit and g.rests_until is null then
        update payments_gateway set fault_count = faults, faulted_at = now(), fault_code = p_code
         where id = g.id;
        return false;
    end if;
    update payments_gateway
       set fault_count = least(faults, 30000), faulted_at = now(), fault_code = p_code,
           rest_count = least(g.rest_count + 1, 30000),
           rests_until = now() + make_interval(
               secs => p_waits[least(g.rest_count + 1, cardinality(p_waits))])
     where id = g.id;
    perform tenancy_move_catalogue(g.site_id);
    return true;
end $$;

-- Note that a gateway answered: its faults are over and it is at work again. Rests grow on until a
-- payment was opened there (p_opened): a probe alone proves only that it answers questions. True when
-- this woke it. Locks the gateway, then its site.
create or replace function payments_note_answer(p_gateway bigint, p_opened boolean)
returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
declare
    g payments_gateway;
begin
    select * into g from payments_gateway where id = p_gateway for no key update;
    if not found or (g.fault_count = 0 and g.rests_until is null and (g.rest_count = 0 or not p_opened))
    then
        return false;
    end if;
    update payments_gateway
       set fault_count = 0, rests_until = null,
           rest_count = case when p_opened then 0 else g.rest_count end
     where id = g.id;
    if g.rests_until is null and (g.rest_count = 0 or not p_opened) then
        return false;
    end if;
    perform tenancy_move_catalogue(g.site_id);
    return g.rests_until is not null;
end $$;

-- Gateways whose rest is over and that should be asked whether they are well; each is put off by two
-- minutes for the one who took it.
create or replace function payments_claim_probes(p_limit int)
returns table (gateway_id bigint, site_id bigint)
language sql security definer set search_path = public, pg_temp as $$
    update payments_gateway g set rests_until = now() + interval '2 minutes'
      from (select id from payments_gateway where rests_until <= now() and is_enabled
             order by rests_until limit p_limit for no key update skip locked) due
     where g.id = due.id
    returning g.id, g.site_id;
$$;

-- Payments for orders of any site that are disputed now, and the order of each: few, by the same index.
create or replace function payments_disputed_orders()
returns table (payment_id bigint, order_id bigint)
language sql stable set search_path = public, pg_temp as $$
    select distinct p.id, p.subject_id
      from payments_dispute d join payments_payment p on p.id = d.payment_id
     where d.state = 1 and p.purpose = 1;
$$;

-- Payments for orders of a site that are disputed now, and the order of each. By payments_dispute_open.
create or replace function payments_disputed(p_site bigint)
returns table (payment_id bigint, order_id bigint)
language sql stable set search_path = public, pg_temp as $$
    select distinct p.id, p.subject_id
      from payments_dispute d join payments_payment p on p.id = d.payment_id
     where d.site_id = p_site and d.state = 1 and p.purpose = 1;
$$;
