-- Try a one-time code: one UPDATE takes an attempt and, when the code is right, uses it up. A parallel
-- try waits for the row and then finds it used. Only the newest code of a contact counts.
create or replace function accounts_take_code(
    p_site bigint, p_purpose text, p_target bytea, p_code bytea)
returns boolean language plpgsql as $$
declare taken boolean;
begin
    update accounts_onetimecode c
       set attempts_left = c.attempts_left - 1,
           used_at = case when c.code_digest = p_code then now() end
     where c.id = (select n.id from accounts_onetimecode n
                    where n.site_id = p_site and n.purpose = p_purpose
                      and n.target_digest = p_target
                    order by n.id desc limit 1)
       and c.used_at is null and c.attempts_left > 0 and c.expires_at > now()
    returning c.used_at is not null into taken;
    return coalesce(taken, false);
end $$;
