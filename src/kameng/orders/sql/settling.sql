-- Money has arrived for an order: sell what it holds, or take stock anew when it came late, post the
-- sale, and say what became of it (rules.Settlement). p_source is the account that pays: the site's
-- suspense account, or the buyer's wallet. Call inside the transaction that confirmed the payment.
--
-- A payment is for the goods less the wallet's part as it was when the payment was opened. What of that
-- part is not held (any more) is taken from the wallet again, what is held too much goes back to it. When
-- the wallet does not cover it, nothing is changed (4): the money goes back to where it came from.
-- When the prepaid balance is short, the order is paid, keeps what it holds and waits (5); an order that
-- would be paid from a wallet is refused instead (6). A payment of the rest of a short one pays together
-- with that one, which its confirmation has locked; when that is not there any more it pays for nothing (7).
-- Locks the order, then its wallet and prepaid balance, then keys.
create or replace function orders_settle(p_order bigint, p_payment bigint, p_fee bigint, p_source bigint)
returns smallint language plpgsql security definer set search_path = public, pg_temp as $$
declare
    o orders_order;
    v_gateway bigint := 0;
    v_paid bigint;
    v_surcharge bigint := 0;
    v_part bigint := 0;  -- of the wallet, beside this payment
    v_first bigint;  -- a short payment that this one completes
    v_first_amount bigint := 0;
    v_first_fee bigint := 0;
    v_alone boolean := false;
    v_more bigint;  -- of it, what is not held
    flags boolean[];
    v_waits boolean := false;
    v_ok boolean;
    v_delivered boolean;
    v_path smallint[];
begin
    select * into o from orders_order where id = p_order for no key update;
    if not found then
        raise exception 'orders: payment % names order % that does not exist', p_payment, p_order;
    end if;
    if o.state not in (1, 4, 5) then
        return 3;
    end if;
    if p_payment is not null then
        select t.gateway_id, t.amount, t.surcharge, t.first_payment, t.first_amount, t.first_fee, t.is_alone
          into v_gateway, v_paid, v_surcharge, v_first, v_first_amount, v_first_fee, v_alone
          from payments_terms_of(p_payment) t;
        if v_alone then
            return 7;
        end if;
        v_part := o.total_amount - (v_paid - v_surcharge);
    end if;
    v_more := v_part - o.wallet_amount;
    if v_more > 0 or o.settlement_way = 2 then  -- before any stock, both at once
        flags := ledger_lock_funds(
            array[-(o.customer_id * 100 + 10), -(o.site_id * 100 + 11)],
            array[greatest(v_more, 0), case when o.settlement_way = 2 then o.wholesale_amount else 0 end]);
        if not flags[1] then
            return 4;
        end if;
        v_waits := not flags[2];
        if v_waits and p_source < 0 then
            return 6;
        end if;
    end if;
    if v_more <> 0 then
        perform orders_move_part(o.id, v_more);
    end if;

    if not v_waits then
        v_ok := orders_take_held(o.id, o.state = 1);
    end if;
    v_delivered := not v_waits and v_ok and o.delivery_kind = 1;
    v_path := o.path || 2::smallint;
    if v_delivered then
        v_path := v_path || 3::smallint;
    end if;
    update orders_order
       set state = case when v_delivered then 3 else 2 end, path = v_path,
           paid_by = case when p_source < 0 then 1 else 2 end, payment_id = p_payment,
           fee_amount = p_fee + v_first_fee - least(p_fee, v_surcharge), surcharge_amount = v_surcharge,
           surcharge_fee_amount = least(p_fee, v_surcharge), first_payment_id = v_first,
           first_amount = v_first_amount, first_fee_amount = v_first_fee,
           awaits_prepaid = v_waits, paid_at = now(),
           delivered_at = case when v_delivered then now() end, closed_at = null
     where id = o.id;
    if v_first is not null then
        perform payments_join(v_first);
    end if;
    if o.state <> 1 then
        insert into orders_note (site_id, order_id, kind, text, actor_name)
        values (o.site_id, o.id, 'late_payment', '', 'system');
    end if;
    if v_waits then
        insert into orders_note (site_id, order_id, kind, text, actor_name)
        values (o.site_id, o.id, 'awaits_prepaid', '', 'system');
    end if;
    perform orders_post_sales(array[o.id], array[p_source], array[v_gateway], array[0]);
    perform core_publish(
        array['orders.paid'], array[o.site_id], array[o.id],
        array[jsonb_build_object(
            'customer_id', o.customer_id, 'product_id', o.product_id, 'quantity', o.quantity,
            'main_site_id', o.main_site_id, 'delivered', v_delivered)]);
    return case when v_waits then 5 when v_delivered then 0 when v_ok then 1 else 2 end;
