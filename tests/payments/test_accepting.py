"""Wrong amounts that a person accepts: delivered once, the difference where it belongs."""

from collections.abc import Callable
from typing import Any

import pytest

from kameng.accounts.models import Approval, Customer
from kameng.accounts.selectors import list_waiting_approvals
from kameng.accounts.services.approving import approve_wish
from kameng.ledger.accounts import AccountKind
from kameng.ledger.errors import AdjustmentReasonMissing
from kameng.ledger.selectors import wallet_amount
from kameng.orders.rules import State
from kameng.orders.services.placing import PlacedOrder
from kameng.payments.errors import AcceptRefused, PaymentClosed, RefundTooMuch, RefundUnsupported
from kameng.payments.models import Payment, PaymentState
from kameng.payments.providers.port import RefundStatus
from kameng.payments.selectors import list_mismatched, list_surpluses
from kameng.payments.services import accepting
from kameng.payments.services.accepting import (
    SurplusWish,
    accept_short,
    accept_surplus,
    return_surplus,
)
from kameng.payments.services.adjusting import Adjustment, adjust_or_ask
from kameng.payments.services.deciding import give_back_mismatched, note_returned_by_hand
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import Meeting
from tests.concurrency.shop import (
    STAFF,
    Shop,
    cancel,
    count,
    fresh,
    make_buyers,
    notify,
    of_kind,
    order,
    payment_of,
    refund,
)
from tests.payments.filling import (
    BO,
    YUAN,
    Purse,
    RefundDesk,
    ask_gateways,
    balance,
    pay,
    set_rules,
)

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]


@pytest.fixture
def mei(any_db: None, shop: Shop, desk: RefundDesk) -> Customer:
    """A customer; the gateway can give back parts."""
    return make_buyers(shop.site, 1, amount=0)[0]


def odd(shop: Shop, mei: Customer, difference: int) -> tuple[PlacedOrder, Payment]:
    """Place an order and pay so much more or less than it costs."""
    placed = order(shop, customer=mei)
    payment = payment_of(shop, placed)
    notify(shop, payment, amount=payment.amount + difference)
    with site_scope(shop.site.id):
        payment.refresh_from_db()
    assert payment.state == PaymentState.MISMATCHED
    return placed, payment


def take_over(shop: Shop, payment: Payment, way: Any, customer: Customer | None = None) -> object:
    wish = SurplusWish(way=way, reason="多付了", customer_id=customer.id if customer else None)
    with site_scope(shop.site.id):
        return accept_surplus(payment_id=payment.id, wish=wish, actor=STAFF)


def take_short(shop: Shop, payment: Payment) -> Approval | None:
    with site_scope(shop.site.id):
        return accept_short(payment_id=payment.id, reason="少付几分，算了", actor=STAFF)


def suspended(shop: Shop) -> int:
    return balance(AccountKind.ORDER_SUSPENSE, shop.site.id)


def test_more_than_asked_is_delivered_and_the_surplus_goes_to_its_source(
    shop: Shop, mei: Customer
) -> None:
    placed, payment = odd(shop, mei, 3 * YUAN)

    take_over(shop, payment, "source")

    assert fresh(shop, placed).state == State.DELIVERED
    assert suspended(shop) == 3 * YUAN
    ask_gateways(shop)
    assert suspended(shop) == 0
    with site_scope(shop.site.id):
        payment.refresh_from_db()
        assert list_surpluses() == list_mismatched() == []
    assert (payment.refunded_amount, payment.surplus_left_amount) == (3 * YUAN, 0)
    refund(shop, placed, key="whole")  # the price itself can still go back whole
    ask_gateways(shop)


def test_the_surplus_to_the_wallet_or_by_hand(shop: Shop, mei: Customer) -> None:
    _one, first = odd(shop, mei, 3 * YUAN)
    _two, second = odd(shop, mei, 2 * YUAN)
    take_over(shop, first, "wallet", mei)
    take_over(shop, second, "hand")

    with site_scope(shop.site.id):
        assert wallet_amount(mei.id) == 3 * YUAN
    assert balance(AccountKind.ADJUSTMENTS, shop.site.id) == 2 * YUAN
    assert suspended(shop) == 0


