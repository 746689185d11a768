-- A child buys through a sub-site of the same main site that is no child itself and never has children:
-- one level, whoever writes. Its plan is its upline's, so that one wholesale price stands for both.
-- Locks the upline (for share): it does not become a child, close or change its plan meanwhile.
create or replace function tenancy_guard_upline()
returns trigger language plpgsql set search_path = public, pg_temp as $$
declare
    v_plan bigint;
begin
    select u.plan_id into v_plan from tenancy_site u
     where u.id = new.upline_id and u.kind = 2 and u.upline_id is null
       and u.parent_id is not distinct from new.parent_id
       for share;
    if not found or exists (select 1 from tenancy_site c where c.upline_id = new.id) then
        raise exception 'tenancy: a child site has one level above it and none below'
            using errcode = '23514', constraint = 'tenancy_one_level';
    end if;
    new.plan_id := v_plan;
    return new;
end $$;
create or replace trigger tenancy_guard_upline before insert or update of upline_id, plan_id, parent_id
    on tenancy_site for each row when (new.upline_id is not null)
    execute function tenancy_guard_upline();

-- What moves a sub-site's wholesale price, its terms for children or whether it sells moves its children's
-- catalogues. Locks them, ascending, behind it.
create or replace function tenancy_move_children()
returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform 1 from tenancy_site c where c.upline_id = new.id order by c.id for no key update;
    update tenancy_site c set plan_id = new.plan_id, catalogue_version = c.catalogue_version + 1
     where c.upline_id = new.id;
    return null;
end $$;
create or replace trigger tenancy_move_children
    after update of plan_id, state, child_markup_bps, child_minimum_amount on tenancy_site
    for each row when (new.upline_id is null and new.kind = 2)
    execute function tenancy_move_children();