end $$;

-- Sell what one order holds (p_held), or take stock anew: false when there is none. Call with the order
-- locked.
create or replace function orders_take_held(p_order bigint, p_held boolean)
returns boolean language plpgsql set search_path = public, pg_temp as $$
declare
    o orders_order;
    v_held boolean := false;
    v_keys int := 0;
    v_ok boolean;
begin
    select * into o from orders_order where id = p_order;
    if p_held then
        select s.held, s.keys into v_held, v_keys from inventory_sell_reserved(o.id) s;
    end if;
    v_ok := v_held and (o.delivery_kind <> 1 or v_keys = o.quantity);
    if not v_ok then  -- late, or what was held is gone: whatever is left of it goes back, then anew
        perform inventory_take_back(o.id, true);
        select c.claimed into v_ok from inventory_claim(
            array[o.variant_id], array[o.id], array[o.quantity], array[0::bigint],
            array[o.delivery_kind = 1], 2::smallint) c;
    end if;
    return v_ok;
end $$;

-- Take more of the wallet's part of one unpaid order, or give (a negative number) of it back, and count
-- it. Call with the order locked, and the wallet too where it pays.
create or replace function orders_move_part(p_order bigint, p_more bigint)
returns void language plpgsql set search_path = public, pg_temp as $$
declare
    o orders_order;
begin
    update orders_order set wallet_amount = wallet_amount + p_more where id = p_order returning * into o;
    if p_more > 0 then
        perform ledger_apply(
            array[o.site_id], array[-(o.customer_id * 100 + 10)], array[o.site_id * 100 + 30],
            array[p_more], array[36::smallint], array[1::smallint], array[o.id]);
    else
        perform ledger_apply(
            array[o.site_id], array[o.site_id * 100 + 30], array[-(o.customer_id * 100 + 10)],
            array[-p_more], array[37::smallint], array[1::smallint], array[o.id]);
    end if;
end $$;

-- Give the wallets' parts of orders that are given up back to their wallets, all at once, ascending. Call
-- with the orders locked, before their stock is let go.
create or replace function orders_return_parts(p_order bigint[])
returns void language plpgsql set search_path = public, pg_temp as $$
begin
    if not exists (select 1 from orders_order o where o.id = any (p_order) and o.wallet_amount > 0) then
        return;
    end if;
    perform ledger_apply(
        array_agg(o.site_id), array_agg(o.site_id * 100 + 30), array_agg(-(o.customer_id * 100 + 10)),
        array_agg(o.wallet_amount), array_agg(37::smallint), array_agg(1::smallint), array_agg(o.id))
      from orders_order o where o.id = any (p_order) and o.wallet_amount > 0;
    update orders_order o set wallet_amount = 0 where o.id = any (p_order) and o.wallet_amount > 0;
end $$;

-- Post the sales of paid orders as their rows tell (ways 0 and 1: the main site's part, the operator's,
-- the gateway's, whose fee the operator bears, then the main site, then the upline. A child pays its
-- upline, and that one the main site: the second leg is the upline's own, which the child cannot read; way 2: all to the operator's takings, and the wholesale price from its prepaid
-- balance). p_source pays, p_gateway is the gateway of the payment or 0; p_received is what has just come
-- from there into the site's suspense account, posted before it (0 where that was posted already).
create or replace function orders_post_sales(
    p_order bigint[], p_source bigint[], p_gateway bigint[], p_received bigint[])
returns void language plpgsql set search_path = public, pg_temp as $$
declare
    is_plain boolean;
