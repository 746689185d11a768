"""Payouts by a file for the bank: withdrawals go into one batch, its result is matched back.

Matched by `payout_no` and amount, line by line, each line explained; a line never settles what it
does not name exactly. Also a person's word for a payout whose outcome no machine can tell.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.db import transaction
from django.utils.translation import gettext as _

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.ids import new_number
from kameng.core.scope import open_scope, platform_scope, require_site_id
from kameng.core.tabular import PROBLEM_TEXT, TableUnreadable, read_table
from kameng.pricing.money import MoneyInvalid, parse_yuan
from kameng.settlement import errors
from kameng.settlement.bank_words import BAD, COLUMNS, GOOD, RETURNED
from kameng.settlement.models import PayoutBatch, Withdrawal, WithdrawalState
from kameng.settlement.rules import State
from kameng.settlement.services.bouncing import take_return
from kameng.settlement.services.paying_out import finish_payout
from kameng.settlement.services.requesting import release
from kameng.settlement.services.reviewing import find_reviewed
from kameng.tenancy.selectors import get_site_view, scope_of

BATCH_MAX = 500
RESULT_MAX_BYTES = 4 << 20
RESULT_MAX_LINES = 5000
OWN_NUMBER = re.compile(r"(?<![0-9])[0-9]{18}(?![0-9])")


class LineOutcome(StrEnum):
    """What became of one line of a bank's result file."""

    PAID = "paid"
    FAILED = "failed"
    PENDING = "pending"  # neither success nor failure is said
    UNKNOWN_NUMBER = "unknown_number"
    OTHER_BATCH = "other_batch"
    OTHER_AMOUNT = "other_amount"
    DONE_ALREADY = "done_already"
    RETURNED = "returned"  # it was paid, and the bank sent it back
    CONTRADICTS = "contradicts"  # it was settled the other way before
    TWICE = "twice"  # the file speaks of it twice
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultLine:
    """One line of a result file, and what became of it."""

    line_no: int
    payout_no: str
    amount: int | None
    outcome: LineOutcome
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    line_no: int
    payout_no: str
    amount: int | None
    word: str
    reason: str
    external_no: str
    text: str


def make_batch(*, withdrawal_nos: Sequence[str], actor: Actor) -> PayoutBatch:
    """Put approved withdrawals into a file for the bank; all of them or none.

    Locks nothing but moves each once. Raises `BatchEmpty`, `WithdrawalNotFound`, `NotAllowedNow`.
    Audited.
    """
    main_id = require_site_id()
    numbers = list(dict.fromkeys(withdrawal_nos))[:BATCH_MAX]
    if not numbers:
        raise errors.BatchEmpty
    found = [find_reviewed(number) for number in numbers]
    with platform_scope("a batch of payouts of many sites"), transaction.atomic():
        batch: PayoutBatch = PayoutBatch.unscoped.create(
            site_id=main_id,
            batch_no=f"B{new_number(clock.now())}",
            count=len(found),
            total_amount=sum(each.payout_amount for each in found),
            made_by=actor.name[:64],
        )
        for each in sorted(found, key=lambda row: row.id):
            moved = Withdrawal.unscoped.filter(id=each.id, state=State.APPROVED).update(
                state=State.IN_BATCH, batch_id=batch.id
            )
            if not moved:
                fresh = Withdrawal.unscoped.get(id=each.id)
                raise errors.NotAllowedNow(state=WithdrawalState(fresh.state).label)
        record(
            "settlement.batch.made",
            actor=actor,
            site_id=main_id,
            subject=("payout_batch", batch.batch_no),
            detail={"count": batch.count, "amount": batch.total_amount},
        )
    return batch


def import_result(*, batch_no: str, data: bytes, filename: str, actor: Actor) -> list[ResultLine]:
    """Match a bank's result file to a batch of the site in force; the same file again is no harm.

    Raises `BatchNotFound`, `ResultUnreadable`. Audited.
    """
    main_id = require_site_id()
    batch: PayoutBatch | None = PayoutBatch.objects.filter(
        site_id=main_id, batch_no=batch_no
    ).first()
    if batch is None:
        raise errors.BatchNotFound
    lines = [_settle_line(batch, said, seen) for said, seen in _with_seen(_read(data, filename))]
    with transaction.atomic():
        record(
            "settlement.batch.result",
            actor=actor,
            site_id=main_id,
            subject=("payout_batch", batch_no),
            detail={
                outcome: sum(line.outcome == outcome for line in lines)
                for outcome in {str(line.outcome) for line in lines}
            },
        )
    return lines


def _with_seen(lines: Sequence[_Said]) -> list[tuple[_Said, bool]]:
    counts: dict[str, int] = {}
    for said in lines:
        counts[said.payout_no] = counts.get(said.payout_no, 0) + 1
    return [(said, bool(said.payout_no) and counts[said.payout_no] > 1) for said in lines]


