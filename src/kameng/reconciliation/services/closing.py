"""Closing a month: its days are compared, its transfers sealed, and what it moved is kept for good.

What closing guards: a transfer is dated by the beginning of its transaction and none is written an
hour after that (a trigger of the ledger refuses it), so from an hour past its end on nothing can
be added to a month. Closing waits until all that was given out by then is in the chain, and keeps
the chain's value with the totals of each account. `kameng audit` compares both with the ledger.
"""

import datetime as dt
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import require_site_id
from kameng.ledger.accounts import account_kind
from kameng.ledger.sealing import read_month
from kameng.reconciliation import errors, rules
from kameng.reconciliation.models import MonthClose
from kameng.reconciliation.selectors import (
    AccountMonth,
    count_open_cases_between,
    count_open_days,
    find_month_close,
    list_account_months,
)

SETTLING = dt.timedelta(hours=1)
Totals = list[tuple[int, int, int]]


def close_month(
    *, month: dt.date, reason: str, accepts_uncompared: bool, actor: Actor
) -> MonthClose:
    """Close a month of the whole ledger, for good; audited with the reason and what is open.

    Days that are not compared and open cases ask for a reason; days on which an account took money
    and that are not compared ask for `accepts_uncompared` too. Raises `MonthClosed`,
    `MonthNotClosable`, `MonthUncompared`.
    """
    first, reason = month.replace(day=1), reason.strip()[:500]
    since, until = rules.month_bounds(first)
    if find_month_close(first) is not None:
        raise errors.MonthClosed
    if clock.now() < until + SETTLING:
        raise errors.MonthNotClosable(why=_("月底过去一小时以后才能关账"))
    last = rules.day_of(until)
    accounts = [
        each
        for each in list_account_months(first, until=last).get(first, [])
        if each.uncompared_days
    ]
    if accounts and not (accepts_uncompared and reason):
        raise errors.MonthUncompared(accounts=_name_uncompared(accounts))
    open_days = count_open_days(first, until=last, accounts=accounts)
    open_cases = count_open_cases_between(first, until=last)
    if (open_days or open_cases) and not reason:
        why = _("还有 %(days)s 天没有核对、%(cases)s 个差异没有处理，请先处理，或写明关账的理由")
        raise errors.MonthNotClosable(why=why % {"days": open_days, "cases": open_cases})
    made = MonthClose(
        site_id=require_site_id(),
        month=first,
        reason=reason,
        open_day_count=open_days,
        open_case_count=open_cases,
        closed_by=actor.name[:100],
    )
    try:
        with transaction.atomic():
            _seal(made, since=since, until=until)
            record(
                "month.closed",
                actor=actor,
                site_id=made.site_id,
                subject=("month", f"{first:%Y-%m}"),
                detail=_detail_of(made, accounts),
            )
    except IntegrityError:
        raise errors.MonthClosed from None
    return made


def _name_uncompared(accounts: Sequence[AccountMonth]) -> str:
    text = _("%(name)s %(count)s 天")
    parts = [text % {"name": each.name, "count": len(each.uncompared_days)} for each in accounts]
    return pgettext("between the items of a list", "、").join(parts)


def _detail_of(made: MonthClose, accounts: Sequence[AccountMonth]) -> dict[str, Any]:
    return {
        "batch": made.batch_no,
        "days": made.open_day_count,
        "cases": made.open_case_count,
        "reason": made.reason[:200],
        "uncompared": [
            {
                "gateway": each.gateway.id,
                "name": each.name,
                "dates": [f"{day:%Y-%m-%d}" for day in each.uncompared_days],
            }
            for each in accounts
        ],
    }


def _seal(made: MonthClose, *, since: dt.datetime, until: dt.datetime) -> None:
    """Write what the ledger says of the month; call inside a transaction."""
    read = read_month(since, until=until, sealed_by=until + SETTLING)
    if not read.is_sealed:
        raise errors.MonthNotClosable(why=_("账本还在封存，请过一分钟再试"))
    made.batch_no, made.chain_hash = read.batch_no, read.chain_hash
    made.transfer_count, made.transfer_amount = read.transfer_count, read.transfer_amount
    made.totals = condense(read.totals)
    made.totals_digest = digest_of(made.totals)
    made.save(force_insert=True)


def condense(totals: Iterable[tuple[int, int, int]]) -> Totals:
    """Return totals by account, those with a limit (of persons) summed by their kind."""
    kept: Totals = []
    limited: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    for account, debits, credits_ in totals:
        if account > 0:
            kept.append((account, debits, credits_))
        else:
            summed = limited[-int(account_kind(account))]
            summed[0] += debits
            summed[1] += credits_
    kept += [(kind, debits, credits_) for kind, (debits, credits_) in limited.items()]
    return sorted(kept)


def digest_of(totals: Iterable[Iterable[int]]) -> bytes:
    """Return the digest of totals as they are printed in a seal."""
    plain = json.dumps([list(row) for row in totals], separators=(",", ":"))
    return hashlib.sha256(plain.encode()).digest()


def verify_month(close: MonthClose) -> list[str]:
    """Return what a closed month's seal says and the ledger does not; empty when it holds."""
    since, until = rules.month_bounds(close.month)
    read = read_month(since, until=until, sealed_by=until)
    faults = []
    if (read.transfer_count, read.transfer_amount) != (close.transfer_count, close.transfer_amount):
        faults.append(
            f"{read.transfer_count} transfers of {read.transfer_amount}, its seal says"
            f" {close.transfer_count} of {close.transfer_amount}"
        )
    stored = [tuple(row) for row in close.totals]
    if digest_of(close.totals) != bytes(close.totals_digest):
        faults.append("the totals in its seal were changed")
    now = condense(read.totals)
    if now != stored:
        odd = sorted({row[0] for row in set(now) ^ set(stored)})
        faults.append(f"the totals of accounts {odd[:10]} are not as sealed")
    return faults


def seal_text(close: MonthClose) -> str:
    """Return the seal as a person prints it or keeps it elsewhere."""
    lines = [
        f"month: {close.month:%Y-%m}",
        f"closed: {close.created_at:%Y-%m-%dT%H:%M:%S%z} by {close.closed_by}",
        f"transfers: {close.transfer_count}",
        f"amount: {close.transfer_amount}",
        f"chain: batch {close.batch_no} {bytes(close.chain_hash).hex()}",
        f"totals: {bytes(close.totals_digest).hex()}",
        "account,debits,credits",
        *(",".join(map(str, row)) for row in close.totals),
    ]
    return "\n".join(lines) + "\n"
