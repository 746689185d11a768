"""Payouts through a gateway: reserve → call → finish, always under the same `payout_no`.

A row in SENDING may have been paid: whoever meets it asks first what became of it. Only a clear
refusal gives the money back.
"""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.events import publish
from kameng.core.scope import open_scope, platform_scope, require_site_id
from kameng.ledger.accounts import AccountKind, Code, account_id
from kameng.ledger.services import post_transfers
from kameng.payments.providers.abilities import (
    PayoutRequest,
    PayoutSender,
    TransferOutcome,
    TransferStatus,
)
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain
from kameng.payments.services.holding import OpenGateway, list_open_gateways, open_gateways
from kameng.pricing.money import Amount
from kameng.settlement import errors
from kameng.settlement.events import WithdrawalPaid
from kameng.settlement.models import Withdrawal, WithdrawalState
from kameng.settlement.notices import send_receive_link
from kameng.settlement.rules import State, next_recheck_at
from kameng.settlement.sealing import open_account
from kameng.settlement.services.receiving import complete_answer, put_off
from kameng.settlement.services.requesting import held_account, move, release
from kameng.settlement.services.reviewing import find_reviewed
from kameng.settlement.store import claim_payouts
from kameng.tenancy.selectors import get_site_view, scope_of

BATCH = 20


def list_payout_gateways(account_kind: str) -> list[OpenGateway]:
    """Return the gateways of the site in force that can pay out to a kind of account."""
    return [
        each
        for each in list_open_gateways(require_site_id())
        if sender_kind(each, account_kind=account_kind) and each.provider.can_pay_out(each.config)
    ]


def sender_kind(gateway: OpenGateway, *, account_kind: str, account: str = "") -> str:
    """Return the gateway's own word for a kind of account; empty when it cannot pay out to it.

    Alipay has two words for its own: what a person signs in with, and the number behind it.
    """
    if not isinstance(gateway.provider, PayoutSender):
        return ""
    words = [code for code, _label in gateway.provider.payout_account_kinds]
    if account_kind in words:
        return account_kind
    fits = {"alipay": ("alipay",), "wechat": ("wechat", "wxpay")}.get(account_kind, ())
    if not words or not gateway.kind.startswith(fits):
        return ""
    by_number = [word for word in words if word.endswith("USER_ID")]
    return by_number[0] if by_number and account.startswith("2088") else words[0]


def start_payout(*, withdrawal_no: str, gateway_id: int, actor: Actor) -> Withdrawal:
    """Let the worker pay an approved withdrawal through a gateway of the site in force, once.

    Raises `WithdrawalNotFound`, `PayoutUnsupported`, `NotAllowedNow`. Audited.
    """
    found = find_reviewed(withdrawal_no)
    fitting = {each.gateway_id for each in list_payout_gateways(found.account.kind)}
    if gateway_id not in fitting:
        raise errors.PayoutUnsupported
    with open_scope(scope_of(get_site_view(found.site_id))), transaction.atomic():
        moved = Withdrawal.objects.filter(id=found.id, state=State.APPROVED).update(
            state=State.SENDING, gateway_id=gateway_id, next_attempt_at=clock.now()
        )
        if not moved:
            found.refresh_from_db()
            raise errors.NotAllowedNow(state=WithdrawalState(found.state).label)
        record(
            "settlement.payout.started",
            actor=actor,
            site_id=found.site_id,
            subject=("withdrawal", found.withdrawal_no),
            detail={"amount": found.payout_amount, "gateway": gateway_id},
        )
        found.refresh_from_db()
    return found


def send_due_payouts() -> int:
    """Ask gateways for payouts that are due, or what became of them; return how many. Calls out."""
    with platform_scope("payouts due"):
        due = claim_payouts(BATCH)
    for withdrawal_id, site_id in due:
        with open_scope(scope_of(get_site_view(site_id))):
            send_payout(withdrawal_id)
    return len(due)


