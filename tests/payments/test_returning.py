"""Unused principal goes back to its source: once, with its part of the bonus, never spent twice."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
import time_machine

from kameng.accounts.models import Approval
from kameng.accounts.selectors import list_waiting_approvals
from kameng.accounts.services.approving import approve_wish
from kameng.core import clock
from kameng.core.audit import Actor
from kameng.ledger.accounts import AccountKind
from kameng.ledger.errors import WalletShort
from kameng.payments.errors import (
    NotReturnable,
    RefundUnsupported,
    ReturnNotWaiting,
    ReturnTooLate,
    TopUpNotFound,
)
from kameng.payments.models import GatewayRefund, RefundState, ReturnState, TopUp, TopUpReturn
from kameng.payments.providers.port import RefundStatus
from kameng.payments.services import returning
from kameng.payments.services.returning import (
    ReturnWish,
    return_top_up,
    settle_refused_return,
)
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import Meeting
from tests.concurrency.shop import STAFF, count, of_kind, order
from tests.factories import fund_wallet
from tests.payments.filling import (
    BO,
    YUAN,
    Purse,
    RefundDesk,
    ask_gateways,
    balance,
    give,
    set_rules,
)

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
TAKEN = "select coalesce(sum(amount), 0) from ledger_transfer where code = 52"


def take_back(
    purse: Purse,
    top_up: TopUp,
    amount: int | None = None,
    *,
    key: str = "one",
    is_by_staff: bool = False,
) -> TopUpReturn:
    actor = Actor(kind="customer", actor_id=purse.customer.id, name="Mei")
    with site_scope(purse.shop.site.id):
        return return_top_up(
            top_up_id=top_up.id,
            wish=ReturnWish(amount=amount, reason="不想要了", idempotency_key=key),
            actor=STAFF if is_by_staff else actor,
            is_by_staff=is_by_staff,
        )


def state_of(purse: Purse, returned: TopUpReturn) -> int:
    with site_scope(purse.shop.site.id):
        return int(TopUpReturn.objects.get(id=returned.id).state)


def test_all_that_is_unused_goes_back_and_the_bonus_with_it(purse: Purse, desk: RefundDesk) -> None:
    give(purse.shop, min_amount=YUAN, bonus_bps=1000)
    top_up = purse.fill(100 * YUAN)

    returned = take_back(purse, top_up)

    assert (returned.amount, returned.bonus_amount, purse.held) == (100 * YUAN, 10 * YUAN, 0)
    assert balance(AccountKind.ORDER_SUSPENSE, purse.shop.site.id) == 100 * YUAN
    assert balance(AccountKind.GIFTS, purse.shop.site.id) == 0
    ask_gateways(purse.shop)
    assert desk.asked == [returned.return_no]
    assert state_of(purse, returned) == ReturnState.DONE
    assert balance(AccountKind.ORDER_SUSPENSE, purse.shop.site.id) == 0


def test_parts_and_the_same_key(purse: Purse, desk: RefundDesk) -> None:
    give(purse.shop, min_amount=YUAN, bonus_amount=10 * YUAN)
    top_up = purse.fill(90 * YUAN)

    first = take_back(purse, top_up, 30 * YUAN)
    again = take_back(purse, top_up, 30 * YUAN)
    assert (first.id, first.bonus_amount) == (again.id, 33_400)
    second = take_back(purse, top_up, key="two")

    assert (second.amount, second.bonus_amount) == (60 * YUAN, 66_600)
    assert purse.held == 0
    assert purse.fresh(top_up).returned_amount == 90 * YUAN
    with pytest.raises(NotReturnable):
        take_back(purse, top_up, key="three")


def test_what_was_spent_stays_spent_oldest_principal_first(purse: Purse, desk: RefundDesk) -> None:
    old, new = purse.fill(20 * YUAN), purse.fill(50 * YUAN)
    order(purse.shop, customer=purse.customer, by_wallet=True)
    spent = 70 * YUAN - purse.held

    assert [each.amount for each in purse.returnable()] == [50 * YUAN, 20 * YUAN - spent]
    with pytest.raises(NotReturnable):
        take_back(purse, old, 20 * YUAN)
    assert take_back(purse, new, key="new").amount == 50 * YUAN
    assert take_back(purse, old, key="old").amount == 20 * YUAN - spent
    assert purse.held == 0


def test_other_money_is_spent_before_principal(purse: Purse, desk: RefundDesk) -> None:
    top_up = purse.fill(50 * YUAN)
    fund_wallet(purse.customer, 30 * YUAN)
    order(purse.shop, customer=purse.customer, by_wallet=True)

    assert take_back(purse, top_up).amount == 50 * YUAN


def test_after_seven_days_staff_alone_send_it_back(purse: Purse, desk: RefundDesk) -> None:
    top_up = purse.fill(50 * YUAN)
    with time_machine.travel(clock.now() + dt.timedelta(days=7, minutes=1), tick=False):
        with pytest.raises(ReturnTooLate):
            take_back(purse, top_up)
        assert purse.held == 50 * YUAN
        returned = take_back(purse, top_up, key="staff", is_by_staff=True)
    assert (returned.amount, returned.is_by_staff) == (50 * YUAN, True)


def test_within_seven_days_to_the_minute(purse: Purse, desk: RefundDesk) -> None:
    top_up = purse.fill(50 * YUAN)
    assert top_up.credited_at is not None
    with time_machine.travel(top_up.credited_at + dt.timedelta(days=7), tick=False):
        assert take_back(purse, top_up).amount == 50 * YUAN


@pytest.mark.parametrize("amount", [0, -100, 50, 50 * YUAN + 100])
def test_amounts_that_make_no_sense_move_nothing(
    purse: Purse, desk: RefundDesk, amount: int
) -> None:
    top_up = purse.fill(50 * YUAN)
    with pytest.raises(NotReturnable):
        take_back(purse, top_up, amount)
    assert purse.held == 50 * YUAN


def test_one_that_is_not_paid_is_none(purse: Purse, desk: RefundDesk) -> None:
    top_up, _payment = purse.begin(50 * YUAN)
    with pytest.raises(TopUpNotFound):
        take_back(purse, top_up)


def test_a_gateway_that_cannot_leaves_the_wallet_as_it_was(purse: Purse, desk: RefundDesk) -> None:
    desk.supports_partial_refund = False
    top_up = purse.fill(50 * YUAN)
    with pytest.raises(RefundUnsupported):
        take_back(purse, top_up, 20 * YUAN)
    assert purse.held == 50 * YUAN
    assert purse.fresh(top_up).returned_amount == 0
    assert take_back(purse, top_up).amount == 50 * YUAN


@pytest.fixture
def refused(purse: Purse, desk: RefundDesk) -> TopUpReturn:
    """A return with its bonus that the gateway refused."""
    give(purse.shop, min_amount=YUAN, bonus_amount=5 * YUAN)
    returned = take_back(purse, purse.fill(50 * YUAN))
    desk.status, desk.reason = RefundStatus.REFUSED, "账户余额不足"
    ask_gateways(purse.shop)
    assert state_of(purse, returned) == ReturnState.REFUSED
    desk.status = RefundStatus.DONE
    return returned


def settle(purse: Purse, returned: TopUpReturn, way: str) -> TopUpReturn | Approval:
    with site_scope(purse.shop.site.id):
        return settle_refused_return(
            return_id=returned.id, way=way, reason="客户已同意", actor=STAFF
        )


def test_refused_put_back_into_the_wallet_with_its_bonus(
    purse: Purse, refused: TopUpReturn
) -> None:
    settle(purse, refused, "wallet")

    assert (purse.held, state_of(purse, refused)) == (55 * YUAN, ReturnState.PUT_BACK)
    assert balance(AccountKind.ORDER_SUSPENSE, purse.shop.site.id) == 0
    assert [each.amount for each in purse.returnable()] == [50 * YUAN]
    with pytest.raises(ReturnNotWaiting):
        settle(purse, refused, "hand")


def test_refused_asked_again(purse: Purse, desk: RefundDesk, refused: TopUpReturn) -> None:
    settle(purse, refused, "again")
    ask_gateways(purse.shop)

    assert state_of(purse, refused) == ReturnState.DONE
    with site_scope(purse.shop.site.id):
        states = list(GatewayRefund.objects.order_by("id").values_list("state", flat=True))
    assert states == [RefundState.REFUSED, RefundState.DONE]
    assert len(set(desk.asked)) == 2
    assert purse.held == 0


def test_refused_paid_by_hand(purse: Purse, refused: TopUpReturn) -> None:
    settle(purse, refused, "hand")

    assert (purse.held, state_of(purse, refused)) == (0, ReturnState.HAND)
    assert balance(AccountKind.ADJUSTMENTS, purse.shop.site.id) == 50 * YUAN


def test_by_hand_above_the_threshold_needs_two(purse: Purse, refused: TopUpReturn) -> None:
    set_rules(purse.shop, two_person_amount=49 * YUAN)

    assert isinstance(settle(purse, refused, "hand"), Approval)

    assert state_of(purse, refused) == ReturnState.REFUSED
    with site_scope(purse.shop.site.id):
        (asked,) = list_waiting_approvals()
        approve_wish(asked.id, actor=BO)
    assert state_of(purse, refused) == ReturnState.HAND
    assert balance(AccountKind.ADJUSTMENTS, purse.shop.site.id) == 50 * YUAN


def test_twenty_returns_at_once_take_it_once(
    purse: Purse, desk: RefundDesk, run_parallel: Parallel
) -> None:
    top_up = purse.fill(50 * YUAN)

    outcomes = run_parallel(20, lambda i: take_back(purse, top_up, key=f"key-{i}"))

    assert len(of_kind(outcomes, NotReturnable)) == 19
    assert (count(TAKEN), purse.held) == (50 * YUAN, 0)


def test_returning_and_spending_at_once_never_takes_more_than_there_was(
    purse: Purse, desk: RefundDesk, run_parallel: Parallel
) -> None:
    top_up = purse.fill(50 * YUAN)

    def act(index: int) -> object:
        if index % 2:
            return take_back(purse, top_up, 10 * YUAN, key=f"key-{index}")
        return order(purse.shop, customer=purse.customer, by_wallet=True)

    run_parallel(20, act)

    spent = count("select coalesce(sum(amount), 0) from ledger_transfer where code in (30, 31)")
    assert purse.held + spent + count(TAKEN) == 50 * YUAN
    assert purse.held >= 0


def test_control_without_the_locks_principal_goes_back_twice(
    wrecked_db: None,
    purse: Purse,
    desk: RefundDesk,
    run_parallel: Parallel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both measure the same unused principal; what else lies in the wallet pays for the second."""
    both = Meeting(2)
    top_up = purse.fill(50 * YUAN)
    fund_wallet(purse.customer, 60 * YUAN)
    measure = returning._measure

    def measure_together(customer_id: int, *, balance: int) -> Any:
        found = measure(customer_id, balance=balance)
        both.arrive()
        return found

    monkeypatch.setattr(returning, "lock_customer", lambda _customer_id: None)
    monkeypatch.setattr(returning, "lock_payment", lambda _payment_id: _first_payment(purse))
    monkeypatch.setattr(returning, "lock_wallet", lambda _customer_id: 110 * YUAN)
    monkeypatch.setattr(returning, "_measure", measure_together)
    monkeypatch.setattr(returning, "request_refund", lambda **_asked: None)
    with site_scope(purse.shop.site.id):
        outcomes = run_parallel(2, lambda i: take_back(purse, top_up, 30 * YUAN, key=f"key-{i}"))

    assert of_kind(outcomes, NotReturnable) == of_kind(outcomes, WalletShort) == []
    refused_by_database = [each for each in outcomes if isinstance(each, Exception)]
    assert len(refused_by_database) == 1  # the table's own limit is the last wall
    assert "payments_top_up_returned" in str(refused_by_database[0])


def _first_payment(purse: Purse) -> Any:
    with site_scope(purse.shop.site.id):
        return returning.Payment.objects.earliest("id")
