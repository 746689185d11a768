"""Reads of people. Customers and roles are those of the site in force."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Q

from kameng.accounts import store
from kameng.accounts.errors import ApprovalNotFound, CustomerNotFound, UserNotFound
from kameng.accounts.models import Approval, ApprovalState, Customer, Session, SiteRole, User
from kameng.accounts.people import (
    GUEST,
    CustomerPerson,
    OpenedRequest,
    Person,
    StaffPerson,
)
from kameng.accounts.rules import (
    EMAIL,
    ROLE_PERMISSIONS,
    Login,
    clean_login,
    clean_staff_login,
    mask_contact,
)
from kameng.core import clock
from kameng.core.crypto import binding, blind_digest, decrypt_text
from kameng.core.ids import new_token, token_digest
from kameng.core.scope import platform_scope, require_site_id
from kameng.tenancy.selectors import site_view, stamped_view

SITE_COLUMN_COUNT = 17
PAGE_SIZE = 50
ROWS_MAX = 1000
TOKEN_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """One signed-in browser of a person; `handle` names it in a form."""

    handle: str
    ip: str
    agent: str
    created_at: dt.datetime
    expires_at: dt.datetime
    is_this_one: bool


def open_request(site_id: int, *, token: str) -> OpenedRequest | None:
    """Return the site and the person behind a session token, in one query; None without the site.

    An unknown, ended or foreign token is a guest.
    """
    digest = token_digest(token) if token and len(token) <= TOKEN_MAX else None
    row = store.open_request(site_id, digest)
    if row is None:
        return None
    site = site_view(row[:SITE_COLUMN_COUNT])
    customer_id, user_id, name, is_platform, role_sites, role_names = row[SITE_COLUMN_COUNT:]
    person: Person = GUEST
    if customer_id is not None:
        person = CustomerPerson(customer_id=customer_id, name=name)
    elif user_id is not None:
        person = StaffPerson(
            user_id=user_id,
            name=name,
            is_platform=is_platform,
            main_id=site.main_id,
            roles=dict(zip(role_sites or (), role_names or (), strict=True)),
        )
    return OpenedRequest(site=site, person=person)


async def open_buyer(site_id: int, *, token: str) -> OpenedRequest | None:
    """Return the same for a buyer, on the event loop, in one statement with others who ask now.

    None when the long way must answer: no such site, a member of staff, a person switched off.
    """
    digest = token_digest(token) if token and len(token) <= TOKEN_MAX else None
    stamp, customer_id, name, is_other = await store.callers.submit((site_id, digest))
    if stamp is None or is_other:
        return None
    view = await stamped_view(site_id, stamp=stamp)
    if view is None:
        return None
    if customer_id is None:
        return OpenedRequest(site=view, person=GUEST)
    return OpenedRequest(site=view, person=CustomerPerson(customer_id=customer_id, name=name))


def normal_login(login_text: str, *, is_staff: bool = False) -> str:
    """Return the stored form of what a person typed, or the text itself, cut, when it is none."""
    if is_staff:
        return clean_staff_login(login_text) or login_text[:200]
    login = clean_login(login_text)
    return login.text if login else login_text[:200]


def digest_login(login: Login, *, site_id: int) -> bytes:
    """Return the keyed digest under which a login is looked up on one site."""
    return blind_digest(login.text.encode(), domain=f"login:{site_id}")


def is_login_taken(login: str) -> bool:
    """Tell whether a member of staff has this login, in its stored form."""
    return User.objects.filter(login=login).exists()


def free_login(login: str, *, slug: str) -> str:
    """Return the login, or one like it where it was taken meanwhile; `slug` is nobody else's."""
    for candidate in (login, f"{login[:28]}.{slug}"[:64]):
        if not is_login_taken(candidate):
            return candidate
    return f"{slug[:32]}.{new_token()[:12].lower()}"


def find_staff_user(user_id: int) -> User | None:
    """Return a member of staff, or None."""
    return User.objects.filter(id=user_id, is_active=True).first()


def get_customer(customer_id: int) -> Customer:
    """Return a customer of the site in force; raise `CustomerNotFound`."""
    customer: Customer | None = Customer.objects.filter(id=customer_id).first()
    if customer is None:
        raise CustomerNotFound
    return customer


def find_customer_by_login(login_text: str) -> Customer | None:
    """Return the customer of the site in force who signs in with this login, or None."""
    login = clean_login(login_text)
    if login is None:
        return None
    digest = digest_login(login, site_id=require_site_id())
    return Customer.objects.filter(login_digest=digest).first()


def login_of(customer: Customer) -> str:
    """Return a customer's login in clear: personal data, show it to its owner or by permission."""
    aad = binding(customer.site_id, "customer", bytes(customer.login_digest).hex())
    return decrypt_text(bytes(customer.login_cipher), aad)


def list_customers(
    *, text: str = "", before_id: int | None = None, limit: int = PAGE_SIZE
) -> list[Customer]:
    """Return customers newest first, found by exact login or part of the name; keyset by id."""
    rows = Customer.objects.order_by("-id")
    text = text.strip()
    if text:
        login = clean_login(text)
        if login is not None:
            rows = rows.filter(login_digest=digest_login(login, site_id=require_site_id()))
        else:
            rows = rows.filter(nickname__icontains=text)
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return list(rows[: min(limit, ROWS_MAX)])


def list_customers_by_id(customer_ids: set[int]) -> dict[int, Customer]:
    """Return the customers of the site in force among these ids."""
    return Customer.objects.in_bulk(customer_ids)