begin
    select not bool_or(o.settlement_way = 2 or o.surcharge_amount > 0 or o.first_payment_id is not null)
      into is_plain
      from orders_order o where o.id = any (p_order);
    perform ledger_apply(
        array_agg(v.site), array_agg(coalesce(v.debit, t.source)), array_agg(v.credit),
        array_agg(v.amount), array_agg(v.code), array_agg(1::smallint), array_agg(o.id))
      from unnest(p_order, p_source, p_gateway, p_received) as t(id, source, gateway, received)
      join orders_order o on o.id = t.id,
      lateral (select least(o.fee_amount, o.total_amount - o.wholesale_amount
                                              - coalesce(o.upline_amount, 0)) as by_site) b,
      lateral (select b.by_site, least(o.fee_amount - b.by_site, o.wholesale_amount) as by_main) f,
      lateral (values
        (o.site_id, t.gateway * 100 + 20, o.site_id * 100 + 30, t.received, 20::smallint),
        (o.site_id, null,
         case when o.settlement_way = 2 then o.site_id * 100 + 51
              when o.upline_site_id is not null then o.upline_site_id * 100 + 50
              else o.main_site_id * 100 + 40 end,
         case when o.settlement_way = 2 then o.total_amount - o.fee_amount
              else o.wholesale_amount + coalesce(o.upline_amount, 0) - (o.fee_amount - f.by_site) end,
         (case when o.settlement_way = 2 then 35
               when o.upline_site_id is not null then 38 else 30 end)::smallint),
        (o.site_id, null, o.site_id * 100 + 50,
         case when o.settlement_way = 2 then 0
              else o.total_amount - o.wholesale_amount - coalesce(o.upline_amount, 0) - f.by_site end,
         31::smallint),
        (o.upline_site_id, o.upline_site_id * 100 + 50, o.main_site_id * 100 + 40,
         o.wholesale_amount - f.by_main, 39::smallint),
        (o.site_id, null, t.gateway * 100 + 60, o.fee_amount - o.first_fee_amount, 32::smallint))
        v(site, debit, credit, amount, code)
     where v.amount <> 0 and v.site is not null;
    if is_plain then
        return;
    end if;
    perform ledger_apply(
        array_agg(o.site_id), array_agg(v.debit), array_agg(v.credit), array_agg(v.amount),
        array_agg(v.code), array_agg(1::smallint), array_agg(o.id))
      from unnest(p_order, p_source, p_gateway) as t(id, source, gateway)
      join orders_order o on o.id = t.id,
      lateral (values
        (t.source,
         case when o.first_payment_id is not null then payments_gateway_of(o.first_payment_id) * 100 + 60
         end, o.first_fee_amount, 32::smallint),
        (t.source, t.gateway * 100 + 60, o.surcharge_fee_amount, 33::smallint),
        (t.source,
         case when o.settlement_way = 2 then o.site_id * 100 + 51 else o.main_site_id * 100 + 40 end,
         o.surcharge_amount - o.surcharge_fee_amount, 33::smallint),
        (-(o.site_id * 100 + 11), o.main_site_id * 100 + 40,
         case when o.settlement_way = 2 and not o.awaits_prepaid then o.wholesale_amount else 0 end,
         34::smallint)) v(debit, credit, amount, code)
     where v.amount > 0;
end $$;

-- Deliver paid orders of a site that wait for its prepaid balance, the oldest first, as far as it covers
-- them: each is answered with rules.Settlement. Those that somebody works on are passed over.
-- Locks an order, then the prepaid balance, then keys, each order in turn.
create or replace function orders_resume(p_site bigint, p_limit int)
returns table (order_id bigint, settlement smallint)
language plpgsql security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
    o orders_order;
    v_ok boolean;
    v_delivered boolean;
begin
    for o in
        select * from orders_order
         where site_id = p_site and awaits_prepaid and state = 2
         order by paid_at, id limit p_limit for no key update skip locked
    loop
        if not (ledger_lock_funds(array[-(p_site * 100 + 11)], array[o.wholesale_amount]))[1] then
            return;
        end if;
        perform ledger_apply(
            array[o.site_id], array[-(p_site * 100 + 11)], array[o.main_site_id * 100 + 40],
            array[o.wholesale_amount], array[34::smallint], array[1::smallint], array[o.id]);
        v_ok := orders_take_held(o.id, true);
        v_delivered := v_ok and o.delivery_kind = 1;
        update orders_order
           set awaits_prepaid = false, state = case when v_delivered then 3 else 2 end,
               path = case when v_delivered then path || 3::smallint else path end,
               delivered_at = case when v_delivered then now() end
         where id = o.id;
        insert into orders_note (site_id, order_id, kind, text, actor_name)
        values (o.site_id, o.id, 'prepaid_taken', '', 'system');
        if v_delivered then
            perform core_publish(array['orders.delivered'], array[o.site_id], array[o.id],
                array[jsonb_build_object('customer_id', o.customer_id)]);
        end if;
        order_id := o.id;
        settlement := case when v_delivered then 0 when v_ok then 1 else 2 end;
        return next;
    end loop;
