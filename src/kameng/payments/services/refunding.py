"""Sending money back through the gateway it came by: asked until the outcome is known.

reserve → call → finish: the wish is a row with its own number first; the gateway is called outside
any transaction, always with the same number; an unknown outcome is asked again, never re-issued.
"""

from collections.abc import Sequence

from django.db import transaction
from django.db.models import F

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.events import publish
from kameng.core.ids import new_number
from kameng.core.scope import open_scope, platform_scope
from kameng.ledger.accounts import AccountKind, Code, account_id
from kameng.ledger.services import Posting, post_transfers
from kameng.payments import errors, store
from kameng.payments.events import GatewayRefundDone, GatewayRefundRefused
from kameng.payments.models import Gateway, GatewayRefund, Payment, PaymentState, RefundState
from kameng.payments.providers.port import (
    ProviderRefused,
    ProviderUncertain,
    RefundNotice,
    RefundOutcome,
    RefundRequest,
    RefundStatus,
)
from kameng.payments.rules import SLOW_FAULTS, next_refund_at
from kameng.payments.services.ending import end_shortfall
from kameng.payments.services.gateways import config_of, provider_of
from kameng.pricing.money import Amount
from kameng.tenancy.addresses import site_url
from kameng.tenancy.selectors import get_site_view, scope_of

BATCH = 20


def check_refundable(*, payment: Payment, amount: int) -> None:
    """Raise `RefundUnsupported` unless the gateway can give back this amount."""
    gateway = Gateway.objects.filter(id=payment.gateway_id).first()
    if gateway is None:
        raise errors.RefundUnsupported
    provider = provider_of(gateway)
    whole = amount == (payment.received_amount or 0)
    if not provider.supports_refund or (not whole and not provider.supports_partial_refund):
        raise errors.RefundUnsupported


def request_refund(
    *,
    payment: Payment,
    amount: int,
    reason: str,
    refund_no: str | None = None,
    is_surplus: bool = False,
) -> GatewayRefund:
    """Ask for money back on a payment of the site in force; the worker calls the gateway.

    Call inside the transaction of what is refunded. Raises `RefundTooMuch`, `RefundUnsupported`,
    and `PaymentDisputed` while somebody disputes it; what a dispute took cannot go back again.
    """
    check_refundable(payment=payment, amount=amount)
    taken = Payment.objects.filter(
        id=payment.id,
        received_amount__isnull=False,
        open_disputes=0,
        refunded_amount__lte=F("received_amount") - F("disputed_amount") - amount,
    ).update(refunded_amount=F("refunded_amount") + amount)
    if not taken:
        check_undisputed(payment.id)
        raise errors.RefundTooMuch
    refund: GatewayRefund = GatewayRefund.objects.create(
        site_id=payment.site_id,
        payment_id=payment.id,
        refund_no=refund_no or new_number(clock.now()),
        purpose=payment.purpose,
        subject_id=payment.subject_id,
        amount=amount,
        reason=reason[:200],
        is_surplus=is_surplus,
    )
    return refund


def check_undisputed(payment_id: int) -> None:
    """Raise `PaymentDisputed` while a dispute about a payment is open."""
    if Payment.objects.filter(id=payment_id, open_disputes__gt=0).exists():
        raise errors.PaymentDisputed


def ask_due_refunds() -> int:
    """Ask the gateways for refunds that are due; return how many were taken up. Calls out.

    A gateway that keeps us waiting is asked no more in this batch: the others have their turn.
    """
    with platform_scope("refunds due"):
        due = store.claim_refunds(BATCH)
    silent: set[int] = set()
    for refund_id, site_id in due:
        with open_scope(scope_of(get_site_view(site_id))):
            ask_refund(refund_id, silent=silent)
    return len(due)