def test_a_guest_has_no_wallet_and_nothing_is_delivered(shop: Shop, mei: Customer) -> None:
    placed, payment = odd(shop, mei, 3 * YUAN)
    with pytest.raises(RefundUnsupported):
        take_over(shop, payment, "wallet")
    assert fresh(shop, placed).state == State.AWAITING_PAYMENT


def test_a_surplus_that_the_gateway_refuses_waits_and_is_given_another_way(
    shop: Shop, mei: Customer, desk: RefundDesk
) -> None:
    desk.status = RefundStatus.REFUSED
    placed, payment = odd(shop, mei, 3 * YUAN)
    take_over(shop, payment, "source")
    ask_gateways(shop)

    assert fresh(shop, placed).state == State.DELIVERED
    with site_scope(shop.site.id):
        assert [row.id for row in list_surpluses()] == [payment.id]
        wish = SurplusWish(way="wallet", reason="通道退不了", customer_id=mei.id)
        return_surplus(payment_id=payment.id, wish=wish, actor=STAFF)
        with pytest.raises(PaymentClosed):
            return_surplus(payment_id=payment.id, wish=wish, actor=STAFF)
        assert wallet_amount(mei.id) == 3 * YUAN


def test_a_surplus_by_hand_above_the_threshold_needs_two(shop: Shop, mei: Customer) -> None:
    set_rules(shop, two_person_amount=YUAN)
    placed, payment = odd(shop, mei, 3 * YUAN)

    assert isinstance(take_over(shop, payment, "hand"), Approval)

    assert fresh(shop, placed).state == State.DELIVERED
    with site_scope(shop.site.id):
        approve_wish(list_waiting_approvals()[0].id, actor=BO)
    assert (suspended(shop), balance(AccountKind.ADJUSTMENTS, shop.site.id)) == (0, 3 * YUAN)


def test_less_than_asked_is_delivered_and_the_shop_bears_the_rest(
    shop: Shop, mei: Customer
) -> None:
    placed, payment = odd(shop, mei, -2 * YUAN)

    assert take_short(shop, payment) is None

    assert fresh(shop, placed).state == State.DELIVERED
    assert (balance(AccountKind.LOSSES, shop.site.id), suspended(shop)) == (-2 * YUAN, 0)
    for to_wallet in (True, False):  # no more goes back than came
        with pytest.raises(RefundTooMuch):
            refund(shop, placed, key="whole", to_wallet=to_wallet)
    refund(shop, placed, key="part", amount=payment.amount - 2 * YUAN, to_wallet=True)


def test_a_waiver_above_the_threshold_needs_two(shop: Shop, mei: Customer) -> None:
    set_rules(shop, two_person_amount=YUAN)
    placed, payment = odd(shop, mei, -2 * YUAN)

    assert take_short(shop, payment) is not None

    assert fresh(shop, placed).state == State.AWAITING_PAYMENT
    with site_scope(shop.site.id):
        approve_wish(list_waiting_approvals()[0].id, actor=BO)
    assert fresh(shop, placed).state == State.DELIVERED


@pytest.mark.parametrize("difference", [3 * YUAN, -2 * YUAN])
def test_without_stock_the_decision_is_refused_and_can_be_another(
    shop: Shop, mei: Customer, difference: int
) -> None:
    placed, payment = odd(shop, mei, difference)
    cancel(shop, placed)
    for _piece in range(12):
        assert notify(shop, payment_of(shop, order(shop))).accepted

    with pytest.raises((AcceptRefused, RefundTooMuch)):
        take_over(shop, payment, "source") if difference > 0 else take_short(shop, payment)

    assert fresh(shop, placed).state == State.CANCELLED
    with site_scope(shop.site.id):
        give_back_mismatched(payment_id=payment.id, reason="没货了", actor=STAFF)
    ask_gateways(shop)
    assert suspended(shop) == 0


