"""Moving value: whole, ordered, never below zero; totals that miss nothing."""

import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from kameng.config.audit import find_breaches
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import (
    ACCOUNT_NAMES,
    CODE_NAMES,
    LIMITED,
    AccountKind,
    Code,
    Reference,
    account_id,
    account_kind,
    account_owner,
    wallet_of,
)
from kameng.ledger.errors import AdjustmentReasonMissing, WalletShort
from kameng.ledger.models import RollUp, Transfer
from kameng.ledger.selectors import list_wallet_lines, wallet_amount, wallet_amounts, wallets_total
from kameng.ledger.services import Posting, adjust_wallet, post_transfers, roll_up_balances
from kameng.ledger.store import balance_of
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.conftest import any_db, run_parallel, wrecked_db
from tests.concurrency.guards import without_guard
from tests.concurrency.shop import STAFF, make_buyers

__all__ = ["any_db", "run_parallel", "wrecked_db"]
Parallel = Callable[[int, Callable[[int], Any]], list[Any]]


def posting(site: Site, debit: int, credit: int, amount: int) -> Posting:
    return Posting(
        site_id=site.id,
        debit=debit,
        credit=credit,
        amount=amount,
        code=Code.ADJUST_UP,
        reference_kind=Reference.ADJUSTMENT,
        reference_id=1,
    )


def test_an_accounts_number_tells_what_it_is() -> None:
    for kind in AccountKind:
        number = account_id(kind, 7)
        assert (account_kind(number), account_owner(number)) == (kind, 7)
        assert (number < 0) == (kind in LIMITED)
    assert {kind.value for kind in AccountKind} == set(ACCOUNT_NAMES)
    assert {code.value for code in Code} == set(CODE_NAMES)


def test_a_wallet_never_falls_below_zero_and_a_refused_batch_leaves_nothing(
    db: None, site_a: Site
) -> None:
    rich, poor = make_buyers(site_a, 2, amount=0)
    outside = account_id(AccountKind.ADJUSTMENTS, site_a.id)
    with site_scope(site_a.id):
        post_transfers([posting(site_a, outside, wallet_of(rich.id), 500)])
        with pytest.raises(WalletShort):
            post_transfers(
                [
                    posting(site_a, wallet_of(rich.id), wallet_of(poor.id), 100),
                    posting(site_a, wallet_of(rich.id), wallet_of(poor.id), 401),
                ]
            )
        with pytest.raises(WalletShort):  # a wallet without a row holds nothing
            post_transfers([posting(site_a, wallet_of(poor.id), outside, 1)])

        assert wallet_amounts([rich.id, poor.id]) == {rich.id: 500, poor.id: 0}
        assert Transfer.objects.count() == 1


def test_the_order_within_a_batch_does_not_matter(db: None, site_a: Site) -> None:
    """What comes in by the same batch may go out again: only its end is judged."""
    first, second = make_buyers(site_a, 2, amount=0)
    outside = account_id(AccountKind.ADJUSTMENTS, site_a.id)
    with site_scope(site_a.id):
        post_transfers(
            [
                posting(site_a, wallet_of(first.id), wallet_of(second.id), 300),
                posting(site_a, outside, wallet_of(first.id), 500),
                posting(site_a, outside, wallet_of(first.id), 0),
            ]
        )

        assert wallet_amounts([first.id, second.id]) == {first.id: 200, second.id: 300}
        assert Transfer.objects.count() == 2  # nothing is written for nothing
        assert wallets_total() == 500
        assert balance_of(outside) == -500


def test_an_adjustment_has_a_reason_and_is_on_record(db: None, site_a: Site) -> None:
    (mei,) = make_buyers(site_a, 1, amount=0)

    def adjust(amount: int, reason: str) -> None:
        adjust_wallet(
            site_id=site_a.id, customer_id=mei.id, amount=amount, reason=reason, actor=STAFF
        )

    with site_scope(site_a.id):
        for amount, reason in ((0, "更正"), (100, " ")):
            with pytest.raises(AdjustmentReasonMissing):
                adjust(amount, reason)
        adjust(1_000, "活动补偿")
        with pytest.raises(WalletShort):
            adjust(-1_001, "多扣")
        adjust(-400, "误加")

        lines = list_wallet_lines(mei.id)
        assert wallet_amount(mei.id) == 600
    assert [line.amount for line in lines] == [-400, 1_000]
    with platform_scope("a test reads the audit log"):
        entries = AuditEntry.objects.filter(action="ledger.wallet.adjusted").order_by("id")
        assert [entry.detail["amount"] for entry in entries] == [1_000, -400]


