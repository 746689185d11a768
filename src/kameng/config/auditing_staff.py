"""The checks of `kameng audit` on staff: roles, invitations, second factors, remembered devices."""

from collections.abc import Iterator

from kameng.accounts.rules import (
    DEVICE_DAYS,
    GIVABLE,
    PASSKEYS_MOST,
    RECOVERY_CODES,
    ROLE_PERMISSIONS,
)
from kameng.config.audit_rows import read_rows


def roles() -> Iterator[str]:
    """I44: a role gives what a site may give and is of the site where it is held; each sub-site
    that has staff and is not closed has an owner who can act, or whom the platform keeps out.
    """
    for row in read_rows(
        """
        select s.slug, c.name, array_to_string(c.permissions, ' ')
          from accounts_customrole c left join tenancy_site s on s.id = c.site_id
         where s.id is null or cardinality(c.permissions) = 0
            or not c.permissions::text[] <@ %s::text[]
        """,
        (sorted(GIVABLE),),
    ):
        yield f"site {row[0]}: role {row[1]!r} gives what no site can give, or nothing: {row[2]}"
    for table in ("accounts_siterole", "accounts_invitation"):
        for row in read_rows(
            f"""
            select r.site_id, r.id, r.role, c.site_id from {table} r
              left join accounts_customrole c on c.id = r.custom_role_id
             where not r.role = any (%s) or c.id is not null and c.site_id <> r.site_id
            """,  # noqa: S608 - two names from above
            (sorted(ROLE_PERMISSIONS),),
        ):
            yield f"site {row[0]}: {table} {row[1]} holds role {row[2]!r} of site {row[3]}"
    for row in read_rows(
        # Whom the platform has switched off stays the owner: its log says so, or it was not done.
        """
        select s.slug from tenancy_site s
         where s.parent_id is not null and s.state <> 3
           and exists (select 1 from accounts_siterole r where r.site_id = s.id)
           and not exists (select 1 from accounts_siterole r
                             join accounts_user u on u.id = r.user_id
                            where r.site_id = s.id and r.role = 'owner'
                              and r.suspended_at is null
                              and (u.is_active
                                   or (select e.action from core_auditentry e
                                        where e.subject_kind = 'user' and e.subject_id = u.id::text
                                          and e.action in ('staff.activated', 'staff.deactivated')
                                        order by e.id desc limit 1) = 'staff.deactivated'))
        """
    ):
        yield f"site {row[0]}: it has no owner who can act, or whom the platform switched off"


def invitations() -> Iterator[str]:
    """I45: an invitation was used once, in time, by one person, who got its place."""
    for row in read_rows(
        """
        select i.site_id, i.id, n.count from accounts_invitation i
          cross join lateral (
            select count(*) from core_auditentry e
             where e.subject_kind = 'invitation' and e.subject_id = i.id::text
               and e.site_id = i.site_id and e.action = 'staff.joined') n
         where n.count <> (i.used_at is not null)::int
        """
    ):
        yield f"site {row[0]}: invitation {row[1]} was used {row[2]} times, which it does not say"
    for row in read_rows(
        # Two clocks write these times: the server's and the program's.
        """
        select i.site_id, i.id from accounts_invitation i
         where i.used_at > i.expires_at
            or least(i.used_at, i.withdrawn_at) < i.created_at - interval '5 minutes'
        """
    ):
        yield f"site {row[0]}: invitation {row[1]} was used or withdrawn out of its time"
    for row in read_rows(
        """
        select i.site_id, i.id, i.used_by_id from accounts_invitation i
         where i.used_at is not null
           and not exists (select 1 from accounts_siterole r
                            where r.site_id = i.site_id and r.user_id = i.used_by_id)
           and not exists (select 1 from core_auditentry e
                            where e.site_id = i.site_id
                              and e.created_at >= i.used_at - interval '5 minutes'
                              and (e.action = 'site.handed_over'
                                   or e.action = 'staff.role.revoked' and e.subject_kind = 'user'
                                      and e.subject_id = i.used_by_id::text))
        """
    ):
        yield f"site {row[0]}: invitation {row[1]} was used by user {row[2]}, who has no place"


def second_factors() -> Iterator[str]:
    """I46: recovery codes were used once each, by who has a factor; app codes and passkeys keep
    to their bounds; a device is trusted only for a factor, and not for longer than any rule says.
    """
    has_factor = """(exists (select 1 from accounts_totp t
                              where t.user_id = {0}.user_id and t.confirmed_at is not null)
                     or exists (select 1 from accounts_passkey p where p.user_id = {0}.user_id))"""
    for row in read_rows(
        f"""
        select c.user_id, count(*), count(c.used_at), n.count from accounts_recoverycode c
          cross join lateral (
            select count(*) from core_auditentry e
             where e.subject_kind = 'user' and e.subject_id = c.user_id::text
               and e.action = 'staff.recovery.used'
               and e.created_at >= (select min(o.created_at) from accounts_recoverycode o
                                     where o.user_id = c.user_id)) n
         group by c.user_id, n.count
        having count(*) > %s or count(c.used_at) <> n.count
            or not bool_and({has_factor.format("c")})
        """,  # noqa: S608 - a constant from above
        (RECOVERY_CODES,),
    ):
        yield f"user {row[0]}: of {row[1]} recovery codes {row[2]} are used, the log says {row[3]}"
    for row in read_rows(
        """
        select t.user_id, t.last_step from accounts_totp t
         where t.last_step > extract(epoch from now())::bigint / 30 + 2
            or t.confirmed_at is not null and t.last_step = 0
        """
    ):
        yield f"user {row[0]}: the app's last step {row[1]} was never used, or is to come"
    for row in read_rows(
        """
        select p.user_id, count(*) from accounts_passkey p
         group by p.user_id having count(*) > %s or min(p.sign_count) < 0 or bool_or(p.rp_id = '')
        """,
        (PASSKEYS_MOST,),
    ):
        yield f"user {row[0]}: {row[1]} passkeys, more than there may be, or one of no host"
    for row in read_rows(
        f"""
        select d.site_id, d.user_id from accounts_device d
         where d.trusted_until > d.seen_at + make_interval(days => %s, mins => 1)
            or d.trusted_until > now() and not {has_factor.format("d")}
        """,  # noqa: S608 - a constant from above
        (max(DEVICE_DAYS),),
    ):
        yield f"site {row[0]}: a device of user {row[1]} is trusted for too long or for no factor"