def count_customers(*, since: dt.datetime | None = None) -> int:
    """Count customers of the site in force, or those who came since a moment."""
    rows = Customer.objects.all()
    return rows.filter(created_at__gte=since).count() if since else rows.count()


def list_sessions(person: Person, *, token: str) -> list[SessionView]:
    """Return where a person is signed in on this site, newest first."""
    rows = Session.objects.filter(
        customer_id=person.customer_id, user_id=person.user_id, expires_at__gt=clock.now()
    ).order_by("-created_at")[:PAGE_SIZE]
    own = token_digest(token)
    return [
        SessionView(
            handle=bytes(row.token_digest)[:8].hex(),
            ip=row.ip,
            agent=row.agent,
            created_at=row.created_at,
            expires_at=row.expires_at,
            is_this_one=bytes(row.token_digest) == own,
        )
        for row in rows
    ]


def is_session_young(token: str, *, seconds: int) -> bool:
    """Tell whether a session of the site in force was opened within so many seconds."""
    since = clock.now() - dt.timedelta(seconds=seconds)
    return Session.objects.filter(token_digest=token_digest(token), created_at__gt=since).exists()


def get_user(user_id: int) -> User:
    """Return a member of staff; raise `UserNotFound`."""
    user = User.objects.filter(id=user_id).first()
    if user is None:
        raise UserNotFound
    return user


def list_staff() -> list[SiteRole]:
    """Return the roles on the site in force, each with its user."""
    return list(SiteRole.objects.select_related("user").order_by("id"))


def list_owner_emails() -> list[str]:
    """Return the addresses of the active owners of the site in force who sign in by e-mail."""
    rows = SiteRole.objects.filter(role="owner", user__is_active=True).order_by("id")
    logins = rows.values_list("user__login", flat=True)
    return [login for login in logins if EMAIL.fullmatch(login)]


def list_platform_users() -> list[User]:
    """Return the administrators of the platform."""
    return list(User.objects.filter(is_platform=True).order_by("id"))


def list_owners(site_ids: list[int]) -> dict[int, str]:
    """Return the name of the first owner of each site, for the platform's list of sites."""
    with platform_scope("name the owners of sites"):
        rows = SiteRole.unscoped.filter(site_id__in=site_ids, role="owner").order_by("-id")
        return {row.site_id: row.user.display_name for row in rows.select_related("user")}


def list_owner_logins(site_ids: set[int]) -> dict[int, list[str]]:
    """Return what the owners of sites sign in with, by site; inside a platform scope. One query."""
    rows = SiteRole.unscoped.filter(site_id__in=site_ids, role="owner", user__is_active=True)
    found: dict[int, list[str]] = {}
    for site_id, login in rows.order_by("id").values_list("site_id", "user__login"):
        found.setdefault(site_id, []).append(login)
    return found


def list_platform_logins() -> list[str]:
    """Return what the owners of the platform sign in with."""
    rows = User.objects.filter(is_platform=True, is_active=True).order_by("id")
    return list(rows.values_list("login", flat=True))


def hint_contact(text: str) -> str:
    """Return the masked form of an e-mail or phone number, for lists; empty for an empty one."""
    return mask_contact(text) if text else ""


def list_role_permissions(role: str) -> frozenset[str]:
    """Return what a role may do on its site, as names of permissions."""
    return ROLE_PERMISSIONS[role]


def get_approval(approval_id: int) -> Approval:
    """Return a wish of the site in force that a second person decides; or `ApprovalNotFound`."""
    approval: Approval | None = Approval.objects.filter(id=approval_id).first()
    if approval is None:
        raise ApprovalNotFound
    return approval


def list_waiting_approvals(limit: int = 200) -> list[Approval]:
    """Return what waits for a second person on the site in force, oldest first."""
    rows = Approval.objects.filter(state=ApprovalState.WAITING, expires_at__gt=clock.now())
    return list(rows.order_by("id")[:limit])


def find_waiting_approval(kind: str, *, about_id: int) -> Approval | None:
    """Return the wish of a kind about one thing that waits for a second person, or None."""
    rows = Approval.objects.filter(
        kind=kind, subject_id=about_id, state=ApprovalState.WAITING, expires_at__gt=clock.now()
    )
    return rows.first()


def list_approvals_about(kinds: Collection[str], *, about_id: int) -> list[Approval]:
    """Return the wishes of these kinds about one thing that wait for a second person."""
    rows = Approval.objects.filter(
        kind__in=kinds,
        subject_id=about_id,
        state=ApprovalState.WAITING,
        expires_at__gt=clock.now(),
    )
    return list(rows.order_by("id"))


def list_every_approval_about(kinds: Collection[str], *, about_id: int) -> list[Approval]:
    """Return the wishes of these kinds about one thing, decided or not, oldest first."""
    rows = Approval.objects.filter(kind__in=kinds, subject_id=about_id)
    return list(rows.order_by("id")[:PAGE_SIZE])


def list_past_approvals(*, before_id: int | None = None, limit: int = PAGE_SIZE) -> list[Approval]:
    """Return the wishes of the site in force that wait no more, newest first; keyset by id."""
    waiting = Q(state=ApprovalState.WAITING, expires_at__gt=clock.now())
    rows = Approval.objects.exclude(waiting).order_by("-id")
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return list(rows[: min(limit, ROWS_MAX)])


def list_staff_logins(user_ids: set[int]) -> dict[int, str]:
    """Return what members of staff sign in with, by id; those switched off are left out."""
    rows = User.objects.filter(id__in=user_ids, is_active=True)
    return dict(rows.values_list("id", "login"))
