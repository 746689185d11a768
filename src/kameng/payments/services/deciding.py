"""What a person decides about money that came in wrong. Every decision has a reason, audited."""

from django.db import transaction

from kameng.core.audit import Actor, record
from kameng.ledger.accounts import AccountKind, Code, account_id
from kameng.ledger.services import Posting, post_transfers
from kameng.payments import errors
from kameng.payments.models import GatewayRefund, Payment, PaymentState
from kameng.payments.selectors import get_payment
from kameng.payments.services.refunding import lock_payment, mark_returned, refund_mismatched


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


def note_returned_by_hand(*, payment_id: int, reason: str, actor: Actor) -> None:
    """Keep the books of such a payment that staff gave back outside: its gateway could not.

    Raises `PaymentNotFound`, `PaymentClosed`, and `RefundTooMuch` when it is on its way already.
    """
    payment = get_payment(payment_id)
    with transaction.atomic():
        payment = lock_payment(payment.id)  # `request_refund` counts on the same row
        left = _left_of(payment)
        mark_returned(payment_id=payment.id, amount=payment.refunded_amount + left)
        post_transfers(
            [
                Posting(
                    site_id=payment.site_id,
                    debit=account_id(AccountKind.ORDER_SUSPENSE, payment.site_id),
                    credit=account_id(AccountKind.ADJUSTMENTS, payment.site_id),
                    amount=left,
                    code=Code.REFUND_BY_HAND,
                    reference_kind=payment.purpose,
                    reference_id=payment.subject_id,
                )
            ]
        )
        record(
            "payment.returned_by_hand",
            actor=actor,
            site_id=payment.site_id,
            subject=("payment", payment.payment_no),
            detail={"amount": left, "reason": reason[:200]},
        )


def _left_of(payment: Payment) -> int:
    """Return what of a payment waits for a decision; raise when nothing does."""
    if payment.state != PaymentState.MISMATCHED:
        raise errors.PaymentClosed
    left = (payment.received_amount or 0) - payment.refunded_amount
    if left <= 0:
        raise errors.RefundTooMuch
    return int(left)
