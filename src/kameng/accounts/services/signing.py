"""Signing in and out. One answer and one amount of work for every kind of wrong.

A permit (`risk.services.admit_sign_in`) is required, so an attempt that was not counted cannot be
made. Call outside a transaction: hashing is slow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction

from kameng.accounts import errors
from kameng.accounts.hashing import check_password, hash_password
from kameng.accounts.models import Customer, OfferState, SiteOffer, SiteRole, User
from kameng.accounts.passkeys import Place
from kameng.accounts.permits import SignInPermit
from kameng.accounts.rules import clean_login, clean_staff_login
from kameng.accounts.selectors import digest_login
from kameng.accounts.services.devices import is_trusted, note_device
from kameng.accounts.services.passkeys import prove_passkey
from kameng.accounts.services.second_factors import has_second_factor, use_code
from kameng.accounts.services.sessions import (
    SignedIn,
    close_session,
    confirm_session,
    open_session,
)
from kameng.accounts.services.steps import (
    CONFIRM,
    SECOND,
    SIGN_IN,
    begin_step,
    get_step,
    take_step,
)
from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import platform_scope, require_site_id
from kameng.tenancy.selectors import get_site


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyProof:
    """What a browser answered to a passkey's challenge, and where."""

    step_token: str
    place: Place
    answer: Mapping[str, Any]

    def prove(self, purpose: str) -> User:
        """Return the person; the challenge is used up. Raises `StepOver`, `PasskeyWrong`."""
        step = take_step(self.step_token, purpose=purpose)
        return prove_passkey(step, place=self.place, answer=self.answer)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """What a browser sent with a sign-in: its earlier session, the cookie that makes it known."""

    previous_token: str = ""
    device_token: str = ""
    trust_days: int = 0  # for how long it need not show a second factor again


def check_staff_password(permit: SignInPermit, *, password: str) -> User:
    """Return the active member of staff whose login and password these are.

    Raises `SignInRefused`, whatever was wrong.
    """
    login = clean_staff_login(permit.login)
    user = User.objects.filter(login=login).first() if login is not None else None
    is_right, is_weak = check_password(password, user.password if user else None)
    if user is None or not is_right or not user.is_active:
        raise errors.SignInRefused
    if is_weak:
        encoded = hash_password(password)
        # Only in place of the hash that was checked: the password may just have been changed.
        User.objects.filter(id=user.id, password=user.password).update(password=encoded)
    return user


def sign_in_staff(
    permit: SignInPermit, *, password: str, previous_token: str = "", device_token: str = ""
) -> SignedIn:
    """Open a session for a member of staff who has a part in this site, or in any, on the main one.

    Raises `SignInRefused`, whatever was wrong: login, password, switched off, no role here. Raises
    `SecondStepNeeded` with a step's token for who has a second factor, unless the device is
    trusted: no session exists before the second step.
    """
    user = check_staff_password(permit, password=password)
    # Asked behind a right password only: its queries would tell by their time that a login exists.
    if not _has_part(user, site_id=permit.site_id):
        raise errors.SignInRefused
    if has_second_factor(user.id) and not is_trusted(user.id, token=device_token):
        raise errors.SecondStepNeeded(begin_step(SECOND, user_id=user.id))
    browser = Browser(previous_token=previous_token, device_token=device_token)
    return _enter(permit, user=user, browser=browser, way="password")


def finish_by_code(
    permit: SignInPermit, *, step_token: str, code: str, browser: Browser
) -> SignedIn:
    """Finish a sign-in by a code of the app or a recovery code.

    Raises `StepOver`, `SecondFactorWrong`. A wrong code leaves the step open; callers count.
    """
    user = find_step_user(step_token)
    actor = Actor(kind="user", actor_id=user.id, name=user.display_name, ip=permit.ip)
    way = use_code(user.id, code=code, actor=actor)
    take_step(step_token, purpose=SECOND)
    return _enter(permit, user=user, browser=browser, way=way)


