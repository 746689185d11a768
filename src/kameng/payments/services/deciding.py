"""What a person decides about money that came in wrong. Every decision has a reason, audited."""

from django.db import transaction

from kameng.accounts.models import Approval
from kameng.accounts.services.approving import ApprovalWish
from kameng.core.audit import Actor, record
from kameng.ledger.accounts import AccountKind, Code, account_id
from kameng.ledger.services import Posting, post_transfers
from kameng.payments import errors
from kameng.payments.models import GatewayRefund, Payment, PaymentState
from kameng.payments.selectors import get_payment
from kameng.payments.services.ending import end_shortfall
from kameng.payments.services.refunding import lock_payment, mark_returned, refund_mismatched
from kameng.payments.services.second_person import RETURN_BY_HAND, ask_above_threshold


def give_back_mismatched(*, payment_id: int, reason: str, actor: Actor) -> GatewayRefund:
    """Give back whole a payment of the site in force that came with another amount, or twice.

    Raises `PaymentNotFound`, `PaymentClosed` when it is no mismatch, and those of `request_refund`.
    """
    payment = get_payment(payment_id)
    _left_of(payment)
    with transaction.atomic():
        refund = refund_mismatched(payment=payment, reason=reason)
        record(
            "payment.mismatch_returned",
            actor=actor,
            site_id=payment.site_id,
            subject=("payment", payment.payment_no),
            detail={"amount": refund.amount, "reason": reason[:200]},
        )
    return refund


def note_returned_by_hand(*, payment_id: int, reason: str, actor: Actor) -> Approval | None:
    """Keep the books of such a payment that staff gave back outside: its gateway could not.

    Above the threshold it waits for a second person: then the wish is returned. Raises
    `PaymentNotFound`, `PaymentClosed`, `PaymentDisputed`, and `RefundTooMuch` when it is on its way
    already.
    """
    payment = get_payment(payment_id)
    with transaction.atomic():
        left = _left_of(lock_payment(payment.id))  # `request_refund` counts on the same row
        wish = ApprovalWish(
            kind=RETURN_BY_HAND,
            permission="orders.refund",
            about_id=payment.id,
            amount=left,
            reason=reason,
            details={"payment_no": payment.payment_no},
        )
        asked = ask_above_threshold(wish, actor=actor)
        if asked is None:
            _return_by_hand(payment, reason=reason, actor=actor)
    return asked


def carry_out_by_hand(approval: Approval) -> None:
    """Write down what a second person approved; call in the transaction of the approval."""
    actor = Actor(kind="user", actor_id=approval.decided_by_id, name=approval.decided_by)
    _return_by_hand(get_payment(approval.subject_id), reason=approval.reason, actor=actor)


def _return_by_hand(payment: Payment, *, reason: str, actor: Actor) -> None:
    payment = lock_payment(payment.id)
    left = _left_of(payment)
    end_shortfall(payment.id)
    mark_returned(payment_id=payment.id, amount=payment.refunded_amount + left)
    post_transfers([suspense_posting(payment, credit=account_of_hand(payment), amount=left)])
    record(
        "payment.returned_by_hand",
        actor=actor,
        site_id=payment.site_id,
        subject=("payment", payment.payment_no),
        detail={"amount": left, "reason": reason[:200]},
    )


def account_of_hand(payment: Payment) -> int:
    """Return the account of what staff of a payment's site pay outside the system."""
    return account_id(AccountKind.ADJUSTMENTS, payment.site_id)


def suspense_posting(
    payment: Payment, *, credit: int, amount: int, code: Code = Code.REFUND_BY_HAND
) -> Posting:
    """Return the posting that takes what a payment brought out of its site's suspense account."""
    return Posting(
        site_id=payment.site_id,
        debit=account_id(AccountKind.ORDER_SUSPENSE, payment.site_id),
        credit=credit,
        amount=amount,
        code=code,
        reference_kind=payment.purpose,
        reference_id=payment.subject_id,
    )


def _left_of(payment: Payment) -> int:
    """Return what of a payment waits for a decision; raise when nothing does."""
    if payment.state != PaymentState.MISMATCHED:
        raise errors.PaymentClosed
    if payment.open_disputes:
        raise errors.PaymentDisputed
    left = (payment.received_amount or 0) - payment.refunded_amount - payment.disputed_amount
    if left <= 0:
        raise errors.RefundTooMuch
    return int(left)
