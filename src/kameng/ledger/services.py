"""Writes of the ledger: post transfers, adjust a wallet by hand. Called from above, inside the
transaction of the business it belongs to."""

from collections.abc import Sequence

import psycopg.errors
from django.db import transaction

from kameng.core.audit import Actor, record
from kameng.ledger import store
from kameng.ledger.accounts import (
    AccountKind,
    Code,
    Reference,
    account_id,
    prepaid_of,
    wallet_of,
)
from kameng.ledger.errors import AdjustmentReasonMissing, PrepaidShort, WalletShort
from kameng.ledger.selectors import wallet_amount
from kameng.ledger.store import Posting
from kameng.tenancy.closing import require_books

__all__ = [
    "Posting",
    "adjust_wallet",
    "lock_wallet",
    "post_transfers",
    "roll_up_balances",
    "set_credit",
]

ROLL_UP_BATCH = 20_000


def post_transfers(postings: Sequence[Posting]) -> None:
    """Append transfers; call inside a transaction. Locks wallets ascending, last of all locks.

    Raises `WalletShort` when a wallet would fall below zero.
    """
    try:
        with transaction.atomic():
            store.apply(postings)
    except psycopg.errors.CheckViolation as fault:
        raise WalletShort from fault


def lock_wallet(customer_id: int) -> int:
    """Lock a wallet of the site in force, in a transaction, and return what it holds.

    Everyone who spends from it waits; the last of all locks. One without a row holds nothing.
    """
    store.lock_funds([wallet_of(customer_id)], [0])
    return wallet_amount(customer_id)


def adjust_wallet(
    *, site_id: int, customer_id: int, amount: int, reason: str, actor: Actor
) -> None:
    """Add to (or with a negative amount take from) a customer's wallet, with a reason, audited.

    Raises `AdjustmentReasonMissing`, `WalletShort`; for an addition `ShopClosed` once the site is
    closed, whose selling it shares.
    """
    if not reason.strip() or amount == 0:
        raise AdjustmentReasonMissing
    other, wallet = account_id(AccountKind.ADJUSTMENTS, site_id), wallet_of(customer_id)
    up = amount > 0
    posting = Posting(
        site_id=site_id,
        debit=other if up else wallet,
        credit=wallet if up else other,
        amount=abs(amount),
        code=Code.ADJUST_UP if up else Code.ADJUST_DOWN,
        reference_kind=Reference.ADJUSTMENT,
        reference_id=customer_id,
    )
    with transaction.atomic():
        if up:  # taking from it stays possible: late money is paid back by hand
            require_books(site_id)
        post_transfers([posting])
        record(
            "ledger.wallet.adjusted",
            actor=actor,
            site_id=site_id,
            subject=("customer", customer_id),
            detail={"amount": amount, "reason": reason},
        )


def set_credit(*, site_id: int, amount: int) -> None:
    """Set the credit line of a sub-site's prepaid balance, zero for none; call in a transaction.

    Raises `PrepaidShort` when more than that is used already.
    """
    try:
        with transaction.atomic():
            store.set_credit(site_id=site_id, account=prepaid_of(site_id), amount=amount)
    except psycopg.errors.CheckViolation as fault:
        raise PrepaidShort from fault


def roll_up_balances() -> int:
    """Roll committed transfers into account totals until none is left; returns how many."""
    total = 0
    for _round in range(1000):
        with transaction.atomic():
            count = store.roll_up(ROLL_UP_BATCH)
        total += count
        if count < ROLL_UP_BATCH:
            break
    return total
