"""The two-person rule: asked by one, carried out by another, once."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction

from kameng.accounts import errors
from kameng.accounts.events import ApprovalGiven
from kameng.accounts.models import Approval, ApprovalState
from kameng.accounts.selectors import (
    find_waiting_approval,
    list_past_approvals,
    list_waiting_approvals,
)
from kameng.accounts.services import approving
from kameng.accounts.services.approving import (
    ApprovalWish,
    approve_wish,
    ask_approval,
    refuse_wish,
    withdraw_wish,
)
from kameng.core import clock, events
from kameng.core.audit import SYSTEM, Actor
from kameng.core.errors import Conflict
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import Meeting

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
LIN = Actor(kind="user", actor_id=1, name="Lin")
BO = Actor(kind="user", actor_id=2, name="Bo")
WISH = ApprovalWish(
    kind="test.act",
    permission="money.view",
    about_id=7,
    amount=30_000_000,
    reason="客户给了回单",
    details={"to": "Mei"},
)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[ApprovalGiven]:
    """What is carried out, heard in the transaction of the approval."""
    found: list[ApprovalGiven] = []
    table = {**events._same_transaction, ApprovalGiven: (found.append,)}
    monkeypatch.setattr(events, "_same_transaction", table)
    return found


def _actions() -> list[str]:
    with platform_scope("a test reads the audit log"):
        return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


def test_another_person_approves_and_the_act_is_heard(
    any_db: None, site_a: Site, heard: list[ApprovalGiven]
) -> None:
    with site_scope(site_a.id):
        asked = ask_approval(WISH, actor=LIN)
        assert list_waiting_approvals() == [asked]
        assert find_waiting_approval("test.act", about_id=7) == asked

        approved = approve_wish(asked.id, actor=BO)

        assert (approved.state, approved.decided_by_id) == (ApprovalState.APPROVED, 2)
        assert (approved.wish, approved.amount) == ({"to": "Mei"}, 30_000_000)
        assert list_waiting_approvals() == []
        assert list_past_approvals() == [approved]
    assert [(event.kind, event.about_id, event.subject_id) for event in heard] == [
        ("test.act", 7, asked.id)
    ]
    assert _actions() == ["approval.asked", "approval.given"]


def test_nobody_approves_or_refuses_what_he_asked_for(
    any_db: None, site_a: Site, heard: list[ApprovalGiven]
) -> None:
    with site_scope(site_a.id):
        asked = ask_approval(WISH, actor=LIN)
        with pytest.raises(errors.ApprovalByOneself):
            approve_wish(asked.id, actor=LIN)
        with pytest.raises(errors.ApprovalByOneself):
            refuse_wish(asked.id, note="", actor=LIN)
        with pytest.raises(errors.ApprovalNeedsStaff):
            approve_wish(asked.id, actor=SYSTEM)

        assert len(list_waiting_approvals()) == 1
    assert heard == []


def test_the_database_itself_refuses_one_person(any_db: None, site_a: Site) -> None:
    with site_scope(site_a.id):
        asked = ask_approval(WISH, actor=LIN)
        with pytest.raises(IntegrityError), transaction.atomic():
            Approval.objects.filter(id=asked.id).update(
                state=ApprovalState.APPROVED, decided_by_id=1, decided_at=clock.now()
            )


def test_the_same_wish_again_is_the_first_and_another_waits_its_turn(
    any_db: None, site_a: Site
) -> None:
    with site_scope(site_a.id):
        first = ask_approval(WISH, actor=LIN)
        assert ask_approval(WISH, actor=LIN).id == first.id
        with pytest.raises(errors.ApprovalWaiting):
            ask_approval(WISH, actor=BO)
        withdraw_wish(first.id, actor=LIN)
        assert ask_approval(WISH, actor=BO).id != first.id


def test_only_who_asked_withdraws(any_db: None, site_a: Site) -> None:
    with site_scope(site_a.id):
        asked = ask_approval(WISH, actor=LIN)
        with pytest.raises(errors.ApprovalNotYours):
            withdraw_wish(asked.id, actor=BO)
        refused = refuse_wish(asked.id, note="没有回单", actor=BO)
        assert (refused.state, refused.decision_note) == (ApprovalState.REFUSED, "没有回单")
        with pytest.raises(errors.ApprovalOver):
            withdraw_wish(asked.id, actor=LIN)


def test_a_wish_expires_and_may_be_asked_again(
    any_db: None, site_a: Site, heard: list[ApprovalGiven]
) -> None:
    later = clock.now() + dt.timedelta(seconds=approving.APPROVAL_SECONDS + 1)
    with site_scope(site_a.id):
        asked = ask_approval(WISH, actor=LIN)
        with time_machine.travel(later, tick=False):
            with pytest.raises(errors.ApprovalOver):
                approve_wish(asked.id, actor=BO)
            assert list_waiting_approvals() == []
            again = ask_approval(WISH, actor=LIN)
        assert again.id != asked.id
        asked.refresh_from_db()
        assert asked.state == ApprovalState.EXPIRED
    assert heard == []


def test_an_act_that_is_refused_leaves_the_wish_waiting(
    any_db: None, site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_event: ApprovalGiven) -> None:
        raise Conflict

    monkeypatch.setattr(events, "_same_transaction", {ApprovalGiven: (refuse,)})
    with site_scope(site_a.id):
        asked = ask_approval(WISH, actor=LIN)
        with pytest.raises(Conflict):
            approve_wish(asked.id, actor=BO)
        assert len(list_waiting_approvals()) == 1
    assert _actions() == ["approval.asked"]


def test_another_site_sees_nothing(any_db: None, site_a: Site, site_b: Site) -> None:
    with site_scope(site_a.id):
        asked = ask_approval(WISH, actor=LIN)
    with site_scope(site_b.id):
        assert list_waiting_approvals() == []
        with pytest.raises(errors.ApprovalNotFound):
            approve_wish(asked.id, actor=BO)


def test_twenty_who_approve_at_once_carry_it_out_once(
    site_a: Site, run_parallel: Parallel, heard: list[ApprovalGiven]
) -> None:
    with site_scope(site_a.id):
        asked = ask_approval(WISH, actor=LIN)
        outcomes = run_parallel(20, lambda i: approve_wish(asked.id, actor=_colleague(i)))

    refused = [each for each in outcomes if isinstance(each, errors.ApprovalOver)]
    assert (len(refused), len(heard)) == (19, 1)


def test_control_without_the_compare_it_is_carried_out_twice(
    site_a: Site,
    run_parallel: Parallel,
    heard: list[ApprovalGiven],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both read a waiting wish and then write it, whatever became of it meanwhile."""
    both = Meeting(2)

    def decide(approval_id: int, state: ApprovalState, *, actor: Actor, note: str) -> Approval:
        approval: Approval = Approval.objects.get(id=approval_id, state=ApprovalState.WAITING)
        both.arrive()
        approval.state, approval.decided_by_id = state, int(actor.actor_id or 0)
        approval.decided_at = clock.now()
        approval.save(update_fields=["state", "decided_by_id", "decided_at"])
        return approval

    monkeypatch.setattr(approving, "_decide", decide)
    with site_scope(site_a.id):
        asked = ask_approval(WISH, actor=LIN)
        run_parallel(2, lambda i: approve_wish(asked.id, actor=_colleague(i)))

    assert len(heard) == 2


def _colleague(index: int) -> Actor:
    return Actor(kind="user", actor_id=100 + index, name=f"同事 {index}")
