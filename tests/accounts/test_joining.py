"""Invitations: one person, once, on one site, in time, and only while the plan has a place."""

import pytest
import time_machine

from kameng.accounts import errors, rules
from kameng.accounts.models import CustomRole, Invitation, Role, SiteRole, User
from kameng.accounts.selectors import find_invitation, list_invitations
from kameng.accounts.services.custom_roles import (
    RoleWish,
    change_custom_role,
    make_custom_role,
)
from kameng.accounts.services.joining import (
    InvitationWish,
    Invited,
    accept_invitation,
    join_by_invitation,
    make_invitation,
    resend_invitation,
    withdraw_invitation,
)
from kameng.accounts.services.staff import (
    grant_role,
    revoke_role,
    set_role_suspended,
    set_user_active,
)
from kameng.core import clock
from kameng.core.audit import SYSTEM, Actor
from kameng.core.scope import platform_scope
from kameng.tenancy.models import Plan, Site
from kameng.tenancy.selectors import site_scope
from tests.factories import PASSWORD, make_role, make_staff
from tests.people import Staff

LIN = Actor(kind="user", actor_id=1, name="Lin")
OWNER = rules.ROLE_PERMISSIONS["owner"]


def invite(
    role: str = "service", *, login: str = "", days: int = 7, by: User | None = None
) -> Invited:
    """Invite as the owner of the site in force, or as somebody else."""
    user = by or User.objects.get(login="lin")
    wish = InvitationWish(role=role, login=login, name="小周", days=days)
    actor = Actor(kind="user", actor_id=user.id, name="Lin")
    return make_invitation(wish, holder=OWNER, actor=actor)


def join(token: str, *, login: str = "zhou") -> User:
    return join_by_invitation(
        token, login_text=login, display_name="小周", password=PASSWORD, ip="192.0.2.1"
    )


def allow(site: Site, most: int | None) -> None:
    with platform_scope("a test changes a plan"):
        Plan.objects.filter(id=site.plan_id).update(staff_most=most)


