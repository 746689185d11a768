"""Staff: users, their roles on sites, switching them off. Every act is audited.

Who may do it is decided by the face (`staff.manage`, `sites.manage`). A site never loses its last
owner, the platform never its last administrator.
"""

from dataclasses import dataclass

from django.db import IntegrityError, transaction

from kameng.accounts import errors
from kameng.accounts.events import SecurityChanged
from kameng.accounts.hashing import check_password
from kameng.accounts.models import CustomRole, Role, Session, SiteRole, User
from kameng.accounts.rules import clean_nickname, clean_staff_login, may_give, permissions_of
from kameng.accounts.services.devices import distrust_devices
from kameng.accounts.services.passwords import hash_new_password
from kameng.accounts.services.standing import (
    end_links_by,
    find_membership,
    membership_permissions,
)
from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.events import publish
from kameng.core.ids import token_digest
from kameng.core.scope import current_scope, platform_scope, require_site_id
from kameng.tenancy.selectors import get_limits


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """A member of staff to be written; `encoded` is the hash of the password."""

    login: str
    display_name: str
    encoded: str
    is_platform: bool = False


def create_user(
    *, login_text: str, display_name: str, password: str, is_platform: bool, actor: Actor
) -> User:
    """Make a member of staff, who may do nothing until a role is granted (or is platform staff).

    Raises `StaffLoginInvalid`, `StaffLoginTaken`, `NicknameInvalid` or a refusal of the password.
    """
    login = clean_staff_login(login_text)
    if login is None:
        raise errors.StaffLoginInvalid
    name = clean_nickname(display_name)
    if not name:
        raise errors.NicknameInvalid
    encoded = hash_new_password(password, login=login)
    user = NewUser(login=login, display_name=name, encoded=encoded, is_platform=is_platform)
    with transaction.atomic():
        return insert_user(user, actor=actor)


def prepare_user(*, login_text: str, password: str) -> NewUser:
    """Check and hash what somebody chose who is to own a shop, before anything is written.

    Raises `StaffLoginInvalid`, `StaffLoginTaken` or a refusal of the password. Hashing is slow:
    call outside a transaction.
    """
    login = clean_staff_login(login_text)
    if login is None:
        raise errors.StaffLoginInvalid
    if User.objects.filter(login=login).exists():
        raise errors.StaffLoginTaken
    encoded = hash_new_password(password, login=login)
    return NewUser(login=login, display_name=login.partition("@")[0][:20], encoded=encoded)


def insert_user(new: NewUser, *, actor: Actor) -> User:
    """Write a checked user; call inside a transaction. Raises `StaffLoginTaken`."""
    try:
        with transaction.atomic():
            user = User.objects.create(
                login=new.login,
                display_name=new.display_name,
                password=new.encoded,
                is_platform=new.is_platform,
            )
    except IntegrityError as fault:
        raise errors.StaffLoginTaken from fault
    record(
        "staff.created",
        actor=actor,
        site_id=current_scope().site_id,
        subject=("user", user.id),
        detail={"login": new.login, "is_platform": new.is_platform},
    )
    return user


def grant_role(
    *,
    user_id: int,
    role: str,
    actor: Actor,
    custom_role_id: int | None = None,
    holder: frozenset[str] | None = None,
) -> SiteRole:
    """Give a user this role on the site in force, in place of an earlier one.

    `holder` is all that who gives it may do there (None: an act of the program): nobody gives or
    takes more. Raises `UserNotFound`, `RoleUnknown`, `CustomRoleNotFound`, `LastOwner`,
    `RoleBeyond`, `MemberBeyond`, and `StaffFull` for a newcomer whom the plan has no place for.
    """
    site_id = require_site_id()
    with transaction.atomic():
        roles = lock_roles(site_id)
        wanted = permissions_given(role, custom_role_id=custom_role_id)
        if holder is not None and not may_give(holder, wanted=wanted):
            raise errors.RoleBeyond
        if not User.objects.filter(id=user_id, is_active=True).exists():
            raise errors.UserNotFound
        _require_within(user_id, holder=holder)
        if role != Role.OWNER:
            _keep_an_owner(roles, without_user_id=user_id)
        if all(each.user_id != user_id for each in roles):
            require_place(site_id)
        granted: SiteRole = SiteRole.objects.update_or_create(
            site_id=site_id,
            user_id=user_id,
            defaults={"role": role, "custom_role_id": custom_role_id},
        )[0]
        end_links_by([user_id], actor=actor)
        record(
            "staff.role.granted",
            actor=actor,
            site_id=site_id,
            subject=("user", user_id),
            detail={"role": role}
            | ({"custom_role_id": custom_role_id} if custom_role_id is not None else {}),
        )
    return granted