end $$;

-- Sites with paid orders that wait for their prepaid balance.
create or replace function orders_waiting_sites()
returns table (site_id bigint)
language sql stable security definer set search_path = public, pg_temp as $$
    select distinct site_id from orders_order where awaits_prepaid and state = 2 order by 1;
$$;

-- Set what the wallet pays of one unpaid order of a customer beside a gateway. Answers 0, or 4 when the
-- wallet does not cover it, or 3 when the order is not unpaid any more. Locks the order, then the wallet.
create or replace function orders_change_part(p_order bigint, p_customer bigint, p_part bigint)
returns smallint language plpgsql security definer set search_path = public, pg_temp as $$
declare
    o orders_order;
begin
    select * into o from orders_order where id = p_order for no key update;
    if not found or o.customer_id is distinct from p_customer or o.state <> 1
       or o.expires_at <= now() or p_part not between 0 and o.total_amount - 1 then
        return 3;
    end if;
    if p_part = o.wallet_amount then
        return 0;
    end if;
    if p_part > o.wallet_amount and not (ledger_lock_funds(
            array[-(p_customer * 100 + 10)], array[p_part - o.wallet_amount]))[1] then
        return 4;
    end if;
    perform orders_move_part(o.id, p_part - o.wallet_amount);
    perform payments_give_up(1::smallint, array[o.id]);
    return 0;
end $$;

-- Pay one unpaid order from the buyer's wallet. Answers rules.Settlement: 4 when the wallet does not
-- cover it, 3 when the order is not unpaid any more, 6 when the site's prepaid balance is short.
create or replace function orders_pay_by_wallet(p_order bigint, p_customer bigint)
returns smallint language plpgsql security definer set search_path = public, pg_temp as $$
declare
    o orders_order;
    v_wallet bigint := -(p_customer * 100 + 10);
begin
    select * into o from orders_order where id = p_order for no key update;
    if not found or o.customer_id is distinct from p_customer or o.state <> 1 then
        return 3;
    end if;
    -- What is held for this order counts as if it were in the wallet. The prepaid balance is locked here
    -- too, so that both are taken ascending; orders_settle asks what it covers.
    if not (ledger_lock_funds(
            array[v_wallet, -(o.site_id * 100 + 11)], array[o.total_amount - o.wallet_amount, 0]))[1] then
        return 4;
    end if;
    return orders_settle(p_order, null, 0, v_wallet);
end $$;

-- Give up one unpaid order (4 cancelled, 5 expired): true for the one caller whose arrow it was.
create or replace function orders_close(p_order bigint, p_state smallint)
returns boolean language plpgsql security definer set search_path = public, pg_temp as $$
declare
    o orders_order;
begin
    update orders_order set state = p_state, path = path || p_state, closed_at = now()
     where id = p_order and state = 1 and (p_state = 4 or expires_at <= now())
    returning * into o;
    if not found then
        return false;
    end if;
    perform orders_return_parts(array[p_order]);
    perform inventory_release(array[p_order]);
    perform payments_give_up(1::smallint, array[p_order]);
    perform core_publish(array['orders.closed'], array[o.site_id], array[o.id],
        array[jsonb_build_object('customer_id', o.customer_id, 'state', p_state)]);
    return true;
end $$;

-- Expire unpaid orders whose time is over, by the database's clock; those being paid right now are
-- skipped. Returns how many.
create or replace function orders_expire(p_limit int)
returns int language plpgsql security definer set search_path = public, pg_temp as $$
declare
    due bigint[];
begin
    select array_agg(id order by id) into due from (
        select id from orders_order where state = 1 and expires_at <= now()
         order by expires_at limit p_limit for no key update skip locked) d;
    if due is null then
        return 0;
    end if;
    update orders_order set state = 5, path = path || 5::smallint, closed_at = now()
     where id = any (due) and state = 1;
    perform orders_return_parts(due);
    perform inventory_release(due);
    perform payments_give_up(1::smallint, due);
    perform core_publish(
        array_agg('orders.closed'::text), array_agg(o.site_id), array_agg(o.id),
        array_agg(jsonb_build_object('customer_id', o.customer_id, 'state', 5)))
      from orders_order o where o.id = any (due);
    return cardinality(due);