def test_who_is_invited_makes_an_account_with_the_role(site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        invited = invite()

        user = join(invited.token)

        assert SiteRole.objects.get(user=user).role == "service"
        row = Invitation.objects.get()
        assert (row.used_by_id, row.invited_by) == (user.id, "Lin")
        assert invited.token.encode() not in bytes(row.token_digest)
        with pytest.raises(errors.InvitationNotFound):
            join(invited.token, login="second")
    assert not User.objects.filter(login="second").exists()


def test_who_has_an_account_takes_the_role_with_it(site_a: Site, lin: Staff, wei: Staff) -> None:
    with site_scope(site_a.id):
        invited = invite("finance")
        accept_invitation(invited.token, user_id=wei.user.id, actor=LIN)
        assert SiteRole.objects.get(user=wei.user).role == "finance"


def test_who_works_here_already_leaves_the_link_unused(site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        invited = invite("viewer")
        with pytest.raises(errors.MemberExists):
            accept_invitation(invited.token, user_id=lin.user.id, actor=LIN)
        assert SiteRole.objects.get(user=lin.user).role == "owner"
        assert find_invitation(invited.token) is not None


def test_a_link_opens_one_site_alone(site_a: Site, site_b: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        invited = invite()
    with site_scope(site_b.id):
        assert find_invitation(invited.token) is None
        with pytest.raises(errors.InvitationNotFound):
            join(invited.token)


def test_a_link_ends_with_its_time_and_when_it_is_withdrawn(site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        withdrawn, late = invite(), invite(days=1)
        withdraw_invitation(withdrawn.invitation.id, actor=LIN)
        with pytest.raises(errors.InvitationNotFound):
            join(withdrawn.token)
        with (
            time_machine.travel(clock.now().timestamp() + 86_401),
            pytest.raises(errors.InvitationNotFound),
        ):
            join(late.token)
        with pytest.raises(errors.InvitationNotFound):
            withdraw_invitation(withdrawn.invitation.id, actor=LIN)
        assert [row.id for row in list_invitations()] == [late.invitation.id]


def test_a_link_sent_again_ends_the_old_one(site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        first = invite(login="zhou@example.com")
        again = resend_invitation(first.invitation.id, holder=OWNER, actor=SYSTEM)

        assert find_invitation(first.token) is None
        join(again.token)
        with pytest.raises(errors.InvitationNotFound):
            resend_invitation(first.invitation.id, holder=OWNER, actor=LIN)


def test_the_plan_says_how_many(site_a: Site, lin: Staff) -> None:
    allow(site_a, 1)
    with site_scope(site_a.id):
        first = invite()
        with pytest.raises(errors.StaffFull):
            invite()  # the open one has the place
        join(first.token)
        with pytest.raises(errors.StaffFull):
            grant_role(user_id=make_staff().id, role="viewer", actor=LIN)
        grant_role(user_id=User.objects.get(login="zhou").id, role="goods", actor=LIN)
    allow(site_a, None)
    with site_scope(site_a.id):
        grant_role(user_id=make_staff().id, role="viewer", actor=LIN)


def test_a_full_plan_makes_no_account(site_a: Site, lin: Staff) -> None:
    with site_scope(site_a.id):
        invited = invite()
        make_role(make_staff(), site_a, Role.VIEWER)
        allow(site_a, 1)
        with pytest.raises(errors.StaffFull):
            join(invited.token)
        assert find_invitation(invited.token) is not None
    assert not User.objects.filter(login="zhou").exists()


@pytest.mark.parametrize(
    ("login", "password", "refusal"),
    [
        ("lin", PASSWORD, errors.StaffLoginTaken),
        ("中文", PASSWORD, errors.StaffLoginInvalid),
        ("zhou", "short", errors.PasswordTooShort),
    ],
)
def test_a_bad_account_leaves_the_link_open(
    login: str, password: str, refusal: type[Exception], site_a: Site, lin: Staff
) -> None:
    with site_scope(site_a.id):
        invited = invite()
        with pytest.raises(refusal):
            join_by_invitation(
                invited.token, login_text=login, display_name="周", password=password, ip=""
            )
        assert find_invitation(invited.token) is not None


def leave(sun: User, how: str) -> None:
    """Take from Sun what she gave by her links."""
    if how == "removed":
        revoke_role(user_id=sun.id, actor=LIN)
    elif how == "demoted":
        grant_role(user_id=sun.id, role="viewer", actor=LIN)
    elif how == "suspended":
        set_role_suspended(user_id=sun.id, is_suspended=True, actor=LIN)
    else:
        set_user_active(sun.id, is_active=False, actor=LIN)


@pytest.mark.parametrize("how", ["removed", "demoted", "suspended", "switched off"])
def test_who_may_invite_no_longer_does_not_come_back_by_a_link(
    how: str, site_a: Site, lin: Staff
) -> None:
    sun = make_staff(login="sun")
    make_role(sun, site_a, Role.OWNER)
    with site_scope(site_a.id):
        hers, his = invite("owner", by=sun), invite("viewer")

        leave(sun, how)

        with pytest.raises(errors.InvitationNotFound):
            join(hers.token, login="sun-again")
        assert not User.objects.filter(login="sun-again").exists()
        if how != "switched off":  # that is everywhere; on each site the link just opens nothing
            assert [row.id for row in list_invitations()] == [his.invitation.id]
            assert find_invitation(hers.token) is None
        join(his.token)


def test_who_is_demoted_keeps_the_links_that_they_could_still_make(
    site_a: Site, lin: Staff
) -> None:
    sun = make_staff(login="sun")
    make_role(sun, site_a, Role.OWNER)
    with site_scope(site_a.id):
        wish = RoleWish(
            name="店长", note="", permissions=rules.ROLE_PERMISSIONS["viewer"] | {"staff.manage"}
        )
        role = make_custom_role(wish, holder=OWNER, actor=LIN)
        small, great = invite("viewer", by=sun), invite("finance", by=sun)

        grant_role(user_id=sun.id, role="custom", custom_role_id=role.id, actor=LIN)

        assert [row.id for row in list_invitations()] == [small.invitation.id]
        with pytest.raises(errors.InvitationNotFound):
            join(great.token)
        join(small.token)


def test_a_role_that_grew_beyond_who_invited_is_not_given(site_a: Site, lin: Staff) -> None:
    sun = make_staff(login="sun")
    with site_scope(site_a.id):
        lead = make_custom_role(
            RoleWish(name="组长", note="", permissions=frozenset({"staff.manage", "orders.view"})),
            holder=OWNER,
            actor=LIN,
        )
        clerk = make_custom_role(
            RoleWish(name="夜班", note="", permissions=frozenset({"orders.view"})),
            holder=OWNER,
            actor=LIN,
        )
        grant_role(user_id=sun.id, role="custom", custom_role_id=lead.id, actor=LIN)
        made = make_invitation(
            InvitationWish(role="custom", custom_role_id=clerk.id),
            holder=lead_permissions(lead),
            actor=Actor(kind="user", actor_id=sun.id, name="Sun"),
        )
        grown = RoleWish(name="夜班", note="", permissions=frozenset({"orders.refund"}))
        change_custom_role(clerk.id, wish=grown, holder=OWNER, actor=LIN)

        with pytest.raises(errors.InvitationNotFound):
            join(made.token)


def lead_permissions(role: CustomRole) -> frozenset[str]:
    return frozenset(role.permissions)
