"""Staff of one site, as its owner manages them: a ready account, a new first password.

An owner's power ends at the site: the password of someone who also works elsewhere, or runs the
platform, is not the owner's to set, because it would open the other doors too.
"""

from dataclasses import dataclass

from django.db import transaction

from kameng.accounts import errors
from kameng.accounts.models import SiteRole, User
from kameng.accounts.rules import may_give
from kameng.accounts.services.staff import (
    create_user,
    grant_role,
    set_staff_password,
)
from kameng.accounts.services.standing import find_membership, membership_permissions
from kameng.core.audit import Actor
from kameng.core.scope import platform_scope, require_site_id


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMember:
    """A member of staff to be made with a first password."""

    login_text: str
    display_name: str
    password: str
    role: str
    custom_role_id: int | None = None


def invite_staff(member: NewMember, *, actor: Actor, holder: frozenset[str] | None = None) -> User:
    """Make a user with a role on the site in force: both, or nothing.

    Raises what `create_user` and `grant_role` raise.
    """
    with transaction.atomic():
        user = create_user(
            login_text=member.login_text,
            display_name=member.display_name,
            password=member.password,
            is_platform=False,
            actor=actor,
        )
        grant_role(
            user_id=user.id,
            role=member.role,
            custom_role_id=member.custom_role_id,
            actor=actor,
            holder=holder,
        )
    return user


def reset_site_password(
    user_id: int, *, new_password: str, actor: Actor, holder: frozenset[str] | None = None
) -> User:
    """Give someone who works on the site in force, and only there, a new password.

    Raises `UserNotFound` for who does not work here, `StaffOfOthers` for who works elsewhere too,
    `MemberBeyond` for who may do more than who asks.
    """
    user = require_own_member(user_id, holder=holder)
    set_staff_password(user_id, new_password=new_password, actor=actor)
    return user


def require_own_member(user_id: int, *, holder: frozenset[str] | None) -> User:
    """Return a member whose account is this site's business alone. Raises as above."""
    user = User.objects.filter(id=user_id).first()
    if user is None or require_site_id() not in list_site_ids(user_id):
        raise errors.UserNotFound
    if not works_here_alone(user):
        raise errors.StaffOfOthers
    member = membership_permissions(find_membership(user_id))
    if holder is not None and not may_give(holder, wanted=member):
        raise errors.MemberBeyond
    return user


def works_here_alone(user: User) -> bool:
    """Tell whether a user works on the site in force and nowhere else."""
    return not user.is_platform and list_site_ids(user.id) == {require_site_id()}


def list_site_ids(user_id: int) -> set[int]:
    """Return the sites on which a user has a role."""
    with platform_scope("where else does a member of staff work"):
        return set(SiteRole.unscoped.filter(user_id=user_id).values_list("site_id", flat=True))