def revoke_role(*, user_id: int, actor: Actor, holder: frozenset[str] | None = None) -> None:
    """Take a user's role on the site in force away; effective at the next request.

    Raises `UserNotFound` when there is none, `LastOwner`, `MemberBeyond`.
    """
    site_id = require_site_id()
    with transaction.atomic():
        roles = lock_roles(site_id)
        _require_within(user_id, holder=holder)
        _keep_an_owner(roles, without_user_id=user_id)
        gone, _ = SiteRole.objects.filter(user_id=user_id).delete()
        if not gone:
            raise errors.UserNotFound
        Session.objects.filter(user_id=user_id).delete()
        end_links_by([user_id], actor=actor)
        record("staff.role.revoked", actor=actor, site_id=site_id, subject=("user", user_id))


def set_role_suspended(
    *, user_id: int, is_suspended: bool, actor: Actor, holder: frozenset[str] | None = None
) -> None:
    """Let a member's role on the site in force rest, or give it back; from the next request on.

    Sessions on this site end. Raises `UserNotFound`, `LastOwner`, `MemberBeyond`,
    `OneselfSuspended`.
    """
    site_id = require_site_id()
    if is_suspended and actor.kind == "user" and actor.actor_id == user_id:
        raise errors.OneselfSuspended
    with transaction.atomic():
        roles = lock_roles(site_id)
        _require_within(user_id, holder=holder)
        if is_suspended:
            _keep_an_owner(roles, without_user_id=user_id)
        member = SiteRole.objects.filter(user_id=user_id)
        if not member.exists():
            raise errors.UserNotFound
        changed = member.filter(suspended_at__isnull=is_suspended).update(
            suspended_at=clock.now() if is_suspended else None
        )
        if not changed:
            return  # it is so already: nothing to tell
        if is_suspended:
            Session.objects.filter(user_id=user_id).delete()
            end_links_by([user_id], actor=actor)
        record(
            "staff.suspended" if is_suspended else "staff.resumed",
            actor=actor,
            site_id=site_id,
            subject=("user", user_id),
        )


def permissions_given(role: str, *, custom_role_id: int | None) -> frozenset[str]:
    """Return what a role to be given would give, and keep a custom one from being deleted.

    In a transaction. Raises `RoleUnknown`, `CustomRoleNotFound`.
    """
    if role not in Role.values or (role == Role.CUSTOM) != (custom_role_id is not None):
        raise errors.RoleUnknown
    if custom_role_id is None:
        return permissions_of(role)
    row = lock_custom_role(custom_role_id)
    return permissions_of(role, custom=frozenset(row.permissions))


def lock_custom_role(role_id: int) -> CustomRole:
    """Lock one role of the site in force, in a transaction; raises `CustomRoleNotFound`.

    Who gives a role takes the same lock, so that it is not deleted meanwhile.
    """
    role: CustomRole | None = (
        CustomRole.objects.select_for_update(no_key=True).filter(id=role_id).first()
    )
    if role is None:
        raise errors.CustomRoleNotFound
    return role


