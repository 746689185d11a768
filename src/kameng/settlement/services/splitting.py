"""Handing shares over: many at once reserved in one transaction, asked outside, finished in one.

The money of a share lies in SPLIT_CLEARING from the reservation until a clear answer; an unknown
one is asked about under the same `split_no`, never issued anew.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.db import transaction

from kameng.core import clock
from kameng.core.ids import new_number
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind, Code, Reference, account_id
from kameng.ledger.services import Posting, post_transfers
from kameng.payments.providers.abilities import (
    Receiver,
    SplitRequest,
    TransferOutcome,
    TransferStatus,
)
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain
from kameng.payments.services.holding import (
    HeldPayment,
    OpenGateway,
    end_holding,
    list_held_payments,
    open_gateways,
)
from kameng.pricing.money import Amount
from kameng.settlement.models import Split, SplitReceiver
from kameng.settlement.rules import SplitState, next_attempt_at
from kameng.settlement.services.receivers import as_receiver
from kameng.settlement.store import claim_splits

BATCH = 200
CALLERS = 4  # threads that wait for gateways; they touch no database
NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One question to a gateway, with all that it takes: asked in a thread without a database."""

    row: Split
    gateway: OpenGateway
    request: SplitRequest


def ask_due_splits() -> int:
    """Ask gateways for reserved shares, or what became of them; return how many. Calls out."""
    return _ask(SplitState.ASKED, _hand_over, _finish_asked)


def free_due_payments() -> int:
    """Ask gateways to free what they hold for splits that will not be; how many. Calls out."""
    return _ask(SplitState.FINISHING, _free, _finish_freed)


def _ask(
    state: SplitState,
    call: Callable[[Ask], TransferOutcome],
    finish: Callable[[Sequence[tuple[Split, TransferOutcome]]], None],
) -> int:
    with platform_scope("splits due"):
        rows = list(
            Split.unscoped.filter(id__in=claim_splits(state, BATCH)).select_related("receiver")
        )
    if not rows:
        return 0
    asks = _prepare(rows)
    with ThreadPoolExecutor(CALLERS) as callers:
        outcomes = list(callers.map(call, asks))
    finish([(ask.row, outcome) for ask, outcome in zip(asks, outcomes, strict=True)])
    return len(rows)


def _prepare(rows: Iterable[Split]) -> list[Ask]:
    rows = list(rows)
    with platform_scope("payments to be split"):
        payments = list_held_payments({row.payment_id for row in rows if row.payment_id})
    gateways = open_gateways({row.gateway_id for row in rows if row.gateway_id})
    return [
        Ask(
            row=row,
            gateway=gateways[row.gateway_id or 0],
            request=_request(row, payments[row.payment_id or 0], row.receiver),
        )
        for row in rows
    ]


def _request(row: Split, payment: HeldPayment, receiver: SplitReceiver | None) -> SplitRequest:
    known = as_receiver(receiver) if receiver is not None else _no_receiver()
    return SplitRequest(
        split_no=row.split_no,
        payment_no=payment.payment_no,
        external_no=payment.external_no,
        receiver=known,
        amount=Amount(row.amount),
        reason=payment.payment_no,
        is_last=True,
    )


def _no_receiver() -> Receiver:
    return Receiver(account_kind=NOBODY, account="", name="")


def _hand_over(ask: Ask) -> TransferOutcome:
    def first() -> TransferOutcome:
        said: TransferOutcome = ask.gateway.provider.split(ask.gateway.config, ask.request)
        return said

    def known() -> TransferOutcome:
        said: TransferOutcome = ask.gateway.provider.query_split(ask.gateway.config, ask.request)
        return said

    return ask_once(first, known=known, asked_count=ask.row.asked_count)


def _free(ask: Ask) -> TransferOutcome:
    try:
        said: TransferOutcome = ask.gateway.provider.finish_split(ask.gateway.config, ask.request)
    except (ProviderUncertain, ProviderRefused) as fault:
        return TransferOutcome(status=TransferStatus.UNKNOWN, reason=str(fault))
    return said


