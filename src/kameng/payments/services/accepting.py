"""A payment of another amount that a person takes all the same: what it paid for is delivered.

More than asked: the surplus goes back. Less than asked: the shop bears the difference. Each once,
under the lock of the payment; what cannot be sold (paid meanwhile, nothing in stock) refuses the
whole decision.
"""

from dataclasses import dataclass
from typing import Literal

from django.db import transaction
from django.db.models import F

from kameng.accounts.models import Approval
from kameng.accounts.services.approving import ApprovalWish
from kameng.core.audit import Actor, record
from kameng.ledger.accounts import AccountKind, Code, account_id, wallet_of
from kameng.ledger.services import Posting, post_transfers
from kameng.payments import errors, store
from kameng.payments.models import GatewayRefund, Payment, PaymentState, RefundState
from kameng.payments.rules import ConfirmOutcome
from kameng.payments.selectors import get_payment
from kameng.payments.services.confirming import announce_confirmed
from kameng.payments.services.deciding import account_of_hand, suspense_posting
from kameng.payments.services.ending import end_shortfall
from kameng.payments.services.refunding import check_undisputed, lock_payment, request_refund
from kameng.payments.services.second_person import (
    SURPLUS_BY_HAND,
    WAIVE,
    ask_above_threshold,
)
from kameng.payments.store import Confirmed

Way = Literal["source", "wallet", "hand"]
PERMISSION = "orders.refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class SurplusWish:
    """Where a surplus goes and why; `customer_id` is whose wallet, where it goes to one."""

    way: Way
    reason: str
    customer_id: int | None = None


def accept_surplus(*, payment_id: int, wish: SurplusWish, actor: Actor) -> Approval | None:
    """Deliver for a payment of too much, and give the surplus back; audited.

    A surplus paid by hand above the threshold waits for a second person, after the delivery: then
    the wish is returned. Raises `PaymentClosed`, `AcceptRefused`, and as `return_surplus`.
    """
    payment = get_payment(payment_id)
    with transaction.atomic():
        payment = lock_odd(payment.id)
        surplus = (payment.received_amount or 0) - payment.amount
        if surplus <= 0:
            raise errors.PaymentClosed
        _accept(payment, surplus_amount=surplus)
        _record("payment.surplus_accepted", payment, surplus, actor, reason=wish.reason)
        return return_surplus(payment_id=payment.id, wish=wish, actor=actor)


def accept_short(*, payment_id: int, reason: str, actor: Actor) -> Approval | None:
    """Deliver for a payment of too little; the shop bears the difference. Audited.

    Above the threshold it waits for a second person: then the wish is returned. Raises
    `PaymentClosed`, `AcceptRefused`, `RefundTooMuch` when what it paid for cannot be given.
    """
    payment = get_payment(payment_id)
    with transaction.atomic():
        payment = lock_odd(payment.id)
        short = payment.amount - (payment.received_amount or 0)
        if short <= 0:
            raise errors.PaymentClosed
        wish = ApprovalWish(
            kind=WAIVE,
            permission=PERMISSION,
            about_id=payment.id,
            amount=short,
            reason=reason,
            details={"payment_no": payment.payment_no},
        )
        asked = ask_above_threshold(wish, actor=actor)
        if asked is None:
            _waive(payment, short, reason=reason, actor=actor)
    return asked


def carry_out_waiver(approval: Approval) -> None:
    """Take the short payment that a second person approved, in the transaction of the approval."""
    payment = lock_odd(approval.subject_id)
    short = payment.amount - (payment.received_amount or 0)
    actor = Actor(kind="user", actor_id=approval.decided_by_id, name=approval.decided_by)
    _waive(payment, short, reason=approval.reason, actor=actor)


def lock_odd(payment_id: int) -> Payment:
    """Lock a payment that waits for a decision, untouched: nothing of it went back yet.

    One that completes a short payment, with that one while it waits, as its confirmation does.
    Raises `PaymentClosed`, `PaymentDisputed`.
    """
    payment = lock_payment(payment_id)
    if payment.completes_id is not None:
        store.lock_waiting(payment.completes_id)
    if payment.state != PaymentState.MISMATCHED or payment.refunded_amount:
        raise errors.PaymentClosed
    check_undisputed(payment.id)
    return payment


def _waive(payment: Payment, short: int, *, reason: str, actor: Actor) -> None:
    post_transfers(
        [
            Posting(
                site_id=payment.site_id,
                debit=account_id(AccountKind.LOSSES, payment.site_id),
                credit=account_id(AccountKind.ORDER_SUSPENSE, payment.site_id),
                amount=short,
                code=Code.PAYMENT_WAIVED,
                reference_kind=payment.purpose,
                reference_id=payment.subject_id,
            )
        ]
    )
    _accept(payment, surplus_amount=0)
    _record("payment.short_accepted", payment, short, actor, reason=reason)


