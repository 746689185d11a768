"""What a person decides about money that came in wrong. Every decision has a reason, audited."""

from django.db import transaction

from kameng.core.audit import Actor, record
from kameng.payments import errors
from kameng.payments.models import GatewayRefund, PaymentState
from kameng.payments.selectors import get_payment
from kameng.payments.services.refunding import refund_mismatched


def give_back_mismatched(*, payment_id: int, reason: str, actor: Actor) -> GatewayRefund:
    """Give back whole a payment of the site in force that came with another amount.

    Raises `PaymentNotFound`, `PaymentClosed` when it is no mismatch, and those of `request_refund`.
    """
    payment = get_payment(payment_id)
    if payment.state != PaymentState.MISMATCHED:
        raise errors.PaymentClosed
    if payment.refunded_amount >= (payment.received_amount or 0):
        raise errors.RefundTooMuch
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