def test_a_thousand_crossed_transfers_neither_circle_nor_lose_a_unit(
    site_a: Site, run_parallel: Parallel
) -> None:
    """LED-04: A to B and B to A, many at once."""
    people = make_buyers(site_a, 4, amount=100_000)

    def move(index: int) -> int:
        dice, refused = random.Random(index), 0
        with site_scope(site_a.id):
            for _ in range(50):
                one, two = dice.sample(people, 2)
                batch = [
                    posting(site_a, wallet_of(one.id), wallet_of(two.id), dice.randrange(1, 999)),
                    posting(site_a, wallet_of(two.id), wallet_of(one.id), dice.randrange(1, 999)),
                ]
                try:
                    with transaction.atomic():
                        post_transfers(batch)
                except WalletShort:
                    refused += 1
        return refused

    outcomes = run_parallel(20, move)

    assert all(isinstance(outcome, int) for outcome in outcomes), outcomes
    with site_scope(site_a.id):
        assert wallets_total() == 400_000


def test_totals_rolled_up_while_value_moves_miss_nothing(
    site_a: Site, run_parallel: Parallel
) -> None:
    people = make_buyers(site_a, 2, amount=100_000)
    _move_and_roll_up(site_a, people, run_parallel)

    assert find_breaches() == []
    kinds = (AccountKind.ADJUSTMENTS, AccountKind.SALES)
    sides = [account_id(kind, site_a.id) for kind in kinds]
    sides += [wallet_of(person.id) for person in people]
    assert sum(balance_of(account) for account in sides) == 0
    assert roll_up_balances() == 0


def test_control_without_the_watermark_a_late_commit_is_missed(
    wrecked_db: None, site_a: Site, run_parallel: Parallel
) -> None:
    people = make_buyers(site_a, 2, amount=100_000)
    watermark = ("and t.xid < pg_snapshot_xmin(pg_current_snapshot())", "")

    with without_guard("ledger_roll_up", watermark):
        _move_and_roll_up(site_a, people, run_parallel)

    assert any(line.startswith("I1") for line in find_breaches())


def _move_and_roll_up(site: Site, people: list[Any], run_parallel: Parallel) -> None:
    """One transaction writes first and commits last, while others commit and totals are made."""
    begun, rolled = threading.Event(), threading.Event()

    def act(index: int) -> None:
        with site_scope(site.id):
            one, two = people if index % 2 else people[::-1]
            with transaction.atomic():
                if index:
                    begun.wait(60)
                outside = account_id(AccountKind.ADJUSTMENTS, site.id)
                # Not a wallet: no lock to queue on, so commits may overtake each other.
                suspense = account_id(AccountKind.SALES, site.id)
                post_transfers([posting(site, outside, suspense, 100 + index)])
                if not index:
                    begun.set()
                    rolled.wait(60)
            if index:
                post_transfers([posting(site, wallet_of(one.id), wallet_of(two.id), 10)])
        if index == 1:
            roll_up_balances()
            rolled.set()

    assert run_parallel(6, act) == [None] * 6
    roll_up_balances()


def test_rolled_up_totals_are_read_with_the_tail_behind_them(site_a: Site, any_db: None) -> None:
    outside = account_id(AccountKind.ADJUSTMENTS, site_a.id)
    (mei,) = make_buyers(site_a, 1, amount=700)
    assert (balance_of(outside), RollUp.objects.count()) == (-700, 0)

    assert roll_up_balances() == 1
    with site_scope(site_a.id):
        post_transfers([posting(site_a, outside, wallet_of(mei.id), 50)])

    assert balance_of(outside) == -750