def ask_refund(refund_id: int, *, silent: set[int] | None = None) -> RefundStatus | None:
    """Ask the gateway for one refund of the site in force, or what became of it. Calls out.

    `silent` holds the gateways that need not be asked, and gets those that kept us waiting.
    """
    refund = GatewayRefund.objects.filter(id=refund_id, state=RefundState.WAITING).first()
    if refund is None:
        return None
    payment = Payment.objects.get(id=refund.payment_id)
    gateway = Gateway.objects.get(id=payment.gateway_id)
    silent = set() if silent is None else silent
    if gateway.id in silent:
        outcome = RefundOutcome(status=RefundStatus.UNKNOWN, reason="gateway_silent")
    else:
        outcome = _call_gateway(refund, payment, gateway)
    if outcome.status == RefundStatus.UNKNOWN and outcome.reason in SLOW_FAULTS:
        silent.add(gateway.id)
    _finish(refund, payment, outcome)
    return outcome.status


def hurry_refund(*, refund_id: int, actor: Actor) -> None:
    """Let a refund that waits be asked for at the worker's next turn; audited.

    Raises `PaymentNotFound` when there is no such refund that waits.
    """
    with transaction.atomic():
        refund = GatewayRefund.objects.filter(id=refund_id, state=RefundState.WAITING).first()
        if refund is None:
            raise errors.PaymentNotFound
        GatewayRefund.objects.filter(id=refund_id).update(next_attempt_at=clock.now())
        record(
            "payment.refund_hurried",
            actor=actor,
            site_id=refund.site_id,
            subject=("refund", refund.refund_no),
        )


def _call_gateway(refund: GatewayRefund, payment: Payment, gateway: Gateway) -> RefundOutcome:
    provider, config = provider_of(gateway), config_of(gateway)
    # A number of ours is no number of the gateway's; a second payment has no number but that.
    external_no = "" if payment.external_no in {None, payment.payment_no} else payment.external_no
    request = RefundRequest(
        refund_no=refund.refund_no,
        payment_no="" if payment.is_second and external_no else payment.payment_no,
        external_no=external_no,
        amount=Amount(refund.amount),
        total_amount=Amount(payment.received_amount or payment.amount),
        reason=refund.reason,
        notify_url=f"{site_url(refund.site_id)}/notify/{gateway.id}/",
        opened_at=payment.created_at,
        asked_at=refund.created_at,
    )
    try:
        if refund.asked_count > 1:  # asked before: first find out what became of that
            outcome: RefundOutcome = provider.query_refund(config, request)
            if outcome.status != RefundStatus.UNKNOWN:
                return outcome
        return provider.refund(config, request)
    except ProviderUncertain as fault:
        return RefundOutcome(status=RefundStatus.UNKNOWN, reason=fault.code)
    except ProviderRefused as fault:
        return RefundOutcome(status=RefundStatus.REFUSED, reason=f"{fault.code} {fault.message}")


def note_refund(said: RefundNotice, *, gateway: Gateway) -> bool:
    """A callback told of a refund: ask the gateway now instead of later. Repeats change nothing.

    False for a number that is not a refund of this gateway.
    """
    with platform_scope("a callback names a refund"):
        refund = (
            GatewayRefund.unscoped.filter(refund_no=said.refund_no)
            .values("id", "site_id", "payment_id")
            .first()
        )
        known = (
            refund is not None
            and Payment.unscoped.filter(id=refund["payment_id"], gateway_id=gateway.id).exists()
        )
    if refund is None or not known:
        return False
    with open_scope(scope_of(get_site_view(refund["site_id"]))):
        GatewayRefund.objects.filter(id=refund["id"], state=RefundState.WAITING).update(
            next_attempt_at=clock.now()
        )
    return True


def _finish(refund: GatewayRefund, payment: Payment, outcome: RefundOutcome) -> None:
    if outcome.status == RefundStatus.DONE:
        finish_refund(refund=refund, gateway_id=payment.gateway_id)
    elif outcome.status == RefundStatus.REFUSED:
        with transaction.atomic():
            moved = GatewayRefund.objects.filter(id=refund.id, state=RefundState.WAITING).update(
                state=RefundState.REFUSED,
                next_attempt_at=None,
                last_error=outcome.reason[:200],
            )
            if moved:
                publish(  # locks the order: it comes before its payment, as in every refund
                    GatewayRefundRefused(
                        site_id=refund.site_id,
                        subject_id=refund.id,
                        purpose=refund.purpose,
                        paid_for=refund.subject_id,
                        refund_no=refund.refund_no,
                        reason=outcome.reason[:200],
                    )
                )
                Payment.objects.filter(id=payment.id).update(
                    refunded_amount=F("refunded_amount") - refund.amount
                )
    else:
        GatewayRefund.objects.filter(id=refund.id, state=RefundState.WAITING).update(
            next_attempt_at=next_refund_at(clock.now(), asked_count=refund.asked_count),
            last_error=outcome.reason[:200],
        )


