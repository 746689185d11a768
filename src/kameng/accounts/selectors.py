"""Reads of people. Customers and roles are those of the site in force."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from kameng.accounts import store
from kameng.accounts.errors import (
    ApprovalNotFound,
    CustomerNotFound,
    CustomRoleNotFound,
    UserNotFound,
)
from kameng.accounts.models import (
    Approval,
    ApprovalState,
    Customer,
    CustomRole,
    Device,
    Invitation,
    Passkey,
    RecoveryCode,
    Session,
    SiteRole,
    Totp,
    User,
)
from kameng.accounts.people import (
    GUEST,
    CustomerPerson,
    OpenedRequest,
    Person,
    StaffPerson,
)
from kameng.accounts.rules import (
    DEVICE_DAYS as DEVICE_DAYS,
)
from kameng.accounts.rules import (
    EMAIL as EMAIL,
)
from kameng.accounts.rules import (
    GIVABLE as GIVABLE,
)
from kameng.accounts.rules import (
    INVITATION_DAYS as INVITATION_DAYS,
)
from kameng.accounts.rules import (
    PLATFORM_ROLE as PLATFORM_ROLE,
)
from kameng.accounts.rules import (
    ROLE_PERMISSIONS,
    Login,
    clean_login,
    clean_staff_login,
    mask_contact,
)
from kameng.accounts.rules import (
    needs_second_factor as needs_second_factor,
)
from kameng.accounts.rules import (
    permissions_of as permissions_of,
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
    seen_at: dt.datetime
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
    customer_id, user_id, name = row[SITE_COLUMN_COUNT : SITE_COLUMN_COUNT + 3]
    person: Person = GUEST
    if customer_id is not None:
        person = CustomerPerson(customer_id=customer_id, name=name)
    elif user_id is not None:
        person = _staff_person(row[SITE_COLUMN_COUNT + 1 :], main_id=site.main_id)
    return OpenedRequest(site=site, person=person)


def _staff_person(row: tuple[Any, ...], *, main_id: int) -> StaffPerson:
    user_id, name, is_platform, sites, names, permissions, has_second_factor, seen_at = row
    return StaffPerson(
        user_id=user_id,
        name=name,
        is_platform=is_platform,
        main_id=main_id,
        roles=dict(zip(sites or (), names or (), strict=True)),
        custom={
            site_id: frozenset(text.split(","))
            for site_id, text in zip(sites or (), permissions or (), strict=True)
            if text
        },
        has_second_factor=has_second_factor,
        seen_at=seen_at,
    )


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
    return [_session_view(row, own=token_digest(token)) for row in rows]


def list_member_sessions(user_id: int, *, site_ids: set[int]) -> list[SessionView]:
    """Return where a member of staff is signed in on these sites, last used first."""
    with platform_scope("where is a member signed in"):
        rows = Session.unscoped.filter(
            user_id=user_id, site_id__in=site_ids, expires_at__gt=clock.now()
        ).order_by("-seen_at")[:PAGE_SIZE]
        return [_session_view(row, own=b"") for row in rows]


def _session_view(row: Session, *, own: bytes) -> SessionView:
    return SessionView(
        handle=bytes(row.token_digest)[:8].hex(),
        ip=row.ip,
        agent=row.agent,
        created_at=row.created_at,
        seen_at=row.seen_at,
        expires_at=row.expires_at,
        is_this_one=bytes(row.token_digest) == own,
    )


def is_session_young(token: str, *, seconds: int) -> bool:
    """Tell whether the person of a session proved to be there within so many seconds."""
    since = clock.now() - dt.timedelta(seconds=seconds)
    return Session.objects.filter(token_digest=token_digest(token), confirmed_at__gt=since).exists()


def get_user(user_id: int) -> User:
    """Return a member of staff; raise `UserNotFound`."""
    user = User.objects.filter(id=user_id).first()
    if user is None:
        raise UserNotFound
    return user


def list_staff() -> list[SiteRole]:
    """Return the roles on the site in force, each with its user and custom role."""
    return list(SiteRole.objects.select_related("user", "custom_role").order_by("id"))


def find_member(user_id: int) -> SiteRole | None:
    """Return the role of a user on the site in force with user and custom role, or None."""
    rows = SiteRole.objects.select_related("user", "custom_role").filter(user_id=user_id)
    found: SiteRole | None = rows.first()
    return found


def list_custom_roles() -> list[CustomRole]:
    """Return the roles that the site in force made for itself, the oldest first."""
    return list(CustomRole.objects.order_by("id"))


def get_custom_role(role_id: int) -> CustomRole:
    """Return a role of the site in force; raise `CustomRoleNotFound`."""
    role: CustomRole | None = CustomRole.objects.filter(id=role_id).first()
    if role is None:
        raise CustomRoleNotFound
    return role


def list_invitations(limit: int = PAGE_SIZE) -> list[Invitation]:
    """Return invitations that were neither used nor withdrawn, newest first; some have expired."""
    rows = Invitation.objects.filter(used_at__isnull=True, withdrawn_at__isnull=True)
    return list(rows.select_related("custom_role").order_by("-id")[:limit])


def find_invitation(token: str) -> Invitation | None:
    """Return the open invitation of the site in force that a link names, or None."""
    if not token or len(token) > TOKEN_MAX:
        return None
    rows = Invitation.objects.filter(
        token_digest=token_digest(token),
        used_at__isnull=True,
        withdrawn_at__isnull=True,
        expires_at__gt=clock.now(),
    )
    found: Invitation | None = rows.select_related("custom_role").first()
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorsView:
    """The second factors of one person: no secrets."""

    totp_since: dt.datetime | None
    passkeys: list[Passkey]
    codes_left: int
    codes_since: dt.datetime | None

    @property
    def is_on(self) -> bool:
        """Tell whether anything more than a password is asked for."""
        return self.totp_since is not None or bool(self.passkeys)


def view_factors(user_id: int) -> FactorsView:
    """Return what a person has set up."""
    app = Totp.objects.filter(user_id=user_id, confirmed_at__isnull=False).first()
    codes = RecoveryCode.objects.filter(user_id=user_id, used_at__isnull=True).order_by("id")
    first = codes.first()
    return FactorsView(
        totp_since=app.confirmed_at if app is not None else None,
        passkeys=list(Passkey.objects.filter(user_id=user_id).order_by("id")),
        codes_left=codes.count(),
        codes_since=first.created_at if first is not None else None,
    )


def list_protected(user_ids: Collection[int]) -> set[int]:
    """Return which of these people have a second factor."""
    apps = Totp.objects.filter(user_id__in=user_ids, confirmed_at__isnull=False)
    keys = Passkey.objects.filter(user_id__in=user_ids)
    return {
        *apps.values_list("user_id", flat=True),
        *keys.values_list("user_id", flat=True),
    }


def has_passkey_for(user_id: int, *, rp_id: str) -> bool:
    """Tell whether a person has a passkey for a host."""
    return Passkey.objects.filter(user_id=user_id, rp_id=rp_id).exists()


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceView:
    """A browser that need not show a second factor for some days; `handle` names it in a form."""

    handle: str
    agent: str
    ip: str
    seen_at: dt.datetime
    trusted_until: dt.datetime
    is_this_one: bool


def list_trusted_devices(user_id: int, *, token: str) -> list[DeviceView]:
    """Return the browsers that the site in force trusts for a person, last used first."""
    rows = Device.objects.filter(user_id=user_id, trusted_until__gt=clock.now())
    own = token_digest(token)
    return [
        DeviceView(
            handle=bytes(row.token_digest)[:8].hex(),
            agent=row.agent,
            ip=row.ip,
            seen_at=row.seen_at,
            trusted_until=row.trusted_until,
            is_this_one=bytes(row.token_digest) == own,
        )
        for row in rows.order_by("-seen_at")[:PAGE_SIZE]
    ]


def list_owner_emails() -> list[str]:
    """Return the addresses of the active owners of the site in force who sign in by e-mail."""
    rows = SiteRole.objects.filter(
        role="owner", user__is_active=True, suspended_at__isnull=True
    ).order_by("id")
    logins = rows.values_list("user__login", flat=True)
    return [login for login in logins if EMAIL.fullmatch(login)]


def list_platform_users() -> list[User]:
    """Return the administrators of the platform."""
    return list(User.objects.filter(is_platform=True).order_by("id"))


def find_owner_id() -> int | None:
    """Return the user who has owned the site in force the longest, or None."""
    rows = SiteRole.objects.filter(role="owner").order_by("id")
    found: int | None = rows.values_list("user_id", flat=True).first()
    return found


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
