"""Sessions: a 192-bit token in the browser, its digest in the table, bound to one site.

A token opens nothing on another site, after its end, or after its person was switched off.
"""

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from kameng.accounts import errors
from kameng.accounts.models import Session
from kameng.accounts.people import Person
from kameng.accounts.permits import SignInPermit
from kameng.accounts.rules import STAFF_SESSION_SECONDS
from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.ids import new_token, token_digest
from kameng.core.scope import platform_scope, require_site_id

HANDLE_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A session just opened; `token` is for the cookie and is stored nowhere."""

    token: str
    seconds: int
    name: str
    customer_id: int | None = None
    user_id: int | None = None
    device_token: str = ""  # of staff: for the cookie by which the browser is known


def open_session(
    permit: SignInPermit,
    *,
    name: str,
    customer_id: int | None = None,
    user_id: int | None = None,
    previous_token: str = "",
) -> SignedIn:
    """Open a session on the permit's site; the browser's earlier one ends (no fixation)."""
    close_session(previous_token)
    token = new_token()
    seconds = int(settings.SESSION_SECONDS)
    if user_id is not None:
        seconds = min(seconds, STAFF_SESSION_SECONDS)
    Session.objects.create(
        site_id=permit.site_id,
        token_digest=token_digest(token),
        customer_id=customer_id,
        user_id=user_id,
        expires_at=clock.now() + dt.timedelta(seconds=seconds),
        ip=permit.ip[:45],
        agent=permit.agent[:200],
    )
    return SignedIn(
        token=token, seconds=seconds, name=name, customer_id=customer_id, user_id=user_id
    )


def confirm_session(token: str) -> SignedIn:
    """Give a session whose person has just proved to be there again another token, young anew.

    Raises `SessionNotFound`.
    """
    return _replace_session(token, is_confirmed=True)


def renew_session(token: str) -> SignedIn:
    """Give a session of this site another token; whoever copied the old one holds nothing now.

    Raises `SessionNotFound`.
    """
    return _replace_session(token, is_confirmed=False)


def note_session_seen(token: str) -> None:
    """Note that a session of the site in force is used; callers do it every few minutes."""
    Session.objects.filter(token_digest=token_digest(token)).update(seen_at=clock.now())


def _replace_session(token: str, *, is_confirmed: bool) -> SignedIn:
    with transaction.atomic():
        old = Session.objects.filter(token_digest=token_digest(token)).first()
        if old is None:
            raise errors.SessionNotFound
        fresh = new_token()
        Session.objects.create(
            site_id=old.site_id,
            token_digest=token_digest(fresh),
            customer_id=old.customer_id,
            user_id=old.user_id,
            expires_at=old.expires_at,
            ip=old.ip,
            agent=old.agent,
            created_at=old.created_at,
            confirmed_at=clock.now() if is_confirmed else old.confirmed_at,
        )
        close_session(token)
    seconds = max(1, int((old.expires_at - clock.now()).total_seconds()))
    return SignedIn(
        token=fresh, seconds=seconds, name="", customer_id=old.customer_id, user_id=old.user_id
    )


def close_session(token: str) -> None:
    """End the session of a token, if it is one of this site."""
    if token:
        Session.objects.filter(token_digest=token_digest(token)).delete()


def close_other_sessions(person: Person, *, keep_token: str) -> int:
    """End all sessions of a person on this site but one; return how many ended."""
    others = _sessions_of(person).exclude(token_digest=token_digest(keep_token))
    return int(others.delete()[0])


def close_session_by_handle(person: Person, *, handle: str) -> None:
    """End one session that `selectors.list_sessions` showed. Raises `SessionNotFound`."""
    for session in _sessions_of(person):
        if bytes(session.token_digest)[:HANDLE_BYTES].hex() == handle:
            Session.objects.filter(token_digest=session.token_digest).delete()
            return
    raise errors.SessionNotFound


def close_member_session(user_id: int, *, handle: str, site_ids: set[int]) -> None:
    """End one session of a member of staff on one of these sites. Raises `SessionNotFound`."""
    with platform_scope("a manager ends a session of a member"):
        for session in Session.unscoped.filter(user_id=user_id, site_id__in=site_ids):
            if bytes(session.token_digest)[:HANDLE_BYTES].hex() == handle:
                Session.unscoped.filter(token_digest=session.token_digest).delete()
                return
    raise errors.SessionNotFound


def close_member_sessions(user_id: int, *, site_ids: set[int], actor: Actor) -> int:
    """End every session of a member of staff on these sites; return how many. Audited."""
    site_id = require_site_id()
    with transaction.atomic():
        with platform_scope("a manager ends the sessions of a member"):
            rows = Session.unscoped.filter(user_id=user_id, site_id__in=site_ids)
            count = int(rows.delete()[0])
        record(
            "staff.signed_out",
            actor=actor,
            site_id=site_id,
            subject=("user", user_id),
            detail={"count": count},
        )
    return count


def sweep_sessions() -> int:
    """Delete what has ended; return how many rows."""
    with platform_scope("sweep ended sessions"):
        return int(Session.unscoped.filter(expires_at__lt=clock.now()).delete()[0])


def _sessions_of(person: Person) -> QuerySet[Session]:
    return Session.objects.filter(customer_id=person.customer_id, user_id=person.user_id)
