"""The person behind a request: a guest, a customer of the site, or a member of staff.

Plain values, made once a request from one row. They answer `can(...)` by `accounts.rules`.
"""

import datetime as dt
from dataclasses import dataclass, field

from kameng.accounts.rules import GIVABLE, permissions_of, role_allows
from kameng.core.audit import Actor
from kameng.tenancy.selectors import SiteView


@dataclass(frozen=True, slots=True)
class Guest:
    """Nobody in particular."""

    name: str = ""
    is_guest = True
    is_customer = False
    is_staff = False
    customer_id = None
    user_id = None

    def can(self, permission: str, site_id: int) -> bool:
        """Tell that a guest may do nothing in the back office."""
        return False

    def actor(self, ip: str) -> Actor:
        """Return who the audit log names."""
        return Actor(kind="guest", ip=ip)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerPerson:
    """A signed-in customer of the site of this request."""

    customer_id: int
    name: str
    is_guest = False
    is_customer = True
    is_staff = False
    user_id = None

    def can(self, permission: str, site_id: int) -> bool:
        """Tell that a customer may do nothing in the back office."""
        return False

    def actor(self, ip: str) -> Actor:
        """Return who the audit log names."""
        return Actor(kind="customer", actor_id=self.customer_id, name=self.name, ip=ip)


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffPerson:
    """A signed-in member of staff; `roles` by site, the platform's staff may do everything.

    `custom` holds, by site, what a role of the site's own gives. Suspended roles are left out.
    """

    user_id: int
    name: str
    is_platform: bool
    main_id: int
    roles: dict[int, str] = field(default_factory=dict)
    custom: dict[int, frozenset[str]] = field(default_factory=dict)
    has_second_factor: bool = False
    seen_at: dt.datetime | None = None  # when the session was last noted as used
    is_guest = False
    is_customer = False
    is_staff = True
    customer_id = None

    def can(self, permission: str, site_id: int) -> bool:
        """Tell whether this person may do `permission` on a site."""
        if self.is_platform:
            return True
        role = self.roles.get(site_id)
        if role is None:
            return False
        return role_allows(
            role, permission=permission, custom=self.custom.get(site_id, frozenset())
        )

    def permissions(self, site_id: int) -> frozenset[str]:
        """Return all that this person may do on a site, and so may give to others there."""
        if self.is_platform:
            return GIVABLE
        role = self.roles.get(site_id, "")
        return permissions_of(role, custom=self.custom.get(site_id, frozenset()))

    def actor(self, ip: str) -> Actor:
        """Return who the audit log names."""
        return Actor(kind="user", actor_id=self.user_id, name=self.name, ip=ip)


Person = Guest | CustomerPerson | StaffPerson
GUEST = Guest()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedRequest:
    """Where a request goes and who sends it."""

    site: SiteView
    person: Person