end $$;

-- Confirm a batch of verified statements of gateways in one round trip: payment, order, keys, ledger,
-- events, as payments_confirm and orders_settle do one by one. Only what is plain: an open payment of an
-- unpaid order that still holds its stock and the wallet's part, and whose prepaid balance covers it. The
-- others are untouched and answered false; the caller takes them the long way. Locks payments ascending,
-- then orders ascending, then prepaid balances, then what the orders hold.
create or replace function orders_confirm(
    p_payment_no text[], p_gateway bigint[], p_external text[], p_amount bigint[], p_source text,
    p_digest bytea[])
returns table (i int, done boolean)
language plpgsql security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
    numbers int[];  -- of the statements; in step with the arrays below, by ascending payment
    payments bigint[];
    sites bigint[];
    orders bigint[];
    fees bigint[];
    surcharges bigint[];
    received bigint[];
    plain int[];  -- places in these arrays whose order is unpaid
    has_prepaid boolean;
    dones boolean[] := array_fill(false, array[cardinality(p_payment_no)]);
    k int;
begin
    select array_agg(l.i), array_agg(l.payment_id), array_agg(l.site_id), array_agg(l.order_id),
           array_agg(l.fee), array_agg(l.surcharge), array_agg(l.amount)
      into numbers, payments, sites, orders, fees, surcharges, received
      from payments_lock_plain(p_payment_no, p_gateway, p_external, p_amount) l;
    select array_agg(distinct t.k), bool_or(o.settlement_way = 2) into plain, has_prepaid from (
        select o.id, o.settlement_way, o.total_amount - o.wallet_amount as due from orders_order o
         where o.id = any (orders) and o.state = 1 order by o.id for no key update) o
      join (select distinct on (u.id) u.id, u.k::int as k, u.received - u.surcharge as goods
              from unnest(orders, received, surcharges) with ordinality as u(id, received, surcharge, k)
             order by u.id, u.k) t
        on t.id = o.id and t.goods = o.due;
    if has_prepaid then
        plain := orders_covered(plain, orders);
    end if;
    if plain is null then
        return query select t.k::int, t.done from unnest(dones) with ordinality as t(done, k);
        return;
    end if;
    -- In the usual case all are plain and the arrays go on as they are (see orders_place).
    if cardinality(plain) < cardinality(numbers) then
        select array_agg(numbers[x] order by x), array_agg(payments[x] order by x),
               array_agg(sites[x] order by x), array_agg(orders[x] order by x),
               array_agg(fees[x] order by x), array_agg(surcharges[x] order by x),
               array_agg(received[x] order by x)
          into numbers, payments, sites, orders, fees, surcharges, received
          from unnest(plain) x;
    end if;
    perform orders_settle_plain(
        payments, sites, orders, fees, surcharges, received, array_agg(p_gateway[n] order by o),
        array_agg(p_external[n] order by o), array_agg(p_digest[n] order by o), p_source)
      from unnest(numbers) with ordinality as u(n, o);
    foreach k in array numbers loop
        dones[k] := true;
    end loop;
    return query select t.k::int, t.done from unnest(dones) with ordinality as t(done, k);
end $$;

-- orders_confirm for callbacks that may carry a nonce (empty: none): those of what was confirmed are
-- remembered in the same transaction. One that was accepted before with another payment takes the whole
-- batch back (KM002): each of it goes the long way, where that one is refused. What was read by a view of
-- the site (p_stamp, empty where somebody has compared it) that is not of now is left alone.
create or replace function orders_confirm_once(
    p_payment_no text[], p_gateway bigint[], p_external text[], p_amount bigint[], p_source text,
    p_digest bytea[], p_nonce text[], p_site bigint[], p_stamp text[])
returns table (i int, done boolean)
language plpgsql security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
    dones boolean[];
    flags boolean[] := tenancy_are_stamped(p_site, p_stamp);
