"""A short payment whose buyer is asked for the rest: exactly the missing sum, until a moment.

The short payment waits as before, untouched. A payment that completes it is an attempt of its own;
when that is confirmed, both pay together, and only while the first still waits: staff who accept or
return it and its expiry hold the same lock.
"""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.ids import new_number
from kameng.core.scope import platform_scope
from kameng.payments import errors
from kameng.payments.choosing import PayChoice
from kameng.payments.models import Payment, PaymentState, Purpose, Shortfall, ShortfallState
from kameng.payments.rules import missing_sum, share_of_fee
from kameng.payments.services.accepting import accept_completed, lock_odd
from kameng.payments.services.ending import end_shortfall

GRACE_SECONDS = 300  # word of a payment made in the last moment may still be on its way
ATTEMPT_LIMIT = 10
SWEEP_LIMIT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortfallWish:
    """For how long the buyer may pay the rest, and why he is asked."""

    hold_seconds: int
    reason: str


def open_shortfall(*, payment: Payment, wish: ShortfallWish, actor: Actor) -> Shortfall:
    """Ask the buyer of a short payment of an order, locked by `lock_odd`, for the rest; audited.

    The fee of the short payment becomes that of what came. Raises `ShortfallRefused` for a payment
    that is not short, completes another, or of which too little came.
    """
    missing = missing_of(payment)
    is_asked = Shortfall.objects.filter(payment_id=payment.id, state=ShortfallState.OPEN).exists()
    if not missing or is_asked:
        raise errors.ShortfallRefused
    fee = share_of_fee(
        payment.fee_amount, amount=payment.amount, received_amount=payment.received_amount or 0
    )
    Payment.objects.filter(id=payment.id).update(fee_amount=fee)
    shortfall: Shortfall = Shortfall.objects.create(
        site_id=payment.site_id,
        payment_id=payment.id,
        missing_amount=missing,
        reason=wish.reason[:200],
        asked_by=actor.name[:64],
        expires_at=clock.now() + dt.timedelta(seconds=wish.hold_seconds),
    )
    record(
        "payment.rest_asked",
        actor=actor,
        site_id=payment.site_id,
        subject=("payment", payment.payment_no),
        detail={"amount": missing, "reason": wish.reason[:200]},
    )
    return shortfall


def missing_of(payment: Payment) -> int:
    """Return what the buyer of a payment may be asked for; zero where nobody may be."""
    if payment.purpose != Purpose.ORDER or payment.completes_id is not None:
        return 0
    return missing_sum(
        amount=payment.amount,
        surcharge_amount=payment.surcharge_amount,
        received_amount=payment.received_amount or 0,
    )


def open_completion(*, payment_id: int, choice: PayChoice) -> Payment:
    """Open an attempt to pay the rest of a short payment; an open one of the same way is kept.

    Locks the short payment. Raises `ShortfallOver` when nobody is asked for it any more,
    `GatewayNotUsable` after too many attempts.
    """
    with transaction.atomic():
        first = lock_odd(payment_id)
        shortfall = get_open_shortfall(first.id)
        attempts = Payment.objects.filter(completes_id=first.id)
        known: Payment | None = attempts.filter(
            gateway_id=choice.gateway_id, state=PaymentState.OPEN
        ).first()
        if known is not None:
            return known
        if attempts.count() >= ATTEMPT_LIMIT:
            raise errors.GatewayNotUsable
        made: Payment = Payment.objects.create(
            site_id=first.site_id,
            payment_no=new_number(clock.now()),
            purpose=first.purpose,
            subject_id=first.subject_id,
            gateway_id=choice.gateway_id,
            amount=shortfall.missing_amount,
            fee_amount=choice.fee_for(shortfall.missing_amount),
            completes_id=first.id,
            expires_at=shortfall.expires_at,
            next_query_at=clock.now() + dt.timedelta(seconds=30),
        )
    return made


def complete_from_wallet(*, payment_id: int) -> Payment:
    """Let the buyer's wallet bear the rest of a short payment: what it pays for takes it there.

    Raises `ShortfallOver`, and `AcceptRefused` when what it pays for took nothing (the wallet does
    not cover it). Publishes `PaymentConfirmed`. Locks the payment.
    """
    with transaction.atomic():
        payment = lock_odd(payment_id)
        get_open_shortfall(payment.id)
        end_shortfall(payment.id, state=ShortfallState.PAID)
        accept_completed(payment)
    return payment


def get_open_shortfall(payment_id: int) -> Shortfall:
    """Return the open wish about a payment of the site in force; raise `ShortfallOver`."""
    found: Shortfall | None = Shortfall.objects.filter(
        payment_id=payment_id, state=ShortfallState.OPEN, expires_at__gt=clock.now()
    ).first()
    if found is None:
        raise errors.ShortfallOver
    return found


def list_open_shortfalls() -> list[Shortfall]:
    """Return the open wishes of every site with their payments, the first to expire first."""
    with platform_scope("buyers who are asked for the rest"):
        rows = Shortfall.unscoped.filter(state=ShortfallState.OPEN).select_related("payment")
        return list(rows.order_by("expires_at")[:SWEEP_LIMIT])


def is_over(shortfall: Shortfall) -> bool:
    """Tell whether the time of a wish of the site in force is over, also for what is being paid."""
    left = shortfall.expires_at - clock.now()
    if left > dt.timedelta(0):
        return False
    is_paying = Payment.objects.filter(
        completes_id=shortfall.payment_id, state=PaymentState.OPEN
    ).exists()
    return not is_paying or left <= -dt.timedelta(seconds=GRACE_SECONDS)