def ask_once(
    first: Callable[[], TransferOutcome],
    *,
    known: Callable[[], TransferOutcome],
    asked_count: int,
) -> TransferOutcome:
    """Ask for a transfer whose number may have been asked for before: then what became of it first.

    A call that is turned away says nothing of an earlier one: it is a refusal the first time only.
    """
    try:
        if asked_count > 1:
            outcome = known()
            if outcome.status != TransferStatus.UNKNOWN:
                return outcome
        return first()
    except ProviderUncertain as fault:
        return TransferOutcome(status=TransferStatus.UNKNOWN, reason=fault.code)
    except ProviderRefused as fault:
        status = TransferStatus.REFUSED if asked_count <= 1 else TransferStatus.UNKNOWN
        return TransferOutcome(status=status, reason=f"{fault.code} {fault.message}".strip())


def lock_splits(split_ids: Iterable[int], *, state: SplitState) -> dict[int, Split]:
    """Lock splits that are in a state, by id; in a platform scope and a transaction."""
    rows = Split.unscoped.select_for_update(no_key=True).filter(id__in=list(split_ids))
    return {row.id: row for row in rows.order_by("id") if row.state == state}


def _finish_asked(answers: Sequence[tuple[Split, TransferOutcome]]) -> None:
    now = clock.now()
    with platform_scope("answers about splits"), transaction.atomic():
        said = {row.id: outcome for row, outcome in answers}
        rows = lock_splits(said, state=SplitState.ASKED)
        postings, done = [], []
        for row in rows.values():
            outcome = said[row.id]
            row.last_error = outcome.reason[:200]
            if outcome.status == TransferStatus.DONE:
                row.state, row.done_at, row.next_attempt_at = SplitState.DONE, now, None
                row.external_no, row.last_error = outcome.external_no[:64], ""
                postings.append(_posting(row, Code.SPLIT_DONE))
                done.append(row)
            elif outcome.status == TransferStatus.REFUSED:
                row.state, row.reason, row.next_attempt_at = SplitState.REFUSED, "refused", None
                postings.append(_posting(row, Code.SPLIT_REFUSED))
            else:
                row.next_attempt_at = next_attempt_at(now, asked_count=row.asked_count)
        _store(rows.values())
        end_holding(row.payment_id for row in done if row.payment_id)
        if postings:
            post_transfers(postings)


def _finish_freed(answers: Sequence[tuple[Split, TransferOutcome]]) -> None:
    now = clock.now()
    with platform_scope("answers about freed payments"), transaction.atomic():
        said = {row.id: outcome for row, outcome in answers}
        rows = lock_splits(said, state=SplitState.FINISHING)
        for row in rows.values():
            outcome = said[row.id]
            row.last_error = outcome.reason[:200]
            if outcome.status == TransferStatus.DONE:
                row.state, row.done_at, row.next_attempt_at = SplitState.FINISHED, now, None
            else:
                row.next_attempt_at = next_attempt_at(now, asked_count=row.asked_count)
        _store(rows.values())
        end_holding(
            row.payment_id
            for row in rows.values()
            if row.state == SplitState.FINISHED and row.payment_id
        )


def _store(rows: Iterable[Split]) -> None:
    Split.unscoped.bulk_update(
        list(rows),
        ["state", "reason", "last_error", "external_no", "done_at", "next_attempt_at"],
    )


def _posting(row: Split, code: Code) -> Posting:
    """Return the transfer of a share; the money comes out of what lies in between."""
    margin = account_id(AccountKind.SITE_MARGIN, row.site_id)
    between = account_id(AccountKind.SPLIT_CLEARING, row.gateway_id or 0)
    gateway = account_id(AccountKind.GATEWAY_CLEARING, row.gateway_id or 0)
    debit, credit = {
        Code.SPLIT_ASKED: (margin, between),
        Code.SPLIT_DONE: (between, gateway),
        Code.SPLIT_REFUSED: (between, margin),
    }[code]
    return Posting(
        site_id=row.site_id,
        debit=debit,
        credit=credit,
        amount=row.amount,
        code=code,
        reference_kind=Reference.SPLIT,
        reference_id=row.id,
    )


def post_asked(rows: Iterable[Split]) -> None:
    """Post that shares are asked for; call under the payees' locks."""
    post_transfers([_posting(row, Code.SPLIT_ASKED) for row in rows])


def fresh_no() -> str:
    """Return a number for another question: the one before was answered clearly."""
    return new_number(clock.now())
