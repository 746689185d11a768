"""The opening of a request: site and person in one query, and never another site's person."""

import datetime as dt

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from kameng.accounts.models import Role, Session
from kameng.accounts.people import GUEST, CustomerPerson, StaffPerson
from kameng.accounts.selectors import open_request
from kameng.accounts.services.staff import set_user_active
from kameng.core import clock
from kameng.core.audit import SYSTEM
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, site_scope
from tests import people
from tests.factories import make_role, make_staff
from tests.people import Buyer, Staff


def token_of(site: Site, person: Staff | Buyer) -> str:
    return people.sign_in(Client(), site=site, person=person)


def test_a_guest_gets_the_site_and_nobody(site_a: Site) -> None:
    opened = open_request(site_a.id, token="")

    assert opened is not None
    assert opened.site == get_site_view(site_a.id)
    assert opened.person is GUEST


def test_a_customer_is_found_by_the_session(site_a: Site, mei: Buyer) -> None:
    opened = open_request(site_a.id, token=token_of(site_a, mei))

    assert opened is not None
    assert opened.person == CustomerPerson(customer_id=mei.customer.id, name="Mei")
    assert not opened.person.can("orders.view", site_a.id)


def test_a_session_of_one_site_is_nobody_on_another(
    site_a: Site, site_b: Site, mei: Buyer, lin: Staff
) -> None:
    for person in (mei, lin):
        opened = open_request(site_b.id, token=token_of(site_a, person))
        assert opened is not None
        assert opened.person is GUEST


def test_staff_come_with_their_roles_on_every_site(site_a: Site, site_b: Site, lin: Staff) -> None:
    make_role(lin.user, site_b, Role.VIEWER)

    opened = open_request(site_a.id, token=token_of(site_a, lin))

    assert opened is not None
    person = opened.person
    assert isinstance(person, StaffPerson)
    assert person.roles == {site_a.id: "owner", site_b.id: "viewer"}
    assert person.can("orders.refund", site_a.id)
    assert person.can("orders.view", site_b.id)
    assert not person.can("orders.refund", site_b.id)
    assert not person.can("sites.manage", site_a.id)


def test_staff_have_no_roles_of_others(site_a: Site, site_b: Site, lin: Staff, wei: Staff) -> None:
    viewer = people.make_operator(site_a, login="viewer", name="Vi", role=Role.VIEWER)

    found = {}
    for person, site in ((lin, site_a), (viewer, site_a), (wei, site_b)):
        opened = open_request(site.id, token=token_of(site, person))
        assert opened is not None
        assert isinstance(opened.person, StaffPerson)
        found[person.login] = opened.person.roles

    assert found == {
        "lin": {site_a.id: "owner"},
        "viewer": {site_a.id: "viewer"},
        "wei": {site_b.id: "owner"},
    }


def test_the_platform_may_do_everything_everywhere(
    main_site: Site, site_a: Site, ada: Staff
) -> None:
    opened = open_request(main_site.id, token=token_of(main_site, ada))

    assert opened is not None
    assert opened.person.can("sites.manage", site_a.id)


def test_a_user_switched_off_is_nobody_at_the_next_request(site_a: Site, lin: Staff) -> None:
    token = token_of(site_a, lin)
    set_user_active(lin.user.id, is_active=False, actor=SYSTEM)

    opened = open_request(site_a.id, token=token)

    assert opened is not None
    assert opened.person is GUEST


def test_a_customer_switched_off_is_nobody_even_with_a_live_session(
    site_a: Site, mei: Buyer
) -> None:
    token = token_of(site_a, mei)
    with site_scope(site_a.id):
        type(mei.customer).objects.filter(id=mei.customer.id).update(is_active=False)
        assert Session.objects.count() == 1

    opened = open_request(site_a.id, token=token)

    assert opened is not None
    assert opened.person is GUEST


def test_an_ended_session_is_nobody(site_a: Site, mei: Buyer) -> None:
    token = token_of(site_a, mei)
    with site_scope(site_a.id):
        Session.objects.update(expires_at=clock.now() - dt.timedelta(seconds=1))

    opened = open_request(site_a.id, token=token)

    assert opened is not None
    assert opened.person is GUEST


@pytest.mark.parametrize("token", ["x", "\x00", "é" * 30, "a" * 5000, "\ud800", "' or 1=1 --"])
def test_any_odd_token_is_nobody(site_a: Site, token: str) -> None:
    opened = open_request(site_a.id, token=token)

    assert opened is not None
    assert opened.person is GUEST


def test_a_site_that_does_not_exist_opens_nothing(db: None) -> None:
    assert open_request(999_999_999, token="") is None


def test_the_token_itself_is_not_stored(site_a: Site, mei: Buyer) -> None:
    token = token_of(site_a, mei)

    with connection.cursor() as cursor, site_scope(site_a.id):
        cursor.execute("select s::text from accounts_session s")
        assert token not in str(cursor.fetchall())
    assert settings.SESSION_COOKIE == "kameng_session"


def test_a_user_without_a_role_has_no_rights(site_a: Site) -> None:
    stranger = Staff(user=make_staff(login="nobody"), login="nobody")

    opened = open_request(site_a.id, token=token_of(site_a, stranger))

    assert opened is not None
    assert not opened.person.can("orders.view", site_a.id)