def require_place(site_id: int, *, more: int = 0) -> None:
    """Refuse when the plan has no place for one more besides `more`; under `lock_roles`.

    The first member is the owner, who does not count. Raises `StaffFull`.
    """
    most = get_limits(site_id).staff_most
    if most is not None and SiteRole.objects.count() + more > most:
        raise errors.StaffFull(most=most)


def _require_within(user_id: int, *, holder: frozenset[str] | None) -> None:
    """Refuse to touch a member who may do more than who acts."""
    if holder is None:
        return
    if not may_give(holder, wanted=membership_permissions(find_membership(user_id))):
        raise errors.MemberBeyond


def set_user_active(user_id: int, *, is_active: bool, actor: Actor) -> None:
    """Let a user in again or switch one off everywhere; effective at the next request.

    Raises `UserNotFound`, `LastPlatformUser`.
    """
    with platform_scope("switch a user on or off, on every site"), transaction.atomic():
        others = lock_platform_users()
        if not is_active and others == [user_id]:
            raise errors.LastPlatformUser
        if not User.objects.filter(id=user_id).update(is_active=is_active):
            raise errors.UserNotFound
        if not is_active:
            Session.unscoped.filter(user_id=user_id).delete()
        record(
            "staff.activated" if is_active else "staff.deactivated",
            actor=actor,
            site_id=None,
            subject=("user", user_id),
        )


def change_staff_password(
    user_id: int, *, old_password: str, new_password: str, keep_token: str
) -> None:
    """Change one's own password; every other session, on every site, ends.

    Raises `PasswordWrong` or a refusal of the new one. Callers count attempts (`risk`).
    """
    user = User.objects.filter(id=user_id).first()
    if user is None:
        raise errors.UserNotFound
    if not check_password(old_password, user.password)[0]:
        raise errors.PasswordWrong
    encoded = hash_new_password(new_password, login=user.login)
    actor = Actor(kind="user", actor_id=user.id, name=user.display_name)
    _set_password(user_id, encoded=encoded, keep_token=keep_token, actor=actor)


def set_staff_password(user_id: int, *, new_password: str, actor: Actor) -> None:
    """Give a member of staff a new password; every session of theirs ends."""
    user = User.objects.filter(id=user_id).first()
    if user is None:
        raise errors.UserNotFound
    encoded = hash_new_password(new_password, login=user.login)
    _set_password(user_id, encoded=encoded, keep_token="", actor=actor)


def lock_roles(site_id: int) -> list[SiteRole]:
    """Lock the roles of a site in the order of their ids, so that its last owner is seen once."""
    rows = SiteRole.objects.filter(site_id=site_id).select_related("user").order_by("id")
    return list(rows.select_for_update(of=("self",)))


def lock_platform_users() -> list[int]:
    """Lock the active administrators of the platform; return their ids in order."""
    rows = User.objects.filter(is_platform=True, is_active=True).order_by("id")
    return [user.id for user in rows.select_for_update()]


def _keep_an_owner(roles: list[SiteRole], *, without_user_id: int) -> None:
    """Refuse to take the last owner who can act, or the last whom the platform keeps out."""
    owners = [each for each in roles if each.role == Role.OWNER and each.suspended_at is None]
    acting = {each.user_id for each in owners if each.user.is_active}
    if {without_user_id} in ({each.user_id for each in owners}, acting):
        raise errors.LastOwner


def _set_password(user_id: int, *, encoded: str, keep_token: str, actor: Actor) -> None:
    site_id = current_scope().site_id
    with platform_scope("end the sessions of a user on every site"), transaction.atomic():
        User.objects.filter(id=user_id).update(password=encoded)
        others = Session.unscoped.filter(user_id=user_id)
        if keep_token:
            others = others.exclude(token_digest=token_digest(keep_token))
        others.delete()
        distrust_devices(user_id)
        record("staff.password.changed", actor=actor, site_id=None, subject=("user", user_id))
        if site_id is not None:  # the command line acts for no site, and tells nobody
            publish(
                SecurityChanged(site_id=site_id, subject_id=user_id, what="password", ip=actor.ip)
            )
