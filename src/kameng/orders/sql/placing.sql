-- Place a batch of orders in one round trip: repeats, freshness, money, stock, rows, ledger, events.
-- p_by_wallet: paid now from the buyers' wallets and delivered at once where keys are sold; otherwise
-- unpaid orders that hold stock until p_expires, each with a payment to be made.
-- p_part is what the wallet pays of an order beside a gateway: taken now, held with the unpaid order.
-- p_way is how the site settles (tenancy.SettlementWay): with 2 the wholesale price comes from its
-- prepaid balance, taken now with a wallet order, and only looked at for an order to be paid later.
-- p_upline is the sub-site that a child site buys through (null elsewhere), p_upline_part what it asks above
-- the wholesale price.
-- p_stamp is that of the site's view which the wish was judged by, where nobody has compared it yet
-- (else empty): with another one the wish is stale.
-- One answer per wish (outcome: rules.Outcome); a refusal leaves no trace and fails no neighbour.
-- Locks, in this order: the selling of the sites (shared), wallets and prepaid balances ascending, new orders by request key, reserving
-- persons, keys (skip locked), wallets again (held already).
create or replace function orders_place(
    p_by_wallet boolean, p_site bigint[], p_main bigint[], p_version bigint[],
    p_main_version bigint[], p_order_no text[], p_customer bigint[], p_contact bytea[],
    p_contact_digest bytea[], p_product bigint[], p_variant bigint[], p_title text[],
    p_kind smallint[], p_quantity int[], p_unit bigint[], p_total bigint[], p_wholesale bigint[],
    p_inputs bytea[], p_request_key bytea[], p_request_digest bytea[], p_ip text[], p_hint bigint[],
    p_actor bytea[], p_expires timestamptz[], p_open_limit int[], p_share int[],
    p_payment_no text[], p_gateway bigint[], p_fee bigint[], p_surcharge bigint[], p_part bigint[],
    p_way smallint[], p_stamp text[], p_upline bigint[], p_upline_part bigint[])
returns table (i int, outcome smallint, order_id bigint, order_no text, state smallint,
               last_position bigint)
language plpgsql security definer set search_path = public, pg_temp as $$
#variable_conflict use_column
declare
    n int := cardinality(p_site);
    outcomes smallint[] := array_fill(null::smallint, array[n]);
    ids bigint[] := array_fill(null::bigint, array[n]);
    positions bigint[] := array_fill(null::bigint, array[n]);
    wallets bigint[] := (select array_agg(-(c * 100 + 10) order by k)
                           from unnest(p_customer) with ordinality as u(c, k));
    prepaids bigint[];  -- null where the wholesale price is not prepaid
    due bigint[] := case when p_by_wallet then p_total else p_part end;  -- of the wallets
    has_prepaid boolean := 2 = any (p_way);
    spends boolean := p_by_wallet or 0 < any (p_part);
    go int[];  -- wishes still in play, by number
    flags boolean[];
    failed bigint[] := '{}';
    answer record;
