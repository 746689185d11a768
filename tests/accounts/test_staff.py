"""Staff, their roles, the last owner, and the opening of a sub-site."""

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest

from kameng.accounts import errors, selectors
from kameng.accounts.models import Role, SiteRole, User
from kameng.accounts.services import opening, staff
from kameng.accounts.services.opening import Opening, open_main_site, open_sub_site
from kameng.accounts.services.staff import (
    create_user,
    grant_role,
    revoke_role,
    set_role_suspended,
    set_staff_password,
    set_user_active,
)
from kameng.core.audit import SYSTEM, Actor
from kameng.core.database import fetch_one
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.tenancy.errors import HostTaken, PlanNotFound, SlugInvalid, SlugTaken
from kameng.tenancy.models import Domain, Plan, Site
from kameng.tenancy.selectors import find_site_id, site_scope
from tests.concurrency.guards import Meeting
from tests.factories import PASSWORD, make_role, make_staff
from tests.people import Staff

ADA = Actor(kind="user", actor_id=1, name="Ada", ip="192.0.2.1")


def actions(site: Site) -> list[str]:
    with platform_scope("read the audit log"):
        rows = AuditEntry.objects.filter(site_id=site.id).order_by("id")
        return [row.action for row in rows]


def form(**changes: Any) -> Opening:
    values: dict[str, Any] = {
        "slug": "new-shop",
        "name": "新店",
        "host": "new.localhost",
        "plan_id": Plan.objects.get(name="普及版").id,
        "owner_login": "owner",
        "owner_name": "店主",
        "owner_password": PASSWORD,
    }
    return Opening(**{**values, **changes})


def test_a_user_is_made_and_given_a_role(site_a: Site) -> None:
    with site_scope(site_a.id):
        user = create_user(
            login_text=" Helper ",
            display_name="客服",
            password=PASSWORD,
            is_platform=False,
            actor=ADA,
        )
        grant_role(user_id=user.id, role=Role.SERVICE, actor=ADA)
        grant_role(user_id=user.id, role=Role.GOODS, actor=ADA)

        assert user.login == "helper"
        assert [(each.user, each.role) for each in selectors.list_staff()] == [(user, "goods")]
    assert actions(site_a) == ["staff.created", "staff.role.granted", "staff.role.granted"]


@pytest.mark.parametrize(
    ("login", "name", "refusal"),
    [
        ("", "x", errors.StaffLoginInvalid),
        ("中文", "x", errors.StaffLoginInvalid),
        ("a b", "x", errors.StaffLoginInvalid),
        ("x\x00y", "x", errors.StaffLoginInvalid),
        ("fine", " ", errors.NicknameInvalid),
        ("LIN", "x", errors.StaffLoginTaken),
    ],
)
def test_a_user_that_will_not_do_is_refused(
    site_a: Site, lin: Staff, login: str, name: str, refusal: type[Exception]
) -> None:
    with site_scope(site_a.id), pytest.raises(refusal):
        create_user(
            login_text=login, display_name=name, password=PASSWORD, is_platform=False, actor=ADA
        )
    assert User.objects.count() == 1


