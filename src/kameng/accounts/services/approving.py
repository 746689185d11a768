"""The two-person rule: one member of staff wishes an act, another one approves it.

An app above asks with `ask_approval` what it would otherwise do, and does it when it hears
`ApprovalGiven`, in the transaction of the approval: an act that is refused then leaves the wish
waiting, and an approval never stands without its act.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction

from kameng.accounts import errors
from kameng.accounts.events import ApprovalGiven
from kameng.accounts.models import Approval, ApprovalState
from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.events import publish
from kameng.core.scope import require_site_id

APPROVAL_SECONDS = 72 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalWish:
    """What shall be done: `details` is plain JSON without secrets; `amount` in 1/10000 yuan.

    `permission` is the right that both persons need. One wish of a kind about one subject waits at
    a time.
    """

    kind: str
    permission: str
    about_id: int
    amount: int
    reason: str
    details: Mapping[str, Any] = field(default_factory=dict)


def ask_approval(wish: ApprovalWish, *, actor: Actor) -> Approval:
    """Let a wish of the site in force wait for a second person; audited.

    The same wish of the same person again gives the first one. Raises `ApprovalWaiting` when
    another one waits about the same, `ApprovalNeedsStaff`.
    """
    asked_by_id = _staff_id(actor)
    now = clock.now()
    details, reason = dict(wish.details), wish.reason[:400]
    waiting = Approval.objects.filter(
        kind=wish.kind, subject_id=wish.about_id, state=ApprovalState.WAITING
    )
    waiting.filter(expires_at__lte=now).update(state=ApprovalState.EXPIRED, decided_at=now)
    try:
        with transaction.atomic():
            approval: Approval = Approval.objects.create(
                site_id=require_site_id(),
                kind=wish.kind,
                permission=wish.permission,
                subject_id=wish.about_id,
                amount=wish.amount,
                wish=details,
                reason=reason,
                asked_by_id=asked_by_id,
                asked_by=actor.name[:64],
                expires_at=now + dt.timedelta(seconds=APPROVAL_SECONDS),
            )
            _record("approval.asked", approval, actor)
    except IntegrityError:
        known: Approval | None = waiting.first()
        same = (asked_by_id, wish.amount, details, reason)
        if known is None or same != (known.asked_by_id, known.amount, known.wish, known.reason):
            raise errors.ApprovalWaiting from None
        return known
    return approval


def approve_wish(approval_id: int, *, actor: Actor) -> Approval:
    """Approve what another person of the site in force wished; the act happens with it. Audited.

    Publishes `ApprovalGiven`; what carries the act out may refuse, and then nothing happened.
    Raises `ApprovalNotFound`, `ApprovalByOneself`, `ApprovalOver`, `ApprovalNeedsStaff`. Locks the
    approval, then what the act locks.
    """
    with transaction.atomic():
        approval = _decide(approval_id, ApprovalState.APPROVED, actor=actor, note="")
        publish(
            ApprovalGiven(
                site_id=approval.site_id,
                subject_id=approval.id,
                kind=approval.kind,
                about_id=approval.subject_id,
            )
        )
        _record("approval.given", approval, actor)
    return approval


def refuse_wish(approval_id: int, *, note: str, actor: Actor) -> Approval:
    """Refuse what another person wished, with a reason. Raises as `approve_wish`. Audited."""
    with transaction.atomic():
        approval = _decide(approval_id, ApprovalState.REFUSED, actor=actor, note=note)
        _record("approval.refused", approval, actor)
    return approval


def withdraw_wish(approval_id: int, *, actor: Actor) -> Approval:
    """Take back one's own wish. Raises `ApprovalNotYours`, `ApprovalOver`. Audited."""
    with transaction.atomic():
        approval = _decide(approval_id, ApprovalState.WITHDRAWN, actor=actor, note="")
        _record("approval.withdrawn", approval, actor)
    return approval


def _decide(approval_id: int, state: ApprovalState, *, actor: Actor, note: str) -> Approval:
    """Move a waiting wish on, once: the compare-and-set on its state is the guard."""
    decided_by_id = _staff_id(actor)
    approval: Approval | None = Approval.objects.filter(id=approval_id).first()
    if approval is None:
        raise errors.ApprovalNotFound
    is_own = approval.asked_by_id == decided_by_id
    if state == ApprovalState.WITHDRAWN and not is_own:
        raise errors.ApprovalNotYours
    if state != ApprovalState.WITHDRAWN and is_own:
        raise errors.ApprovalByOneself
    now = clock.now()
    moved = Approval.objects.filter(
        id=approval_id, state=ApprovalState.WAITING, expires_at__gt=now
    ).update(
        state=state,
        decided_by_id=decided_by_id,
        decided_by=actor.name[:64],
        decided_at=now,
        decision_note=note[:400],
    )
    if not moved:
        raise errors.ApprovalOver
    approval.refresh_from_db()
    return approval


def _staff_id(actor: Actor) -> int:
    if actor.kind != "user" or actor.actor_id is None:
        raise errors.ApprovalNeedsStaff
    return actor.actor_id


def _record(action: str, approval: Approval, actor: Actor) -> None:
    record(
        action,
        actor=actor,
        site_id=approval.site_id,
        subject=("approval", approval.id),
        detail={
            "kind": approval.kind,
            "about": approval.subject_id,
            "amount": approval.amount,
            "reason": (approval.decision_note or approval.reason)[:200],
        },
    )
