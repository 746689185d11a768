"""Staff of one site, as its owner manages them: inviting, a new first password.

An owner's power ends at the site: the password of someone who also works elsewhere, or runs the
platform, is not the owner's to set, because it would open the other doors too.
"""

from django.db import transaction

from kameng.accounts import errors
from kameng.accounts.models import Role, SiteRole, User
from kameng.accounts.services.staff import create_user, grant_role, set_staff_password
from kameng.core.audit import Actor
from kameng.core.scope import platform_scope, require_site_id


def invite_staff(
    *, login_text: str, display_name: str, password: str, role: str, actor: Actor
) -> User:
    """Make a user with a role on the site in force: both, or nothing.

    Raises what `create_user` and `grant_role` raise.
    """
    if role not in Role.values:
        raise errors.RoleUnknown
    with transaction.atomic():
        user = create_user(
            login_text=login_text,
            display_name=display_name,
            password=password,
            is_platform=False,
            actor=actor,
        )
        grant_role(user_id=user.id, role=role, actor=actor)
    return user


def reset_site_password(user_id: int, *, new_password: str, actor: Actor) -> User:
    """Give someone who works on the site in force, and only there, a new password.

    Raises `UserNotFound` for who does not work here, `StaffOfOthers` for who works elsewhere too.
    """
    site_id = require_site_id()
    with platform_scope("where else does a member of staff work"):
        site_ids = set(SiteRole.unscoped.filter(user_id=user_id).values_list("site_id", flat=True))
    user = User.objects.filter(id=user_id).first()
    if user is None or site_id not in site_ids:
        raise errors.UserNotFound
    if user.is_platform or len(site_ids) > 1:
        raise errors.StaffOfOthers
    set_staff_password(user_id, new_password=new_password, actor=actor)
    return user
