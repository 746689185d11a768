-- Money has arrived for an order: sell what it holds, or take stock anew when it came late, post the
-- sale, and say what became of it (rules.Settlement). p_source is the account that pays: the site's
-- suspense account, or the buyer's wallet. Call inside the transaction that confirmed the payment.
-- Locks the order, then keys; wallets last.
create or replace function orders_settle(p_order bigint, p_payment bigint, p_fee bigint, p_source bigint)
returns smallint language plpgsql security definer set search_path = public, pg_temp as $$
declare
    o orders_order;
    v_held boolean := false;
    v_keys int := 0;
    v_ok boolean;
    v_delivered boolean;
    v_by_site bigint;
    v_path smallint[];
begin
    select * into o from orders_order where id = p_order for no key update;
    if not found then
        raise exception 'orders: payment % names order % that does not exist', p_payment, p_order;
    end if;
    if o.state not in (1, 4, 5) then
        return 3;
    end if;
    if o.state = 1 then
        select s.held, s.keys into v_held, v_keys from inventory_sell_reserved(o.id) s;
    end if;
    v_ok := v_held and (o.delivery_kind <> 1 or v_keys = o.quantity);
    if not v_ok then  -- late, or what was held is gone: whatever is left of it goes back, then anew
        perform inventory_take_back(o.id, true);
        select c.claimed into v_ok from inventory_claim(
            array[o.variant_id], array[o.id], array[o.quantity], array[0::bigint],
            array[o.delivery_kind = 1], 2::smallint) c;
    end if;
    v_delivered := v_ok and o.delivery_kind = 1;
    v_path := o.path || 2::smallint;
    if v_delivered then
        v_path := v_path || 3::smallint;
    end if;
    update orders_order
       set state = case when v_delivered then 3 else 2 end, path = v_path,
           paid_by = case when p_source < 0 then 1 else 2 end, payment_id = p_payment,
           fee_amount = p_fee, paid_at = now(),
           delivered_at = case when v_delivered then now() end, closed_at = null
     where id = o.id;
    if o.state <> 1 then
        insert into orders_note (site_id, order_id, kind, text, actor_name)
        values (o.site_id, o.id, 'late_payment', '', 'system');
    end if;
    v_by_site := least(p_fee, o.total_amount - o.wholesale_amount);
    perform ledger_apply(
        array[o.site_id, o.site_id, o.site_id], array[p_source, p_source, p_source],
        array[o.main_site_id * 100 + 40, o.site_id * 100 + 50,
              coalesce((select p.gateway_id from payments_gateway_of(p_payment) p), 0) * 100 + 60],
        array[o.wholesale_amount - (p_fee - v_by_site),
              o.total_amount - o.wholesale_amount - v_by_site, p_fee],
        array[30, 31, 32]::smallint[], array[1, 1, 1]::smallint[], array[o.id, o.id, o.id]);
    perform core_publish(
        array['orders.paid'], array[o.site_id], array[o.id],
        array[jsonb_build_object(
            'customer_id', o.customer_id, 'product_id', o.product_id, 'quantity', o.quantity,
            'main_site_id', o.main_site_id, 'delivered', v_delivered)]);
    return case when v_delivered then 0 when v_ok then 1 else 2 end;
end $$;

-- Pay one unpaid order from the buyer's wallet. Answers rules.Settlement, or 4 when the wallet does
-- not cover it, or 3 when the order is not unpaid any more.
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
    if not (ledger_lock_funds(array[v_wallet], array[o.total_amount]))[1] then
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
-- unpaid order that still holds its stock. The others are untouched and answered false; the caller takes
-- them the long way. Locks payments ascending, then orders ascending, then what the orders hold.
create or replace function orders_confirm(
    p_payment_no text[], p_gateway bigint[], p_external text[], p_amount bigint[], p_source text,
    p_digest bytea[])
returns table (i int, done boolean)
language plpgsql security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
    numbers int[];
    payments bigint[];
    orders bigint[];
    fees bigint[];
    plain int[];  -- places in the arrays above whose order is unpaid
