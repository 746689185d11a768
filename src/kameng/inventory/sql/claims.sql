-- Taking stock. Every function takes a batch and gives one answer per wish; a wish that cannot be
-- met never fails its neighbours.

-- Take stock for orders: keys in import order (SKIP LOCKED: buyers never wait for each other while there
-- is enough), counted stock by a guarded decrement. p_state is what taken keys become: 1 reserved, 2 sold.
-- p_hint is the last position the caller saw sold of a variant: everything before it is tried only
-- when nothing is left behind it, so that a sale does not walk over what was sold before.
-- A key that was skipped may come back: its holder wants more than there is, or only re-encrypts it. So
-- a refusal stands when no other unsold key is in sight; else all is let go and taken with patience.
create or replace function inventory_claim(
    p_variant bigint[], p_order bigint[], p_quantity int[], p_hint bigint[], p_has_keys boolean[],
    p_state smallint)
returns table (i int, claimed boolean, last_position bigint)
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    begin
        return query select c.i, c.claimed, c.last_position from inventory_claim_free(
            p_variant, p_order, p_quantity, p_hint, p_has_keys, p_state) c;
        return;
    exception when sqlstate 'KM002' then
        null;  -- whatever was locked is free again
    end;
    return query select c.i, c.claimed, c.last_position from inventory_claim_patiently(
        p_variant, p_order, p_quantity, p_has_keys, p_state) c;
end $$;

-- The first try of inventory_claim: takes what nobody holds. Raises KM002 when a wish would be refused
-- while unsold keys are in sight that this call did not give away; the caller must then let go of what
-- it locked.
create or replace function inventory_claim_free(
    p_variant bigint[], p_order bigint[], p_quantity int[], p_hint bigint[], p_has_keys boolean[],
    p_state smallint)
returns table (i int, claimed boolean, last_position bigint)
language plpgsql volatile set search_path = public, pg_temp as $$
declare
    wanted record;
    wish record;
    free_keys bigint[];
    more bigint[];
    taken int;
    key_ids bigint[] := '{}';
    key_orders bigint[] := '{}';
    n int := cardinality(p_variant);
    oks boolean[] := array_fill(false, array[n]);
    lasts bigint[] := array_fill(null::bigint, array[n]);
begin
    if 1 = all (p_quantity) and true = all (p_has_keys) then
        select array_agg(s.k is not null order by s.number), array_agg(s.k order by s.number)
          into oks, lasts
          from inventory_claim_singles(p_variant, p_order, p_hint, p_state) s(number, k);
        if not false = any (oks) then
            return query select u.number::int, u.ok, u.last
              from unnest(oks, lasts) with ordinality as u(ok, last, number);
            return;
        end if;
    end if;
    for wanted in  -- of what is not taken yet
        select t.variant, sum(t.quantity)::int as total, max(t.hint) as hint
          from unnest(p_variant, p_quantity, p_hint, p_has_keys, oks)
               as t(variant, quantity, hint, has_keys, ok)
         where t.has_keys and not t.ok group by t.variant order by t.variant
    loop
        select coalesce(array_agg(k.position order by k.position), '{}') into free_keys from (
            select c.position from inventory_cardkey c
             where c.variant_id = wanted.variant and c.state = 0 and c.position > wanted.hint
             order by c.position limit wanted.total for no key update skip locked) k;
        if cardinality(free_keys) < wanted.total and wanted.hint > 0 then
            select coalesce(array_agg(k.position order by k.position), '{}') into more from (
                select c.position from inventory_cardkey c
                 where c.variant_id = wanted.variant and c.state = 0 and c.position <= wanted.hint
                 order by c.position limit wanted.total - cardinality(free_keys)
                   for no key update skip locked) k;
            free_keys := free_keys || more;
        end if;
        taken := 0;
        for wish in
            select t.number::int as number, t.quantity, t.order_id
              from unnest(p_variant, p_quantity, p_order, p_has_keys, oks) with ordinality
                   as t(variant, quantity, order_id, has_keys, ok, number)
             where t.has_keys and not t.ok and t.variant = wanted.variant order by t.number
        loop
            if taken + wish.quantity <= cardinality(free_keys) then
                key_ids := key_ids || free_keys[taken + 1 : taken + wish.quantity];
                key_orders := key_orders || array_fill(wish.order_id, array[wish.quantity]);
                taken := taken + wish.quantity;
                oks[wish.number] := true;
                lasts[wish.number] := free_keys[taken];
            end if;
        end loop;
        if taken < wanted.total and exists (
            select 1 from inventory_cardkey c where c.variant_id = wanted.variant and c.state = 0
               and c.position <> all (free_keys[1 : taken]))
        then
            raise exception 'inventory: a key may yet come back' using errcode = 'KM002';
        end if;
    end loop;

    if cardinality(key_ids) > 0 then
        update inventory_cardkey c
           set state = p_state, order_id = t.order_id,
               sold_at = case when p_state = 2 then now() end
          from unnest(key_ids, key_orders) as t(id, order_id)
         where c.id = t.id;
    end if;

    if false = any (p_has_keys) then
        for wish in
            select t.number::int as number, t.variant, t.order_id, t.quantity
              from unnest(p_variant, p_order, p_quantity, p_has_keys) with ordinality
                   as t(variant, order_id, quantity, has_keys, number)
             where not t.has_keys order by t.variant, t.number
        loop
            oks[wish.number] := inventory_take_counted(wish.variant, wish.order_id, wish.quantity);
        end loop;
    end if;

    return query select u.number::int, u.ok, u.last
      from unnest(oks, lasts) with ordinality as u(ok, last, number);
