"""Requests, payouts, shares and returns cut off at each exchange, then repeated: once, whole."""

import contextlib
import itertools
from dataclasses import dataclass, field

import pytest

from kameng.settlement import errors
from kameng.settlement.models import PayoutAccount, Split, SplitReturn, Withdrawal
from kameng.settlement.rules import SplitState, State
from kameng.settlement.services.paying_out import send_due_payouts, start_payout
from kameng.settlement.services.reserving import reserve_due_splits
from kameng.settlement.services.returning import ask_due_returns
from kameng.settlement.services.splitting import ask_due_splits
from kameng.tenancy.models import SettlementWay
from kameng.tenancy.selectors import site_scope
from tests.concurrency.cutting import cut_everywhere
from tests.concurrency.shop import count, refund
from tests.settlement.fakes import Bank
from tests.settlement.world import ADA, Desk

POSTED = (
    "select count(*) from ledger_transfer where reference_kind = %s and reference_id = %s"
    " and code = %s"
)
OF_SPLIT, OF_WITHDRAWAL = 5, 6
_numbers = itertools.count(1)


@dataclass(kw_only=True)
class Asking:
    """An operator asks for a withdrawal, and again with the same key when nobody answers."""

    desk: Desk
    account: PayoutAccount
    key: str = field(default_factory=lambda: f"cut-{next(_numbers)}")

    def act(self) -> None:
        self.desk.ask(100, self.account, idempotency_key=self.key)

    def stands(self) -> bool:
        return self._made() == 1

    def check(self) -> None:
        assert self._made() == 1
        with site_scope(self.desk.site.id):
            made = Withdrawal.objects.get(idempotency_key=self.key)
        assert count(POSTED, OF_WITHDRAWAL, made.id, 70) == 1

    def _made(self) -> int:
        with site_scope(self.desk.site.id):
            found: int = Withdrawal.objects.filter(idempotency_key=self.key).count()
        return found


def test_a_request_cut_off_anywhere_holds_the_money_once(desk: Desk) -> None:
    desk.set_terms()
    desk.sell()
    account = desk.add_account()

    stood = cut_everywhere(lambda: Asking(desk=desk, account=account))

    assert set(stood) == {True, False}


@dataclass(kw_only=True)
class PayingOut:
    """The main site starts a payout and the worker sends it, until the outcome is known."""

    desk: Desk
    bank: Bank
    account: PayoutAccount

    def __post_init__(self) -> None:
        self.asked = self.desk.approve(self.desk.ask(100, self.account))

    def act(self) -> None:
        # Not allowed now: it stands, and the worker goes on.
        with site_scope(self.desk.main.id), contextlib.suppress(errors.NotAllowedNow):
            start_payout(
                withdrawal_no=self.asked.withdrawal_no,
                gateway_id=self.desk.shop.choice.gateway_id,
                actor=ADA,
            )
        self.desk.make_due(Withdrawal)
        send_due_payouts()

    def stands(self) -> bool:
        return bool(self.desk.fresh(self.asked).state == State.PAID)

    def check(self) -> None:
        assert self.stands()
        assert self.bank.moved[self.asked.payout_no] == 100
        assert self.bank.asked[self.asked.payout_no] == 1
        assert count(POSTED, OF_WITHDRAWAL, self.asked.id, 72) == 1


def test_a_payout_cut_off_anywhere_goes_out_once(desk: Desk, bank: Bank) -> None:
    desk.set_terms()
    desk.sell()
    account = desk.add_account()

    stood = cut_everywhere(lambda: PayingOut(desk=desk, bank=bank, account=account))

    assert set(stood) == {True, False}


@pytest.fixture
def split_desk(desk: Desk) -> Desk:
    """A site that is settled by splits."""
    desk.set_terms()
    desk.settle_by(SettlementWay.SPLIT)
    desk.add_receiver()
    return desk


@dataclass(kw_only=True)
class Splitting:
    """The worker hands the share of one payment over."""

    desk: Desk
    bank: Bank

    def __post_init__(self) -> None:
        self.placed = self.desk.sell(is_held=True)
        self.desk.plan(self.placed)

    def act(self) -> None:
        self.desk.make_due(Split)
        reserve_due_splits()
        ask_due_splits()

    def stands(self) -> bool:
        return self.desk.split_of(self.placed).state == SplitState.DONE

    def check(self) -> None:
        assert self.stands()
        split = self.desk.split_of(self.placed)
        assert self.bank.moved[split.split_no] == split.amount
        assert self.bank.asked[split.split_no] == 1
        for code in (80, 81):
            assert count(POSTED, OF_SPLIT, split.id, code) == 1


def test_a_share_cut_off_anywhere_is_handed_over_once(split_desk: Desk, bank: Bank) -> None:
    stood = cut_everywhere(lambda: Splitting(desk=split_desk, bank=bank))

    assert set(stood) == {True, False}


@dataclass(kw_only=True)
class Returning(Splitting):
    """An order is refunded after its split: the share comes back."""

    def __post_init__(self) -> None:
        super().__post_init__()
        super().act()

    def act(self) -> None:
        refund(self.desk.shop, self.placed, key="cut")
        self.desk.make_due(SplitReturn)
        ask_due_returns()

    def stands(self) -> bool:
        split = self.desk.split_of(self.placed)
        return split.returned_amount == split.amount

    def check(self) -> None:
        assert self.stands()
        split = self.desk.split_of(self.placed)
        assert count(POSTED, OF_SPLIT, split.id, 83) == 1
        (row,) = [each for each in self.desk.returns() if each.split_id == split.id]
        assert self.bank.asked[row.return_no] == 1


def test_a_return_cut_off_anywhere_comes_back_once(split_desk: Desk, bank: Bank) -> None:
    stood = cut_everywhere(lambda: Returning(desk=split_desk, bank=bank))

    assert set(stood) == {True, False}
