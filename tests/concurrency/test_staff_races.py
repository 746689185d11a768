"""Staff at the same moment: the last place, the last owner, one link, one code.

Each control takes the guard away and sees it go wrong.
"""

from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest

from kameng.accounts import errors, rules
from kameng.accounts.models import Invitation, RecoveryCode, Role, SiteRole, Totp
from kameng.accounts.services import joining, second_factors, staff
from kameng.core import clock
from kameng.core.audit import SYSTEM, Actor
from kameng.core.scope import platform_scope
from kameng.tenancy.models import Plan, Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import Meeting
from tests.factories import make_role, make_staff
from tests.parallel import run_together
from tests.people import Staff

LIN = Actor(kind="user", actor_id=1, name="Lin")
OWNER = rules.ROLE_PERMISSIONS["owner"]
TOGETHER = 6


@pytest.fixture
def scope(any_db: None, site_a: Site, lin: Staff) -> Iterator[Site]:
    with site_scope(site_a.id):
        yield site_a


def unlocked_roles(meeting: Meeting) -> Callable[[int], list[SiteRole]]:
    """Return `lock_roles` without its lock; all have read before one goes on."""

    def read(site_id: int) -> list[SiteRole]:
        rows = list(SiteRole.objects.select_related("user").order_by("id"))
        meeting.arrive()
        return rows

    return read


def take_places(site: Site) -> list[Any]:
    with platform_scope("a test changes a plan"):
        Plan.objects.filter(id=site.plan_id).update(staff_most=2)
    users = [make_staff() for _ in range(TOGETHER)]
    return run_together(
        TOGETHER,
        lambda index: staff.grant_role(user_id=users[index].id, role="viewer", actor=LIN),
    )


def test_the_plans_places_are_taken_once(scope: Site) -> None:
    outcomes = take_places(scope)

    assert sum(isinstance(each, SiteRole) for each in outcomes) == 2
    assert sum(isinstance(each, errors.StaffFull) for each in outcomes) == TOGETHER - 2
    assert SiteRole.objects.count() == 3


def test_control_without_the_lock_too_many_come(scope: Site) -> None:
    def counted_first(site_id: int, *, more: int = 0) -> None:
        original(site_id, more=more)
        meeting.arrive()

    original, meeting = staff.require_place, Meeting(TOGETHER)
    with (
        mock.patch.object(staff, "lock_roles", unlocked_roles(Meeting(TOGETHER))),
        mock.patch.object(staff, "require_place", counted_first),
    ):
        take_places(scope)

    assert SiteRole.objects.count() > 3


def suspend_each_other(scope: Site, lin: Staff) -> list[Any]:
    other = make_staff(login="other")
    make_role(other, scope, Role.OWNER)
    ids = [lin.user.id, other.id]

    def act(index: int) -> None:
        actor = Actor(kind="user", actor_id=ids[index], name="owner")
        victim = ids[1 - index]
        staff.set_role_suspended(user_id=victim, is_suspended=True, actor=actor, holder=OWNER)

    return run_together(2, act)


def test_two_owners_do_not_suspend_each_other(scope: Site, lin: Staff) -> None:
    outcomes = suspend_each_other(scope, lin)

    assert sum(isinstance(each, errors.LastOwner) for each in outcomes) == 1
    assert SiteRole.objects.filter(role="owner", suspended_at__isnull=True).count() == 1


def test_control_without_the_lock_no_owner_stays(wrecked_db: None, scope: Site, lin: Staff) -> None:
    with mock.patch.object(staff, "lock_roles", unlocked_roles(Meeting(2))):
        suspend_each_other(scope, lin)

    assert not SiteRole.objects.filter(role="owner", suspended_at__isnull=True).exists()


def demote_each_other(scope: Site, lin: Staff) -> list[Any]:
    other = make_staff(login="other")
    make_role(other, scope, Role.OWNER)
    ids = [lin.user.id, other.id]
    acts = (
        lambda: staff.grant_role(user_id=ids[0], role="viewer", actor=LIN),
        lambda: staff.revoke_role(user_id=ids[1], actor=LIN),
    )
    return run_together(2, lambda index: acts[index]())


