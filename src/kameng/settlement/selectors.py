"""Reads of settlement: lists for who asks, and for the main site that decides.

A main site sees the sub-sites that resell for it: such reads check that first, then look at
several sites under a platform scope with its reason.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from kameng.core import clock
from kameng.core.scope import platform_scope, require_site_id
from kameng.orders.selectors import list_order_nos
from kameng.settlement import errors
from kameng.settlement.claims import Owner
from kameng.settlement.models import (
    Approval,
    PayoutAccount,
    PayoutBatch,
    ReceiverState,
    Split,
    SplitReceiver,
    Terms,
    Withdrawal,
)
from kameng.settlement.rules import OPEN_STATES, SplitState, State
from kameng.settlement.sealing import open_account
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import branches_of, list_sites_by_id

LIMIT = 99
REASON = "a main site looks at what it pays out"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankLine:
    """One payout as the bank's file says it, in clear: for the file only. Never log it."""

    payout_no: str
    account: str
    name: str
    bank_name: str
    amount: int

    def __repr__(self) -> str:
        return f"BankLine(payout_no={self.payout_no})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """What of settlement waits for a person: how many, since when."""

    code: str
    count: int
    since: dt.datetime | None


def list_accounts(owner: Owner) -> list[PayoutAccount]:
    """Return the payout accounts of an owner on the site in force, newest first."""
    rows = PayoutAccount.objects.filter(
        payee__owner_kind=owner.kind, payee__owner_id=owner.owner_id, removed_at__isnull=True
    )
    return list(rows.order_by("-id"))


def list_receivers() -> list[SplitReceiver]:
    """Return the receivers of the site in force that were not removed, newest first."""
    rows = SplitReceiver.objects.exclude(state=ReceiverState.REMOVED)
    return list(rows.order_by("-id")[:LIMIT])


def list_withdrawals(
    *, states: Iterable[int] | None = None, before_id: int | None = None, limit: int = 30
) -> list[Withdrawal]:
    """Return the withdrawals of the site in force, newest first; keyset by id."""
    return _page(Withdrawal.objects.select_related("account"), states, before_id, limit)


def list_reviewed(
    *, states: Iterable[int] | None = None, before_id: int | None = None, limit: int = 30
) -> list[Withdrawal]:
    """Return the withdrawals that the main site in force decides about, newest first."""
    main_id = require_site_id()
    with platform_scope(REASON):
        rows = Withdrawal.unscoped.filter(site_id__in=_heirs(main_id))
        return _page(rows.select_related("account", "batch"), states, before_id, limit)


def _heirs(main_id: int) -> "QuerySet[Site, Any]":
    return branches_of(main_id)


def _page(
    rows: "QuerySet[Withdrawal]", states: Iterable[int] | None, before_id: int | None, limit: int
) -> list[Withdrawal]:
    if states is not None:
        rows = rows.filter(state__in=list(states))
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return list(rows.order_by("-id")[:limit])


def get_withdrawal(withdrawal_no: str) -> Withdrawal:
    """Return a withdrawal of the site in force; raise `WithdrawalNotFound`."""
    rows = Withdrawal.objects.filter(withdrawal_no=withdrawal_no)
    found: Withdrawal | None = rows.select_related("account").first()
    if found is None:
        raise errors.WithdrawalNotFound
    return found


def list_approvals(withdrawal: Withdrawal) -> list[Approval]:
    """Return who said yes to a withdrawal, in order."""
    with platform_scope(REASON):
        return list(Approval.unscoped.filter(withdrawal_id=withdrawal.id).order_by("id"))


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfApproved:
    """A withdrawal that one person said yes to and that needs another one."""

    withdrawal: Withdrawal
    approvals: list[Approval]

    def is_closed_to(self, user_id: int | None) -> bool:
        """Tell whether a person cannot be the other one: who asked, or who said yes already."""
        said = {each.user_id for each in self.approvals}
        return user_id in said or user_id == self.withdrawal.asked_by_id


def list_half_approved() -> list[HalfApproved]:
    """Return the withdrawals that wait for a second person of the main site in force, oldest first.

    At most LIMIT. Two statements.
    """
    main_id = require_site_id()
    with platform_scope(REASON):
        said = Approval.unscoped.filter(
            withdrawal__site_id__in=_heirs(main_id), withdrawal__state=State.REQUESTED
        )
        rows = said.select_related("withdrawal", "withdrawal__account").order_by("id")[:LIMIT]
        found: dict[int, HalfApproved] = {}
        for each in rows:
            half = HalfApproved(withdrawal=each.withdrawal, approvals=[])
            found.setdefault(each.withdrawal_id, half).approvals.append(each)
    return list(found.values())


def name_sites(site_ids: Iterable[int]) -> dict[int, str]:
    """Return the names of sites by id."""
    return {site.id: site.name for site in list_sites_by_id(list(set(site_ids)))}


def sum_by_state() -> dict[int, tuple[int, int]]:
    """Return how many open withdrawals the main site in force decides about, and their sum."""
    main_id = require_site_id()
    with platform_scope(REASON):
        rows = Withdrawal.unscoped.filter(site_id__in=_heirs(main_id), state__in=OPEN_STATES)
        found = rows.values("state").annotate(n=Count("id"), s=Sum("amount"))
        return {row["state"]: (row["n"], row["s"]) for row in found}


def list_batches(*, before_id: int | None = None, limit: int = 30) -> list[PayoutBatch]:
    """Return the files for the bank of the site in force, newest first."""
    rows = PayoutBatch.objects.order_by("-id")
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return list(rows[:limit])


def get_batch(batch_no: str) -> PayoutBatch:
    """Return a file for the bank of the site in force; raise `BatchNotFound`."""
    found: PayoutBatch | None = PayoutBatch.objects.filter(batch_no=batch_no).first()
    if found is None:
        raise errors.BatchNotFound
    return found


def list_batch_rows(batch: PayoutBatch) -> list[Withdrawal]:
    """Return the withdrawals of a batch, in order."""
    with platform_scope(REASON):
        rows = Withdrawal.unscoped.filter(batch_id=batch.id).select_related("account")
        return list(rows.order_by("id"))


def list_bank_lines(batch: PayoutBatch) -> list[BankLine]:
    """Return what a bank's file says, accounts in clear; the caller audits that it was taken."""
    lines = []
    for row in list_batch_rows(batch):
        account, name = open_account(row.account)
        lines.append(
            BankLine(
                payout_no=row.payout_no,
                account=account,
                name=name,
                bank_name=row.account.bank_name,
                amount=row.payout_amount,
            )
        )
    return lines


