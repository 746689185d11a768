"""Invitations: a link with which one person joins the staff of a site, once, until it expires.

Only the digest of a link is stored, so sending it again makes a new one and ends the old. The
limit of the plan is counted under the lock of the site's roles, at the moment of joining.
"""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from kameng.accounts import errors
from kameng.accounts.models import Invitation, User
from kameng.accounts.rules import (
    INVITATION_DAYS,
    OPEN_INVITATIONS_MOST,
    clean_nickname,
    clean_staff_login,
    may_give,
)
from kameng.accounts.services.passwords import hash_new_password
from kameng.accounts.services.staff import (
    NewUser,
    grant_role,
    insert_user,
    lock_roles,
    permissions_given,
    require_place,
)
from kameng.accounts.services.standing import find_membership, may_invite, standing_of
from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.ids import new_token, token_digest
from kameng.core.scope import require_site_id


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationWish:
    """Whom an invitation is for, as what, and for how many days it opens."""

    role: str
    custom_role_id: int | None = None
    login: str = ""
    name: str = ""
    days: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """An invitation with its link's token, which is shown and mailed and stored nowhere."""

    invitation: Invitation
    token: str


def make_invitation(wish: InvitationWish, *, holder: frozenset[str], actor: Actor) -> Invited:
    """Invite someone to the site in force.

    Raises `RoleUnknown`, `RoleBeyond`, `StaffLoginInvalid`, `InvitationsFull`, and `StaffFull` when
    members and open invitations fill the plan already.
    """
    site_id = require_site_id()
    login = clean_staff_login(wish.login) if wish.login else ""
    if login is None:
        raise errors.StaffLoginInvalid
    days = wish.days if wish.days in INVITATION_DAYS else max(INVITATION_DAYS)
    token = new_token()
    with transaction.atomic():
        lock_roles(site_id)
        wanted = permissions_given(wish.role, custom_role_id=wish.custom_role_id)
        if not may_give(holder, wanted=wanted):
            raise errors.RoleBeyond
        open_count = open_invitations().count()
        if open_count >= OPEN_INVITATIONS_MOST:
            raise errors.InvitationsFull
        require_place(site_id, more=open_count)
        invitation: Invitation = Invitation.objects.create(
            site_id=site_id,
            token_digest=token_digest(token),
            role=wish.role,
            custom_role_id=wish.custom_role_id,
            login=login,
            name=clean_nickname(wish.name),
            invited_by_id=actor.actor_id or 0,
            invited_by=actor.name[:64],
            expires_at=clock.now() + dt.timedelta(days=days),
        )
        _record("staff.invited", invitation, actor=actor)
    return Invited(invitation=invitation, token=token)


def resend_invitation(invitation_id: int, *, holder: frozenset[str], actor: Actor) -> Invited:
    """Make a new link for an invitation that was not used; the old one opens nothing any more.

    Raises `InvitationNotFound`, `RoleBeyond`.
    """
    token, now = new_token(), clock.now()
    with transaction.atomic():
        invitation = lock_invitation(invitation_id)
        if not may_give(
            holder,
            wanted=permissions_given(invitation.role, custom_role_id=invitation.custom_role_id),
        ):
            raise errors.RoleBeyond
        span = max(dt.timedelta(days=1), invitation.expires_at - invitation.created_at)
        invitation.token_digest = token_digest(token)
        invitation.invited_by_id = actor.actor_id or 0  # who answers for it from now on
        invitation.invited_by = actor.name[:64]
        invitation.created_at = now
        invitation.expires_at = now + min(span, dt.timedelta(days=max(INVITATION_DAYS)))
        invitation.save(
            update_fields=[
                "token_digest",
                "invited_by_id",
                "invited_by",
                "created_at",
                "expires_at",
            ]
        )
        _record("staff.invitation.sent_again", invitation, actor=actor)
    return Invited(invitation=invitation, token=token)


