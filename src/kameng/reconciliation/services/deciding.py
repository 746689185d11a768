"""What people decide about a difference: assign, note, correct, close, reopen. All audited.

Nothing here is done by the program alone, and nothing edits what was booked: a correction asks the
gateway, or adds a transfer that says so.
"""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import open_scope
from kameng.ledger.accounts import AccountKind, Code, Reference, account_id
from kameng.ledger.services import Posting, post_transfers
from kameng.payments.selectors import find_payment_by_no
from kameng.payments.services.confirming import confirm_by_staff
from kameng.reconciliation import errors, rules
from kameng.reconciliation.models import Case, CaseNote, CaseState
from kameng.reconciliation.services.matching import match_bill
from kameng.tenancy.selectors import get_site_view, scope_of


def get_case(case_id: int) -> Case:
    """Return a case of the site in force; raises `CaseNotFound`."""
    case: Case | None = Case.objects.filter(id=case_id).first()
    if case is None:
        raise errors.CaseNotFound
    return case


def lock_case(case_id: int) -> Case:
    """Lock a case of the site in force; raises `CaseNotFound`."""
    case: Case | None = Case.objects.select_for_update().filter(id=case_id).first()
    if case is None:
        raise errors.CaseNotFound
    return case


def assign_case(*, case_id: int, assignee_id: int, assignee_name: str, actor: Actor) -> None:
    """Say who looks after a case. Raises `CaseNotFound`."""
    with transaction.atomic():
        case = lock_case(case_id)
        Case.objects.filter(id=case.id).update(assignee_id=assignee_id)
        _note(case, "assigned", assignee_name, actor)


def note_case(*, case_id: int, text: str, actor: Actor) -> None:
    """Add a note. Raises `CaseNotFound`, `CaseReasonMissing`."""
    if not text.strip():
        raise errors.CaseReasonMissing
    with transaction.atomic():
        _note(lock_case(case_id), "noted", text, actor)


def close_case(*, case_id: int, reason: str, actor: Actor) -> None:
    """Close an open case with the reason. Raises `CaseReasonMissing`, `CaseChanged`."""
    _move(case_id, act="closed", reason=reason, actor=actor)


def reopen_case(*, case_id: int, reason: str, actor: Actor) -> None:
    """Open a closed case again. Raises `CaseReasonMissing`, `CaseChanged`."""
    _move(case_id, act="reopened", reason=reason, actor=actor)


def _move(case_id: int, *, act: str, reason: str, actor: Actor) -> None:
    if not reason.strip():
        raise errors.CaseReasonMissing
    source, target = rules.ARROWS[act]
    with transaction.atomic():
        case = get_case(case_id)
        changed = Case.objects.filter(id=case.id, state=source).update(
            state=target, closed_at=clock.now() if target == CaseState.CLOSED else None
        )
        if not changed:
            raise errors.CaseChanged
        _note(case, act, reason, actor)


def query_case(*, case_id: int, actor: Actor) -> str:
    """Ask the gateway about the payment of a case now, then compare the day again. Calls out.

    A payment that was made is confirmed as by any query. Returns the gateway's word. Raises
    `CorrectionNotFitting`, `GatewayAway`.
    """
    case = get_case(case_id)
    if case.line_kind != "payment" or case.subject_site_id is None:
        raise errors.CorrectionNotFitting
    with open_scope(scope_of(get_site_view(case.subject_site_id))):
        payment = find_payment_by_no(case.own_no)
        if payment is None:
            raise errors.CorrectionNotFitting
        answer = str(confirm_by_staff(payment_id=payment.id, actor=actor))
    with transaction.atomic():
        _note(case, "queried", answer, actor)
        match_bill(case.bill_id)
    return answer


def book_case(*, case_id: int, reason: str, actor: Actor) -> int:
    """Write the difference of a case into the ledger, once, and close it; returns the amount.

    Locks the case. Raises `CaseReasonMissing`, `CaseChanged`, `CorrectionNotFitting`.
    """
    if not reason.strip():
        raise errors.CaseReasonMissing
    with transaction.atomic():
        case = lock_case(case_id)
        if case.state != CaseState.OPEN or case.booked_amount is not None:
            raise errors.CaseChanged
        if case.kind not in rules.BOOK_KINDS or not case.stake_amount or case.gone_at is not None:
            raise errors.CorrectionNotFitting
        posting = posting_for(case)
        post_transfers([posting])
        Case.objects.filter(id=case.id).update(
            booked_amount=case.stake_amount, state=CaseState.CLOSED, closed_at=clock.now()
        )
        _note(case, "booked", reason, actor, detail={"amount": case.stake_amount})
    return int(case.stake_amount)


def posting_for(case: Case) -> Posting:
    """Return the transfer that books a case."""
    accounts = {
        side: account_id(kind, case.gateway_id)
        for side, kind in (
            (rules.Side.CLEARING, AccountKind.GATEWAY_CLEARING),
            (rules.Side.FEES, AccountKind.GATEWAY_FEES),
            (rules.Side.DIFFERENCES, AccountKind.DIFFERENCES),
        )
    }
    debit, credit = rules.sides_of(
        kind=case.kind, line_kind=case.line_kind, is_more=case.stake_amount > 0
    )
    return Posting(
        site_id=case.site_id,
        debit=accounts[debit],
        credit=accounts[credit],
        amount=abs(case.stake_amount),
        code=Code.DIFFERENCE,
        reference_kind=Reference.CASE,
        reference_id=case.id,
    )


def _note(
    case: Case, act: str, text: str, actor: Actor, *, detail: Mapping[str, Any] | None = None
) -> None:
    CaseNote.objects.create(
        site_id=case.site_id,
        case_id=case.id,
        act=act,
        actor_name=actor.name[:100],
        text=text.strip()[:500],
    )
    record(
        f"case.{act}",
        actor=actor,
        site_id=case.site_id,
        subject=("case", case.case_no),
        detail={"text": text.strip()[:200], **(detail or {})},
    )