def test_a_role_that_is_none_and_a_user_that_is_none_are_refused(site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        with pytest.raises(errors.RoleUnknown):
            grant_role(user_id=lin.user.id, role="emperor", actor=ADA)
        with pytest.raises(errors.UserNotFound):
            grant_role(user_id=2**60, role="viewer", actor=ADA)
        with pytest.raises(errors.UserNotFound):
            revoke_role(user_id=2**60, actor=ADA)


def test_a_site_keeps_its_last_owner(site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        with pytest.raises(errors.LastOwner):
            revoke_role(user_id=lin.user.id, actor=ADA)
        with pytest.raises(errors.LastOwner):
            grant_role(user_id=lin.user.id, role=Role.VIEWER, actor=ADA)
        make_role(make_staff(), site_a)
        revoke_role(user_id=lin.user.id, actor=ADA)
        assert SiteRole.objects.count() == 1


def test_an_owner_whom_the_platform_keeps_out_stays_the_owner(site_a: Site, lin: Staff) -> None:
    set_user_active(lin.user.id, is_active=False, actor=ADA)

    with site_scope(site_a.id):
        with pytest.raises(errors.LastOwner):
            revoke_role(user_id=lin.user.id, actor=ADA)
        with pytest.raises(errors.LastOwner):
            set_role_suspended(user_id=lin.user.id, is_suspended=True, actor=ADA)
        make_role(make_staff(), site_a)
        revoke_role(user_id=lin.user.id, actor=ADA)
        assert SiteRole.objects.count() == 1


def test_the_owner_of_one_site_is_no_owner_of_another(
    site_a: Site, site_b: Site, wei: Staff
) -> None:
    with site_scope(site_a.id), pytest.raises(errors.UserNotFound):
        revoke_role(user_id=wei.user.id, actor=ADA)
    with site_scope(site_b.id):
        assert SiteRole.objects.count() == 1


def test_of_two_owners_who_go_at_once_one_stays(
    run_parallel: Callable[[int, Callable[[int], Any]], list[Any]], site_a: Site, lin: Staff
) -> None:
    other = make_staff()
    make_role(other, site_a)
    ids = [lin.user.id, other.id]

    with site_scope(site_a.id):
        outcomes = run_parallel(2, lambda index: revoke_role(user_id=ids[index], actor=ADA))

        assert outcomes.count(None) == 1
        assert SiteRole.objects.count() == 1


def test_control_without_the_lock_both_owners_go(
    run_parallel: Callable[[int, Callable[[int], Any]], list[Any]], site_a: Site, lin: Staff
) -> None:
    other = make_staff()
    make_role(other, site_a)
    ids = [lin.user.id, other.id]

    both_have_looked = Meeting(2)

    def look(_site_id: int) -> list[SiteRole]:
        rows = list(SiteRole.objects.order_by("id"))
        both_have_looked.arrive()
        return rows

    with site_scope(site_a.id):
        with mock.patch.object(staff, "lock_roles", look):
            run_parallel(2, lambda index: revoke_role(user_id=ids[index], actor=ADA))
        assert SiteRole.objects.count() == 0


def test_the_last_administrator_cannot_be_switched_off(ada: Staff, lin: Staff) -> None:
    with pytest.raises(errors.LastPlatformUser):
        set_user_active(ada.user.id, is_active=False, actor=ADA)
    make_staff(is_platform=True)
    set_user_active(ada.user.id, is_active=False, actor=ADA)
    set_user_active(lin.user.id, is_active=False, actor=ADA)
    with pytest.raises(errors.UserNotFound):
        set_user_active(2**60, is_active=True, actor=ADA)

    assert not User.objects.get(id=ada.user.id).is_active


def test_a_password_is_set_for_staff(lin: Staff) -> None:
    set_staff_password(lin.user.id, new_password="a new password", actor=ADA)
    with pytest.raises(errors.PasswordWornOut):
        set_staff_password(lin.user.id, new_password="12345678", actor=ADA)

    assert User.objects.get(id=lin.user.id).password != lin.user.password


def test_a_sub_site_is_opened_whole(main_site: Site) -> None:
    with site_scope(main_site.id):
        site = open_sub_site(form(), actor=ADA)

    assert find_site_id("new.localhost") == site.id
    assert (site.parent_id, site.plan.name if site.plan else "") == (main_site.id, "普及版")
    with site_scope(site.id):
        (role,) = selectors.list_staff()
        assert (role.role, role.user.login, role.user.is_platform) == ("owner", "owner", False)
    assert actions(site) == ["site.opened", "site.domain.added", "staff.role.granted"]


def test_an_existing_user_may_own_a_second_site(main_site: Site, lin: Staff) -> None:
    site = open_sub_site(form(owner_login="lin", owner_password=""), actor=ADA)

    with site_scope(site.id):
        assert [role.user_id for role in selectors.list_staff()] == [lin.user.id]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"slug": "Bad Slug"}, SlugInvalid),
        ({"slug": "main"}, SlugTaken),
        ({"host": "MAIN.localhost"}, HostTaken),
        ({"plan_id": 2**60}, PlanNotFound),
        ({"plan_id": None}, errors.PlanMissing),
        ({"name": " \x00"}, errors.NicknameInvalid),
        ({"owner_login": "nobody", "owner_password": ""}, errors.UserNotFound),
        ({"owner_login": "ada"}, errors.StaffLoginTaken),
        ({"owner_login": "中"}, errors.StaffLoginInvalid),
        ({"owner_password": "short"}, errors.PasswordTooShort),
    ],
)
def test_a_sub_site_that_cannot_be_opened_leaves_nothing(
    main_site: Site, ada: Staff, changes: dict[str, Any], refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        open_sub_site(form(**changes), actor=ADA)

    with platform_scope("count"):
        counts = (
            Site.objects.count(),
            Domain.objects.count(),
            User.objects.count(),
            SiteRole.unscoped.count(),
            AuditEntry.objects.count(),
        )
    assert counts == (1, 1, 1, 0, 0)


def test_the_main_site_is_opened_once(db: None) -> None:
    Plan.objects.create(name="普及版", wholesale_markup_bps=1000)
    first = form(slug="main", host="main.localhost", plan_id=None)

    site = open_main_site(first, actor=SYSTEM)

    assert site.is_main
    assert User.objects.get().is_platform
    with pytest.raises((errors.MainSiteExists, errors.StaffLoginTaken)):
        open_main_site(form(slug="other", host="other.localhost"), actor=SYSTEM)
    assert fetch_one("select count(*) from tenancy_site") == (1,)
    assert opening.open_sub_site(form(owner_login="second"), actor=SYSTEM).parent_id == site.id
