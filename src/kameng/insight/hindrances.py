"""What stands in the way of closing a site: everything that is owed, open or on its way.

Reads the site in force, one bounded set of aggregates. Under `tenancy.closing.seal_selling` the
answer holds until the commit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet, Sum

from kameng.accounts.models import Approval, ApprovalState
from kameng.core import clock
from kameng.core.scope import require_site_id
from kameng.ledger.accounts import AccountKind
from kameng.ledger.selectors import count_wallets, prepaid_balance, site_account_amount
from kameng.orders.models import Order, OrderRefund, OrderRefundState, OrderState
from kameng.payments.conditions import IS_ODD
from kameng.payments.models import (
    Dispute,
    DisputeState,
    GatewayRefund,
    Payment,
    PaymentState,
    Purpose,
    RefundState,
    ReturnState,
    TopUpReturn,
)
from kameng.settlement.models import ReturnState as SplitReturnState
from kameng.settlement.models import Split, SplitReturn, SplitState, Withdrawal
from kameng.settlement.rules import OPEN_STATES
from kameng.tenancy.models import Site, SiteState

OPEN_ORDERS = (OrderState.AWAITING_PAYMENT, OrderState.AWAITING_DELIVERY, OrderState.REFUNDING)
OPEN_SPLITS = (SplitState.WAITING, SplitState.ASKED, SplitState.FINISHING)
OPEN_RETURNS = (ReturnState.WAITING, ReturnState.REFUSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hindrance:
    """One kind of thing that must come to its end first: how many, and how much, 1/10000 yuan."""

    code: str
    count: int
    amount: int


def list_hindrances() -> list[Hindrance]:
    """Return what keeps the site in force from being closed, in the order in which to settle it."""
    return [each for each in _look() if each.count or each.amount]


def _look() -> Iterator[Hindrance]:
    yield _sum("orders", Order.objects.filter(state__in=OPEN_ORDERS), "total_amount")
    yield _sum("refunds", OrderRefund.objects.exclude(state=OrderRefundState.DONE), "amount")
    waiting = GatewayRefund.objects.filter(state=RefundState.WAITING, is_surplus=True)
    yield _sum("gateway_refunds", waiting, "amount")
    yield _sum("top_up_returns", TopUpReturn.objects.filter(state__in=OPEN_RETURNS), "amount")
    yield _sum("disputes", Dispute.objects.filter(state=DisputeState.OPEN), "amount")
    yield _sum("odd_payments", Payment.objects.filter(IS_ODD), "received_amount")
    yield _sum("payments", _being_paid(), "amount")
    approvals = Approval.objects.filter(state=ApprovalState.WAITING, expires_at__gt=clock.now())
    yield _sum("approvals", approvals, "amount")
    wallets = count_wallets()
    yield Hindrance(code="wallets", count=wallets.count, amount=wallets.amount)
    open_states = [int(state) for state in OPEN_STATES]
    yield _sum("withdrawals", Withdrawal.objects.filter(state__in=open_states), "amount")
    yield _sum("splits", Split.objects.filter(state__in=OPEN_SPLITS), "margin_amount")
    returning = SplitReturn.objects.filter(state=SplitReturnState.WAITING)
    yield _sum("split_returns", returning, "amount")
    yield from _accounts(require_site_id())
    yield _children(require_site_id())


def _being_paid() -> "QuerySet[Payment]":
    """Top-ups and payments in ahead whose payer may be paying now; orders are counted as such."""
    purposes = (Purpose.TOP_UP, Purpose.PREPAID)
    rows: QuerySet[Payment] = Payment.objects.filter(
        state=PaymentState.OPEN, purpose__in=purposes, expires_at__gt=clock.now()
    )
    return rows


def _accounts(site_id: int) -> Iterator[Hindrance]:
    """Balances of the site itself; a claim below zero is what its operator owes."""
    prepaid = prepaid_balance(site_id).posted_amount
    yield Hindrance(code="prepaid", count=int(prepaid != 0), amount=prepaid)
    margin = site_account_amount(AccountKind.SITE_MARGIN, owner_id=site_id)
    yield Hindrance(code="claim", count=int(margin != 0), amount=margin)
    suspense = site_account_amount(AccountKind.ORDER_SUSPENSE, owner_id=site_id)
    yield Hindrance(code="suspense", count=int(suspense != 0), amount=suspense)


def _children(site_id: int) -> Hindrance:
    rows = Site.objects.filter(upline_id=site_id).exclude(state=SiteState.CLOSED)
    return Hindrance(code="children", count=rows.count(), amount=0)


def _sum(code: str, rows: "QuerySet[Any]", column: str) -> Hindrance:
    found = rows.aggregate(count=Count("id"), amount=Sum(column))
    return Hindrance(code=code, count=found["count"], amount=found["amount"] or 0)
