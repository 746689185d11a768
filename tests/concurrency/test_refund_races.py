"""Twenty at once on refunds: never more than was paid, never twice, never in a circle."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from kameng.config.audit import find_breaches
from kameng.ledger.selectors import wallet_amount
from kameng.orders import errors
from kameng.orders.models import Order, OrderRefund
from kameng.orders.rules import State
from kameng.orders.services import refunding
from kameng.payments import errors as payment_errors
from kameng.payments.models import GatewayRefund, Payment, RefundState
from kameng.payments.providers.epay.provider import EpayProvider
from kameng.payments.providers.port import RefundOutcome, RefundStatus
from kameng.payments.services import refunding as payment_refunding
from kameng.payments.services.refunding import ask_refund, refund_mismatched
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import Meeting
from tests.concurrency.shop import (
    Shop,
    cancel,
    count,
    fresh,
    make_buyers,
    notify,
    of_kind,
    order,
    payment_of,
    price_of,
    refund,
)

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
KEYS = "select count(*) from inventory_cardkey"
REVERSED = "select count(*) from ledger_transfer where code = 40"


def test_whole_refunds_at_once_are_one_refund(shop: Shop, run_parallel: Parallel) -> None:
    placed = order(shop)
    notify(shop, payment_of(shop, placed))
    total = fresh(shop, placed).total_amount

    outcomes = run_parallel(20, lambda i: refund(shop, placed, key=f"r{i}"))

    assert Counter(map(type, outcomes)) == {OrderRefund: 1, errors.NotAllowedNow: 19}
    assert fresh(shop, placed).refunded_amount == total
    assert count("select sum(amount)::bigint from payments_gatewayrefund") == total
    assert count(REVERSED) == 1


def test_control_without_the_lock_on_the_order_refunds_exceed_the_payment(
    wrecked_db: None, shop: Shop, run_parallel: Parallel, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = order(shop)
    notify(shop, payment_of(shop, placed))
    monkeypatch.setattr(refunding, "lock_order", lambda order_id: Order.objects.get(id=order_id))
    monkeypatch.setattr(refunding, "_mark_refunding", lambda order, amount: None)
    monkeypatch.setattr(refunding, "_ask_source", lambda order, refund: None)

    run_parallel(8, lambda i: refund(shop, placed, key=f"r{i}"))

    assert count(REVERSED) > 1
    assert any(line.startswith("I5") for line in find_breaches())


def test_parts_at_once_stay_within_the_payment(shop: Shop, run_parallel: Parallel) -> None:
    price = price_of(shop)
    (buyer,) = make_buyers(shop.site, 1, amount=price)
    placed = order(shop, customer=buyer, by_wallet=True)
    part = price * 3 // 1000 * 100

    outcomes = run_parallel(
        20, lambda i: refund(shop, placed, key=f"r{i}", amount=part, to_wallet=True)
    )

    assert Counter(map(type, outcomes)) == {OrderRefund: 3, errors.RefundTooLarge: 17}
    assert fresh(shop, placed).state == State.DELIVERED
    assert fresh(shop, placed).refunded_amount == 3 * part
    with site_scope(shop.site.id):
        assert wallet_amount(buyer.id) == 3 * part


def test_one_refund_key_twenty_times_is_one_refund(shop: Shop, run_parallel: Parallel) -> None:
    (buyer,) = make_buyers(shop.site, 1, amount=price_of(shop))
    placed = order(shop, customer=buyer, by_wallet=True)

    outcomes = run_parallel(
        20, lambda _i: refund(shop, placed, key="same", amount=10_000, to_wallet=True)
    )
    with pytest.raises(errors.KeyReused):
        refund(shop, placed, key="same", amount=20_000, to_wallet=True)

    assert len({outcome.id for outcome in outcomes}) == 1
    with site_scope(shop.site.id):
        assert wallet_amount(buyer.id) == 10_000


def test_a_part_that_the_gateway_cannot_give_back_moves_nothing(
    shop: Shop, run_parallel: Parallel
) -> None:
    placed = order(shop)
    notify(shop, payment_of(shop, placed))

    outcomes = run_parallel(20, lambda i: refund(shop, placed, key=f"r{i}", amount=10_000))

    assert Counter(map(type, outcomes)) == {errors.RefundRouteMissing: 20}
    assert fresh(shop, placed).refunded_amount == 0
    assert count(REVERSED) == 0


def test_refund_and_cancel_and_callbacks_together_are_one_refund(
    shop: Shop, run_parallel: Parallel
) -> None:
    for _round in range(3):
        placed = order(shop)
        payment = payment_of(shop, placed)
        notify(shop, payment)

        def act(index: int, placed: Any = placed, payment: Any = payment) -> Any:
            acts = (
                lambda: refund(shop, placed, key=f"r{index}"),
                lambda: cancel(shop, placed),
                lambda: notify(shop, payment),
            )
            return acts[index % 3]()

        outcomes = run_parallel(21, act)

        assert len(of_kind(outcomes, OrderRefund)) == 1
        assert len(of_kind(outcomes, errors.NotAllowedNow)) == 13
        assert fresh(shop, placed).state == State.REFUNDING
        assert (
            count("select count(*) from inventory_cardkey where order_id = %s", placed.order_id)
            == 0
        )


def test_a_mismatched_payment_goes_back_once(shop: Shop, run_parallel: Parallel) -> None:
    payment = payment_of(shop, order(shop))
    notify(shop, payment, amount=payment.amount - 100)

    def give_back(_index: int) -> Any:
        with site_scope(shop.site.id):
            return refund_mismatched(payment=payment, reason="金额不符")

    outcomes = run_parallel(20, give_back)

    assert Counter(map(type, outcomes)) == {GatewayRefund: 1, payment_errors.RefundTooMuch: 19}
    assert of_kind(outcomes, GatewayRefund)[0].amount == payment.amount - 100


def test_control_reading_before_writing_gives_a_mismatched_payment_back_twice(
    wrecked_db: None, shop: Shop, run_parallel: Parallel, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = payment_of(shop, order(shop))
    notify(shop, payment, amount=payment.amount - 100)

    def give_back(_index: int) -> Any:
        with site_scope(shop.site.id):
            known = Payment.objects.get(id=payment.id)
            if known.refunded_amount:
                raise payment_errors.RefundTooMuch
            return GatewayRefund.objects.create(
                site_id=known.site_id,
                payment_id=known.id,
                refund_no=str(_index),
                purpose=known.purpose,
                subject_id=known.subject_id,
                amount=known.received_amount,
            )

    outcomes = run_parallel(20, give_back)

    assert len(of_kind(outcomes, GatewayRefund)) > 1
    assert find_breaches()


@pytest.mark.parametrize(
    ("answer", "end"),
    [(RefundStatus.DONE, State.REFUNDED), (RefundStatus.REFUSED, State.REFUNDING)],
)
def test_one_refund_asked_twenty_times_is_finished_once(
    answer: RefundStatus,
    end: State,
    shop: Shop,
    run_parallel: Parallel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(EpayProvider, "refund", lambda *_: RefundOutcome(status=answer))
    placed = order(shop)
    notify(shop, payment_of(shop, placed))
    refund(shop, placed, key="r")
    with site_scope(shop.site.id):
        asked = GatewayRefund.objects.get()
        run_parallel(20, lambda _i: ask_refund(asked.id))

        assert fresh(shop, placed).state == end
        given = Payment.objects.get().refunded_amount
        assert given == (fresh(shop, placed).total_amount if answer == RefundStatus.DONE else 0)
    assert count("select count(*) from ledger_transfer where code = 51") == (
        1 if answer == RefundStatus.DONE else 0
    )


def test_control_finishing_without_the_mark_posts_the_refund_again(
    wrecked_db: None, shop: Shop, run_parallel: Parallel, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_have_looked = Meeting(2)

    def give_back(*_: Any) -> RefundOutcome:
        both_have_looked.arrive()
        return RefundOutcome(status=RefundStatus.DONE)

    @transaction.atomic
    def finish(refund: Any, payment: Any, _outcome: Any) -> None:
        GatewayRefund.objects.filter(id=refund.id).update(state=RefundState.WAITING)
        payment_refunding.finish_refund(refund=refund, gateway_id=payment.gateway_id)

    monkeypatch.setattr(EpayProvider, "refund", give_back)
    monkeypatch.setattr(payment_refunding, "_finish", finish)
    placed = order(shop)
    notify(shop, payment_of(shop, placed))
    refund(shop, placed, key="r")
    with site_scope(shop.site.id):
        asked = GatewayRefund.objects.get()
        run_parallel(8, lambda _i: ask_refund(asked.id))

    assert count("select count(*) from ledger_transfer where code = 51") > 1
