"""The main site's decision about a withdrawal: yes by one or two people, or no with the reason.

Works on withdrawals of the sub-sites of the site in force, which is a main site.
"""

from collections.abc import Collection

from django.db import transaction

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import open_scope, platform_scope, require_site_id
from kameng.settlement import errors
from kameng.settlement.models import Approval, Withdrawal, WithdrawalState
from kameng.settlement.rules import State
from kameng.settlement.services.requesting import release
from kameng.tenancy.selectors import get_site_view, scope_of


def find_reviewed(withdrawal_no: str) -> Withdrawal:
    """Return a withdrawal of any site that resells for the site in force, or of itself.

    Raises `WithdrawalNotFound`.
    """
    main_id = require_site_id()
    with platform_scope("a main site reviews withdrawals"):
        found: Withdrawal | None = (
            Withdrawal.unscoped.filter(withdrawal_no=withdrawal_no)
            .select_related("account", "payee", "batch")
            .first()
        )
    if found is None or get_site_view(found.site_id).main_id != main_id:
        raise errors.WithdrawalNotFound
    return found


def lock_withdrawal(withdrawal_id: int) -> Withdrawal:
    """Lock one withdrawal of the site in force: who decides about it takes this lock."""
    found: Withdrawal = Withdrawal.objects.select_for_update(no_key=True).get(id=withdrawal_id)
    return found


def approve_withdrawal(
    *, withdrawal_no: str, risks_read: Collection[str], actor: Actor
) -> Withdrawal:
    """Say yes; with enough different people it is approved. Never by who asked.

    `risks_read` are the codes that the person was shown and has looked into: one that came since
    (a dispute) makes them look again.
    Locks the withdrawal. Raises `WithdrawalNotFound`, `OwnRequest`, `RiskUnread`,
    `ApprovedAlready`, `NotAllowedNow`. Audited.
    """
    found = find_reviewed(withdrawal_no)
    with open_scope(scope_of(get_site_view(found.site_id))), transaction.atomic():
        locked = lock_withdrawal(found.id)
        if locked.state != State.REQUESTED:
            raise errors.NotAllowedNow(state=WithdrawalState(locked.state).label)
        if actor.actor_id is None or actor.actor_id == locked.asked_by_id:
            raise errors.OwnRequest
        if not set(locked.risk_codes) <= set(risks_read):
            raise errors.RiskUnread
        _approval, made = Approval.objects.get_or_create(
            site_id=locked.site_id,
            withdrawal_id=locked.id,
            user_id=actor.actor_id,
            defaults={"user_name": actor.name[:64]},
        )
        if not made:
            raise errors.ApprovedAlready
        count = Approval.objects.filter(withdrawal_id=locked.id).count()
        if count >= locked.approvals_needed:
            Withdrawal.objects.filter(id=locked.id, state=State.REQUESTED).update(
                state=State.APPROVED, decided_at=clock.now()
            )
            locked.state = State.APPROVED
        record(
            "settlement.withdrawal.approved",
            actor=actor,
            site_id=locked.site_id,
            subject=("withdrawal", locked.withdrawal_no),
            detail={
                "amount": locked.amount,
                "approvals": count,
                "needed": locked.approvals_needed,
                "risks": locked.risk_codes,
            },
        )
    return locked


def refuse_withdrawal(*, withdrawal_no: str, reason: str, actor: Actor) -> Withdrawal:
    """Say no, with the reason; the money is a claim again. Also after an approval, before paying.

    Raises `WithdrawalNotFound`, `ReasonMissing`, `NotAllowedNow`. Audited.
    """
    if not reason.strip():
        raise errors.ReasonMissing
    found = find_reviewed(withdrawal_no)
    with open_scope(scope_of(get_site_view(found.site_id))), transaction.atomic():
        refused = release(
            found,
            state=State.REFUSED,
            sources=frozenset({State.REQUESTED, State.APPROVED}),
            reason=reason.strip(),
        )
        if not refused:
            found.refresh_from_db()
            raise errors.NotAllowedNow(state=WithdrawalState(found.state).label)
        record(
            "settlement.withdrawal.refused",
            actor=actor,
            site_id=found.site_id,
            subject=("withdrawal", found.withdrawal_no),
            detail={"amount": found.amount, "reason": reason[:200]},
        )
        found.refresh_from_db()
    return found
