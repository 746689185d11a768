"""Taking a payment for made because a person says so: only after its gateway was asked.

The gateway's own yes confirms it as a query does. When it cannot be asked, or says no, a person may
still vouch with what the evidence is; above the site's threshold two persons do.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from django.db import transaction

from kameng.accounts.models import Approval
from kameng.accounts.services.approving import ApprovalWish
from kameng.core.audit import Actor, record
from kameng.core.scope import current_scope
from kameng.payments import errors
from kameng.payments.models import Payment, PaymentState
from kameng.payments.providers.port import Confirmation, PaidStatus
from kameng.payments.rules import ConfirmOutcome
from kameng.payments.selectors import get_payment
from kameng.payments.services.confirming import confirm_by_staff, confirm_payment
from kameng.payments.services.second_person import CONFIRM, ask_above_threshold
from kameng.pricing.money import Amount

UNANSWERED = "unanswered"
PERMISSION = "payments.confirm"


class Vouched(StrEnum):
    """What became of a person's word for a payment."""

    BY_GATEWAY = "by_gateway"  # asked at that moment, the gateway says that it was made
    BY_STAFF = "by_staff"
    WAITING = "waiting"  # for a second person


@dataclass(frozen=True, slots=True, kw_only=True)
class Voucher:
    """The evidence of a person: `external_no` is the gateway's number where it is known."""

    evidence: str
    external_no: str = ""


def vouch_payment(*, payment_id: int, voucher: Voucher, actor: Actor) -> Vouched:
    """Confirm a payment of the site in force on evidence, after asking its gateway. Audited.

    Calls out: never inside a transaction. Raises `PaymentNotFound`, `PaymentClosed` when it is not
    open to be paid, `EvidenceMissing`, `VoucherRefused`, `ApprovalWaiting`.
    """
    payment = get_payment(payment_id)
    _check_open(payment)
    if not voucher.evidence.strip():
        raise errors.EvidenceMissing
    answer = _ask_gateway(payment, actor=actor)
    if answer == PaidStatus.PAID:
        return Vouched.BY_GATEWAY
    wish = ApprovalWish(
        kind=CONFIRM,
        permission=PERMISSION,
        about_id=payment.id,
        amount=payment.amount,
        reason=voucher.evidence,
        details={
            "payment_no": payment.payment_no,
            "external_no": voucher.external_no,
            "gateway_said": answer,
        },
    )
    with transaction.atomic():
        if ask_above_threshold(wish, actor=actor) is not None:
            return Vouched.WAITING
        _confirm(payment, voucher, said=answer, actor=actor)
    return Vouched.BY_STAFF


def carry_out_voucher(approval: Approval) -> None:
    """Confirm what a second person approved; call in the transaction of the approval."""
    payment = get_payment(approval.subject_id)
    _check_open(payment)
    voucher = Voucher(evidence=approval.reason, external_no=approval.wish["external_no"])
    actor = Actor(kind="user", actor_id=approval.decided_by_id, name=approval.decided_by)
    _confirm(payment, voucher, said=approval.wish["gateway_said"], actor=actor)


def _ask_gateway(payment: Payment, *, actor: Actor) -> str:
    try:
        return confirm_by_staff(payment_id=payment.id, actor=actor)
    except errors.GatewayAway:
        return UNANSWERED


def _check_open(payment: Payment) -> None:
    if payment.state not in {PaymentState.OPEN, PaymentState.CLOSED}:
        raise errors.PaymentClosed


def _confirm(payment: Payment, voucher: Voucher, *, said: str, actor: Actor) -> None:
    """Mark it as made; the unique number of the gateway still counts against it."""
    done = confirm_payment(
        Confirmation(
            payment_no=payment.payment_no,
            external_no=voucher.external_no,
            amount=Amount(payment.amount),
            status=PaidStatus.PAID,
            paid_at=None,
            payer="",
            raw_digest=hashlib.sha256(voucher.evidence.encode()).hexdigest(),
        ),
        gateway_id=payment.gateway_id,
        source="staff",
        scope=current_scope(),
        note=f"{actor.name}: {voucher.evidence}"[:200],
    )
    if done.outcome != ConfirmOutcome.CONFIRMED:
        raise errors.VoucherRefused
    record(
        "payment.vouched",
        actor=actor,
        site_id=payment.site_id,
        subject=("payment", payment.payment_no),
        detail={"amount": payment.amount, "gateway_said": said, "reason": voucher.evidence[:200]},
    )
