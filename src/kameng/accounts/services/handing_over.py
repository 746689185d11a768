"""Handing a site over to another person: offered by a link, accepted once, all roles at once.

Promises that an offer ends in one way, by one compare-and-set, whoever comes first: accepted,
withdrawn, declined or expired; and that a site has an owner at every moment. What else passes over
or must not (money, payout accounts) is decided above (`settlement.services.handing_over`).
"""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction

from kameng.accounts import errors
from kameng.accounts.events import OfferMoved
from kameng.accounts.models import OfferState, Role, Session, SiteOffer, SiteRole, User
from kameng.accounts.rules import OFFER_DAYS, clean_staff_login
from kameng.accounts.services.staff import lock_roles
from kameng.accounts.services.standing import end_links_by, may_offer, standing_of
from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.events import publish
from kameng.core.ids import new_token, token_digest
from kameng.core.scope import require_site_id
from kameng.tenancy.selectors import get_site


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """An offer just made; `token` stands in its link and is stored nowhere."""

    offer: SiteOffer
    token: str

    def __repr__(self) -> str:
        return f"Offered({self.offer.id})"


def offer_site(*, receiver: str, reason: str, is_by_platform: bool, actor: Actor) -> Offered:
    """Offer the site in force to a login, whether it has an account yet or not; audited.

    An offer that stands is withdrawn by the new one. Raises `MainSiteOffered`,
    `StaffLoginInvalid`, `OfferToOwner`, `RoleBeyond` for who has not all that an owner has. Locks
    the roles of the site.
    """
    site_id = require_site_id()
    login = clean_staff_login(receiver)
    if login is None:
        raise errors.StaffLoginInvalid
    if get_site(site_id).is_main:
        raise errors.MainSiteOffered
    token = new_token()
    with transaction.atomic():
        roles = lock_roles(site_id)
        if not may_offer(standing_of(actor.actor_id or 0)):
            raise errors.RoleBeyond  # a role that may only offer would make itself the owner
        owner_ids = {role.user_id for role in roles if role.role == Role.OWNER}
        if User.objects.filter(login=login, id__in=owner_ids).exists():
            raise errors.OfferToOwner
        _end_open(OfferState.WITHDRAWN)
        offer: SiteOffer = SiteOffer.objects.create(
            site_id=site_id,
            token_digest=token_digest(token),
            receiver_login=login,
            reason=reason[:200],
            offered_by=actor.name[:100],
            offered_by_id=actor.actor_id or 0,
            is_by_platform=is_by_platform,
            expires_at=clock.now() + dt.timedelta(days=OFFER_DAYS),
        )
        _record("site.offered", offer, actor, detail={"to": login, "reason": reason[:200]})
        _tell(offer, "offered")
    return Offered(offer=offer, token=token)


def withdraw_offer(*, actor: Actor) -> None:
    """Take back the offer of the site in force. Raises `OfferGone` when none stands any more."""
    with transaction.atomic():
        offer = find_open_offer()
        if offer is None or not _end_open(OfferState.WITHDRAWN):
            raise errors.OfferGone
        _record("site.offer.withdrawn", offer, actor)
        _tell(offer, "offer_withdrawn")


def decline_offer(token: str, *, actor: Actor) -> None:
    """Say no to an offer of the site in force. Raises `OfferGone`."""
    with transaction.atomic():
        offer = open_offer(token)
        if not _take(offer, OfferState.DECLINED):
            raise errors.OfferGone
        _record("site.offer.declined", offer, actor)
        _tell(offer, "offer_declined")