def accept_completed(payment: Payment) -> None:
    """Confirm a short payment, locked by `lock_odd`, whose rest the buyer's wallet bears.

    Raises `AcceptRefused` when what it pays for took nothing.
    """
    short = payment.amount - (payment.received_amount or 0)
    Payment.objects.filter(id=payment.id).update(completed_amount=short)
    _accept(payment, surplus_amount=0)


def _accept(payment: Payment, *, surplus_amount: int) -> None:
    """Confirm it and tell what it pays for; refuse the decision when that took nothing."""
    end_shortfall(payment.id)
    Payment.objects.filter(id=payment.id, state=PaymentState.MISMATCHED).update(
        state=PaymentState.CONFIRMED,
        difference_amount=F("amount") - F("received_amount") - F("completed_amount"),
        surplus_left_amount=surplus_amount,
    )
    done = Confirmed(
        outcome=ConfirmOutcome.CONFIRMED,
        payment_id=payment.id,
        site_id=payment.site_id,
        purpose=payment.purpose,
        paid_for=payment.subject_id,
        amount=payment.amount,
        fee_amount=payment.fee_amount,
    )
    announce_confirmed(done, gateway_id=payment.gateway_id)
    payment.refresh_from_db()
    if payment.state != PaymentState.CONFIRMED or payment.refunded_amount:
        raise errors.AcceptRefused  # paid meanwhile, nothing in stock, or the wallet is full


def return_surplus(*, payment_id: int, wish: SurplusWish, actor: Actor) -> Approval | None:
    """Give back what came above the price of a delivered payment; audited.

    By hand above the threshold it waits for a second person: then the wish is returned. Raises
    `PaymentClosed` when nothing is left or it is on its way, `RefundUnsupported`,
    `PaymentDisputed`.
    """
    payment = get_payment(payment_id)
    with transaction.atomic():
        payment = lock_payment(payment.id)
        left = _surplus_of(payment)
        if wish.way == "source":
            request_refund(payment=payment, amount=left, reason=wish.reason, is_surplus=True)
        elif wish.way == "hand":
            asked = ask_above_threshold(
                ApprovalWish(
                    kind=SURPLUS_BY_HAND,
                    permission=PERMISSION,
                    about_id=payment.id,
                    amount=left,
                    reason=wish.reason,
                    details={"payment_no": payment.payment_no},
                ),
                actor=actor,
            )
            if asked is not None:
                return asked
            _pay_surplus(payment, account_of_hand(payment), left, Code.REFUND_BY_HAND)
        elif wish.customer_id is None:
            raise errors.RefundUnsupported
        else:
            _pay_surplus(payment, wallet_of(wish.customer_id), left, Code.REFUND_TO_WALLET)
        _record(f"payment.surplus_{wish.way}", payment, left, actor, reason=wish.reason)
    return None


def carry_out_surplus_by_hand(approval: Approval) -> None:
    """Write down what a second person approved; call in the transaction of the approval."""
    payment = lock_payment(approval.subject_id)
    left = _surplus_of(payment)
    actor = Actor(kind="user", actor_id=approval.decided_by_id, name=approval.decided_by)
    _pay_surplus(payment, account_of_hand(payment), left, Code.REFUND_BY_HAND)
    _record("payment.surplus_hand", payment, left, actor, reason=approval.reason)


def _surplus_of(payment: Payment) -> int:
    """Return what is left of a surplus; raise when nothing is, or the gateway has been asked."""
    check_undisputed(payment.id)
    waiting = GatewayRefund.objects.filter(
        payment_id=payment.id, is_surplus=True, state=RefundState.WAITING
    )
    if payment.surplus_left_amount <= 0 or waiting.exists():
        raise errors.PaymentClosed
    return int(payment.surplus_left_amount)


def _pay_surplus(payment: Payment, credit: int, amount: int, code: Code) -> None:
    Payment.objects.filter(id=payment.id).update(
        refunded_amount=F("refunded_amount") + amount,
        surplus_left_amount=F("surplus_left_amount") - amount,
    )
    post_transfers([suspense_posting(payment, credit=credit, amount=amount, code=code)])


def _record(action: str, payment: Payment, amount: int, actor: Actor, *, reason: str) -> None:
    record(
        action,
        actor=actor,
        site_id=payment.site_id,
        subject=("payment", payment.payment_no),
        detail={"amount": amount, "reason": reason[:200]},
    )
