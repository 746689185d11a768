"""Invitations to open a child site: a link of a sub-site, for one person, once, until it expires.

It costs nothing and earns nothing: who invites earns by what the child sells (ADR 0043). Only the
digest of a link is stored. An open invitation holds no place: the limits are taken when the child
is opened, under the lock of the upline (`children.create_child`).
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.ids import new_token, token_digest
from kameng.core.scope import platform_scope, require_site_id
from kameng.tenancy import errors
from kameng.tenancy.children import lock_upline, read_room, require_open_upline
from kameng.tenancy.models import ChildInvitation
from kameng.tenancy.services import lock_site

DAYS: Final = (1, 3, 7, 14)
NOTE_CHARS: Final = 40
TOKEN_MAX: Final = 64
SHOWN_MOST: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitedChild:
    """An invitation with its link's token, which is shown once and stored nowhere."""

    invitation: ChildInvitation
    token: str


def invite_child(*, note: str, days: int, actor: Actor) -> InvitedChild:
    """Make a link with which somebody opens a child of the site in force, within `days`.

    Raises `UplineNotOpen`, `ChildOfChild`, `ChildrenForbidden`, and `ChildrenFull` when children
    and open links fill the plan already. Shares the site's selling, then locks the site.
    """
    site_id = require_site_id()
    token, span = new_token(), days if days in DAYS else max(DAYS)
    with transaction.atomic():
        require_open_upline(site_id)
        lock_upline(site_id)
        room = read_room(site_id)
        if not room.is_allowed or not room.most:
            raise errors.ChildrenForbidden
        if room.count + open_child_invitations().count() >= room.most:
            raise errors.ChildrenFull(most=room.most)
        invitation: ChildInvitation = ChildInvitation.objects.create(
            site_id=site_id,
            token_digest=token_digest(token),
            note=" ".join(note.split())[:NOTE_CHARS],
            invited_by=actor.name[:64],
            expires_at=clock.now() + dt.timedelta(days=span),
        )
        _record("child.invited", invitation, actor=actor)
    return InvitedChild(invitation=invitation, token=token)


def withdraw_child_invitation(invitation_id: int, *, actor: Actor) -> None:
    """Make a link of the site in force open nothing; raises `ChildInvitationNotFound`.

    Expired ones may be withdrawn too: that clears them away.
    """
    rows = ChildInvitation.objects.filter(
        id=invitation_id, used_at__isnull=True, withdrawn_at__isnull=True
    )
    with transaction.atomic():
        if not rows.update(withdrawn_at=clock.now()):
            raise errors.ChildInvitationNotFound
        invitation = ChildInvitation.objects.get(id=invitation_id)
        _record("child.invitation.withdrawn", invitation, actor=actor)


def end_child_invitations(*, actor: Actor) -> None:
    """Withdraw every link of the site in force that opens: its former owner made them.

    Call inside the transaction in which the site changes hands. Locks the site, then the links, as
    who opens a child by one does.
    """
    lock_site(require_site_id())
    for row in open_child_invitations().order_by("id"):
        rows = ChildInvitation.objects.filter(id=row.id, used_at__isnull=True)
        if rows.filter(withdrawn_at__isnull=True).update(withdrawn_at=clock.now()):
            _record("child.invitation.withdrawn", row, actor=actor)


def open_child_invitations() -> QuerySet[ChildInvitation]:
    """Return the query of invitations of the site in force whose links open."""
    rows: QuerySet[ChildInvitation] = ChildInvitation.objects.filter(
        used_at__isnull=True, withdrawn_at__isnull=True, expires_at__gt=clock.now()
    )
    return rows


def list_child_invitations() -> Sequence[ChildInvitation]:
    """Return the invitations of the site in force that were not withdrawn, the newest first."""
    rows = ChildInvitation.objects.filter(withdrawn_at__isnull=True).select_related("child")
    return list(rows.order_by("-id")[:SHOWN_MOST])


def find_child_invitation(token: str) -> ChildInvitation | None:
    """Return the invitation that a link names, used ones too; None when it opens nothing.

    Of whichever site: the link is opened on the main site's host.
    """
    if not token or len(token) > TOKEN_MAX:
        return None
    with platform_scope("a link of an invitation names its site"):
        found: ChildInvitation | None = (
            ChildInvitation.unscoped.select_related("site", "child")
            .filter(token_digest=token_digest(token), withdrawn_at__isnull=True)
            .first()
        )
    if found is None or (found.used_at is None and found.expires_at <= clock.now()):
        return None
    return found


def use_child_invitation(invitation: ChildInvitation, *, child_id: int, actor: Actor) -> None:
    """Use a link up for the child it opened: one conditional UPDATE, so of many one gets it.

    Call in the transaction that opens the child, in a platform scope. Raises
    `ChildInvitationNotFound`.
    """
    now = clock.now()
    rows = ChildInvitation.unscoped.filter(
        id=invitation.id, used_at__isnull=True, withdrawn_at__isnull=True, expires_at__gt=now
    )
    if not rows.update(used_at=now, child_id=child_id):
        raise errors.ChildInvitationNotFound
    _record("child.invitation.used", invitation, actor=actor)


def _record(action: str, invitation: ChildInvitation, *, actor: Actor) -> None:
    record(
        action,
        actor=actor,
        site_id=invitation.site_id,
        subject=("child_invitation", invitation.id),
        detail={"note": invitation.note},
    )
