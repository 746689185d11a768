"""Payouts that come back days after they were paid (退票): the claim is whole again, once.

By the gateway's answer where its protocol has one, on a person's word, or by a bank's file. The
whole amount comes back, fee and tax too: nothing was paid out in the end.
"""

from django.db import transaction

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.events import publish
from kameng.core.scope import open_scope, platform_scope
from kameng.ledger.accounts import Code
from kameng.ledger.services import post_transfers
from kameng.payments.providers.abilities import (
    PayoutSender,
    TransferOutcome,
    TransferStatus,
)
from kameng.payments.providers.port import ProviderUncertain
from kameng.payments.services.holding import open_gateways
from kameng.settlement import errors
from kameng.settlement.events import WithdrawalReturned
from kameng.settlement.models import Payee, Withdrawal, WithdrawalState
from kameng.settlement.rules import State, next_recheck_at
from kameng.settlement.services.paying_out import as_request, paid_parts
from kameng.settlement.services.requesting import move, owner_of
from kameng.settlement.services.reviewing import find_reviewed
from kameng.settlement.store import claim_rechecks
from kameng.tenancy.selectors import get_site_view, scope_of

BATCH = 20


def take_return(found: Withdrawal, *, reason: str) -> bool:
    """Note that a paid withdrawal of the site in force came back, once, and post it.

    Call inside a transaction. Publishes `WithdrawalReturned`. False when someone else did it, or it
    was not paid. Needs no lock of the payee: it only gives to the claim.
    """
    moved = Withdrawal.objects.filter(id=found.id, state=State.PAID).update(
        state=State.RETURNED, returned_at=clock.now(), recheck_at=None, reason=reason[:200]
    )
    if not moved:
        return False
    back = owner_of(Payee.objects.get(id=found.payee_id)).account(found.source)
    post_transfers(
        [
            move(found, debit=side, credit=back, amount=part, code=Code.WITHDRAWAL_RETURNED)
            for side, part, _code in paid_parts(found)
        ]
    )
    publish(
        WithdrawalReturned(
            site_id=found.site_id,
            subject_id=found.id,
            amount=found.amount,
            payout_amount=found.payout_amount,
        )
    )
    return True


def mark_returned(*, withdrawal_no: str, reason: str, actor: Actor) -> Withdrawal:
    """Take a person's word that a paid withdrawal came back; they have seen it at bank or gateway.

    Raises `WithdrawalNotFound`, `ReasonMissing`, `NotAllowedNow`. Audited.
    """
    if not reason.strip():
        raise errors.ReasonMissing
    found = find_reviewed(withdrawal_no)
    with open_scope(scope_of(get_site_view(found.site_id))), transaction.atomic():
        moved = take_return(found, reason=reason.strip())
        found.refresh_from_db()
        if not moved:
            raise errors.NotAllowedNow(state=WithdrawalState(found.state).label)
        record(
            "settlement.payout.returned",
            actor=actor,
            site_id=found.site_id,
            subject=("withdrawal", found.withdrawal_no),
            detail={"amount": found.payout_amount, "reason": reason[:200]},
        )
    return found


def recheck_paid() -> int:
    """Ask gateways whether payouts that are due came back; return how many. Calls out."""
    with platform_scope("payouts that may have come back"):
        due = claim_rechecks(BATCH)
    for withdrawal_id, site_id in due:
        with open_scope(scope_of(get_site_view(site_id))):
            recheck_payout(withdrawal_id)
    return len(due)


def recheck_payout(withdrawal_id: int) -> bool:
    """Ask whether one paid withdrawal of the site in force came back. Calls out.

    Anything but a clear yes changes nothing but the time of the next question.
    """
    rows = Withdrawal.objects.filter(id=withdrawal_id, state=State.PAID)
    found: Withdrawal | None = rows.select_related("account").first()
    if found is None or found.gateway_id is None or found.ended_at is None:
        return False
    gateway = open_gateways([found.gateway_id])[found.gateway_id]
    sender = gateway.provider
    if not isinstance(sender, PayoutSender) or not sender.may_come_back:
        rows.update(recheck_at=None)
        return False
    try:
        said: TransferOutcome = sender.query_payout(
            gateway.config, as_request(found, gateway=gateway)
        )
    except ProviderUncertain:
        return False  # the claim has put it off
    if said.status == TransferStatus.RETURNED:
        with transaction.atomic():
            return take_return(found, reason=said.reason)
    rows.update(recheck_at=next_recheck_at(found.ended_at, now=clock.now()))
    return False