end $$;

-- One key each, in one statement: the n-th wish of a variant gets its n-th free key behind the hint. The
-- key of each wish by number; null for those that are left over.
create or replace function inventory_claim_singles(
    p_variant bigint[], p_order bigint[], p_hint bigint[], p_state smallint)
returns table (i int, key_id bigint)
language plpgsql volatile set search_path = public, pg_temp as $$
begin
    return query
    with wished as materialized (
        select t.variant, t.order_id, t.number,
               row_number() over (partition by t.variant order by t.number) as place
          from unnest(p_variant, p_order) with ordinality as t(variant, order_id, number)
    ), wanted as materialized (
        select t.variant, count(*) as total, max(t.hint) as hint
          from unnest(p_variant, p_hint) as t(variant, hint) group by t.variant order by t.variant
    ), found as materialized (
        select w.variant, k.position,
               row_number() over (partition by w.variant order by k.position) as place
          from wanted w, lateral (
                select c.position from inventory_cardkey c
                 where c.variant_id = w.variant and c.state = 0 and c.position > w.hint
                 order by c.position limit w.total for no key update skip locked) k
    ), taken as (
        update inventory_cardkey c
           set state = p_state, order_id = w.order_id,
               sold_at = case when p_state = 2 then now() end
          from found f join wished w on w.variant = f.variant and w.place = f.place
         where c.id = f.position
        returning c.id, c.order_id
    )
    select w.number::int, t.id from wished w left join taken t on t.order_id = w.order_id;
end $$;

-- Reserve stock for unpaid orders until p_expires, within what one person may hold: so many open
-- orders, and no more than a share of a variant's stock (three pieces are always allowed).
-- Answers 0 reserved, 1 no stock, 2 too much held. Parallel wishes of one person queue on an advisory
-- lock (class 7002 of core/locks.py), so the caps hold. Who waits for a key must hold no other: a batch is
-- tried without waiting first, and let go and tried anew, with patience, when a refusal may not stand.
create or replace function inventory_reserve(
    p_site bigint[], p_variant bigint[], p_order bigint[], p_quantity int[], p_hint bigint[],
    p_has_keys boolean[], p_actor bytea[], p_expires timestamptz[], p_open_limit int[],
    p_share_bps int[])
returns table (i int, outcome smallint)
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform pg_advisory_xact_lock(7002, k.key) from (
        select distinct ('x' || encode(substr(a, 1, 4), 'hex'))::bit(32)::int as key
          from unnest(p_actor) as t(a) order by 1) k;
    for patient in 0 .. 1 loop
        begin
            return query select h.i, h.outcome from inventory_hold(
                p_site, p_variant, p_order, p_quantity, p_hint, p_has_keys, p_actor, p_expires,
                p_open_limit, p_share_bps, patient = 1) h;
            return;
        exception when sqlstate 'KM002' then
            null;
        end;
    end loop;
end $$;

