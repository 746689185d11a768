"""Unused principal of a top-up goes back to its source: by right within seven days, then by staff.

Taken from the wallet at once, so that nobody spends what is going back; the gateway gives it out
when it says so. Its part of the bonus is revoked with it. What the gateway refuses waits for a
person: again, back into the wallet, or paid by hand.
"""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from kameng.accounts.models import Approval
from kameng.accounts.services.approving import ApprovalWish
from kameng.accounts.services.marking import lock_customer
from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.ids import new_number
from kameng.ledger.accounts import AccountKind, Code, Reference, account_id, wallet_of
from kameng.ledger.selectors import wallet_amount
from kameng.ledger.services import Posting, lock_wallet, post_transfers
from kameng.payments import errors
from kameng.payments.models import (
    Bonus,
    Payment,
    PaymentState,
    Purpose,
    ReturnState,
    TopUp,
    TopUpReturn,
)
from kameng.payments.rules import RETURN_DAYS, Lot, bonus_to_revoke, unused_principals
from kameng.payments.services.refunding import lock_payment, request_refund
from kameng.payments.services.second_person import TOP_UP_BY_HAND, ask_above_threshold
from kameng.pricing.money import Amount, format_yuan

LOTS_LIMIT = 500
WAYS = ("again", "wallet", "hand")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnWish:
    """How much of a top-up goes back and why; `amount` None is all that is unused."""

    amount: int | None
    reason: str
    idempotency_key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Returnable:
    """How much of a top-up is unused, what of its bonus would go with all of it, until when."""

    top_up: TopUp
    amount: int
    bonus_amount: int
    until: dt.datetime

    @property
    def is_in_time(self) -> bool:
        """Tell whether the customer may ask without the shop's help."""
        return clock.now() <= self.until


def list_returnable(customer_id: int) -> list[Returnable]:
    """Return the credited top-ups of a customer, newest first, with what is unused of each."""
    return _measure(customer_id, balance=wallet_amount(customer_id))


def _measure(customer_id: int, *, balance: int) -> list[Returnable]:
    rows = TopUp.objects.filter(customer_id=customer_id, credited_at__isnull=False)
    top_ups = list(rows.order_by("-credited_at", "-id")[:LOTS_LIMIT])[::-1]
    bonuses = {row.top_up_id: row for row in Bonus.objects.filter(customer_id=customer_id)}
    lots = [
        Lot(
            principal=each.amount - each.returned_amount,
            bonus=bonuses[each.id].amount - bonuses[each.id].revoked_amount
            if each.id in bonuses
            else 0,
        )
        for each in top_ups
    ]
    unused = unused_principals(balance, lots=lots)
    found = [
        Returnable(
            top_up=each,
            amount=amount,
            bonus_amount=_revoked_with(each, bonuses.get(each.id), amount),
            until=each.credited_at + dt.timedelta(days=RETURN_DAYS),
        )
        for each, amount in zip(top_ups, unused, strict=True)
    ]
    return found[::-1]


def _revoked_with(top_up: TopUp, bonus: Bonus | None, amount: int) -> int:
    if bonus is None or amount <= 0:
        return 0
    return bonus_to_revoke(
        bonus=bonus.amount,
        revoked=bonus.revoked_amount,
        principal=top_up.amount,
        returned=top_up.returned_amount + amount,
    )