def _read(data: bytes, filename: str) -> list[_Said]:
    if len(data) > RESULT_MAX_BYTES:
        raise errors.ResultUnreadable(why=_("文件超过 4 MiB。"))
    try:
        table = read_table(data, filename=filename)
    except TableUnreadable as fault:
        raise errors.ResultUnreadable(why=fault.problem.text(PROBLEM_TEXT)) from fault
    heading = [cell.strip().lower() for cell in table.header]
    places = {name: _place(heading, names) for name, names in COLUMNS.items()}
    if any(places[name] is None for name in ("number", "amount", "result")):
        raise errors.ResultUnreadable(why=_("表头里要有“打款编号”“金额”“结果”这三列。"))
    return [
        _said(row.line_no, row.cells, places)
        for row in list(table.rows)[:RESULT_MAX_LINES]
        if any(cell.strip() for cell in row.cells)
    ]


def _place(heading: Sequence[str], names: Sequence[str]) -> int | None:
    for name in names:
        if name in heading:
            return heading.index(name)
    return None


def _said(line_no: int, cells: Sequence[str], places: dict[str, int | None]) -> _Said:
    def cell(name: str) -> str:
        place = places[name]
        return cells[place].strip().lstrip("'") if place is not None and place < len(cells) else ""

    number = OWN_NUMBER.search(cell("number"))  # some banks put more into a remark
    try:
        amount: int | None = int(parse_yuan(cell("amount").replace(",", "")))
    except MoneyInvalid:
        amount = None
    return _Said(
        line_no=line_no,
        payout_no=number.group() if number else "",
        amount=amount,
        word=cell("result").lower(),
        reason=cell("reason"),
        external_no=cell("bank_no"),
        text=" | ".join(cells)[:200],
    )


def _settle_line(batch: PayoutBatch, said: _Said, is_twice: bool) -> ResultLine:  # noqa: FBT001
    if is_twice:
        outcome = LineOutcome.TWICE
    elif not said.payout_no or said.amount is None:
        outcome = LineOutcome.UNREADABLE
    else:
        outcome = _match(batch, said)
    return ResultLine(
        line_no=said.line_no,
        payout_no=said.payout_no[:32],
        amount=said.amount,
        outcome=outcome,
        text=said.text,
    )


def _match(batch: PayoutBatch, said: _Said) -> LineOutcome:
    with platform_scope("a bank's result names a payout"):
        found: Withdrawal | None = Withdrawal.unscoped.filter(payout_no=said.payout_no[:32]).first()
    if found is None:
        return LineOutcome.UNKNOWN_NUMBER
    if found.batch_id != batch.id:
        return LineOutcome.OTHER_BATCH
    if found.payout_amount != said.amount:
        return LineOutcome.OTHER_AMOUNT
    is_good, is_bad = said.word in GOOD, said.word in BAD
    if not is_good and not is_bad:
        return LineOutcome.PENDING
    if found.state != State.IN_BATCH:
        return _match_again(found, said)
    with open_scope(scope_of(get_site_view(found.site_id))):
        if is_good:
            finish_payout(found, external_no=said.external_no)
            return LineOutcome.PAID
        with transaction.atomic():
            release(
                found,
                state=State.FAILED,
                sources=frozenset({State.IN_BATCH}),
                reason=said.reason or said.word,
            )
    return LineOutcome.FAILED


def _match_again(found: Withdrawal, said: _Said) -> LineOutcome:
    """Match a line to a payout that has an outcome: the same again, or the bank sent it back."""
    has_come_back = said.word in RETURNED
    if found.state == State.PAID and has_come_back:
        with open_scope(scope_of(get_site_view(found.site_id))), transaction.atomic():
            moved = take_return(found, reason=said.reason or said.word)
        return LineOutcome.RETURNED if moved else LineOutcome.DONE_ALREADY
    # Of one that came back the first file said that it was paid.
    agreeing = {State.PAID, State.RETURNED} if said.word in GOOD else {State.FAILED}
    if has_come_back:
        agreeing.add(State.RETURNED)
    return LineOutcome.DONE_ALREADY if found.state in agreeing else LineOutcome.CONTRADICTS


def decide_payout(*, withdrawal_no: str, is_paid: bool, reason: str, actor: Actor) -> Withdrawal:
    """Take a person's word for a payout in a batch, or one that its gateway does not explain.

    The person has looked at bank or gateway. Raises `ReasonMissing`, `NotAllowedNow`. Audited.
    """
    if not reason.strip():
        raise errors.ReasonMissing
    found = find_reviewed(withdrawal_no)
    is_open = found.state == State.IN_BATCH or (
        found.state == State.SENDING and found.asked_count > 1
    )
    if not is_open:
        raise errors.NotAllowedNow(state=WithdrawalState(found.state).label)
    with open_scope(scope_of(get_site_view(found.site_id))), transaction.atomic():
        sources = frozenset({State.IN_BATCH, State.SENDING})
        moved = (
            finish_payout(found, external_no="")
            if is_paid
            else release(found, state=State.FAILED, sources=sources, reason=reason.strip())
        )
        found.refresh_from_db()
        if not moved:
            raise errors.NotAllowedNow(state=WithdrawalState(found.state).label)
        record(
            "settlement.payout.decided",
            actor=actor,
            site_id=found.site_id,
            subject=("withdrawal", found.withdrawal_no),
            detail={"paid": is_paid, "amount": found.payout_amount, "reason": reason[:200]},
        )
    return found
