"""Reads of the ledger: balances, a wallet's statement, the transfers behind an order."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from kameng.ledger import store
from kameng.ledger.accounts import (
    CODE_NAMES,
    AccountKind,
    Code,
    Reference,
    account_id,
    prepaid_of,
    wallet_of,
)
from kameng.ledger.models import Balance, Transfer

SALE_CODES = frozenset(
    {Code.SALE_OWN, Code.SALE_MARGIN, Code.SALE_UPLINE, Code.SALE_FEE, Code.SALE_TAKINGS}
)
CLOCKS_APART = dt.timedelta(days=1)  # an order is stamped by a process, a transfer by the database
SALE_PARTS = 4  # the most transfers that one purchase takes from a wallet


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementLine:
    """One line of a wallet's statement: positive when money came in."""

    transfer_id: int
    amount: int
    name: Any
    reference_kind: int
    reference_id: int
    created_at: Any


def wallet_amount(customer_id: int) -> int:
    """Return what a customer of the site in force holds."""
    row = Balance.objects.filter(account_id=wallet_of(customer_id)).values_list(
        "posted_amount", flat=True
    )
    return next(iter(row), 0)


def wallet_amounts(customer_ids: list[int]) -> dict[int, int]:
    """Return what several customers of the site in force hold."""
    accounts = {wallet_of(customer_id): customer_id for customer_id in customer_ids}
    rows = Balance.objects.filter(account_id__in=accounts).values_list(
        "account_id", "posted_amount"
    )
    held = {accounts[account]: amount for account, amount in rows}
    return {customer_id: held.get(customer_id, 0) for customer_id in customer_ids}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepaidBalance:
    """What a sub-site has paid in ahead for wholesale, and how far below zero it may fall."""

    posted_amount: int = 0
    credit_amount: int = 0

    @property
    def usable_amount(self) -> int:
        """What can still be bought with it."""
        return self.posted_amount + self.credit_amount


def prepaid_balance(site_id: int) -> PrepaidBalance:
    """Return the prepaid balance of a sub-site: that of the site in force."""
    return prepaid_balances([site_id])[site_id]


def prepaid_balances(site_ids: list[int], *, everywhere: bool = False) -> dict[int, PrepaidBalance]:
    """Return the prepaid balances of several sub-sites in view, or `everywhere`."""
    accounts = {prepaid_of(site_id): site_id for site_id in site_ids}
    manager = Balance.unscoped if everywhere else Balance.objects
    rows = manager.filter(account_id__in=accounts)
    held = {
        accounts[row.account_id]: PrepaidBalance(
            posted_amount=row.posted_amount, credit_amount=row.credit_amount
        )
        for row in rows
    }
    return {site_id: held.get(site_id, PrepaidBalance()) for site_id in site_ids}


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepaidLine:
    """One transfer of a prepaid balance, positive when money came in, and what was there then."""

    transfer_id: int
    amount: int
    balance_amount: int
    name: Any
    reference_kind: int
    reference_id: int
    created_at: Any

    @property
    def id(self) -> int:
        """The key by which a list goes on."""
        return self.transfer_id


def list_prepaid_lines(
    site_id: int, *, before_id: int | None = None, limit: int = 30
) -> list[PrepaidLine]:
    """Return the statement of a prepaid balance with its running balance, newest first."""
    account = prepaid_of(site_id)
    rows = Transfer.objects.filter(
        Q(debit_account=account, debit_account__lt=0)
        | Q(credit_account=account, credit_account__lt=0)
    )
    left = prepaid_balance(site_id).posted_amount
    if before_id is not None:
        left -= _net(rows.filter(id__gte=before_id), account)
        rows = rows.filter(id__lt=before_id)
    lines = []
    for row in rows.order_by("-id")[:limit]:
        amount = row.amount if row.credit_account == account else -row.amount
        lines.append(
            PrepaidLine(
                transfer_id=row.id,
                amount=amount,
                balance_amount=left,
                name=CODE_NAMES.get(Code(row.code), row.code),
                reference_kind=row.reference_kind,
                reference_id=row.reference_id,
                created_at=row.created_at,
            )
        )
        left -= amount
    return lines


def _net(rows: "QuerySet[Transfer]", account: int) -> int:
    sums = rows.aggregate(
        came=Sum("amount", filter=Q(credit_account=account)),
        went=Sum("amount", filter=Q(debit_account=account)),
    )
    return int((sums["came"] or 0) - (sums["went"] or 0))


