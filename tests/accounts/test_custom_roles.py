"""Roles that a site makes for itself: never more than their maker has, felt at the next request."""

from collections.abc import Callable

import pytest

from kameng.accounts import errors, rules
from kameng.accounts.models import CustomRole, Role, SiteRole
from kameng.accounts.selectors import list_custom_roles, open_request
from kameng.accounts.services.custom_roles import (
    RoleWish,
    change_custom_role,
    delete_custom_role,
    make_custom_role,
)
from kameng.accounts.services.joining import InvitationWish, make_invitation
from kameng.accounts.services.staff import (
    grant_role,
    revoke_role,
    set_role_suspended,
)
from kameng.core.audit import Actor
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.factories import make_role, make_staff
from tests.people import Staff, sign_in

LIN = Actor(kind="user", actor_id=1, name="Lin")
OWNER = rules.ROLE_PERMISSIONS["owner"]
NIGHT = RoleWish(name="夜班", note="", permissions=frozenset({"orders.view", "orders.repair"}))


def wish(*permissions: str, name: str = "夜班") -> RoleWish:
    return RoleWish(name=name, note="", permissions=frozenset(permissions))


def test_a_custom_role_gives_what_it_names_from_the_next_request(
    site_a: Site, lin: Staff, client_for: Callable[..., object]
) -> None:
    sun = make_staff(login="sun")
    with site_scope(site_a.id):
        role = make_custom_role(NIGHT, holder=OWNER, actor=LIN)
        grant_role(user_id=sun.id, role="custom", custom_role_id=role.id, actor=LIN, holder=OWNER)
    browser = client_for(site_a)
    token = sign_in(browser, site=site_a, person=Staff(user=sun, login="sun"))  # type: ignore[arg-type]

    def may(permission: str) -> bool:
        opened = open_request(site_a.id, token=token)
        assert opened is not None
        return opened.person.can(permission, site_a.id)

    assert may("orders.repair")
    assert not may("orders.refund")
    with site_scope(site_a.id):
        change_custom_role(role.id, wish=wish("orders.refund"), holder=OWNER, actor=LIN)
    assert not may("orders.repair")
    assert may("orders.refund")


@pytest.mark.parametrize(
    "permissions", [("sites.manage",), ("orders.view", "sites.manage"), ("no.such",)]
)
def test_an_owner_gives_nothing_that_is_the_platforms(
    permissions: tuple[str, ...], site_a: Site
) -> None:
    with site_scope(site_a.id), pytest.raises(errors.RoleBeyond):
        make_custom_role(wish(*permissions), holder=OWNER, actor=LIN)
    with site_scope(site_a.id):
        assert CustomRole.objects.count() == 0


def test_what_stands_in_the_table_and_is_the_platforms_gives_nothing() -> None:
    custom = frozenset({"orders.view", "sites.manage", "gone.permission"})

    assert rules.permissions_of("custom", custom=custom) == {"orders.view"}
    assert not rules.role_allows("custom", permission="sites.manage", custom=custom)
    assert rules.permissions_of("viewer", custom=custom) == rules.ROLE_PERMISSIONS["viewer"]


def test_nobody_gives_or_touches_more_than_they_have(site_a: Site, lin: Staff) -> None:
    holder = frozenset({"staff.manage", "orders.view", "orders.repair"})
    with site_scope(site_a.id):
        great = make_custom_role(wish("orders.refund", name="大"), holder=OWNER, actor=LIN)
        sun, boss = make_staff(login="sun"), make_staff(login="boss")
        make_role(boss, site_a, Role.FINANCE)
        for act in (
            lambda: make_custom_role(wish("orders.refund"), holder=holder, actor=LIN),
            lambda: change_custom_role(great.id, wish=NIGHT, holder=holder, actor=LIN),
            lambda: delete_custom_role(great.id, holder=holder, actor=LIN),
            lambda: grant_role(user_id=sun.id, role="owner", actor=LIN, holder=holder),
            lambda: grant_role(
                user_id=sun.id, role="custom", custom_role_id=great.id, actor=LIN, holder=holder
            ),
            lambda: make_invitation(InvitationWish(role="owner"), holder=holder, actor=LIN),
        ):
            with pytest.raises(errors.RoleBeyond):
                act()
        for act in (
            lambda: grant_role(user_id=boss.id, role="custom", **_night(holder)),
            lambda: revoke_role(user_id=boss.id, actor=LIN, holder=holder),
            lambda: set_role_suspended(
                user_id=boss.id, is_suspended=True, actor=LIN, holder=holder
            ),
        ):
            with pytest.raises(errors.MemberBeyond):
                act()
        assert SiteRole.objects.get(user=boss).role == "finance"
        assert not SiteRole.objects.filter(user=sun).exists()


def _night(holder: frozenset[str]) -> dict[str, object]:
    role = CustomRole.objects.filter(name="夜班").first() or make_custom_role(
        NIGHT, holder=holder, actor=LIN
    )
    return {"custom_role_id": role.id, "actor": LIN, "holder": holder}


def test_a_role_in_use_is_not_deleted_and_says_who_uses_it(site_a: Site, lin: Staff) -> None:
    sun = make_staff(login="sun", name="小孙")
    with site_scope(site_a.id):
        role = make_custom_role(NIGHT, holder=OWNER, actor=LIN)
        grant_role(user_id=sun.id, role="custom", custom_role_id=role.id, actor=LIN)
        make_invitation(
            InvitationWish(role="custom", custom_role_id=role.id, name="小周"),
            holder=OWNER,
            actor=LIN,
        )
        with pytest.raises(errors.CustomRoleInUse) as refused:
            delete_custom_role(role.id, holder=OWNER, actor=LIN)
        assert "小孙、小周" in refused.value.text()
        assert list_custom_roles() == [role]


def test_a_free_role_is_deleted(site_a: Site) -> None:
    with site_scope(site_a.id):
        role = make_custom_role(NIGHT, holder=OWNER, actor=LIN)
        with pytest.raises(errors.CustomRoleNameTaken):
            make_custom_role(NIGHT, holder=OWNER, actor=LIN)
        delete_custom_role(role.id, holder=OWNER, actor=LIN)
        assert list_custom_roles() == []
        make_custom_role(NIGHT, holder=OWNER, actor=LIN)


def test_a_role_of_another_site_is_none_here(site_a: Site, site_b: Site, lin: Staff) -> None:
    with site_scope(site_b.id):
        other = make_custom_role(NIGHT, holder=OWNER, actor=LIN)
    with site_scope(site_a.id):
        for act in (
            lambda: change_custom_role(other.id, wish=NIGHT, holder=OWNER, actor=LIN),
            lambda: delete_custom_role(other.id, holder=OWNER, actor=LIN),
            lambda: grant_role(
                user_id=lin.user.id, role="custom", custom_role_id=other.id, actor=LIN
            ),
        ):
            with pytest.raises(errors.CustomRoleNotFound):
                act()


@pytest.mark.parametrize(("name", "permissions"), [("", {"orders.view"}), ("空", set())])
def test_a_role_needs_a_name_and_something_to_give(
    name: str, permissions: set[str], site_a: Site
) -> None:
    refusals = (errors.NicknameInvalid, errors.CustomRoleEmpty)
    with site_scope(site_a.id), pytest.raises(refusals):
        make_custom_role(
            RoleWish(name=name, note="", permissions=frozenset(permissions)),
            holder=OWNER,
            actor=LIN,
        )
