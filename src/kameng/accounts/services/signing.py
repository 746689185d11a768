"""Signing in and out. One answer and one amount of work for every kind of wrong.

A permit (`risk.services.admit_sign_in`) is required, so an attempt that was not counted cannot be
made. Call outside a transaction: hashing is slow.
"""

from django.db import transaction

from kameng.accounts import errors
from kameng.accounts.hashing import check_password, hash_password
from kameng.accounts.models import Customer, OfferState, SiteOffer, SiteRole, User
from kameng.accounts.permits import SignInPermit
from kameng.accounts.rules import clean_login, clean_staff_login
from kameng.accounts.selectors import digest_login
from kameng.accounts.services.sessions import SignedIn, close_session, open_session
from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import platform_scope
from kameng.tenancy.selectors import get_site


def sign_in_customer(permit: SignInPermit, *, password: str, previous_token: str = "") -> SignedIn:
    """Open a session for a customer of this site. Raises `SignInRefused`, whatever was wrong."""
    login = clean_login(permit.login)
    customer = None
    if login is not None:
        digest = digest_login(login, site_id=permit.site_id)
        customer = Customer.objects.filter(login_digest=digest).first()
    is_right, is_weak = check_password(password, customer.password if customer else None)
    if customer is None or not is_right or not customer.is_active:
        raise errors.SignInRefused
    values: dict[str, object] = {"last_signed_in_at": clock.now()}
    if is_weak:
        values["password"] = hash_password(password)
    with transaction.atomic():
        Customer.objects.filter(id=customer.id).update(**values)
        return open_session(
            permit,
            name=customer.nickname,
            customer_id=customer.id,
            previous_token=previous_token,
        )


def sign_in_staff(permit: SignInPermit, *, password: str, previous_token: str = "") -> SignedIn:
    """Open a session for a member of staff who has a part in this site, or in any, on the main one.

    Raises `SignInRefused`, whatever was wrong: login, password, switched off, no role here.
    """
    login = clean_staff_login(permit.login)
    user = User.objects.filter(login=login).first() if login is not None else None
    is_right, is_weak = check_password(password, user.password if user else None)
    if user is None or not is_right or not user.is_active:
        raise errors.SignInRefused
    # Asked behind a right password only: its queries would tell by their time that a login exists.
    if not _has_part(user, site_id=permit.site_id):
        raise errors.SignInRefused
    values: dict[str, object] = {"last_signed_in_at": clock.now()}
    if is_weak:
        values["password"] = hash_password(password)
    with transaction.atomic():
        User.objects.filter(id=user.id).update(**values)
        signed_in = open_session(
            permit, name=user.display_name, user_id=user.id, previous_token=previous_token
        )
        record(
            "staff.signed_in",
            actor=Actor(kind="user", actor_id=user.id, name=user.display_name, ip=permit.ip),
            site_id=permit.site_id,
            subject=("user", user.id),
        )
    return signed_in


def open_session_of_customer(
    permit: SignInPermit, *, customer: Customer, previous_token: str = ""
) -> SignedIn:
    """Open a session for a customer who has just registered or proved a contact."""
    return open_session(
        permit, name=customer.nickname, customer_id=customer.id, previous_token=previous_token
    )


def open_session_of_staff(
    permit: SignInPermit, *, user_id: int, previous_token: str = ""
) -> SignedIn:
    """Open a session for the owner of a shop just opened, who proved it by the order; audited.

    Raises `SignInRefused` for a user who is switched off.
    """
    user = User.objects.filter(id=user_id, is_active=True).first()
    if user is None:
        raise errors.SignInRefused
    with transaction.atomic():
        User.objects.filter(id=user.id).update(last_signed_in_at=clock.now())
        signed_in = open_session(
            permit, name=user.display_name, user_id=user.id, previous_token=previous_token
        )
        record(
            "staff.signed_in",
            actor=Actor(kind="user", actor_id=user.id, name=user.display_name, ip=permit.ip),
            site_id=permit.site_id,
            subject=("user", user.id),
            detail={"by": "opening"},
        )
    return signed_in


def sign_out(token: str) -> None:
    """End the session of this browser."""
    close_session(token)


def _has_part(user: User, *, site_id: int) -> bool:
    """Tell whether a user may come in here: platform staff anywhere, others where they have a role.

    On the main site a role on any site will do: who runs several shops finds them all there. Who
    was offered the site comes in to accept it.
    """
    if user.is_platform or SiteRole.objects.filter(user_id=user.id).exists():
        return True
    offers = SiteOffer.objects.filter(receiver_login=user.login, state=OfferState.OPEN)
    if offers.filter(expires_at__gt=clock.now()).exists():
        return True
    with platform_scope("an operator signs in on the main site"):
        return get_site(site_id).is_main and SiteRole.unscoped.filter(user_id=user.id).exists()
