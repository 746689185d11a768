"""A refund after a split: the share comes back first, as far as the margin does not cover it.

The gateway's refund of the order waits for the answer, but no longer than
`RETURN_PATIENCE_SECONDS`: a receiver without money does not keep the buyer from hers. Then the
claim carries it and may turn negative.
"""

import datetime as dt

from django.db import transaction
from django.db.models import F, Sum

from kameng.core import clock
from kameng.core.ids import new_number
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind, Code, Reference, account_id
from kameng.ledger.services import Posting, post_transfers
from kameng.orders.shares import list_shares
from kameng.payments.providers.abilities import (
    SplitReturnRequest,
    TransferOutcome,
    TransferStatus,
)
from kameng.payments.services.holding import (
    hasten_refund,
    list_held_payments,
    open_gateways,
    postpone_refund,
)
from kameng.pricing.money import Amount
from kameng.settlement.models import ReturnState, Split, SplitReturn
from kameng.settlement.rules import (
    RETURN_PATIENCE_SECONDS,
    SplitState,
    next_attempt_at,
    share_through,
    share_to_return,
)
from kameng.settlement.services.receivers import as_receiver
from kameng.settlement.services.splitting import ask_once
from kameng.settlement.store import claim_returns

BATCH = 20
SPLIT_WAIT_SECONDS = 10
HANDED_OVER = frozenset({SplitState.ASKED, SplitState.DONE})


def lock_split_of(order_id: int) -> Split | None:
    """Lock the split of an order of the site in force; `reserve_due_splits` skips it meanwhile."""
    rows = Split.objects.select_for_update(no_key=True).filter(order_id=order_id)
    found: Split | None = rows.first()
    return found


def call_back_share(
    *, order_id: int, refund_id: int, refund_no: str, is_to_source: bool
) -> SplitReturn | None:
    """Ask for a share back in the transaction of a refund that was just reversed, where needed.

    Locks the split, behind the order. Nothing was handed over yet: nothing to do, the share is
    reckoned anew when it is due. One that is being asked for right now comes back when it is known.
    """
    split = lock_split_of(order_id)
    if split is None or split.state not in HANDED_OVER:
        return None
    with platform_scope("what is left of a margin"):
        share = list_shares([order_id])[order_id]
        payment = list_held_payments([split.payment_id or 0])[split.payment_id or 0]
    left = share_through(
        share.margin_amount, received=payment.received_amount, total=share.total_amount
    )
    coming = SplitReturn.objects.filter(split_id=split.id).exclude(
        state__in=(ReturnState.REFUSED, ReturnState.NOT_NEEDED)
    )
    back = coming.aggregate(total=Sum("amount"))["total"] or 0
    amount = share_to_return(handed_over=split.amount - back, margin_left=left)
    if amount <= 0:
        return None
    made: SplitReturn = SplitReturn.objects.create(
        site_id=split.site_id,
        split_id=split.id,
        return_no=new_number(clock.now()),
        refund_id=refund_id,
        refund_no=refund_no,
        amount=amount,
    )
    if is_to_source:
        until = clock.now() + dt.timedelta(seconds=RETURN_PATIENCE_SECONDS)
        postpone_refund(refund_no=refund_no, until=until)
    return made


def ask_due_returns() -> int:
    """Ask gateways for shares that shall come back; return how many. Calls out."""
    with platform_scope("returns of shares that are due"):
        rows = list(
            SplitReturn.unscoped.filter(id__in=claim_returns(BATCH)).select_related(
                "split", "split__receiver"
            )
        )
        for row in rows:
            _ask_one(row)
    return len(rows)


def _ask_one(row: SplitReturn) -> None:
    if row.split.state == SplitState.ASKED:
        later = clock.now() + dt.timedelta(seconds=SPLIT_WAIT_SECONDS)
        SplitReturn.unscoped.filter(id=row.id, state=ReturnState.WAITING).update(
            next_attempt_at=later, asked_count=F("asked_count") - 1
        )
    elif row.split.state != SplitState.DONE:
        _end(row, ReturnState.NOT_NEEDED, TransferOutcome(status=TransferStatus.DONE))
    else:
        outcome = _call(row)
        if outcome.status == TransferStatus.DONE:
            _end(row, ReturnState.DONE, outcome)
        elif outcome.status == TransferStatus.REFUSED:
            _end(row, ReturnState.REFUSED, outcome)
        else:
            SplitReturn.unscoped.filter(id=row.id, state=ReturnState.WAITING).update(
                next_attempt_at=next_attempt_at(clock.now(), asked_count=row.asked_count),
                last_error=outcome.reason[:200],
            )


def _call(row: SplitReturn) -> TransferOutcome:
    split = row.split
    payment = list_held_payments([split.payment_id or 0])[split.payment_id or 0]
    gateway = open_gateways([payment.gateway_id])[payment.gateway_id]
    assert split.receiver is not None  # noqa: S101 - what was handed over has a receiver
    request = SplitReturnRequest(
        return_no=row.return_no,
        split_no=split.split_no,
        payment_no=payment.payment_no,
        external_no=payment.external_no,
        receiver=as_receiver(split.receiver),
        amount=Amount(row.amount),
        reason=row.refund_no,
    )
    return ask_once(
        lambda: gateway.provider.return_split(gateway.config, request),
        known=lambda: gateway.provider.query_split_return(gateway.config, request),
        asked_count=row.asked_count,
    )


def _end(row: SplitReturn, state: ReturnState, outcome: TransferOutcome) -> None:
    """Note how a return ended, once; the refund that waited for it goes on."""
    with transaction.atomic():
        moved = SplitReturn.unscoped.filter(id=row.id, state=ReturnState.WAITING).update(
            state=state,
            done_at=clock.now(),
            next_attempt_at=None,
            external_no=outcome.external_no[:64],
            last_error=outcome.reason[:200],
        )
        if not moved:
            return
        hasten_refund(refund_no=row.refund_no)
        if state != ReturnState.DONE:
            return
        Split.unscoped.filter(id=row.split_id).update(
            returned_amount=F("returned_amount") + row.amount
        )
        gateway_id = row.split.gateway_id or 0
        post_transfers(
            [
                Posting(
                    site_id=row.site_id,
                    debit=account_id(AccountKind.GATEWAY_CLEARING, gateway_id),
                    credit=account_id(AccountKind.SITE_MARGIN, row.site_id),
                    amount=row.amount,
                    code=Code.SPLIT_RETURNED,
                    reference_kind=Reference.SPLIT,
                    reference_id=row.split_id,
                )
            ]
        )