def accept_offer(
    token: str, *, user_id: int, keeps_manager: bool, actor: Actor
) -> tuple[SiteOffer, list[User]]:
    """Make a user the only owner of the site in force; return the offer and who owned it before.

    Call inside the transaction of all that passes over. Who owned it becomes a manager or leaves,
    and is signed out here in both cases. Raises `OfferGone`, also when who offered is no longer an
    owner, and `OfferForAnother`. Locks the roles, then one statement ends the offer.
    """
    site_id = require_site_id()
    offer = open_offer(token)
    user = User.objects.filter(id=user_id, is_active=True).first()
    if user is None or user.login != offer.receiver_login:
        raise errors.OfferForAnother
    owners = [role for role in lock_roles(site_id) if role.role == Role.OWNER]
    if not may_offer(standing_of(offer.offered_by_id)):
        raise errors.OfferGone
    if not _take(offer, OfferState.ACCEPTED, receiver_id=user_id, keeps_manager=keeps_manager):
        raise errors.OfferGone
    old_ids = [role.user_id for role in owners if role.user_id != user_id]
    rows = SiteRole.objects.filter(user_id__in=old_ids)
    if keeps_manager:
        rows.update(role=Role.MANAGER)
    else:
        rows.delete()
    SiteRole.objects.update_or_create(
        site_id=site_id,
        user_id=user_id,
        defaults={"role": Role.OWNER, "custom_role": None, "suspended_at": None},
    )
    Session.objects.filter(user_id__in=old_ids).delete()
    end_links_by(old_ids, actor=actor)
    detail = {"from": sorted(old_ids), "to": user_id, "keeps_manager": keeps_manager}
    _record("site.handed_over", offer, actor, detail=detail)
    return offer, list(User.objects.filter(id__in=old_ids).order_by("id"))


def open_offer(token: str) -> SiteOffer:
    """Return the offer of the site in force that a link opens. Raises `OfferGone`."""
    offer: SiteOffer | None = SiteOffer.objects.filter(
        token_digest=token_digest(token), state=OfferState.OPEN, expires_at__gt=clock.now()
    ).first()
    if offer is None:
        raise errors.OfferGone
    return offer


def find_open_offer() -> SiteOffer | None:
    """Return the offer of the site in force that stands, or None."""
    rows = SiteOffer.objects.filter(state=OfferState.OPEN, expires_at__gt=clock.now())
    found: SiteOffer | None = rows.first()
    return found


def list_offers(limit: int = 20) -> list[SiteOffer]:
    """Return the offers of the site in force, newest first; one past its time reads EXPIRED."""
    rows = list(SiteOffer.objects.order_by("-id")[:limit])
    for row in rows:
        if row.state == OfferState.OPEN and row.expires_at <= clock.now():
            row.state = OfferState.EXPIRED
    return rows


def find_user_by_login(login: str) -> User | None:
    """Return the active member of staff who signs in with a clean login, or None."""
    return User.objects.filter(login=login, is_active=True).first()


def _take(offer: SiteOffer, state: OfferState, **values: object) -> bool:
    """End an offer that still stands: the one statement that decides between two who come."""
    rows = SiteOffer.objects.filter(id=offer.id, state=OfferState.OPEN, expires_at__gt=clock.now())
    return bool(rows.update(state=state, ended_at=clock.now(), **values))


def _end_open(state: OfferState) -> bool:
    """End the offer that stands, one that is past its time as expired."""
    now, rows = clock.now(), SiteOffer.objects.filter(state=OfferState.OPEN)
    rows.filter(expires_at__lte=now).update(state=OfferState.EXPIRED, ended_at=now)
    return bool(rows.update(state=state, ended_at=now))


def _tell(offer: SiteOffer, what: str) -> None:
    """Let the owner be told of what the main site does with the shop; his own acts he knows."""
    if not offer.is_by_platform:
        return
    publish(
        OfferMoved(
            site_id=offer.site_id,
            subject_id=offer.id,
            what=what,
            to=offer.receiver_login,
            reason=offer.reason,
        )
    )


def _record(
    action: str, offer: SiteOffer, actor: Actor, *, detail: dict[str, object] | None = None
) -> None:
    record(
        action, actor=actor, site_id=offer.site_id, subject=("offer", offer.id), detail=detail or {}
    )