def send_payout(withdrawal_id: int) -> TransferStatus | None:
    """Ask the gateway for one payout of the site in force, or what became of it. Calls out."""
    found: Withdrawal | None = (
        Withdrawal.objects.filter(id=withdrawal_id, state=State.SENDING)
        .select_related("account")
        .first()
    )
    if found is None or found.gateway_id is None:
        return None
    outcome = _call(found, open_gateways([found.gateway_id])[found.gateway_id])
    if outcome.status == TransferStatus.DONE:
        finish_payout(found, external_no=outcome.external_no)
    elif outcome.status in {TransferStatus.REFUSED, TransferStatus.RETURNED}:
        with transaction.atomic():
            release(
                found,
                state=State.FAILED,
                sources=frozenset({State.SENDING}),
                reason=outcome.reason,
            )
    else:
        _wait(found, put_off(found, outcome=outcome))
    return outcome.status


def _wait(found: Withdrawal, changes: Mapping[str, Any]) -> None:
    """Note that a payout has no end yet; its receiver is told of the page when it waits for them.

    Of two workers that meet the first such answer both would tell: the e-mail's key is the guard.
    """
    with transaction.atomic():
        moved = Withdrawal.objects.filter(id=found.id, state=State.SENDING).update(**changes)
        if moved and "confirm_until" in changes:
            send_receive_link(found, until=changes["confirm_until"])


def paid_parts(found: Withdrawal) -> list[tuple[int, int, Code]]:
    """Return where the parts of a paid withdrawal go: account, amount, code."""
    main_id = get_site_view(found.site_id).main_id
    paid_from = (
        account_id(AccountKind.BANK, main_id)
        if found.gateway_id is None
        else account_id(AccountKind.GATEWAY_CLEARING, found.gateway_id)
    )
    return [
        (paid_from, found.payout_amount, Code.WITHDRAWAL_PAID),
        (account_id(AccountKind.SALES, main_id), found.fee_amount, Code.WITHDRAWAL_FEE),
        (account_id(AccountKind.TAX_WITHHELD, main_id), found.tax_amount, Code.WITHDRAWAL_TAX),
    ]


def as_request(found: Withdrawal, *, gateway: OpenGateway) -> PayoutRequest:
    """Return a payout as its gateway is asked for it, account in clear: for a call only."""
    account, name = open_account(found.account)
    return PayoutRequest(
        payout_no=found.payout_no,
        account_kind=sender_kind(gateway, account_kind=found.account.kind, account=account),
        account=account,
        name=name,
        amount=Amount(found.payout_amount),
        reason=found.withdrawal_no,
    )


def _call(found: Withdrawal, gateway: OpenGateway) -> TransferOutcome:
    request, sender = as_request(found, gateway=gateway), gateway.provider
    try:
        if found.asked_count > 1:  # asked before: first find out what became of that
            outcome: TransferOutcome = sender.query_payout(gateway.config, request)
            if outcome.status != TransferStatus.UNKNOWN:
                return complete_answer(found, gateway=gateway, request=request, known=outcome)
        said: TransferOutcome = sender.pay_out(gateway.config, request)
    except ProviderUncertain as fault:
        return TransferOutcome(status=TransferStatus.UNKNOWN, reason=fault.code)
    except ProviderRefused as fault:
        # A call that was turned away now says nothing of one that may have been taken before.
        status = TransferStatus.REFUSED if found.asked_count <= 1 else TransferStatus.UNKNOWN
        return TransferOutcome(status=status, reason=f"{fault.code} {fault.message}".strip())
    return said


def finish_payout(found: Withdrawal, *, external_no: str) -> bool:
    """Note that a withdrawal of the site in force was paid, once, and post it.

    Publishes `WithdrawalPaid`. False when someone else did it.
    """
    now = clock.now()
    with transaction.atomic():
        moved = Withdrawal.objects.filter(
            id=found.id, state__in=(State.SENDING, State.IN_BATCH)
        ).update(
            state=State.PAID,
            external_no=external_no[:64],
            ended_at=now,
            next_attempt_at=None,
            reason="",
            confirm_cipher=None,
            recheck_at=next_recheck_at(now, now=now) if found.gateway_id else None,
        )
        if not moved:
            return False
        held = held_account(found)
        post_transfers(
            [
                move(found, debit=held, credit=to, amount=part, code=code)
                for to, part, code in paid_parts(found)
            ]
        )
        publish(
            WithdrawalPaid(
                site_id=found.site_id,
                subject_id=found.id,
                amount=found.amount,
                payout_amount=found.payout_amount,
            )
        )
    return True