def return_top_up(
    *, top_up_id: int, wish: ReturnWish, actor: Actor, is_by_staff: bool = False
) -> TopUpReturn:
    """Send unused principal of a top-up of the site in force back to its source.

    The same key gives the first return again. Locks the customer, the payment, the wallet. Raises
    `TopUpNotFound`, `ReturnTooLate` (for the customer), `NotReturnable`, `RefundUnsupported`,
    `PaymentDisputed`. Audited when staff do it.
    """
    with transaction.atomic():
        found: TopUp | None = TopUp.objects.filter(id=top_up_id).first()
        if found is None or found.credited_at is None:
            raise errors.TopUpNotFound
        lock_customer(found.customer_id)
        known: TopUpReturn | None = TopUpReturn.objects.filter(
            top_up_id=top_up_id, idempotency_key=wish.idempotency_key
        ).first()
        if known is not None:
            return known
        payment = _payment_of(found)
        measured = _measure(found.customer_id, balance=lock_wallet(found.customer_id))
        returnable = next(each for each in measured if each.top_up.id == top_up_id)
        if not is_by_staff and not returnable.is_in_time:
            raise errors.ReturnTooLate
        amount = returnable.amount if wish.amount is None else wish.amount
        if not 0 < amount <= returnable.amount or amount % 100:
            raise errors.NotReturnable(left=format_yuan(Amount(returnable.amount)))
        returned = _take(returnable.top_up, amount, wish, actor, is_by_staff=is_by_staff)
        request_refund(
            payment=payment, amount=amount, reason=wish.reason, refund_no=returned.return_no
        )
        if is_by_staff:
            _record("top_up.returned", returned, actor, reason=wish.reason)
    return returned


def _payment_of(top_up: TopUp) -> Payment:
    """Lock the payment that paid a top-up."""
    found = Payment.objects.filter(
        purpose=Purpose.TOP_UP, subject_id=top_up.id, state=PaymentState.CONFIRMED
    ).earliest("id")
    return lock_payment(found.id)


def _take(
    top_up: TopUp, amount: int, wish: ReturnWish, actor: Actor, *, is_by_staff: bool
) -> TopUpReturn:
    """Take principal and its part of the bonus out of the wallet, which the caller holds."""
    bonus = Bonus.objects.filter(top_up_id=top_up.id).first()
    revoked = _revoked_with(top_up, bonus, amount)
    returned: TopUpReturn = TopUpReturn.objects.create(
        site_id=top_up.site_id,
        top_up=top_up,
        return_no=new_number(clock.now()),
        amount=amount,
        bonus_amount=revoked,
        reason=wish.reason[:200],
        asked_by=actor.name[:64],
        is_by_staff=is_by_staff,
        idempotency_key=wish.idempotency_key,
    )
    TopUp.objects.filter(id=top_up.id).update(returned_amount=F("returned_amount") + amount)
    Bonus.objects.filter(top_up_id=top_up.id).update(revoked_amount=F("revoked_amount") + revoked)
    wallet = wallet_of(top_up.customer_id)
    suspense = account_id(AccountKind.ORDER_SUSPENSE, top_up.site_id)
    gifts = account_id(AccountKind.GIFTS, top_up.site_id)
    post_transfers(
        [
            _posting(top_up, wallet, suspense, amount, Code.TOP_UP_RETURNED),
            _posting(top_up, wallet, gifts, revoked, Code.BONUS_REVOKED),
        ]
    )
    return returned


def _posting(top_up: TopUp, debit: int, credit: int, amount: int, code: Code) -> Posting:
    return Posting(
        site_id=top_up.site_id,
        debit=debit,
        credit=credit,
        amount=amount,
        code=code,
        reference_kind=Reference.TOP_UP,
        reference_id=top_up.id,
    )


def finish_return(*, return_no: str) -> None:
    """The gateway gave it back: call in the transaction that recorded it."""
    TopUpReturn.objects.filter(return_no=return_no, state=ReturnState.WAITING).update(
        state=ReturnState.DONE, done_at=clock.now()
    )


def refuse_return(*, return_no: str, reason: str) -> bool:
    """The gateway refused: a person decides. False when no return of a top-up stands for it."""
    rows = TopUpReturn.objects.filter(return_no=return_no, state=ReturnState.WAITING)
    return bool(rows.update(state=ReturnState.REFUSED, refusal=reason[:200]))