def withdraw_invitation(invitation_id: int, *, actor: Actor) -> None:
    """Make the link of an invitation open nothing. Raises `InvitationNotFound`."""
    with transaction.atomic():
        invitation = lock_invitation(invitation_id)
        Invitation.objects.filter(id=invitation_id).update(withdrawn_at=clock.now())
        _record("staff.invitation.withdrawn", invitation, actor=actor)


def accept_invitation(token: str, *, user_id: int, actor: Actor) -> Invitation:
    """Take the invitation's role for a user who exists.

    Raises `InvitationNotFound`, also when who invited may no longer do so, `MemberExists`,
    `StaffFull`, `UserNotFound`; then the link stays.
    """
    with transaction.atomic():
        lock_roles(require_site_id())  # before the link, as who sends one again does
        invitation = _take(token, user_id=user_id)
        _require_inviter(invitation)
        if find_membership(user_id) is not None:
            raise errors.MemberExists
        grant_role(
            user_id=user_id,
            role=invitation.role,
            custom_role_id=invitation.custom_role_id,
            actor=actor,
        )
        _record("staff.joined", invitation, actor=actor)
    return invitation


def join_by_invitation(
    token: str, *, login_text: str, display_name: str, password: str, ip: str
) -> User:
    """Make an account with the invitation's role: all of it, or nothing.

    Raises what `accept_invitation` raises, and the refusals of a login, a name, a password.
    """
    login, name = clean_staff_login(login_text), clean_nickname(display_name)
    if login is None:
        raise errors.StaffLoginInvalid
    if not name:
        raise errors.NicknameInvalid
    if not open_invitations().filter(token_digest=token_digest(token)).exists():
        raise errors.InvitationNotFound  # before the costly hash
    new = NewUser(login=login, display_name=name, encoded=hash_new_password(password, login=login))
    with transaction.atomic():
        user = insert_user(new, actor=Actor(kind="guest", name=name, ip=ip))
        actor = Actor(kind="user", actor_id=user.id, name=name, ip=ip)
        accept_invitation(token, user_id=user.id, actor=actor)
    return user


def lock_invitation(invitation_id: int) -> Invitation:
    """Lock an open or expired invitation, in a transaction; raises `InvitationNotFound`."""
    invitation: Invitation | None = (
        Invitation.objects.select_for_update(no_key=True)
        .filter(id=invitation_id, used_at__isnull=True, withdrawn_at__isnull=True)
        .first()
    )
    if invitation is None:
        raise errors.InvitationNotFound
    return invitation


def open_invitations() -> QuerySet[Invitation]:
    """Return the query of invitations of the site in force whose links open."""
    rows: QuerySet[Invitation] = Invitation.objects.filter(
        used_at__isnull=True, withdrawn_at__isnull=True, expires_at__gt=clock.now()
    )
    return rows


def _take(token: str, *, user_id: int) -> Invitation:
    """Use a link up: one conditional UPDATE, so of parallel clicks one gets it."""
    digest = token_digest(token)
    taken = open_invitations().filter(token_digest=digest)
    if not taken.update(used_at=clock.now(), used_by_id=user_id):
        raise errors.InvitationNotFound
    invitation: Invitation = Invitation.objects.get(token_digest=digest)
    return invitation


def _require_inviter(invitation: Invitation) -> None:
    """Refuse what who invited could not give today: removed, demoted, switched off, outgrown."""
    wanted = permissions_given(invitation.role, custom_role_id=invitation.custom_role_id)
    if not may_invite(standing_of(invitation.invited_by_id), wanted=wanted):
        raise errors.InvitationNotFound


def _record(action: str, invitation: Invitation, *, actor: Actor) -> None:
    record(
        action,
        actor=actor,
        site_id=invitation.site_id,
        subject=("invitation", invitation.id),
        detail={
            "role": invitation.role,
            "login": invitation.login,
            "custom_role_id": invitation.custom_role_id or 0,
        },
    )


__all__ = [
    "Invited",
    "InvitationWish",
    "accept_invitation",
    "join_by_invitation",
    "make_invitation",
    "open_invitations",
    "resend_invitation",
    "withdraw_invitation",
]
