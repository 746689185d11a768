"""Disputes: a payer asks the gateway or the bank for the money instead of the shop.

What the gateway holds back is in the books when it says so, and given back or lost when it says
that: each once, whatever comes twice or in the wrong order. While a dispute is open its payment is
not refunded; what was lost counts as given back. Gateways that only write mails are written down
by staff.
"""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from kameng.accounts.models import Approval
from kameng.accounts.services.approving import ApprovalWish
from kameng.core import clock
from kameng.core.audit import SYSTEM, Actor, record
from kameng.core.events import publish
from kameng.core.scope import open_scope, platform_scope
from kameng.ledger.accounts import AccountKind, Code, Reference, account_id
from kameng.ledger.services import Posting, post_transfers
from kameng.payments import errors
from kameng.payments.events import DisputeClosed, DisputeOpened
from kameng.payments.models import Dispute, DisputeState, Gateway, Payment
from kameng.payments.providers.port import DisputeNotice, DisputeStatus
from kameng.payments.selectors import get_payment
from kameng.payments.services.refunding import lock_payment
from kameng.payments.services.second_person import WRITE_OFF, ask_above_threshold
from kameng.tenancy.selectors import get_site_view, scope_of

PERMISSION = "orders.refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """A dispute as staff write it down: the gateway's number, the claim, what is held back."""

    dispute_no: str
    amount: int
    held_amount: int
    reason: str
    answer_by: dt.datetime | None


def accept_dispute(notice: DisputeNotice, *, gateway: Gateway) -> bool:
    """Write down what a verified callback said of a dispute; true when it is (or was) in the books.

    A verdict that comes before the opening makes both. Locks the payment; publishes
    `DisputeOpened` and `DisputeClosed`, whose hearers lock behind it. False when no payment of
    this gateway is meant: then the gateway shall call again.
    """
    payment = _find_payment(notice, gateway)
    if payment is None or not notice.dispute_no:
        return False
    with open_scope(scope_of(get_site_view(payment.site_id))), transaction.atomic():
        locked = lock_payment(payment.id)
        if locked.received_amount is None:
            return False  # nothing was paid: there is nothing to dispute
        complaint = Complaint(
            dispute_no=notice.dispute_no[:64],
            amount=notice.amount or locked.received_amount,
            held_amount=notice.amount,
            reason=notice.reason,
            answer_by=notice.answer_by,
        )
        dispute = _find(gateway.id, complaint.dispute_no) or _open(
            locked, complaint, source="callback", actor=SYSTEM
        )
        if dispute.payment_id != locked.id:
            return False
        if notice.status == DisputeStatus.WON:
            _close(dispute, DisputeState.WON, lost=0, actor=SYSTEM, reason=notice.reason)
        elif notice.status == DisputeStatus.LOST:
            lost = min(notice.amount or dispute.held_amount, dispute.held_amount)
            _close(dispute, DisputeState.LOST, lost=lost, actor=SYSTEM, reason=notice.reason)
    return True


def _find_payment(notice: DisputeNotice, gateway: Gateway) -> Payment | None:
    """Return the payment meant, of whatever site: by the gateway's own number before ours."""
    with platform_scope("a dispute names its payment"):
        rows = Payment.unscoped.filter(gateway_id=gateway.id)
        found: Payment | None = None
        if notice.external_no:
            found = rows.filter(external_no=notice.external_no).first()
        if found is None and notice.payment_no:
            found = rows.filter(payment_no=notice.payment_no).first()
    return found


def _find(gateway_id: int, dispute_no: str) -> Dispute | None:
    row: Dispute | None = Dispute.objects.filter(
        gateway_id=gateway_id, dispute_no=dispute_no
    ).first()
    return row


def file_dispute(*, payment_id: int, complaint: Complaint, actor: Actor) -> Dispute:
    """Write down a dispute that a gateway told of by mail or on its own pages; audited.

    Raises `PaymentNotFound`, `PaymentClosed` when nothing was paid, `DisputeKnown`,
    `RefundTooMuch` when more is claimed than was paid.
    """
    payment = get_payment(payment_id)
    with transaction.atomic():
        locked = lock_payment(payment.id)
        if locked.received_amount is None:
            raise errors.PaymentClosed
        if not 0 < complaint.amount <= locked.received_amount or complaint.held_amount < 0:
            raise errors.RefundTooMuch
        if _find(locked.gateway_id, complaint.dispute_no) is not None:
            raise errors.DisputeKnown
        return _open(locked, complaint, source="staff", actor=actor)


def _open(payment: Payment, complaint: Complaint, *, source: str, actor: Actor) -> Dispute:
    """Open a dispute of a locked payment; at most what is not given back yet is booked as held.

    Publishes `DisputeOpened`.
    """
    room = (payment.received_amount or 0) - payment.refunded_amount - payment.disputed_amount
    held = max(0, min(complaint.held_amount, room))
    dispute: Dispute = Dispute.objects.create(
        site_id=payment.site_id,
        payment=payment,
        gateway_id=payment.gateway_id,
        dispute_no=complaint.dispute_no,
        amount=complaint.amount,
        held_amount=held,
        reason=complaint.reason[:400],
        source=source,
        answer_by=complaint.answer_by,
    )
    Payment.objects.filter(id=payment.id).update(
        disputed_amount=F("disputed_amount") + held, open_disputes=F("open_disputes") + 1
    )
    _post(dispute, held, Code.DISPUTE_HELD)
    _record("dispute.opened", dispute, actor, reason=complaint.reason)
    publish(
        DisputeOpened(
            site_id=dispute.site_id,
            subject_id=dispute.id,
            payment_id=payment.id,
            purpose=payment.purpose,
            paid_for=payment.subject_id,
            amount=dispute.amount,
        )
    )
    return dispute