begin
    perform tenancy_share_selling(p_site);
    if has_prepaid then
        prepaids := (select array_agg(case when u.way = 2 then -(u.site * 100 + 11) end order by u.k)
                       from unnest(p_site, p_way) with ordinality as u(site, way, k));
    end if;
    if p_by_wallet then
        perform ledger_lock_wallets(wallets || prepaids);
    elsif spends then
        perform ledger_lock_wallets(wallets);
    end if;

    -- Known requests, and the second of two equal ones in this very batch: answered at the end.
    select array_agg(w.k order by w.k) into go from (
        select distinct on (t.site, t.key) t.k::int as k
          from unnest(p_site, p_request_key) with ordinality as t(site, key, k)
         where not exists (select 1 from orders_order o
                            where o.site_id = t.site and o.request_key = t.key)
         order by t.site, t.key, t.k) w;
    -- In the usual case nobody has dropped out and the arrays go on as they came: gathering them anew
    -- costs more than the work itself.
    if go is not null then
        if cardinality(go) = n then
            flags := tenancy_fresh(p_site, p_version, p_main_version, p_stamp);
        else
            flags := tenancy_fresh(
                (select array_agg(p_site[g] order by g) from unnest(go) g),
                (select array_agg(p_version[g] order by g) from unnest(go) g),
                (select array_agg(p_main_version[g] order by g) from unnest(go) g),
                (select array_agg(p_stamp[g] order by g) from unnest(go) g));
        end if;
        if false = any (flags) then
            for k in 1 .. cardinality(go) loop
                if not flags[k] then outcomes[go[k]] := 3; end if;
            end loop;
            select array_agg(g order by g) into go from unnest(go) g where outcomes[g] is null;
        end if;
    end if;
    if go is not null and spends then
        if cardinality(go) = n then
            flags := ledger_covered(wallets, due);
        else
            flags := ledger_covered(
                (select array_agg(wallets[g] order by g) from unnest(go) g),
                (select array_agg(due[g] order by g) from unnest(go) g));
        end if;
        if false = any (flags) then
            for k in 1 .. cardinality(go) loop
                if not flags[k] then outcomes[go[k]] := 5; end if;
            end loop;
            select array_agg(g order by g) into go from unnest(go) g where outcomes[g] is null;
        end if;
    end if;
    if go is not null and has_prepaid then
        flags := ledger_covered(
            (select array_agg(prepaids[g] order by g) from unnest(go) g),
            (select array_agg(case when p_way[g] = 2 then p_wholesale[g] else 0 end order by g)
               from unnest(go) g));
        if false = any (flags) then
            for k in 1 .. cardinality(go) loop
                if not flags[k] then outcomes[go[k]] := 7; end if;
            end loop;
            select array_agg(g order by g) into go from unnest(go) g where outcomes[g] is null;
        end if;
    end if;

    if go is not null then
        for answer in
            with placed as (
                insert into orders_order as o
                    (site_id, order_no, main_site_id, customer_id, contact_cipher, contact_digest,
                     product_id, variant_id, title, delivery_kind, quantity, unit_amount,
                     total_amount, wholesale_amount, upline_site_id, upline_amount, fee_amount, refunded_amount, wallet_amount,
                     settlement_way, inputs_cipher, state, path, paid_by, request_key, request_digest, buyer_ip, expires_at,
                     paid_at, delivered_at, staff_note)
                select p_site[g], p_order_no[g], p_main[g], p_customer[g], p_contact[g],
                       p_contact_digest[g], p_product[g], p_variant[g], p_title[g], p_kind[g],
                       p_quantity[g], p_unit[g], p_total[g], p_wholesale[g], p_upline[g],
                       p_upline_part[g], 0, 0, p_part[g],
                       p_way[g], p_inputs[g],
                       case when not p_by_wallet then 1 when p_kind[g] = 1 then 3 else 2 end,
                       case when not p_by_wallet then '{1}'::smallint[]
                            when p_kind[g] = 1 then '{1,2,3}' else '{1,2}' end,
                       case when not p_by_wallet then 0 when p_total[g] = 0 then 3 else 1 end,
                       p_request_key[g], p_request_digest[g], p_ip[g],
                       case when p_by_wallet then null else p_expires[g] end,
                       case when p_by_wallet then now() end,
                       case when p_by_wallet and p_kind[g] = 1 then now() end, ''
                  from unnest(go) g order by p_site[g], p_request_key[g]
                on conflict (site_id, request_key) do nothing
                returning o.id, o.site_id, o.request_key)
            select g, placed.id from unnest(go) g
              join placed on placed.site_id = p_site[g] and placed.request_key = p_request_key[g]
        loop
            ids[answer.g] := answer.id;
        end loop;
        if array_position(ids, null) is not null then
            select array_agg(g order by g) into go from unnest(go) g where ids[g] is not null;
        end if;
    end if;

    if go is not null then
        if cardinality(go) = n then
            for answer in
                select c.i as g, c.outcome, c.last_position from orders_take_stock(
                    p_by_wallet, p_site, p_variant, ids, p_quantity, p_hint, p_kind, p_actor,
                    p_expires, p_open_limit, p_share) c
            loop
                outcomes[answer.g] := answer.outcome;
                positions[answer.g] := answer.last_position;
            end loop;
        else
            for answer in
                select t.g, c.outcome, c.last_position from orders_take_stock(
                    p_by_wallet,
                    (select array_agg(p_site[g] order by g) from unnest(go) g),
                    (select array_agg(p_variant[g] order by g) from unnest(go) g),
                    (select array_agg(ids[g] order by g) from unnest(go) g),
                    (select array_agg(p_quantity[g] order by g) from unnest(go) g),
                    (select array_agg(p_hint[g] order by g) from unnest(go) g),
                    (select array_agg(p_kind[g] order by g) from unnest(go) g),
                    (select array_agg(p_actor[g] order by g) from unnest(go) g),
                    (select array_agg(p_expires[g] order by g) from unnest(go) g),
                    (select array_agg(p_open_limit[g] order by g) from unnest(go) g),
                    (select array_agg(p_share[g] order by g) from unnest(go) g)) c
                  join unnest(go) with ordinality as t(g, k) on t.k = c.i
            loop
                outcomes[answer.g] := answer.outcome;
                positions[answer.g] := answer.last_position;
            end loop;
        end if;
        select coalesce(array_agg(ids[g]), '{}') into failed from unnest(go) g where outcomes[g] <> 0;
        if cardinality(failed) > 0 then
            delete from orders_order o where o.id = any (failed);
            select array_agg(g order by g) into go from unnest(go) g where outcomes[g] = 0;
        end if;
    end if;

    if go is not null and p_by_wallet then
        -- A child pays its upline, and that one the main site: the second leg is the upline's own, which the
        -- child cannot read.
        perform ledger_apply(
            array_agg(v.site), array_agg(v.debit), array_agg(v.credit), array_agg(v.amount),
            array_agg(v.code), array_agg(1::smallint), array_agg(ids[g]))
          from unnest(go) g, lateral (values
            (p_site[g], wallets[g], case when p_upline[g] is null then p_main[g] * 100 + 40
                                         else p_upline[g] * 100 + 50 end,
             p_wholesale[g] + coalesce(p_upline_part[g], 0),
             (case when p_upline[g] is null then 30 else 38 end)::smallint),
            (p_site[g], wallets[g], p_site[g] * 100 + 50,
             p_total[g] - p_wholesale[g] - coalesce(p_upline_part[g], 0), 31::smallint),
            (p_upline[g], p_upline[g] * 100 + 50, p_main[g] * 100 + 40, p_wholesale[g], 39::smallint))
            v(site, debit, credit, amount, code)
         where p_way[g] <> 2 and v.site is not null;
        if has_prepaid then
            perform ledger_apply(
                array_agg(p_site[g]), array_agg(v.debit), array_agg(v.credit), array_agg(v.amount),
                array_agg(v.code), array_agg(1::smallint), array_agg(ids[g]))
              from unnest(go) g, lateral (values
                (wallets[g], p_site[g] * 100 + 51, p_total[g], 35::smallint),
                (prepaids[g], p_main[g] * 100 + 40, p_wholesale[g], 34::smallint))
                v(debit, credit, amount, code)
             where p_way[g] = 2;
        end if;
        perform core_publish(
            array_agg('orders.paid'::text), array_agg(p_site[g]), array_agg(ids[g]),
            array_agg(jsonb_build_object(
                'customer_id', p_customer[g], 'product_id', p_product[g], 'quantity', p_quantity[g],
                'main_site_id', p_main[g], 'delivered', p_kind[g] = 1)))
          from unnest(go) g;
    elsif go is not null then
        if spends then
            perform ledger_apply(
                array_agg(p_site[g]), array_agg(wallets[g]), array_agg(p_site[g] * 100 + 30),
                array_agg(p_part[g]), array_agg(36::smallint), array_agg(1::smallint),
                array_agg(ids[g]))
              from unnest(go) g where p_part[g] > 0;
        end if;
        perform payments_open(
            array_agg(p_site[g]), array_agg(p_payment_no[g]), array_agg(1::smallint),
            array_agg(ids[g]), array_agg(p_gateway[g]),
            array_agg(p_total[g] - p_part[g] + p_surcharge[g]), array_agg(p_fee[g]),
            array_agg(p_surcharge[g]), array_agg(p_expires[g]))
          from unnest(go) g where p_gateway[g] is not null;
    end if;

    if array_position(outcomes, null) is null then
        return query
        select t.k::int, t.outcome, t.id, t.no,
               (case when not p_by_wallet then 1 when t.kind = 1 then 3 else 2 end)::smallint,
               t.last
          from unnest(outcomes, ids, p_order_no, p_kind, positions) with ordinality
               as t(outcome, id, no, kind, last, k);
        return;
    end if;
    return query
    select t.k::int,
           case when outcomes[t.k] is not null then outcomes[t.k]
                when o.id is null then (  -- the equal wish before it in this batch was refused
                    select coalesce(max(outcomes[u.k]), 3)
                      from unnest(p_site, p_request_key) with ordinality as u(site, key, k)
                     where u.site = t.site and u.key = t.key)
                when o.request_digest = t.digest then 1 else 2 end::smallint,
           case when outcomes[t.k] = 0 then ids[t.k] else o.id end,
           case when outcomes[t.k] = 0 then p_order_no[t.k] else o.order_no end::text,
           (case when outcomes[t.k] = 0
                 then case when not p_by_wallet then 1 when p_kind[t.k] = 1 then 3 else 2 end
                 else o.state end)::smallint,
           positions[t.k]
      from unnest(p_site, p_request_key, p_request_digest) with ordinality as t(site, key, digest, k)
      left join orders_order o
        on outcomes[t.k] is null and o.site_id = t.site and o.request_key = t.key
     order by t.k;
