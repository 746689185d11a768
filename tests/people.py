"""The named people of every test: Lin and Wei operate sites A and B, Mei buys, Ada runs it all.

Wei must never see anything of A. Fixtures of the same names stand in tests/conftest.py.
"""

import datetime as dt
from dataclasses import dataclass

from django.conf import settings
from django.test import Client

from kameng.accounts.models import Customer, Role, Session, User
from kameng.core import clock
from kameng.core.ids import new_token, token_digest
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.factories import PASSWORD, make_customer, make_role, make_staff


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """A member of staff with what is typed to sign in."""

    user: User
    login: str
    password: str = PASSWORD


@dataclass(frozen=True, slots=True, kw_only=True)
class Buyer:
    """A customer of one site with what is typed to sign in."""

    customer: Customer
    login: str
    password: str = PASSWORD


def make_ada() -> Staff:
    """Ada runs the platform."""
    return Staff(user=make_staff(login="ada", name="Ada", is_platform=True), login="ada")


def make_operator(site: Site, *, login: str, name: str, role: Role = Role.OWNER) -> Staff:
    """Make a member of staff of one site."""
    user = make_staff(login=login, name=name)
    make_role(user, site, role)
    return Staff(user=user, login=login)


def make_lin(site: Site) -> Staff:
    """Lin operates site A."""
    return make_operator(site, login="lin", name="Lin")


def make_wei(site: Site) -> Staff:
    """Wei operates site B."""
    return make_operator(site, login="wei", name="Wei")


def make_mei(site: Site) -> Buyer:
    """Mei buys."""
    login = "mei@example.com"
    return Buyer(customer=make_customer(site, login=login, nickname="Mei"), login=login)


def sign_in(client: Client, *, site: Site, person: Staff | Buyer) -> str:
    """Open a session of `person` on `site` in this browser; return its token."""
    token = new_token()
    with site_scope(site.id):
        Session.objects.create(
            site_id=site.id,
            token_digest=token_digest(token),
            customer=person.customer if isinstance(person, Buyer) else None,
            user=person.user if isinstance(person, Staff) else None,
            expires_at=clock.now() + dt.timedelta(days=1),
        )
    client.cookies[settings.SESSION_COOKIE] = token
    return token