def test_the_last_owner_is_neither_demoted_nor_removed(scope: Site, lin: Staff) -> None:
    outcomes = demote_each_other(scope, lin)

    assert sum(isinstance(each, errors.LastOwner) for each in outcomes) == 1
    assert SiteRole.objects.filter(role="owner").count() == 1


def test_control_without_the_lock_nobody_owns(wrecked_db: None, scope: Site, lin: Staff) -> None:
    with mock.patch.object(staff, "lock_roles", unlocked_roles(Meeting(2))):
        demote_each_other(scope, lin)

    assert not SiteRole.objects.filter(role="owner").exists()
    SiteRole.objects.filter(user=lin.user).update(role="owner")  # or the audit finds it, rightly


def click_together() -> list[Any]:
    invited = joining.make_invitation(
        joining.InvitationWish(role="viewer"), holder=OWNER, actor=SYSTEM
    )
    users = [make_staff() for _ in range(3)]
    return run_together(
        3,
        lambda index: joining.accept_invitation(invited.token, user_id=users[index].id, actor=LIN),
    )


def test_one_link_lets_one_person_in(scope: Site) -> None:
    outcomes = click_together()

    assert sum(isinstance(each, Invitation) for each in outcomes) == 1
    assert sum(isinstance(each, errors.InvitationNotFound) for each in outcomes) == 2
    assert SiteRole.objects.count() == 2


def test_control_a_link_that_is_read_and_then_used_lets_all_in(
    wrecked_db: None, scope: Site
) -> None:
    meeting = Meeting(3)

    def read_then_write(token: str, *, user_id: int) -> Invitation:
        row: Invitation = joining.open_invitations().get()
        meeting.arrive()
        Invitation.objects.filter(id=row.id).update(used_at=clock.now(), used_by_id=user_id)
        return row

    with (
        mock.patch.object(joining, "_take", read_then_write),
        mock.patch.object(joining, "lock_roles", return_value=[]),
    ):
        click_together()

    assert SiteRole.objects.count() > 2


def use_one_step(user_id: int) -> list[Any]:
    Totp.objects.create(user_id=user_id, secret_cipher=b"x", last_step=7, confirmed_at=clock.now())
    return run_together(4, lambda _index: second_factors.take_totp_step(user_id, step=8))


def test_a_code_of_the_app_counts_once(scope: Site, lin: Staff) -> None:
    assert sorted(use_one_step(lin.user.id)) == [False, False, False, True]


def test_control_a_step_that_is_read_first_counts_often(scope: Site, lin: Staff) -> None:
    meeting = Meeting(4)

    def read_then_write(user_id: int, *, step: int) -> bool:
        is_new = Totp.objects.get(user_id=user_id).last_step < step
        meeting.arrive()
        Totp.objects.filter(user_id=user_id).update(last_step=step)
        return is_new

    with mock.patch.object(second_factors, "take_totp_step", read_then_write):
        outcomes = use_one_step(lin.user.id)

    assert outcomes.count(True) > 1


def use_one_paper(user_id: int) -> list[Any]:
    Totp.objects.create(user_id=user_id, secret_cipher=b"x", last_step=7, confirmed_at=clock.now())
    digest = second_factors._digest(user_id, "abcdefghjk")
    RecoveryCode.objects.create(user_id=user_id, code_digest=digest)
    return run_together(
        4, lambda _index: second_factors.use_code(user_id, code="abcdefghjk", actor=LIN)
    )


def test_a_recovery_code_counts_once(scope: Site, lin: Staff) -> None:
    outcomes = use_one_paper(lin.user.id)

    assert outcomes.count("recovery") == 1
    assert sum(isinstance(each, errors.SecondFactorWrong) for each in outcomes) == 3


def test_control_a_recovery_code_that_is_read_first_counts_often(
    wrecked_db: None, scope: Site, lin: Staff
) -> None:
    meeting = Meeting(4)

    def read_then_write(user_id: int, *, text: str) -> bool:
        row = RecoveryCode.objects.get(user_id=user_id)
        meeting.arrive()
        RecoveryCode.objects.filter(id=row.id).update(used_at=clock.now())
        return row.used_at is None

    with mock.patch.object(second_factors, "take_recovery_code", read_then_write):
        outcomes = use_one_paper(lin.user.id)

    assert outcomes.count("recovery") > 1