end $$;

-- Sell (wallet) or reserve (unpaid) for a batch of fresh orders: outcome as rules.Outcome.
create or replace function orders_take_stock(
    p_sell boolean, p_site bigint[], p_variant bigint[], p_order bigint[], p_quantity int[],
    p_hint bigint[], p_kind smallint[], p_actor bytea[], p_expires timestamptz[],
    p_open_limit int[], p_share int[])
returns table (i int, outcome smallint, last_position bigint)
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    p_has_keys boolean[] := array_fill(true, array[cardinality(p_kind)]);
begin
    if not 1 = all (p_kind) then
        p_has_keys := (select array_agg(u.kind = 1 order by u.k)
                         from unnest(p_kind) with ordinality as u(kind, k));
    end if;
    if p_sell then
        return query select c.i, (case when c.claimed then 0 else 4 end)::smallint, c.last_position
          from inventory_claim(p_variant, p_order, p_quantity, p_hint, p_has_keys, 2::smallint) c;
    else
        return query
        select r.i, (case r.outcome when 0 then 0 when 1 then 4 else 6 end)::smallint, null::bigint
          from inventory_reserve(p_site, p_variant, p_order, p_quantity, p_hint, p_has_keys, p_actor,
                                 p_expires, p_open_limit, p_share) r;
    end if;
end $$;
