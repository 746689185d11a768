-- Share the selling of sites until the end of the transaction: who opens something new there (orders, a
-- top-up, a balance) comes through here, so that completing a closing (tenancy_seal_selling) waits for
-- what began before it, and what comes later sees its outcome. Advisory, class 7003 (core/locks.py).
create or replace function tenancy_share_selling(p_site bigint[])
returns void language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared(7003, s.id::int)
       from (select distinct u.id from unnest(p_site) u(id) order by u.id) s;
end $$;

-- The same for one site, with its state as buyers see it, as it is under the lock; null without the site.
create or replace function tenancy_hold_state(p_site bigint)
returns smallint language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared(7003, p_site::int);
    return (select r.state from tenancy_site_row(p_site) r);
end $$;

-- Keep everybody else out of the selling of a site until the end of the transaction.
create or replace function tenancy_seal_selling(p_site bigint)
returns void language plpgsql as $$
begin
    perform pg_advisory_xact_lock(7003, p_site::int);
end $$;