def list_splits(
    *, states: Iterable[int] | None, before_id: int | None = None, limit: int = 30
) -> list[Split]:
    """Return the splits of the site in force, newest first."""
    return _split_page(Split.objects.all(), states, before_id, limit)


def list_all_splits(
    *, states: Iterable[int] | None, before_id: int | None = None, limit: int = 30
) -> list[Split]:
    """Return the splits of every site that resells for the main site in force, newest first."""
    main_id = require_site_id()
    with platform_scope(REASON):
        rows = Split.unscoped.filter(site_id__in=_heirs(main_id))
        return _split_page(rows, states, before_id, limit)


def _split_page(
    rows: "QuerySet[Split]", states: Iterable[int] | None, before_id: int | None, limit: int
) -> list[Split]:
    if states is not None:
        rows = rows.filter(state__in=list(states))
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return list(rows.select_related("receiver").order_by("-id")[:limit])


def name_orders(splits: Iterable[Split]) -> dict[int, str]:
    """Return the numbers of the orders of splits, of the site in force."""
    return list_order_nos({row.order_id for row in splits if row.order_id})


def list_terms(site_ids: Iterable[int]) -> dict[int, Terms]:
    """Return the terms of the main site in force and those of these of its sub-sites, by site."""
    main_id = require_site_id()
    with platform_scope(REASON):
        wanted = Q(site_id__in=_heirs(main_id).filter(id__in=list(site_ids)))
        rows = Terms.unscoped.filter(Q(site_id=main_id) | wanted)
        return {row.site_id: row for row in rows}


def list_pending() -> list[Pending]:
    """Return what waits for a person of the main site in force; each count stops at LIMIT."""
    main_id = require_site_id()
    with platform_scope(REASON):
        mine = _heirs(main_id)
        rows = Withdrawal.unscoped.filter(site_id__in=mine)
        splits = Split.unscoped.filter(site_id__in=mine)
        overdue = clock.now() - dt.timedelta(days=2)
        return [
            _pending("withdrawal_review", rows.filter(state=State.REQUESTED), "created_at"),
            _pending("withdrawal_pay", rows.filter(state=State.APPROVED), "decided_at"),
            _pending(
                "withdrawal_unknown",
                rows.filter(state=State.SENDING, decided_at__lt=overdue),
                "decided_at",
            ),
            _pending("split_refused", splits.filter(state=SplitState.REFUSED), "created_at"),
        ]


def _pending(code: str, rows: "QuerySet[Withdrawal] | QuerySet[Split]", column: str) -> Pending:
    moments = list(rows.order_by(column).values_list(column, flat=True)[: LIMIT + 1])
    return Pending(code=code, count=len(moments), since=moments[0] if moments else None)


def list_withdrawal_nos(withdrawal_ids: set[int]) -> dict[int, str]:
    """Return the printed numbers of withdrawals of the site in force."""
    rows = Withdrawal.objects.filter(id__in=withdrawal_ids)
    return dict(rows.values_list("id", "withdrawal_no"))


def list_split_order_nos(split_ids: set[int]) -> dict[int, str]:
    """Return the printed numbers of the orders whose shares these are, of the site in force."""
    rows = Split.objects.filter(id__in=split_ids, order_id__isnull=False)
    orders = dict(rows.values_list("id", "order_id"))
    numbers = list_order_nos(set(orders.values()))
    return {
        split_id: numbers[order_id] for split_id, order_id in orders.items() if order_id in numbers
    }