begin
    if false = any (flags) then  -- no payment has an empty number
        p_payment_no := (select array_agg(case when t.fresh then t.no else '' end order by t.k)
                           from unnest(p_payment_no, flags) with ordinality as t(no, fresh, k));
    end if;
    select array_agg(c.done order by c.i) into dones
      from orders_confirm(p_payment_no, p_gateway, p_external, p_amount, p_source, p_digest) c;
    if array_to_string(p_nonce, '') <> '' and exists (
        select 1 from (
            select array_agg(t.gateway) as gateways, array_agg(t.nonce) as nonces
              from unnest(p_gateway, p_nonce, dones) as t(gateway, nonce, done)
             where t.done and t.nonce <> '') a,
            payments_take_nonces(a.gateways, a.nonces) n
         where a.gateways is not null and not n.is_new) then
        raise exception 'payments: a nonce came again' using errcode = 'KM002';
    end if;
    return query select t.k::int, t.done from unnest(dones) with ordinality as t(done, k);
end $$;

-- Of the places p_plain in p_order, those whose orders need no prepaid balance, or one that covers them.
-- Locks the balances, ascending. Null when none is left.
create or replace function orders_covered(p_plain int[], p_order bigint[])
returns int[] language plpgsql set search_path = public, pg_temp as $$
declare
    flags boolean[];
begin
    select ledger_lock_funds(
               array_agg(case when o.settlement_way = 2 then -(o.site_id * 100 + 11) end order by t.k),
               array_agg(case when o.settlement_way = 2 then o.wholesale_amount else 0 end order by t.k))
      into flags
      from unnest(p_plain) with ordinality as t(place, k) join orders_order o on o.id = p_order[t.place];
    return (select array_agg(t.place order by t.place)
              from unnest(p_plain) with ordinality as t(place, k) where flags[t.k]);
end $$;

-- The second half of orders_confirm, of what is plain and locked, in arrays in step. Raises KM001 when an
-- order does not hold what it must.
create or replace function orders_settle_plain(
    p_payment bigint[], p_site bigint[], p_order bigint[], p_fee bigint[], p_surcharge bigint[],
    p_amount bigint[], p_gateway bigint[], p_external text[], p_digest bytea[], p_source text)
returns void language plpgsql set search_path = public, pg_temp as $$
declare
    ready int;
begin
    perform payments_mark_plain(p_payment, p_site, p_external, p_amount, p_source, p_digest);
    select count(*) into ready
      from inventory_sell_held(p_order) h join orders_order o on o.id = h.order_id
     where o.delivery_kind <> 1 or h.keys = o.quantity;
    if ready <> cardinality(p_order) then
        raise exception 'orders: an unpaid order does not hold its stock' using errcode = 'KM001';
    end if;
    update orders_order o
       set state = case when o.delivery_kind = 1 then 3 else 2 end,
           path = o.path || case when o.delivery_kind = 1 then '{2,3}' else '{2}' end::smallint[],
           paid_by = 2, payment_id = t.payment, fee_amount = t.fee - least(t.fee, t.surcharge),
           surcharge_amount = t.surcharge, surcharge_fee_amount = least(t.fee, t.surcharge),
           paid_at = now(), delivered_at = case when o.delivery_kind = 1 then now() end,
           closed_at = null
      from unnest(p_order, p_payment, p_fee, p_surcharge) as t(id, payment, fee, surcharge)
     where o.id = t.id;
    perform orders_post_sales(
        p_order, (select array_agg(s.id * 100 + 30 order by s.k)
                    from unnest(p_site) with ordinality as s(id, k)), p_gateway, p_amount);
    perform core_publish(
        array_agg(e.kind), array_agg(o.site_id), array_agg(e.subject), array_agg(e.payload))
      from unnest(p_order, p_payment, p_amount) as t(id, payment, amount)
      join orders_order o on o.id = t.id,
      lateral (values
        ('payments.confirmed', t.payment, jsonb_build_object(
            'purpose', 1, 'paid_for', o.id, 'amount', t.amount,
            'fee_amount', o.fee_amount + o.surcharge_fee_amount)),
        ('orders.paid', o.id, jsonb_build_object(
            'customer_id', o.customer_id, 'product_id', o.product_id, 'quantity', o.quantity,
            'main_site_id', o.main_site_id, 'delivered', o.delivery_kind = 1)))
      e(kind, subject, payload);
end $$;