-- Whether nothing but the stock can refuse any of these wishes: keys for persons who each come once and stay
-- within three pieces and their number of open orders.
create or replace function inventory_is_plain(
    p_variant bigint[], p_quantity int[], p_has_keys boolean[], p_actor bytea[], p_open_limit int[])
returns boolean language plpgsql stable set search_path = public, pg_temp as $$
begin
    if false = any (p_has_keys) or 3 < any (p_quantity) then
        return false;
    end if;
    return (select count(distinct a) from unnest(p_actor) a) = cardinality(p_actor)
       and not exists (
            select 1 from unnest(p_variant, p_quantity, p_actor, p_open_limit)
                          as t(variant, quantity, actor, open_limit),
              lateral (select count(*) as orders,
                              coalesce(sum(r.count) filter (where r.variant_id = t.variant), 0) as pieces
                         from inventory_reservation r where r.actor_digest = t.actor) h
             where h.orders >= t.open_limit or h.pieces + t.quantity > 3);
end $$;

-- The wishes of inventory_reserve: together where that is plain, else one by one, keys before counted
-- stock. Call with the persons locked.
create or replace function inventory_hold(
    p_site bigint[], p_variant bigint[], p_order bigint[], p_quantity int[], p_hint bigint[],
    p_has_keys boolean[], p_actor bytea[], p_expires timestamptz[], p_open_limit int[],
    p_share_bps int[], p_patient boolean)
returns table (i int, outcome smallint)
language plpgsql volatile set search_path = public, pg_temp as $$
declare
    wish record;
    held_orders bigint;
    held_pieces bigint;
    need bigint;
    stock bigint;
    ok boolean;
begin
    if not p_patient and inventory_is_plain(
        p_variant, p_quantity, p_has_keys, p_actor, p_open_limit)
    then
        return query
        with claimed as materialized (
            select c.i, c.claimed from inventory_claim_free(
                p_variant, p_order, p_quantity, p_hint, p_has_keys, 1::smallint) c
        ), kept as (
            insert into inventory_reservation
                (order_id, site_id, variant_id, count, holds_keys, actor_digest, expires_at)
            select t.order_id, t.site, t.variant, t.quantity, true, t.actor, t.expires
              from unnest(p_order, p_site, p_variant, p_quantity, p_actor, p_expires) with ordinality
                   as t(order_id, site, variant, quantity, actor, expires, k)
              join claimed c on c.i = t.k and c.claimed
        )
        select c.i, case when c.claimed then 0 else 1 end::smallint from claimed c;
        return;
    end if;
    for wish in
        select t.*, t.number::int as n
          from unnest(p_site, p_variant, p_order, p_quantity, p_hint, p_has_keys, p_actor, p_expires,
                      p_open_limit, p_share_bps) with ordinality
               as t(site, variant, order_id, quantity, hint, has_keys, actor, expires, open_limit,
                    share, number)
         order by not t.has_keys, t.variant, t.number
    loop
        i := wish.n;
        select count(*), coalesce(sum(r.count) filter (where r.variant_id = wish.variant), 0)
          into held_orders, held_pieces
          from inventory_reservation r where r.actor_digest = wish.actor;
        outcome := 0;
        if held_orders >= wish.open_limit then
            outcome := 2;
        elsif held_pieces + wish.quantity > 3 then
            need := ceil((held_pieces + wish.quantity) * 10000.0 / wish.share) - held_pieces;
            if wish.has_keys then
                select count(*) into stock from (
                    select 1 from inventory_cardkey c
                     where c.variant_id = wish.variant and c.state = 0 limit need) s;
            else  -- what is not counted has no end
                select coalesce((select l.available_count::bigint from inventory_stocklevel l
                                  where l.variant_id = wish.variant), need) into stock;
            end if;
            if stock < wish.quantity then
                outcome := 1;
            elsif stock < need then
                outcome := 2;
            end if;
        end if;
        if outcome = 0 then
            if p_patient then
                select c.claimed into ok from inventory_claim_patiently(
                    array[wish.variant], array[wish.order_id], array[wish.quantity],
                    array[wish.has_keys], 1::smallint) c;
            else
                select c.claimed into ok from inventory_claim_free(
                    array[wish.variant], array[wish.order_id], array[wish.quantity],
                    array[wish.hint], array[wish.has_keys], 1::smallint) c;
            end if;
            if ok then
                insert into inventory_reservation
                    (order_id, site_id, variant_id, count, holds_keys, actor_digest, expires_at)
                values (wish.order_id, wish.site, wish.variant, wish.quantity, wish.has_keys,
                        wish.actor, wish.expires);
            else
                outcome := 1;
            end if;
        end if;
        return next;
    end loop;