def settle_refused_return(
    *, return_id: int, way: str, reason: str, actor: Actor
) -> TopUpReturn | Approval:
    """Decide a return that the gateway refused: `again`, back into the `wallet`, paid by `hand`.

    By hand above the threshold it waits for a second person: then the wish is returned. Audited.
    Raises `ReturnNotWaiting`, and for `again` as `return_top_up`.
    """
    with transaction.atomic():
        returned = _lock_refused(return_id)
        if way == "hand":
            wish = ApprovalWish(
                kind=TOP_UP_BY_HAND,
                permission="orders.refund",
                about_id=returned.id,
                amount=returned.amount,
                reason=reason,
                details={"return_no": returned.return_no},
            )
            asked = ask_above_threshold(wish, actor=actor)
            if asked is not None:
                return asked
        return _settle(returned, way=way, reason=reason, actor=actor)


def carry_out_return_by_hand(approval: Approval) -> None:
    """Write down what a second person approved; call in the transaction of the approval."""
    actor = Actor(kind="user", actor_id=approval.decided_by_id, name=approval.decided_by)
    _settle(_lock_refused(approval.subject_id), way="hand", reason=approval.reason, actor=actor)


def _lock_refused(return_id: int) -> TopUpReturn:
    """Lock the customer of a refused return, then the return: two who decide come one by one."""
    found = TopUpReturn.objects.select_related("top_up").filter(id=return_id).first()
    if found is None:
        raise errors.TopUpNotFound
    lock_customer(found.top_up.customer_id)
    found.refresh_from_db()
    if found.state != ReturnState.REFUSED:
        raise errors.ReturnNotWaiting
    returned: TopUpReturn = found
    return returned


def _settle(returned: TopUpReturn, *, way: str, reason: str, actor: Actor) -> TopUpReturn:
    top_up: TopUp = TopUp.objects.get(id=returned.top_up_id)
    suspense = account_id(AccountKind.ORDER_SUSPENSE, top_up.site_id)
    if way == "again":
        returned.return_no, returned.state = new_number(clock.now()), ReturnState.WAITING
        returned.save(update_fields=["return_no", "state"])
        request_refund(
            payment=_payment_of(top_up),
            amount=returned.amount,
            reason=returned.reason,
            refund_no=returned.return_no,
        )
    elif way == "wallet":
        _put_back(top_up, returned, suspense=suspense)
    else:
        outside = account_id(AccountKind.ADJUSTMENTS, top_up.site_id)
        by_hand = _posting(top_up, suspense, outside, returned.amount, Code.REFUND_BY_HAND)
        post_transfers([by_hand])
        _end(returned, ReturnState.HAND)
    _record(f"top_up.return_{way}", returned, actor, reason=reason)
    return returned


def _put_back(top_up: TopUp, returned: TopUpReturn, *, suspense: int) -> None:
    """The customer has it again, bonus included, as if nothing had been asked for."""
    TopUp.objects.filter(id=top_up.id).update(
        returned_amount=F("returned_amount") - returned.amount
    )
    Bonus.objects.filter(top_up_id=top_up.id).update(
        revoked_amount=F("revoked_amount") - returned.bonus_amount
    )
    wallet, gifts = wallet_of(top_up.customer_id), account_id(AccountKind.GIFTS, top_up.site_id)
    post_transfers(
        [
            _posting(top_up, suspense, wallet, returned.amount, Code.REFUND_TO_WALLET),
            _posting(top_up, gifts, wallet, returned.bonus_amount, Code.TOP_UP_BONUS),
        ]
    )
    _end(returned, ReturnState.PUT_BACK)


def _end(returned: TopUpReturn, state: ReturnState) -> None:
    returned.state, returned.done_at = state, clock.now()
    returned.save(update_fields=["state", "done_at"])


def _record(action: str, returned: TopUpReturn, actor: Actor, *, reason: str) -> None:
    record(
        action,
        actor=actor,
        site_id=returned.site_id,
        subject=("top_up", returned.top_up.top_up_no),
        detail={
            "amount": returned.amount,
            "bonus_amount": returned.bonus_amount,
            "reason": reason[:200],
        },
    )
