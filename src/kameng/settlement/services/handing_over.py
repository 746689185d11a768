"""A site changes hands: the owner's role, and what of its money may not pass over with it.

Claims, prepaid balances and customers' balances stay with the site. Payout accounts and receivers
of shares are the former owner's and go; merchant accounts are switched off until the new owner
enters his own; verified details of who runs the shop are taken down; links that open child sites
below it open none any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from kameng.accounts.models import User
from kameng.accounts.services.handing_over import Offered, accept_offer, offer_site
from kameng.core.audit import Actor
from kameng.core.scope import require_site_id
from kameng.messaging.models import Audience
from kameng.messaging.rendering import render_mail
from kameng.messaging.services import EmailDraft, send_email
from kameng.payments.selectors import list_gateways
from kameng.payments.services.gateways import switch_gateway
from kameng.settlement import errors
from kameng.settlement.claims import Owner
from kameng.settlement.models import OwnerKind, Withdrawal
from kameng.settlement.rules import OPEN_STATES
from kameng.settlement.selectors import list_accounts, list_receivers
from kameng.settlement.services.accounts import remove_payout_account
from kameng.settlement.services.payees import lock_payee
from kameng.settlement.services.receivers import close_split_receiver
from kameng.tenancy.addresses import site_url
from kameng.tenancy.child_invitations import end_child_invitations
from kameng.tenancy.licensing import take_down_licence
from kameng.tenancy.selectors import get_site_view

LANGUAGE = "zh-hans"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeOver:
    """Who takes the site over by which link, and whether its former owner stays as manager."""

    token: str
    user: User
    keeps_manager: bool


def take_site_over(wish: TakeOver, *, actor: Actor) -> None:
    """Make who was offered the site in force its owner: all of it in one transaction; audited.

    The caller has proved the person. Raises `OfferGone`, `OfferForAnother`, `WithdrawalsOpen`. Both
    are told by e-mail. Locks: roles, offer, payee, gateways, site, links for child sites.
    """
    site_id = require_site_id()
    owner = Owner(kind=OwnerKind.SITE, owner_id=site_id)
    with transaction.atomic():
        offer, former = accept_offer(
            wish.token, user_id=wish.user.id, keeps_manager=wish.keeps_manager, actor=actor
        )
        lock_payee(owner)
        if count_open_withdrawals():
            raise errors.WithdrawalsOpen
        for account in list_accounts(owner):
            remove_payout_account(owner=owner, account_id=account.id, actor=actor)
        for receiver in list_receivers():
            close_split_receiver(receiver_id=receiver.id, actor=actor)
        for gateway in list_gateways():
            if gateway.site_id == site_id and gateway.is_enabled:
                switch_gateway(gateway_id=gateway.id, is_enabled=False, actor=actor)
        take_down_licence(actor=actor)
        end_child_invitations(actor=actor)
        _tell(former, wish, offer_id=offer.id)


def offer_site_to(receiver: str, *, reason: str, is_by_platform: bool, actor: Actor) -> Offered:
    """Offer the site in force to a login and mail the link there. Raises as `offer_site`."""
    with transaction.atomic():
        offered = offer_site(
            receiver=receiver, reason=reason, is_by_platform=is_by_platform, actor=actor
        )
        send_offer_link(offered)
    return offered


def send_offer_link(offered: Offered) -> None:
    """Mail the link of an offer of the site in force to who is asked, if the login is an address.

    Call inside a transaction, once for each offer.
    """
    offer, view = offered.offer, get_site_view(require_site_id())
    if "@" not in offer.receiver_login:
        return
    values = {
        "site_name": view.name,
        "offered_by": offer.offered_by,
        "reason": offer.reason,
        "until": f"{offer.expires_at.astimezone(view.settings.zone):%Y-%m-%d %H:%M}",
        "link": take_over_url(offered.token),
    }
    _send(offer.receiver_login, "site_offered", values, key=f"offer:{offer.id}")


def take_over_url(token: str) -> str:
    """Return the whole address under which an offer of the site in force is accepted."""
    return f"{site_url(require_site_id())}/console/take-over/{token}/"


def count_open_withdrawals() -> int:
    """Return how many withdrawals of the site in force have not come to their end."""
    return int(Withdrawal.objects.filter(state__in=[int(state) for state in OPEN_STATES]).count())


def _tell(former: list[User], wish: TakeOver, *, offer_id: int) -> None:
    view = get_site_view(require_site_id())
    for user, is_new in [(wish.user, True), *((each, False) for each in former)]:
        if "@" not in user.login:
            continue  # who signs in without an address hears it from the other
        values = {
            "site_name": view.name,
            "is_new": is_new,
            "receiver": wish.user.display_name,
            "keeps_manager": wish.keeps_manager,
        }
        _send(user.login, "site_handed_over", values, key=f"handed:{offer_id}:{user.id}")


def _send(to: str, name: str, values: Mapping[str, object], *, key: str) -> None:
    text = render_mail(name, values, language=LANGUAGE)
    draft = EmailDraft(
        site_id=require_site_id(),
        to=to,
        subject=text.subject,
        body=text.body,
        dedupe_key=key,
        audience=Audience.STAFF,
        language=LANGUAGE,
    )
    send_email([draft])
