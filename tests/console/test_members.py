"""Members, roles and invitations on the screen: what is felt at the next click, who joins how."""

import datetime as dt
import re
from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client

from kameng.accounts.models import CustomRole, Invitation, Role, Session, SiteRole, User
from kameng.accounts.rules import GIVABLE
from kameng.console.forms.staff import PERMISSION_GROUPS, PERMISSION_LABELS, PERMISSION_NOTES
from kameng.core import clock
from kameng.core.scope import platform_scope
from kameng.messaging.models import Email
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests import people
from tests.accounts.test_second_factors import switch_on
from tests.console.pages import address, text_of
from tests.factories import PASSWORD, make_role

ClientFor = Callable[..., Client]
NIGHT = {"name": "夜班", "note": "只管补发", "permissions": ["orders.view", "orders.repair"]}


def clerk_of(site: Site, role: Role = Role.SERVICE) -> people.Staff:
    return people.make_operator(site, login="sun", name="小孙", role=role)


def link_of(page: str) -> str:
    found = re.search(r'data-copy="https?://[^/"]+(/console/join/[^"]+)"', page)
    assert found is not None
    return found[1]


def test_every_permission_has_words_and_a_group() -> None:
    grouped = [name for _label, _icon, names in PERMISSION_GROUPS for name in names]

    assert len(grouped) == len(set(grouped))
    assert set(PERMISSION_LABELS) <= GIVABLE
    assert set(PERMISSION_NOTES) <= GIVABLE
    assert set(grouped) <= set(PERMISSION_LABELS) & set(PERMISSION_NOTES)


