"""Links to open child sites, many at the same moment: one child a link, no more than the plan has.

Each guard has its negative control: without it, the same race goes wrong.
"""

import itertools
from typing import Any
from unittest import mock

import pytest

from kameng.accounts.services import opening as accounts_opening
from kameng.orders.services import opening_invited
from kameng.orders.services.buying_plans import NewShop
from kameng.orders.services.opening_invited import InvitedShop, open_invited
from kameng.tenancy import children, errors
from kameng.tenancy.models import Site
from tests.concurrency.cutting import cut_everywhere
from tests.concurrency.guards import Meeting
from tests.concurrency.shop import count
from tests.orders.test_children import allow_children
from tests.parallel import run_together
from tests.plan_shop import PASSWORD
from tests.tenancy.test_child_invitations import invite

TOGETHER = 8
CHILDREN = "select count(*) from tenancy_site where upline_id = %s"
USED = "select count(*) from tenancy_childinvitation where used_at is not null"
_numbers = itertools.count(1)


def open_by(token: str) -> InvitedShop:
    """Open a child by a link, under an address and a login of its own."""
    slug = f"race-kid-{next(_numbers)}"
    shop = NewShop(
        slug=slug, name="下级", owner_login=f"{slug}@example.com", owner_password=PASSWORD
    )
    return open_invited(token, shop=shop, ip="192.0.2.7")


def open_together(tokens: list[str]) -> list[Any]:
    """Let every link be used at the same moment."""
    return run_together(len(tokens), lambda index: open_by(tokens[index]))


def test_one_link_opens_one_child_however_many_click(committed_db: None, site_a: Site) -> None:
    allow_children(20)
    made = invite(site_a)

    outcomes = open_together([made.token] * TOGETHER)

    kinds = [type(each) for each in outcomes]
    assert kinds.count(InvitedShop) == 1
    assert kinds.count(errors.ChildInvitationNotFound) == TOGETHER - 1
    assert count(CHILDREN, site_a.id) == count(USED) == 1


def test_control_without_the_condition_one_link_opens_many(
    committed_db: None, site_a: Site
) -> None:
    allow_children(20)
    made = invite(site_a)

    with (
        mock.patch.object(opening_invited, "use_child_invitation"),
        mock.patch.object(children, "admit_child"),
    ):
        outcomes = open_together([made.token] * TOGETHER)

    assert sum(isinstance(each, InvitedShop) for each in outcomes) > 1
    assert count(CHILDREN, site_a.id) > 1


def test_many_links_open_no_more_than_the_plan_has(committed_db: None, site_a: Site) -> None:
    allow_children(TOGETHER)
    tokens = [invite(site_a).token for _ in range(TOGETHER)]
    allow_children(2)

    outcomes = open_together(tokens)

    kinds = [type(each) for each in outcomes]
    assert kinds.count(InvitedShop) == 2, outcomes
    assert kinds.count(errors.ChildrenFull) == TOGETHER - 2, outcomes
    assert count(CHILDREN, site_a.id) == count(USED) == 2


def test_control_without_the_uplines_lock_more_are_opened(committed_db: None, site_a: Site) -> None:
    allow_children(TOGETHER)
    tokens = [invite(site_a).token for _ in range(TOGETHER)]
    allow_children(2)
    meeting, admit = Meeting(TOGETHER), children.admit_child

    def admit_and_meet(upline_id: int) -> None:
        admit(upline_id)
        meeting.arrive()

    with (
        mock.patch.object(children, "lock_upline", lambda site_id: Site.objects.get(id=site_id)),
        mock.patch.object(children, "admit_child", admit_and_meet),
    ):
        open_together(tokens)

    assert count(CHILDREN, site_a.id) > 2


class Joining:
    """A newcomer sends the form of a link, and again when no answer came."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.token = invite(site).token
        self.before = count(CHILDREN, site.id)

    def act(self) -> None:
        try:
            open_by(self.token)
        except errors.ChildInvitationNotFound:
            return  # the page shows what the first one opened

    def stands(self) -> bool:
        return count(CHILDREN, self.site.id) > self.before

    def check(self) -> None:
        assert count(CHILDREN, self.site.id) == self.before + 1
        assert count(USED) == self.before + 1


def test_an_opening_by_a_link_cut_off_anywhere_opens_once(
    committed_db: None, site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow_children(None)  # type: ignore[arg-type]
    monkeypatch.setattr(children, "MOST_CHILDREN", 10_000)  # as many as there are places to cut
    encoded = accounts_opening.hash_new_password(PASSWORD, login="somebody")
    monkeypatch.setattr(accounts_opening, "hash_new_password", lambda *_a, **_k: encoded)

    stood = cut_everywhere(lambda: Joining(site_a))

    assert set(stood) == {True, False}