def _close(dispute: Dispute, state: DisputeState, *, lost: int, actor: Actor, reason: str) -> bool:
    """End an open dispute, once; what is not lost of what was held is given back.

    Publishes `DisputeClosed`.
    """
    moved = Dispute.objects.filter(id=dispute.id, state=DisputeState.OPEN).update(
        state=state, lost_amount=lost, closed_at=clock.now()
    )
    if not moved:
        return False
    freed = dispute.held_amount - lost
    Payment.objects.filter(id=dispute.payment_id).update(
        disputed_amount=F("disputed_amount") - freed, open_disputes=F("open_disputes") - 1
    )
    _post(dispute, lost, Code.DISPUTE_LOST)
    _post(dispute, freed, Code.DISPUTE_WON)
    _record(f"dispute.{DisputeState(state).name.lower()}", dispute, actor, reason=reason)
    payment = get_payment(dispute.payment_id)
    publish(
        DisputeClosed(
            site_id=dispute.site_id,
            subject_id=dispute.id,
            payment_id=payment.id,
            purpose=payment.purpose,
            paid_for=payment.subject_id,
            lost_amount=lost,
        )
    )
    return True


def answer_dispute(*, dispute_id: int, evidence: str, actor: Actor) -> Dispute:
    """Keep what the shop answers (deliveries, looks, messages) while a dispute is open; audited.

    Raises `DisputeNotFound`, `DisputeOver`.
    """
    with transaction.atomic():
        dispute = lock_open_dispute(dispute_id)
        Dispute.objects.filter(id=dispute.id).update(
            evidence=evidence[:20_000], answered_at=clock.now()
        )
        _record("dispute.answered", dispute, actor, reason="")
    return dispute


def close_dispute(
    *, dispute_id: int, is_lost: bool, reason: str, actor: Actor
) -> Dispute | Approval:
    """End a dispute as its gateway decided, on a person's word; audited.

    A loss above the threshold waits for a second person: then the wish is returned. Raises
    `DisputeNotFound`, `DisputeOver`.
    """
    with transaction.atomic():
        dispute = lock_open_dispute(dispute_id)
        if is_lost:
            wish = ApprovalWish(
                kind=WRITE_OFF,
                permission=PERMISSION,
                about_id=dispute.id,
                amount=dispute.held_amount,
                reason=reason,
                details={"dispute_no": dispute.dispute_no},
            )
            asked = ask_above_threshold(wish, actor=actor)
            if asked is not None:
                return asked
        return _end_by_staff(dispute, is_lost=is_lost, reason=reason, actor=actor)


def carry_out_write_off(approval: Approval) -> None:
    """Write off what a second person approved; call in the transaction of the approval."""
    actor = Actor(kind="user", actor_id=approval.decided_by_id, name=approval.decided_by)
    dispute = lock_open_dispute(approval.subject_id)
    _end_by_staff(dispute, is_lost=True, reason=approval.reason, actor=actor)


def _end_by_staff(dispute: Dispute, *, is_lost: bool, reason: str, actor: Actor) -> Dispute:
    state = DisputeState.LOST if is_lost else DisputeState.WON
    lost = dispute.held_amount if is_lost else 0
    if not _close(dispute, state, lost=lost, actor=actor, reason=reason):
        raise errors.DisputeOver
    dispute.refresh_from_db()
    return dispute


def lock_open_dispute(dispute_id: int) -> Dispute:
    """Lock the payment of an open dispute of the site in force and return the dispute.

    Call inside a transaction. Raises `DisputeNotFound`, `DisputeOver`.
    """
    dispute: Dispute | None = Dispute.objects.filter(id=dispute_id).first()
    if dispute is None:
        raise errors.DisputeNotFound
    lock_payment(dispute.payment_id)
    dispute.refresh_from_db()
    if dispute.state != DisputeState.OPEN:
        raise errors.DisputeOver
    return dispute


def _post(dispute: Dispute, amount: int, code: Code) -> None:
    held = account_id(AccountKind.DISPUTES, dispute.gateway_id)
    clearing = account_id(AccountKind.GATEWAY_CLEARING, dispute.gateway_id)
    losses = account_id(AccountKind.LOSSES, dispute.site_id)
    debit, credit = {
        Code.DISPUTE_HELD: (held, clearing),
        Code.DISPUTE_WON: (clearing, held),
        Code.DISPUTE_LOST: (losses, held),
    }[code]
    post_transfers(
        [
            Posting(
                site_id=dispute.site_id,
                debit=debit,
                credit=credit,
                amount=amount,
                code=code,
                reference_kind=Reference.DISPUTE,
                reference_id=dispute.id,
            )
        ]
    )


def _record(action: str, dispute: Dispute, actor: Actor, *, reason: str) -> None:
    record(
        action,
        actor=actor,
        site_id=dispute.site_id,
        subject=("dispute", dispute.dispute_no),
        detail={"amount": dispute.amount, "reason": reason[:200]},
    )