def test_a_role_is_made_from_a_preset_given_and_felt_at_the_next_click(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    sun = clerk_of(site_a)
    browser, client = client_for(site_a, sun), client_for(site_a, lin)
    start = client.get(address(site_a, "new_role", query="from=service")).content.decode()
    assert re.search(r'value="orders.repair" checked', start)
    assert not re.search(r'value="orders.refund" checked', start)

    made = client.post(address(site_a, "new_role"), NIGHT)
    with site_scope(site_a.id):
        role = CustomRole.objects.get()
    given = client.post(address(site_a, "set_role", sun.user.id), {"role": f"custom:{role.id}"})

    assert (made.status_code, given.status_code) == (303, 303)
    assert browser.get(address(site_a, "orders")).status_code == 200
    assert browser.get(address(site_a, "goods")).status_code == 403
    client.post(address(site_a, "role", role.id), NIGHT | {"permissions": ["goods.view"]})
    assert browser.get(address(site_a, "orders")).status_code == 403
    assert browser.get(address(site_a, "goods")).status_code == 200
    refused = client.post(address(site_a, "remove_role", role.id))
    assert (refused.status_code, "小孙" in text_of(refused)) == (409, True)
    assert "夜班" in text_of(client.get(address(site_a, "roles")))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "字" * 21},
        {"permissions": []},
        {"permissions": ["sites.manage"]},
        {"permissions": ["no.such"]},
    ],
)
def test_a_bad_role_is_not_made_and_keeps_what_was_ticked(
    changes: dict[str, object], site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    answer = client_for(site_a, lin).post(address(site_a, "new_role"), NIGHT | changes)

    assert 400 <= answer.status_code < 500
    with site_scope(site_a.id):
        assert CustomRole.objects.count() == 0
    if "permissions" not in changes:
        assert 'value="orders.repair" checked' in answer.content.decode()


def test_a_manager_of_staff_gives_and_touches_no_more_than_they_have(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    sun = clerk_of(site_a)
    finance = people.make_operator(site_a, login="qian", name="小钱", role=Role.FINANCE)
    with site_scope(site_a.id):
        chief = CustomRole.objects.create(
            site_id=site_a.id, name="人事", permissions=["staff.manage", "orders.view"]
        )
        SiteRole.objects.filter(user=sun.user).update(role="custom", custom_role=chief)
    client = client_for(site_a, sun)

    page = client.get(address(site_a, "new_role")).content.decode()
    answers = [
        client.post(address(site_a, "new_role"), NIGHT),
        client.post(address(site_a, "set_role", sun.user.id), {"role": "owner"}),
        client.post(address(site_a, "set_role", finance.user.id), {"action": "leave"}),
        client.post(address(site_a, "suspend_member", finance.user.id), {"action": "suspend"}),
        client.post(address(site_a, "renew_password", finance.user.id)),
        client.post(address(site_a, "reset_factor", finance.user.id)),
        client.post(address(site_a, "end_member_sessions", finance.user.id)),
        client.post(address(site_a, "invitations"), {"role": "owner", "days": "7"}),
    ]

    assert [each.status_code for each in answers] == [403, 400, 403, 403, 403, 403, 403, 400]
    assert re.search(r'value="orders.refund"[^>]* disabled', page)
    assert client.get(address(site_a, "member", finance.user.id)).status_code == 200
    with site_scope(site_a.id):
        assert SiteRole.objects.get(user=finance.user).role == "finance"
        assert SiteRole.objects.get(user=sun.user).role == "custom"
        assert Invitation.objects.count() == 0


def test_who_is_suspended_is_out_with_the_next_click_everywhere(
    main_site: Site, site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    sun = clerk_of(site_a)
    here, on_main = client_for(site_a, sun), client_for(main_site, sun)
    client = client_for(site_a, lin)
    assert here.get(address(site_a, "orders")).status_code == 200
    assert on_main.get(address(site_a, "orders")).status_code == 200

    done = client.post(address(site_a, "suspend_member", sun.user.id), {"action": "suspend"})

    assert done.status_code == 303
    assert here.get(address(site_a, "orders")).status_code != 200
    assert on_main.get(address(site_a, "orders")).status_code == 404
    again = client_for(site_a).post("/console/sign-in/", {"login": "sun", "password": PASSWORD})
    assert again.status_code == 400
    assert "已停用" in text_of(client.get(address(site_a, "staff")))
    client.post(address(site_a, "suspend_member", sun.user.id), {"action": "resume"})
    assert on_main.get(address(site_a, "orders")).status_code == 200


def test_the_last_owner_and_oneself_are_not_suspended(
    site_a: Site, lin: people.Staff, ada: people.Staff, client_for: ClientFor
) -> None:
    url = address(site_a, "suspend_member", lin.user.id)
    own = client_for(site_a, lin).post(url, {"action": "suspend"})
    by_platform = client_for(site_a, ada).post(url, {"action": "suspend"})

    assert (own.status_code, by_platform.status_code) == (400, 409)
    with site_scope(site_a.id):
        assert SiteRole.objects.get(user=lin.user).suspended_at is None


def test_a_members_sessions_are_seen_and_ended(
    site_a: Site, site_b: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    sun = clerk_of(site_a)
    first, second = client_for(site_a, sun), client_for(site_a, sun)
    make_role(sun.user, site_b, Role.VIEWER)
    elsewhere = client_for(site_b, sun)
    client = client_for(site_a, lin)
    page = client.get(address(site_a, "member", sun.user.id)).content.decode()
    handles = re.findall(r'name="handle" value="([0-9a-f]{16})"', page)
    assert len(handles) == 2

    url = address(site_a, "end_member_sessions", sun.user.id)
    client.post(url, {"handle": handles[0]})
    alive = [each.get(address(site_a, "orders")).status_code == 200 for each in (first, second)]
    assert sorted(alive) == [False, True]
    client.post(url)
    assert first.get(address(site_a, "orders")).status_code != 200
    assert second.get(address(site_a, "orders")).status_code != 200
    assert elsewhere.get(address(site_b, "orders")).status_code == 200


def test_a_session_is_noted_as_used_every_few_minutes(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(site_a, lin)
    with site_scope(site_a.id):
        Session.objects.update(seen_at=clock.now() - dt.timedelta(minutes=6))
        client.get(address(site_a, "goods"))
        seen_at = Session.objects.get().seen_at
        client.get(address(site_a, "goods"))

        assert clock.now() - seen_at < dt.timedelta(minutes=1)
        assert Session.objects.get().seen_at == seen_at


def test_an_owner_resets_a_lost_second_factor(
    site_a: Site, site_b: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    sun = clerk_of(site_a)
    both = people.make_operator(site_a, login="both", name="Both", role=Role.VIEWER)
    make_role(both.user, site_b, Role.VIEWER)
    with site_scope(site_a.id):
        switch_on(sun.user.id)
        switch_on(both.user.id)
    client = client_for(site_a, lin)

    done = client.post(address(site_a, "reset_factor", sun.user.id))
    refused = client.post(address(site_a, "reset_factor", both.user.id))
    own = client.post(address(site_a, "reset_factor", lin.user.id))

    assert [each.status_code for each in (done, refused, own)] == [303, 403, 400]
    browser = client_for(site_a)
    came = browser.post("/console/sign-in/", {"login": "sun", "password": PASSWORD})
    assert came["Location"] == "/console/"
    assert (
        "second"
        in browser.post("/console/sign-in/", {"login": "both", "password": PASSWORD})["Location"]
    )


def test_an_invited_person_makes_an_account_and_is_in(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(site_a, lin)
    sent = {"name": "小周", "email": "Zhou@Example.com", "role": "service", "days": "3"}
    invited = client.post(address(site_a, "invitations"), sent)
    link = link_of(invited.content.decode())
    assert invited["Cache-Control"] == "no-store"
    with site_scope(site_a.id):
        assert Email.objects.count() == 1
    browser = client_for(site_a)
    shown = browser.get(link)
    assert "zhou@example.com" in shown.content.decode()

    joined = browser.post(
        link, {"display_name": "小周", "login": "zhou@example.com", "password": PASSWORD}
    )

    assert (joined.status_code, joined["Location"]) == (302, "/console/")
    assert browser.get(address(site_a, "orders")).status_code == 200
    assert browser.get(address(site_a, "staff")).status_code == 403
    again = client_for(site_a).get(link)
    assert (again.status_code, "邀请链接无效" in text_of(again)) == (404, True)


def test_who_has_an_account_joins_with_it(
    site_a: Site, lin: people.Staff, wei: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(site_a, lin)
    link = link_of(
        client.post(
            address(site_a, "invitations"), {"role": "viewer", "days": "7"}
        ).content.decode()
    )
    browser = client_for(site_a)
    fields = {"action": "existing", "login": "wei"}

    wrong = browser.post(link, fields | {"password": "not this one"})
    right = browser.post(link, fields | {"password": PASSWORD})

    assert (wrong.status_code, right.status_code) == (400, 302)
    assert browser.get(address(site_a, "orders")).status_code == 200
    with site_scope(site_a.id):
        assert SiteRole.objects.get(user=wei.user).role == "viewer"


def test_who_is_signed_in_joins_with_one_click(
    main_site: Site, site_a: Site, lin: people.Staff, ada: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(site_a, lin)
    link = link_of(
        client.post(
            address(site_a, "invitations"), {"role": "viewer", "days": "7"}
        ).content.decode()
    )

    joined = client_for(site_a, ada).post(link, {"action": "mine"})

    assert joined.status_code == 303
    with site_scope(site_a.id):
        assert SiteRole.objects.get(user=ada.user).role == "viewer"


def test_an_invitation_is_sent_again_and_withdrawn(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(site_a, lin)
    first = client.post(address(site_a, "invitations"), {"role": "viewer", "days": "7"})
    with site_scope(site_a.id):
        row = Invitation.objects.get()
    url = address(site_a, "change_invitation", row.id)

    again = client.post(url, {"action": "resend"})
    assert client_for(site_a).get(link_of(first.content.decode())).status_code == 404
    assert client_for(site_a).get(link_of(again.content.decode())).status_code == 200
    client.post(url, {"action": "withdraw"})
    assert client_for(site_a).get(link_of(again.content.decode())).status_code == 404
    assert client.post(url, {"action": "withdraw"}).status_code == 404


@pytest.mark.parametrize(
    "fields",
    [
        {"display_name": "", "login": "zhou", "password": PASSWORD},
        {"display_name": "周", "login": "lin", "password": PASSWORD},
        {"display_name": "周", "login": "zhou", "password": "12345678"},
        {"action": "existing", "login": "", "password": ""},
        {"action": "mine"},
    ],
)
def test_a_bad_answer_to_an_invitation_leaves_it_open(
    fields: dict[str, str], site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(site_a, lin)
    link = link_of(
        client.post(
            address(site_a, "invitations"), {"role": "viewer", "days": "7"}
        ).content.decode()
    )
    browser = client_for(site_a)

    answer = browser.post(link, fields)

    assert answer.status_code in {200, 400, 409}
    assert settings.SESSION_COOKIE not in browser.cookies
    assert client_for(site_a).get(link).status_code == 200
    assert User.objects.count() == 1


def test_a_role_without_pages_still_has_its_own_account(
    site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    sun = clerk_of(site_a)
    with site_scope(site_a.id):
        none = CustomRole.objects.create(
            site_id=site_a.id, name="空", permissions=["customers.adjust"]
        )
        SiteRole.objects.filter(user=sun.user).update(role="custom", custom_role=none)
    client = client_for(site_a, sun)

    entered = client.get("/console/")

    assert entered["Location"] == address(site_a, "account")
    assert client.get(entered["Location"]).status_code == 200


def test_nothing_of_another_sites_staff_is_found(
    site_a: Site, site_b: Site, lin: people.Staff, wei: people.Staff, client_for: ClientFor
) -> None:
    with platform_scope("a test"):
        role = CustomRole.unscoped.create(site_id=site_b.id, name="b", permissions=["goods.view"])
    client = client_for(site_a, lin)
    answers = [
        client.get(address(site_a, "member", wei.user.id)),
        client.get(address(site_a, "role", role.id)),
        client.post(address(site_a, "remove_role", role.id)),
        client.post(address(site_a, "suspend_member", wei.user.id), {"action": "suspend"}),
        client.post(address(site_a, "end_member_sessions", wei.user.id)),
        client.post(address(site_a, "reset_factor", wei.user.id)),
        client.get(address(site_b, "staff")),
    ]

    assert [each.status_code for each in answers] == [404] * 7
