"""Roles that a site makes for itself. Every act is audited and counts from the next request on.

Nobody gives what they do not have: `holder` is all that the person may do on the site, and a role
that holds more can neither be made nor changed nor deleted by them.
"""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.db.models import F

from kameng.accounts import errors
from kameng.accounts.models import CustomRole, Invitation, SiteRole
from kameng.accounts.rules import CUSTOM_MOST, GIVABLE, clean_nickname, may_give
from kameng.accounts.services.staff import lock_custom_role, lock_roles
from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import require_site_id

NAMED_MOST = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleWish:
    """What a role shall be called and give."""

    name: str
    note: str
    permissions: frozenset[str]


def make_custom_role(wish: RoleWish, *, holder: frozenset[str], actor: Actor) -> CustomRole:
    """Make a role of the site in force.

    Raises `NicknameInvalid`, `CustomRoleEmpty`, `RoleBeyond`, `CustomRoleNameTaken`,
    `CustomRolesFull`.
    """
    site_id = require_site_id()
    _check(wish, holder=holder)
    with transaction.atomic():
        lock_roles(site_id)  # or two at once would pass the limit together
        if CustomRole.objects.count() >= CUSTOM_MOST:
            raise errors.CustomRolesFull(most=CUSTOM_MOST)
        try:
            with transaction.atomic():
                role: CustomRole = CustomRole.objects.create(site_id=site_id, **_values(wish))
        except IntegrityError as fault:
            raise errors.CustomRoleNameTaken from fault
        _record("staff.role.made", role, wish, actor=actor)
    return role


def change_custom_role(
    role_id: int, *, wish: RoleWish, holder: frozenset[str], actor: Actor
) -> CustomRole:
    """Change a role for all who have it, from their next request on. Raises as making it does."""
    _check(wish, holder=holder)
    with transaction.atomic():
        role = lock_custom_role(role_id)
        if not may_give(holder, wanted=frozenset(role.permissions) & GIVABLE):
            raise errors.RoleBeyond
        try:
            with transaction.atomic():
                CustomRole.objects.filter(id=role_id).update(**_values(wish))
        except IntegrityError as fault:
            raise errors.CustomRoleNameTaken from fault
        _record("staff.role.changed", role, wish, actor=actor)
    return role


def delete_custom_role(role_id: int, *, holder: frozenset[str], actor: Actor) -> None:
    """Delete a role that nobody has and no open invitation names.

    Raises `CustomRoleInUse` (with who), `RoleBeyond`, `CustomRoleNotFound`.
    """
    with transaction.atomic():
        role = lock_custom_role(role_id)
        if not may_give(holder, wanted=frozenset(role.permissions) & GIVABLE):
            raise errors.RoleBeyond
        who = list_holders(role_id)
        if who:
            raise errors.CustomRoleInUse(who=_name_some(who))
        # Links that are over keep their line in the list, under the role that gives nothing.
        Invitation.objects.filter(custom_role_id=role_id).update(role="viewer", custom_role=None)
        CustomRole.objects.filter(id=role_id).delete()
        record(
            "staff.role.deleted",
            actor=actor,
            site_id=role.site_id,
            subject=("custom_role", role_id),
            detail={"name": role.name},
        )


def list_holders(role_id: int) -> list[str]:
    """Return the names of who has a role, and of open invitations to it."""
    rows = SiteRole.objects.filter(custom_role_id=role_id).order_by("id")
    names = list(rows.values_list("user__display_name", flat=True))
    open_ones = Invitation.objects.filter(
        custom_role_id=role_id,
        used_at__isnull=True,
        withdrawn_at__isnull=True,
        expires_at__gt=clock.now(),
    )
    return names + [
        name or login or "…"
        for name, login in open_ones.order_by(F("id")).values_list("name", "login")
    ]


def _check(wish: RoleWish, *, holder: frozenset[str]) -> None:
    if not clean_nickname(wish.name):
        raise errors.NicknameInvalid
    if not wish.permissions:
        raise errors.CustomRoleEmpty
    if not wish.permissions <= GIVABLE or not may_give(holder, wanted=wish.permissions):
        raise errors.RoleBeyond


def _values(wish: RoleWish) -> dict[str, object]:
    return {
        "name": clean_nickname(wish.name),
        "note": wish.note[:80],
        "permissions": sorted(wish.permissions),
    }


def _record(action: str, role: CustomRole, wish: RoleWish, *, actor: Actor) -> None:
    record(
        action,
        actor=actor,
        site_id=role.site_id,
        subject=("custom_role", role.id),
        detail={"name": clean_nickname(wish.name), "permissions": sorted(wish.permissions)},
    )


def _name_some(names: Collection[str]) -> str:
    shown = list(names)[:NAMED_MOST]
    return "、".join(shown) + ("…" if len(names) > NAMED_MOST else "")
