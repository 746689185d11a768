"""Opening a child site by the link of an invitation: free, at once, in one transaction.

No order and no payment: nobody is paid for bringing somebody in (ADR 0043, 0045).
"""

from dataclasses import dataclass

from django.db import transaction

from kameng.accounts.errors import PasswordTooShort, UserNotFound
from kameng.accounts.selectors import find_owner_id, find_staff_user
from kameng.accounts.services.opening import Opening, open_child_site
from kameng.core.audit import Actor
from kameng.core.events import publish
from kameng.core.scope import platform_scope
from kameng.orders.events import SiteOpened
from kameng.orders.services.buying_plans import NewShop
from kameng.tenancy.child_invitations import find_child_invitation, use_child_invitation
from kameng.tenancy.errors import ChildInvitationNotFound
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import branch_host, site_scope


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitedShop:
    """A child site that an invitation opened, and the user who owns it."""

    site: Site
    owner_id: int


def open_invited(token: str, *, shop: NewShop, ip: str) -> InvitedShop:
    """Open a child site below who made the link, for a new owner or a user who is signed in.

    A refused try leaves the link as it was. Raises `ChildInvitationNotFound`, `UplineNotOpen`,
    `ChildrenForbidden`, `ChildrenFull`, `SlugInvalid`, `SlugTaken`, `HostTaken`, and the refusals
    of a name, a login, a password. Publishes `SiteOpened`. Shares the upline's selling, then locks:
    reservation, upline, invitation.
    """
    invitation = find_child_invitation(token)
    if invitation is None or invitation.used_at is not None:
        raise ChildInvitationNotFound
    actor = Actor(kind="guest", name=shop.name[:20], ip=ip)
    opening = _opening(shop)
    with platform_scope("an invitation opens a child site"), transaction.atomic():
        site = open_child_site(opening, upline_id=invitation.site_id, actor=actor)
        use_child_invitation(invitation, child_id=site.id, actor=actor)
        with site_scope(site.id):
            publish(SiteOpened(site_id=site.id, subject_id=site.id, template=shop.template))
            owner_id = find_owner_id()
    return InvitedShop(site=site, owner_id=owner_id or 0)


def _opening(shop: NewShop) -> Opening:
    login = shop.owner_login
    if shop.user_id is not None:
        user = find_staff_user(shop.user_id)
        if user is None:
            raise UserNotFound
        login = user.login
    elif not shop.owner_password:
        raise PasswordTooShort  # without one the login of somebody else would do
    return Opening(
        slug=shop.slug,
        name=shop.name,
        host=branch_host(shop.slug),
        plan_id=None,
        owner_login=login,
        owner_password="" if shop.user_id is not None else shop.owner_password,
    )