end $$;

-- Where a key belongs that comes back: on the shelf (0), or out of sale (3) when its batch was withdrawn
-- meanwhile. A batch that is withdrawn at this very moment is settled by who withdraws it.
create or replace function inventory_place_of(p_batch bigint)
returns smallint language sql stable set search_path = public, pg_temp as $$
    select (case when b.withdrawn_at is null then 0 else 3 end)::smallint
      from inventory_cardbatch b where b.id = p_batch;
$$;

-- Give back what unpaid orders hold. Call with the orders locked.
create or replace function inventory_release(p_order bigint[])
returns int language plpgsql security definer set search_path = public, pg_temp as $$
declare
    freed int;
begin
    update inventory_cardkey c set state = inventory_place_of(c.batch_id), order_id = null
     where c.order_id = any (p_order) and c.state = 1;
    get diagnostics freed = row_count;
    delete from inventory_reservation r where r.order_id = any (p_order);
    perform inventory_return_counted(p_order);
    return freed;
end $$;

-- Turn what one order holds into a sale; the number of keys sold. Call with the order locked.
create or replace function inventory_sell_reserved(p_order bigint)
returns table (held boolean, keys int)
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    delete from inventory_reservation r where r.order_id = p_order;
    held := found;
    update inventory_cardkey c set state = 2, sold_at = now()
     where c.order_id = p_order and c.state = 1;
    get diagnostics keys = row_count;
    return next;
end $$;

-- The keys that an order bought (sold ones), in order; for the page of its buyer.
create or replace function inventory_keys_of(p_order bigint)
returns table (key_id bigint, owner_site bigint, secret bytea)
language sql stable security definer set search_path = public, pg_temp as $$
    select c.id, c.site_id, c.secret from inventory_cardkey c
     where c.order_id = p_order and c.state = 2 order by c.id;
$$;

-- Replace one faulty key of an order by the next unsold one: the old one is never sold again.
-- Answers the new key, or null when the key is not the order's or nothing is in stock.
create or replace function inventory_replace_key(p_order bigint, p_key bigint)
returns bigint language plpgsql security definer set search_path = public, pg_temp as $$
declare
    v_variant bigint;
    v_ok boolean;
    v_position bigint;
begin
    update inventory_cardkey c set state = 4
     where c.id = p_key and c.order_id = p_order and c.state = 2
    returning c.variant_id into v_variant;
    if not found then
        return null;
    end if;
    select c.claimed, c.last_position into v_ok, v_position from inventory_claim(
        array[v_variant], array[p_order], array[1], array[0::bigint], array[true], 2::smallint) c;
    if not v_ok then
        update inventory_cardkey c set state = 2 where c.id = p_key;
        return null;
    end if;
    return v_position;
end $$;

-- Keys of a refunded order: back where they belong when the buyer never saw them, otherwise void.
create or replace function inventory_take_back(p_order bigint, p_resell boolean)
returns int language plpgsql security definer set search_path = public, pg_temp as $$
declare
    moved int;
begin
    if p_resell then
        update inventory_cardkey c
           set state = inventory_place_of(c.batch_id), order_id = null, sold_at = null
         where c.order_id = p_order and c.state = 2;
    else
        update inventory_cardkey c set state = 4 where c.order_id = p_order and c.state = 2;
    end if;
    get diagnostics moved = row_count;
    return moved;
end $$;

-- The same for a batch of orders: turn what they hold into sales. One row for each order that held
-- something. Call with the orders locked.
create or replace function inventory_sell_held(p_order bigint[])
returns table (order_id bigint, keys int)
language plpgsql set search_path = public, pg_temp as $$
#variable_conflict use_column
begin
    return query
    with gone as (
        delete from inventory_reservation r where r.order_id = any (p_order) returning r.order_id
    ), sold as (
        update inventory_cardkey c set state = 2, sold_at = now()
         where c.order_id = any (p_order) and c.state = 1 returning c.order_id
    )
    select g.order_id, (select count(*) from sold s where s.order_id = g.order_id)::int from gone g;
end $$;
