"""Staff in the back office: an owner's power ends at the site."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from kameng.accounts.models import Role, SiteRole, User
from kameng.risk.rules import SIGN_IN_BY_ACCOUNT
from kameng.risk.services import admit_sign_in
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests import people
from tests.console.pages import address, text_of
from tests.factories import PASSWORD, make_role

ClientFor = Callable[..., Client]
INVITATION = {"login": "sun", "display_name": "小孙", "role": "service"}


def role_on(site: Site, user: User) -> str:
    """Return what a user is on a site; empty when nothing."""
    with site_scope(site.id):
        found = SiteRole.objects.filter(user_id=user.id).first()
    return "" if found is None else str(found.role)


def test_who_is_invited_signs_in_with_the_password_shown_once(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(site_a, lin)

    invited = client.post(address(site_a, "staff"), INVITATION)

    found = re.search(r'data-copy="((?:[a-z2-9]{4}-){3}[a-z2-9]{4})"', invited.content.decode())
    assert found is not None
    assert invited["Cache-Control"] == "no-store"
    assert role_on(site_a, User.objects.get(login="sun")) == "service"
    browser = client_for(site_a)
    browser.post("/console/sign-in/", {"login": "sun", "password": found[1]})
    assert browser.get(address(site_a, "orders")).status_code == 200
    assert browser.get(address(site_a, "staff")).status_code == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"login": ""},
        {"login": "中文"},
        {"login": "lin"},
        {"login": "a" * 65},
        {"display_name": ""},
        {"display_name": "a\u0000b"},
        {"role": "emperor"},
        {"role": ""},
    ],
)
def test_a_bad_invitation_makes_nobody(
    changes: dict[str, str], site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    response = client_for(site_a, lin).post(address(site_a, "staff"), INVITATION | changes)

    assert 400 <= response.status_code < 500
    assert User.objects.count() == 1


def test_a_role_is_changed_and_the_last_owner_stays(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    clerk = people.make_operator(site_a, login="sun", name="Sun", role=Role.VIEWER).user
    client = client_for(site_a, lin)

    changed = client.post(address(site_a, "set_role", clerk.id), {"role": "finance"})
    last = client.post(address(site_a, "set_role", lin.user.id), {"role": "viewer"})
    gone = client.post(address(site_a, "set_role", lin.user.id), {"action": "leave"})
    odd = client.post(address(site_a, "set_role", clerk.id), {"role": "emperor"})

    assert [each.status_code for each in (changed, last, gone, odd)] == [303, 409, 409, 400]
    assert "至少要有一位站长" in text_of(last)
    assert role_on(site_a, clerk) == "finance"
    assert role_on(site_a, lin.user) == "owner"


def test_who_leaves_is_out_with_the_next_request(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    clerk = people.make_operator(site_a, login="sun", name="Sun", role=Role.MANAGER)
    browser = client_for(site_a, clerk)
    assert browser.get(address(site_a, "goods")).status_code == 200

    client_for(site_a, lin).post(address(site_a, "set_role", clerk.user.id), {"action": "leave"})

    assert browser.get(address(site_a, "goods")).status_code != 200


def test_an_owner_sets_no_password_of_who_also_works_elsewhere(
    main_site: Site, site_a: Site, site_b: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    both = people.make_operator(site_a, login="both", name="Both", role=Role.SERVICE).user
    make_role(both, site_b, Role.OWNER)
    chief = people.make_ada().user
    make_role(chief, site_a, Role.VIEWER)
    only = people.make_operator(site_a, login="only", name="Only", role=Role.SERVICE).user
    before = [user.password for user in (both, chief, only)]
    client = client_for(site_a, lin)

    answers = [
        client.post(address(site_a, "renew_password", user.id)) for user in (both, chief, only)
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 200]
    for user in (both, chief, only):
        user.refresh_from_db()
    changed = [user.password != old for user, old in zip((both, chief, only), before, strict=True)]
    assert changed == [False, False, True]


def test_staff_of_another_site_are_not_found(
    site_a: Site, site_b: Site, lin: people.Staff, wei: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(site_a, lin)
    before = wei.user.password

    answers = [
        client.post(address(site_a, "set_role", wei.user.id), {"role": "viewer"}),
        client.post(address(site_a, "set_role", wei.user.id), {"action": "leave"}),
        client.post(address(site_a, "renew_password", wei.user.id)),
    ]

    wei.user.refresh_from_db()
    assert [answer.status_code for answer in answers] == [404] * 3
    assert (wei.user.password, role_on(site_b, wei.user)) == (before, "owner")
    assert client.post(address(site_a, "set_active", wei.user.id)).status_code == 403


def test_the_platform_switches_a_user_off_everywhere(
    main_site: Site, site_a: Site, ada: people.Staff, lin: people.Staff, client_for: ClientFor
) -> None:
    browser = client_for(site_a, lin)
    client = client_for(main_site, ada)
    url = address(site_a, "set_active", lin.user.id)

    client.post(url, {"action": "deactivate"})
    assert browser.get(address(site_a, "goods")).status_code != 200
    client.post(url, {"action": "activate"})

    lin.user.refresh_from_db()
    assert lin.user.is_active
    own = client.post(address(main_site, "set_active", ada.user.id), {"action": "deactivate"})
    assert own.status_code == 409


def test_a_renewed_password_opens_an_account_that_strangers_have_locked(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    client, browser = client_for(site_a, lin), client_for(site_a)
    other = people.make_operator(site_a, login="other", name="Other", role=Role.VIEWER)
    for number in range(SIGN_IN_BY_ACCOUNT.hits):
        admit_sign_in(site_id=site_a.id, login="other", ip=f"198.51.100.{number}", is_staff=True)
    locked = browser.post("/console/sign-in/", {"login": "other", "password": PASSWORD})

    renewed = client.post(address(site_a, "renew_password", other.user.id))

    found = re.search(r'data-copy="((?:[a-z2-9]{4}-){3}[a-z2-9]{4})"', renewed.content.decode())
    assert found is not None
    entered = browser.post("/console/sign-in/", {"login": "other", "password": found[1]})
    assert (locked.status_code, entered.status_code) == (429, 302)
