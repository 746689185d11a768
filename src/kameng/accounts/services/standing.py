"""What a member of staff may do on the site in force at this moment, and links that outlive it.

Links that give something (invitations, the offer of a site) are worth what who made them could give
today: or who is removed, demoted or suspended would come back by a link of their own.
"""

from collections.abc import Iterable

from kameng.accounts.models import Invitation, OfferState, SiteOffer, SiteRole, User
from kameng.accounts.rules import GIVABLE, may_give, permissions_of
from kameng.core import clock
from kameng.core.audit import Actor, record

OWNER = permissions_of("owner")


def find_membership(user_id: int) -> SiteRole | None:
    """Return a user's role on the site in force with its custom role, or None."""
    found: SiteRole | None = (
        SiteRole.objects.select_related("custom_role").filter(user_id=user_id).first()
    )
    return found


def membership_permissions(row: SiteRole | Invitation | None) -> frozenset[str]:
    """Return what a member may do when the role is not suspended, or who is invited as one."""
    if row is None:
        return frozenset()
    custom = row.custom_role.permissions if row.custom_role is not None else ()
    return permissions_of(row.role, custom=frozenset(custom))


def standing_of(user_id: int) -> frozenset[str]:
    """Return all that a user may do on the site in force now; 0 is the program itself."""
    if user_id == 0:
        return GIVABLE
    user = User.objects.filter(id=user_id, is_active=True).first()
    if user is None:
        return frozenset()
    if user.is_platform:
        return GIVABLE
    row = find_membership(user_id)
    return frozenset() if row is None or row.suspended_at else membership_permissions(row)


def may_invite(standing: frozenset[str], *, wanted: frozenset[str]) -> bool:
    """Tell whether who may do this much may invite somebody to do so much."""
    return "staff.manage" in standing and may_give(standing, wanted=wanted)


def may_offer(standing: frozenset[str]) -> bool:
    """Tell whether who may do this much may offer the site: all that its next owner will have."""
    return may_give(standing, wanted=OWNER)


def end_links_by(user_ids: Iterable[int], *, actor: Actor) -> None:
    """Withdraw open invitations and the offer of users where they could not make them any more.

    In a transaction, under `lock_roles`, after the roles changed. Each is audited.
    """
    for user_id in user_ids:
        standing = standing_of(user_id)
        _end_invitations(user_id, standing, actor)
        if not may_offer(standing):
            _end_offer(user_id, actor)


def _end_invitations(user_id: int, standing: frozenset[str], actor: Actor) -> None:
    rows = Invitation.objects.filter(
        invited_by_id=user_id, used_at__isnull=True, withdrawn_at__isnull=True
    )
    for row in rows.select_related("custom_role").order_by("id"):
        if may_invite(standing, wanted=membership_permissions(row)):
            continue
        if not rows.filter(id=row.id).update(withdrawn_at=clock.now()):
            continue  # withdrawn by hand meanwhile
        record(
            "staff.invitation.withdrawn",
            actor=actor,
            site_id=row.site_id,
            subject=("invitation", row.id),
            detail={"role": row.role, "login": row.login, "inviter_id": user_id},
        )


def _end_offer(user_id: int, actor: Actor) -> None:
    rows = SiteOffer.objects.filter(offered_by_id=user_id, state=OfferState.OPEN)
    for row in rows:
        if rows.filter(id=row.id).update(state=OfferState.WITHDRAWN, ended_at=clock.now()):
            record(
                "site.offer.withdrawn", actor=actor, site_id=row.site_id, subject=("offer", row.id)
            )