def test_each_way_is_for_its_own_case(shop: Shop, mei: Customer) -> None:
    _one, more = odd(shop, mei, 3 * YUAN)
    _two, less = odd(shop, mei, -2 * YUAN)
    with pytest.raises(PaymentClosed):
        take_over(shop, less, "source")
    with pytest.raises(PaymentClosed):
        take_short(shop, more)


def test_a_top_up_of_another_amount_is_credited_as_it_was_meant(
    purse: Purse, desk: RefundDesk
) -> None:
    _top_up, payment = purse.begin(50 * YUAN)
    pay(payment, amount=60 * YUAN)
    assert purse.held == 0

    take_over(purse.shop, payment, "source")

    assert purse.held == 50 * YUAN
    ask_gateways(purse.shop)
    assert suspended(purse.shop) == 0


def test_by_hand_above_the_threshold_the_whole_needs_two(shop: Shop, mei: Customer) -> None:
    set_rules(shop, two_person_amount=YUAN)
    _placed, payment = odd(shop, mei, 3 * YUAN)
    with site_scope(shop.site.id):
        assert note_returned_by_hand(payment_id=payment.id, reason="线下", actor=STAFF) is not None
        assert suspended(shop) == payment.amount + 3 * YUAN
        approve_wish(list_waiting_approvals()[0].id, actor=BO)
    assert suspended(shop) == 0


def test_a_wallet_is_moved_by_two_above_the_threshold(shop: Shop, mei: Customer) -> None:
    set_rules(shop, two_person_amount=10 * YUAN)
    with site_scope(shop.site.id):
        small = Adjustment(customer_id=mei.id, amount=10 * YUAN, reason="补偿")
        assert adjust_or_ask(small, actor=STAFF) is None
        large = Adjustment(customer_id=mei.id, amount=-10 * YUAN - 100, reason="扣回")
        assert adjust_or_ask(large, actor=STAFF) is not None
        assert wallet_amount(mei.id) == 10 * YUAN
        adjust_or_ask(Adjustment(customer_id=mei.id, amount=YUAN, reason="补偿"), actor=STAFF)
        approve_wish(list_waiting_approvals()[0].id, actor=BO)
        assert wallet_amount(mei.id) == 11 * YUAN - 10 * YUAN - 100
        with pytest.raises(AdjustmentReasonMissing):
            adjust_or_ask(Adjustment(customer_id=mei.id, amount=YUAN, reason=" "), actor=STAFF)


@pytest.mark.parametrize("difference", [3 * YUAN, -2 * YUAN])
def test_twenty_decisions_at_once_are_one(
    shop: Shop, mei: Customer, run_parallel: Parallel, difference: int
) -> None:
    placed, payment = odd(shop, mei, difference)

    def decide(index: int) -> object:
        if index % 2:
            with site_scope(shop.site.id):
                return give_back_mismatched(payment_id=payment.id, reason="退", actor=STAFF)
        return (take_short if difference < 0 else _take_source)(shop, payment)

    outcomes = run_parallel(20, decide)

    refused = of_kind(outcomes, PaymentClosed) + of_kind(outcomes, RefundTooMuch)
    assert len(refused) == 19, outcomes
    ask_gateways(shop)
    assert suspended(shop) == 0
    assert fresh(shop, placed).state in {State.DELIVERED, State.AWAITING_PAYMENT}


def _take_source(shop: Shop, payment: Payment) -> object:
    return take_over(shop, payment, "source")


def test_control_without_the_lock_the_difference_is_borne_twice(
    wrecked_db: None,
    shop: Shop,
    mei: Customer,
    run_parallel: Parallel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = Meeting(2)
    _placed, payment = odd(shop, mei, -2 * YUAN)

    def unlocked(payment_id: int) -> Payment:
        found: Payment = Payment.objects.get(id=payment_id)
        both.arrive()
        return found

    monkeypatch.setattr(accepting, "lock_odd", unlocked)
    monkeypatch.setattr(accepting, "announce_confirmed", lambda _done, **_kw: None)
    run_parallel(2, lambda _i: take_short(shop, payment))

    assert count("select count(*) from ledger_transfer where code = 21") == 2