def finish_refund(*, refund: GatewayRefund, gateway_id: int) -> bool:
    """Mark a refund as done, once, and post it: the site's suspense → the gateway's clearing.

    Publishes `GatewayRefundDone`. Returns false when someone else did it.
    """
    with transaction.atomic():
        moved = GatewayRefund.objects.filter(id=refund.id, state=RefundState.WAITING).update(
            state=RefundState.DONE, done_at=clock.now(), next_attempt_at=None
        )
        if not moved:
            return False
        post_transfers(
            [
                Posting(
                    site_id=refund.site_id,
                    debit=account_id(AccountKind.ORDER_SUSPENSE, refund.site_id),
                    credit=account_id(AccountKind.GATEWAY_CLEARING, gateway_id),
                    amount=refund.amount,
                    code=Code.REFUND_TO_SOURCE,
                    reference_kind=refund.purpose,
                    reference_id=refund.subject_id,
                )
            ]
        )
        if refund.is_surplus:
            Payment.objects.filter(id=refund.payment_id).update(
                surplus_left_amount=F("surplus_left_amount") - refund.amount
            )
        publish(
            GatewayRefundDone(
                site_id=refund.site_id,
                subject_id=refund.id,
                purpose=refund.purpose,
                paid_for=refund.subject_id,
                refund_no=refund.refund_no,
                amount=refund.amount,
            )
        )
    return True


def leave_to_staff(*, payment_id: int) -> bool:
    """Let a person decide about a payment that paid for nothing and does not go back by itself.

    Call in the transaction that found it out. False when it waits for one already, or when only
    what came above its price did not go back: it paid for something.
    """
    rows = Payment.objects.filter(
        id=payment_id, state=PaymentState.CONFIRMED, surplus_left_amount=0
    )
    return bool(rows.update(state=PaymentState.MISMATCHED))


def refund_mismatched(*, payment: Payment, reason: str) -> GatewayRefund:
    """Give back whole a payment that waits for a decision.

    Raises `PaymentClosed` when it does not wait any more, and as `request_refund`.
    """
    with transaction.atomic():
        locked = lock_payment(payment.id)
        if locked.state != PaymentState.MISMATCHED:  # taken by another person meanwhile
            raise errors.PaymentClosed
        left = (locked.received_amount or 0) - locked.refunded_amount - locked.disputed_amount
        if left <= 0:
            raise errors.RefundTooMuch
        end_shortfall(locked.id)
        return request_refund(payment=locked, amount=left, reason=reason)


def admit_order_refund(
    *, payment_ids: Sequence[int], amount: int, refunded_amount: int, total_amount: int
) -> None:
    """Refuse a refund of what payments paid for together, wherever the money shall go.

    Call before it, in its transaction: locks them, ascending, so that a dispute that comes at the
    same moment waits or is seen. `refunded_amount` is what of `total_amount` is back already.
    Raises `PaymentDisputed` while a dispute is open, `RefundTooMuch` beyond what came in and was
    not lost.
    """
    locked = [lock_payment(payment_id) for payment_id in sorted(payment_ids)]
    if any(payment.open_disputes for payment in locked):
        raise errors.PaymentDisputed
    lost = sum(max(0, each.difference_amount) + each.disputed_amount for each in locked)
    if refunded_amount + amount > total_amount - lost:
        raise errors.RefundTooMuch


def mark_returned(*, payment_id: int, amount: int) -> None:
    """Count a whole payment as given back by another way than its gateway (to a wallet)."""
    Payment.objects.filter(id=payment_id).update(refunded_amount=amount)


def lock_payment(payment_id: int) -> Payment:
    """Lock one payment of the site in force; `payments_confirm` takes the same lock."""
    payment: Payment = Payment.objects.select_for_update().get(id=payment_id)
    return payment