begin
    select array_agg(l.i), array_agg(l.payment_id), array_agg(l.order_id), array_agg(l.fee)
      into numbers, payments, orders, fees
      from payments_lock_plain(p_payment_no, p_gateway, p_external, p_amount) l;
    select array_agg(distinct t.k) into plain from (
        select o.id from orders_order o
         where o.id = any (orders) and o.state = 1 order by o.id for no key update) o
      join (select distinct on (u.id) u.id, u.k::int as k
              from unnest(orders) with ordinality as u(id, k) order by u.id, u.k) t on t.id = o.id;
    if plain is null then
        return query select k::int, false from generate_subscripts(p_payment_no, 1) k;
        return;
    end if;
    perform orders_settle_plain(
        array_agg(numbers[k] order by k), array_agg(payments[k] order by k),
        array_agg(orders[k] order by k), array_agg(fees[k] order by k),
        p_gateway, p_external, p_amount, p_source, p_digest)
      from unnest(plain) k;
    return query
    select k::int, exists (select 1 from unnest(plain) x where numbers[x] = k)
      from generate_subscripts(p_payment_no, 1) k order by 1;
end $$;

-- orders_confirm for callbacks that may carry a nonce (empty: none): those of what was confirmed are
-- remembered in the same transaction. One that was accepted before with another payment takes the whole
-- batch back (KM002): each of it goes the long way, where that one is refused.
create or replace function orders_confirm_once(
    p_payment_no text[], p_gateway bigint[], p_external text[], p_amount bigint[], p_source text,
    p_digest bytea[], p_nonce text[])
returns table (i int, done boolean)
language plpgsql security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
    dones boolean[];
begin
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

-- The second half of orders_confirm: p_number, p_payment, p_order and p_fee are the plain ones, locked; the
-- rest are the statements by number. Raises KM001 when an order does not hold what it must.
create or replace function orders_settle_plain(
    p_number int[], p_payment bigint[], p_order bigint[], p_fee bigint[], p_gateway bigint[],
    p_external text[], p_amount bigint[], p_source text, p_digest bytea[])
returns void language plpgsql set search_path = public, pg_temp as $$
declare
    sites bigint[] := (select array_agg(o.site_id order by t.k)
                         from unnest(p_order) with ordinality as t(id, k)
                         join orders_order o on o.id = t.id);
    ready int;
begin
    perform payments_mark_plain(
        p_payment, sites, p_order, array_agg(p_gateway[n] order by k),
        array_agg(p_external[n] order by k), array_agg(p_amount[n] order by k), p_source,
        array_agg(p_digest[n] order by k))
      from unnest(p_number) with ordinality as t(n, k);
    select count(*) into ready
      from inventory_sell_held(p_order) h join orders_order o on o.id = h.order_id
     where o.delivery_kind <> 1 or h.keys = o.quantity;
    if ready <> cardinality(p_order) then
        raise exception 'orders: an unpaid order does not hold its stock' using errcode = 'KM001';
    end if;
    update orders_order o
       set state = case when o.delivery_kind = 1 then 3 else 2 end,
           path = o.path || case when o.delivery_kind = 1 then '{2,3}' else '{2}' end::smallint[],
           paid_by = 2, payment_id = t.payment, fee_amount = t.fee, paid_at = now(),
           delivered_at = case when o.delivery_kind = 1 then now() end, closed_at = null
      from unnest(p_order, p_payment, p_fee) as t(id, payment, fee) where o.id = t.id;
    perform ledger_apply(
        array_agg(o.site_id), array_agg(o.site_id * 100 + 30), array_agg(v.credit),
        array_agg(v.amount), array_agg(v.code), array_agg(1::smallint), array_agg(o.id))
      from unnest(p_order, p_number) as t(id, n)
      join orders_order o on o.id = t.id,
      lateral (select least(o.fee_amount, o.total_amount - o.wholesale_amount) as by_site) f,
      lateral (values
        (o.main_site_id * 100 + 40, o.wholesale_amount - (o.fee_amount - f.by_site), 30::smallint),
        (o.site_id * 100 + 50, o.total_amount - o.wholesale_amount - f.by_site, 31::smallint),
        (p_gateway[t.n] * 100 + 60, o.fee_amount, 32::smallint)) v(credit, amount, code);
    perform core_publish(
        array_agg(e.kind), array_agg(o.site_id), array_agg(e.subject), array_agg(e.payload))
      from unnest(p_order, p_payment, p_number) as t(id, payment, n)
      join orders_order o on o.id = t.id,
      lateral (values
        ('payments.confirmed', t.payment, jsonb_build_object(
            'purpose', 1, 'paid_for', o.id, 'amount', p_amount[t.n], 'fee_amount', o.fee_amount)),
        ('orders.paid', o.id, jsonb_build_object(
            'customer_id', o.customer_id, 'product_id', o.product_id, 'quantity', o.quantity,
            'main_site_id', o.main_site_id, 'delivered', o.delivery_kind = 1)))
      e(kind, subject, payload);
end $$;