def list_wallet_lines(
    customer_id: int, *, before_id: int | None = None, limit: int = 30
) -> list[StatementLine]:
    """Return a wallet's statement, newest first; keyset by `before_id`.

    A purchase is one line, whoever shares its money.
    """
    wallet = wallet_of(customer_id)
    rows = Transfer.objects.filter(
        Q(debit_account=wallet, debit_account__lt=0)
        | Q(credit_account=wallet, credit_account__lt=0)
    )
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    lines: list[StatementLine] = []
    for row in rows.order_by("-id")[: limit * SALE_PARTS]:
        line = _statement_line(row, wallet)
        if lines and row.code in SALE_CODES and _is_same_sale(lines[-1], line):
            line = replace(line, amount=lines.pop().amount + line.amount)
        lines.append(line)
    return lines[:limit]


def _statement_line(row: Transfer, wallet: int) -> StatementLine:
    return StatementLine(
        transfer_id=row.id,
        amount=row.amount if row.credit_account == wallet else -row.amount,
        name=_("购买商品") if row.code in SALE_CODES else CODE_NAMES.get(Code(row.code), row.code),
        reference_kind=row.reference_kind,
        reference_id=row.reference_id,
        created_at=row.created_at,
    )


def _is_same_sale(one: StatementLine, other: StatementLine) -> bool:
    """Tell whether two neighbours are the parts of one purchase: the buyer pays it as one sum."""
    return (
        one.amount < 0
        and (one.reference_kind, one.reference_id, one.created_at)
        == (other.reference_kind, other.reference_id, other.created_at)
        and one.name == other.name
    )


def list_transfers(
    *,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    before_id: int | None = None,
    limit: int = 1000,
) -> list[Transfer]:
    """Return the transfers of the site in force, newest first; keyset by `before_id`."""
    rows = Transfer.objects.order_by("-id")
    if since is not None:
        rows = rows.filter(created_at__gte=since)
    if until is not None:
        rows = rows.filter(created_at__lt=until)
    if before_id is not None:
        rows = rows.filter(id__lt=before_id)
    return list(rows[:limit])


def list_order_transfers(order_id: int, *, placed_at: dt.datetime) -> list[Transfer]:
    """Return the transfers of one order of the site in force, in order.

    Nothing is posted for an order before it was placed: months before need not be looked into.
    """
    return list_transfers_of_orders([order_id], since=placed_at)[order_id]


def site_account_amount(kind: AccountKind, *, owner_id: int) -> int:
    """Return credits minus debits of an account of a site or gateway (roll-up plus tail)."""
    return store.balance_of(account_id(kind, owner_id))


def wallets_total() -> int:
    """Return what the customers of the site in force hold together."""
    rows = Balance.objects.annotate(kind=-F("account_id") % 100).filter(kind=AccountKind.WALLET)
    return rows.aggregate(total=Sum("posted_amount"))["total"] or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletCount:
    """How many customers of a site hold something, and how much together."""

    count: int
    amount: int


def count_wallets() -> WalletCount:
    """Count the wallets of the site in force that hold something."""
    rows = Balance.objects.annotate(kind=-F("account_id") % 100).filter(kind=AccountKind.WALLET)
    found = rows.exclude(posted_amount=0).aggregate(
        count=Count("account_id"), amount=Sum("posted_amount")
    )
    return WalletCount(count=found["count"], amount=found["amount"] or 0)


def list_transfers_of_orders(
    order_ids: list[int], *, since: dt.datetime
) -> dict[int, list[Transfer]]:
    """Return the transfers of several orders of the site in force, each in order.

    `since` is when the first of them was placed; months before are not looked into.
    """
    found: dict[int, list[Transfer]] = {order_id: [] for order_id in order_ids}
    rows = Transfer.objects.filter(
        reference_kind=Reference.ORDER,
        reference_id__in=order_ids,
        created_at__gte=since - CLOCKS_APART,
    )
    for row in rows.order_by("id"):
        found[row.reference_id].append(row)
    return found


def sum_codes(
    kind: Reference, *, reference_ids: Iterable[int], codes: Iterable[Code]
) -> dict[int, dict[int, int]]:
    """Return what each code moved for each reference in sight; what moved nothing is left out."""
    found: dict[int, dict[int, int]] = {}
    for reference_id, code, amount in store.sum_codes(kind, list(reference_ids), list(codes)):
        found.setdefault(reference_id, {})[code] = amount
    return found
