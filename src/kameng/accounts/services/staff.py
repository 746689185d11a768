"""Staff: users, their roles on sites, switching them off. Every act is audited.

Who may do it is decided by the face (`staff.manage`, `sites.manage`). A site never loses its last
owner, the platform never its last administrator.
"""

from dataclasses import dataclass

from django.db import IntegrityError, transaction

from kameng.accounts import errors
from kameng.accounts.hashing import check_password
from kameng.accounts.models import Role, Session, SiteRole, User
from kameng.accounts.rules import clean_nickname, clean_staff_login
from kameng.accounts.services.passwords import hash_new_password
from kameng.core.audit import Actor, record
from kameng.core.ids import token_digest
from kameng.core.scope import current_scope, platform_scope, require_site_id


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


def grant_role(*, user_id: int, role: str, actor: Actor) -> SiteRole:
    """Give a user this role on the site in force, in place of an earlier one.

    Raises `UserNotFound`, `RoleUnknown`, `LastOwner`.
    """
    site_id = require_site_id()
    if role not in Role.values:
        raise errors.RoleUnknown
    with transaction.atomic():
        roles = lock_roles(site_id)
        if not User.objects.filter(id=user_id, is_active=True).exists():
            raise errors.UserNotFound
        if role != Role.OWNER:
            _keep_an_owner(roles, without_user_id=user_id)
        granted: SiteRole = SiteRole.objects.update_or_create(
            site_id=site_id, user_id=user_id, defaults={"role": role}
        )[0]
        record(
            "staff.role.granted",
            actor=actor,
            site_id=site_id,
            subject=("user", user_id),
            detail={"role": role},
        )
    return granted


def revoke_role(*, user_id: int, actor: Actor) -> None:
    """Take a user's role on the site in force away; effective at the next request.

    Raises `UserNotFound` when there is none, `LastOwner`.
    """
    site_id = require_site_id()
    with transaction.atomic():
        roles = lock_roles(site_id)
        _keep_an_owner(roles, without_user_id=user_id)
        gone, _ = SiteRole.objects.filter(user_id=user_id).delete()
        if not gone:
            raise errors.UserNotFound
        Session.objects.filter(user_id=user_id).delete()
        record("staff.role.revoked", actor=actor, site_id=site_id, subject=("user", user_id))


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
    rows = SiteRole.objects.filter(site_id=site_id).order_by("id")
    return list(rows.select_for_update())


def lock_platform_users() -> list[int]:
    """Lock the active administrators of the platform; return their ids in order."""
    rows = User.objects.filter(is_platform=True, is_active=True).order_by("id")
    return [user.id for user in rows.select_for_update()]


def _keep_an_owner(roles: list[SiteRole], *, without_user_id: int) -> None:
    owners = {role.user_id for role in roles if role.role == Role.OWNER}
    if owners == {without_user_id}:
        raise errors.LastOwner


def _set_password(user_id: int, *, encoded: str, keep_token: str, actor: Actor) -> None:
    with platform_scope("end the sessions of a user on every site"), transaction.atomic():
        User.objects.filter(id=user_id).update(password=encoded)
        others = Session.unscoped.filter(user_id=user_id)
        if keep_token:
            others = others.exclude(token_digest=token_digest(keep_token))
        others.delete()
        record("staff.password.changed", actor=actor, site_id=None, subject=("user", user_id))