def finish_by_passkey(
    permit: SignInPermit, *, step_token: str, proof: PasskeyProof, browser: Browser
) -> SignedIn:
    """Finish a sign-in by a passkey of the same person. Raises `StepOver`, `PasskeyWrong`."""
    user = find_step_user(step_token)
    if proof.prove(CONFIRM).id != user.id:
        raise errors.PasskeyWrong
    take_step(step_token, purpose=SECOND)
    return _enter(permit, user=user, browser=browser, way="passkey")


def sign_in_by_passkey(permit: SignInPermit, *, proof: PasskeyProof, browser: Browser) -> SignedIn:
    """Open a session by a passkey alone: the device has verified the person.

    Raises `StepOver`, `PasskeyWrong`, and `SignInRefused` for who has no part here.
    """
    user = proof.prove(SIGN_IN)
    if not _has_part(user, site_id=permit.site_id):
        raise errors.SignInRefused
    return _enter(permit, user=user, browser=browser, way="passkey")


def confirm_by_code(user_id: int, *, code: str, token: str, actor: Actor) -> SignedIn:
    """Make a session young anew by a code of the second factor; it gets another token.

    Raises `SecondFactorWrong`, `SessionNotFound`. Callers count.
    """
    way = use_code(user_id, code=code, actor=actor)
    return _confirm(user_id, way=way, token=token, actor=actor)


def confirm_by_passkey(user_id: int, *, proof: PasskeyProof, token: str, actor: Actor) -> SignedIn:
    """Make a session young anew by a passkey of its person. Raises `StepOver`, `PasskeyWrong`."""
    if proof.prove(CONFIRM).id != user_id:
        raise errors.PasskeyWrong
    return _confirm(user_id, way="passkey", token=token, actor=actor)


def find_step_user(step_token: str) -> User:
    """Return who has given the password of an open second step. Raises `StepOver`."""
    step = get_step(step_token, purpose=SECOND)
    user = User.objects.filter(id=step.user_id or 0, is_active=True).first()
    if user is None:
        raise errors.StepOver
    return user


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


def _confirm(user_id: int, *, way: str, token: str, actor: Actor) -> SignedIn:
    with transaction.atomic():
        signed_in = confirm_session(token)
        if signed_in.user_id != user_id:
            raise errors.SessionNotFound
        record(
            "staff.confirmed",
            actor=actor,
            site_id=require_site_id(),
            subject=("user", user_id),
            detail={"way": way},
        )
    return signed_in


def _enter(permit: SignInPermit, *, user: User, browser: Browser, way: str) -> SignedIn:
    with transaction.atomic():
        User.objects.filter(id=user.id).update(last_signed_in_at=clock.now())
        signed_in = open_session(
            permit,
            name=user.display_name,
            user_id=user.id,
            previous_token=browser.previous_token,
        )
        device_token = note_device(
            permit, user_id=user.id, token=browser.device_token, trust_days=browser.trust_days
        )
        record(
            "staff.signed_in",
            actor=Actor(kind="user", actor_id=user.id, name=user.display_name, ip=permit.ip),
            site_id=permit.site_id,
            subject=("user", user.id),
            detail={} if way == "password" else {"way": way},
        )
    return replace(signed_in, device_token=device_token)


def _has_part(user: User, *, site_id: int) -> bool:
    """Tell whether a user may come in here: platform staff anywhere, others where they have a role.

    On the main site a role on any site will do: who runs several shops finds them all there. A
    suspended role is none. Who was offered the site comes in to accept it.
    """
    mine = {"user_id": user.id, "suspended_at__isnull": True}
    if user.is_platform or SiteRole.objects.filter(**mine).exists():
        return True
    offers = SiteOffer.objects.filter(receiver_login=user.login, state=OfferState.OPEN)
    if offers.filter(expires_at__gt=clock.now()).exists():
        return True
    with platform_scope("an operator signs in on the main site"):
        return get_site(site_id).is_main and SiteRole.unscoped.filter(**mine).exists()
