"""Every act that counts once, fifty times over: twenty come at the same moment, one succeeds.

Each names its negative control, a test that takes the guard away and sees it go wrong.
"""

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from kameng.accounts.models import Customer
from kameng.ledger.selectors import wallet_amount
from kameng.orders.models import Order, OrderRefund
from kameng.orders.rules import State
from kameng.orders.services.closing import expire_orders
from kameng.orders.services.paying import pay_from_wallet
from kameng.orders.services.placing import PlacedOrder
from kameng.payments.models import GatewayRefund, Payment
from kameng.payments.providers.epay.provider import EpayProvider
from kameng.payments.providers.port import RefundOutcome, RefundStatus
from kameng.payments.services.paying import start_top_up
from kameng.payments.services.refunding import ask_refund, refund_mismatched
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import (
    Shop,
    cancel,
    count,
    fresh,
    make_buyers,
    make_due,
    notify,
    open_shop,
    order,
    payment_of,
    price_of,
    refund,
)
from tests.parallel import run_rounds

TOGETHER = 20
ROUNDS = int(os.environ.get("KAMENG_ONE_SHOT_ROUNDS", "50"))
RECEIPTS = "select count(*) from ledger_transfer where code = 20 and reference_id = %s"
SALES = "select count(*) from ledger_transfer where code = 30 and reference_id = %s"
REVERSED = "select count(*) from ledger_transfer where code = 40 and reference_id = %s"
SOLD = "select count(*) from inventory_cardkey where state = 2 and order_id = %s"
HELD = "select count(*) from inventory_cardkey where state = 1 and order_id = %s"


@dataclass(slots=True)
class Round:
    """What one round is about; whatever the act needs of it."""

    placed: PlacedOrder | None = None
    payment: Payment | None = None
    buyer: Customer | None = None
    refund_id: int = 0
    number: int = 0
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OneShot:
    """An act: how a round begins, what each of the twenty does, and how often it came true."""

    name: str
    prepare: Callable[[Shop, int], Round]
    act: Callable[[Shop, Round, int], Any]
    effects: Callable[[Shop, Round, list[Any]], int]
    control: str  # module:function of the test that takes its guard away


def _unpaid(shop: Shop, _number: int) -> Round:
    placed = order(shop)
    return Round(placed=placed, payment=payment_of(shop, placed))


def _paid(shop: Shop, number: int) -> Round:
    one = _unpaid(shop, number)
    notify(shop, one.payment)
    return one


def _with_money(shop: Shop, number: int, *, unpaid: bool = False) -> Round:
    (buyer,) = make_buyers(shop.site, 1, amount=price_of(shop))
    placed = order(shop, customer=buyer) if unpaid else None
    return Round(buyer=buyer, placed=placed, number=number)


def _overdue(shop: Shop, number: int) -> Round:
    one = _unpaid(shop, number)
    make_due(shop, one.placed)
    return one


def _short(shop: Shop, number: int) -> Round:
    one = _unpaid(shop, number)
    notify(shop, one.payment, amount=one.payment.amount - 100)
    return one


def _refunding(shop: Shop, number: int) -> Round:
    one = _paid(shop, number)
    refund(shop, one.placed, key="r")
    with site_scope(shop.site.id):
        one.refund_id = GatewayRefund.objects.get(payment_id=one.payment.id).id
    return one


def _pay_from_wallet(shop: Shop, one: Round, _index: int) -> None:
    with site_scope(shop.site.id):
        known = Order.objects.get(id=one.placed.order_id)
        pay_from_wallet(order=known, customer_id=one.buyer.id)


def _give_back(shop: Shop, one: Round, _index: int) -> GatewayRefund:
    with site_scope(shop.site.id):
        return refund_mismatched(payment=one.payment, reason="金额不符")


def _finish_refund(shop: Shop, one: Round, _index: int) -> None:
    with site_scope(shop.site.id):
        ask_refund(one.refund_id)


def _start_top_up(shop: Shop, one: Round, _index: int) -> Any:
    with site_scope(shop.site.id):
        return start_top_up(
            customer_id=one.buyer.id, amount=10_000, choice=shop.choice, idempotency_key="same"
        )


def _spent(shop: Shop, one: Round) -> int:
    with site_scope(shop.site.id):
        assert wallet_amount(one.buyer.id) in (0, price_of(shop))
        return int(wallet_amount(one.buyer.id) == 0)


def _delivered(shop: Shop, one: Round) -> int:
    assert fresh(shop, one.placed).state == State.DELIVERED
    number = one.placed.order_id
    assert count(SOLD, number) == 1
    return max(count(RECEIPTS, number), count(SALES, number))


def _let_go(shop: Shop, one: Round, _outcomes: list[Any]) -> int:
    number = one.placed.order_id
    assert count(HELD, number) == 0
    closed = "select count(*) from core_event where kind = 'orders.closed' and subject_id = %s"
    return count(closed, number)


HERE = "tests.concurrency"
ONE_SHOTS = (
    OneShot(
        name="callback",
        prepare=_unpaid,
        act=lambda shop, one, _i: notify(shop, one.payment),
        effects=lambda shop, one, _o: _delivered(shop, one),
        control=f"{HERE}.test_payment_races:"
        "test_control_without_the_lock_on_the_payment_a_callback_counts_twice",
    ),
    OneShot(
        name="cancel",
        prepare=_unpaid,
        act=lambda shop, one, _i: cancel(shop, one.placed),
        effects=_let_go,
        control=f"{HERE}.test_payment_races:"
        "test_control_without_the_look_at_the_state_a_paid_order_is_cancelled",
    ),
    OneShot(
        name="expire",
        prepare=_overdue,
        act=lambda _shop, _one, _i: expire_orders(),
        effects=_let_go,
        control=f"{HERE}.test_payment_races:"
        "test_control_without_the_look_at_the_state_a_paid_order_expires",
    ),
    OneShot(
        name="spend a balance on an order",
        prepare=_with_money,
        act=lambda shop, one, _i: order(shop, customer=one.buyer, by_wallet=True),
        effects=lambda shop, one, out: max(_spent(shop, one), _kinds(out, PlacedOrder)),
        control=f"{HERE}.test_order_races:"
        "test_control_without_the_lock_on_wallets_a_balance_is_spent_twice",
    ),
    OneShot(
        name="pay an order from the wallet",
        prepare=lambda shop, number: _with_money(shop, number, unpaid=True),
        act=_pay_from_wallet,
        effects=lambda shop, one, out: max(_spent(shop, one), _kinds(out, type(None))),
        control=f"{HERE}.test_payment_races:"
        "test_control_without_the_lock_on_the_order_both_payments_buy_it",
    ),
    OneShot(
        name="order under one key",
        prepare=_with_money,
        act=lambda shop, one, _i: order(
            shop, customer=one.buyer, by_wallet=True, key=f"same {one.number}"
        ),
        effects=lambda _shop, one, _o: count(
            "select count(*) from orders_order where customer_id = %s", one.buyer.id
        ),
        control=f"{HERE}.test_order_races:"
        "test_control_without_the_unique_request_one_key_is_several_orders",
    ),
    OneShot(
        name="refund an order whole",
        prepare=_paid,
        act=lambda shop, one, i: refund(shop, one.placed, key=f"r{i}"),
        effects=lambda _shop, one, out: max(
            count(REVERSED, one.placed.order_id), _kinds(out, OrderRefund)
        ),
        control=f"{HERE}.test_refund_races:"
        "test_control_without_the_lock_on_the_order_refunds_exceed_the_payment",
    ),
    OneShot(
        name="give a wrong amount back",
        prepare=_short,
        act=_give_back,
        effects=lambda _shop, one, _o: count(
            "select count(*) from payments_gatewayrefund where payment_id = %s", one.payment.id
        ),
        control=f"{HERE}.test_refund_races:"
        "test_control_reading_before_writing_gives_a_mismatched_payment_back_twice",
    ),
    OneShot(
        name="finish a refund",
        prepare=_refunding,
        act=_finish_refund,
        effects=lambda _shop, one, _o: count(
            "select count(*) from ledger_transfer where code = 51 and reference_id = %s",
            one.placed.order_id,
        ),
        control=f"{HERE}.test_refund_races:"
        "test_control_finishing_without_the_mark_posts_the_refund_again",
    ),
    OneShot(
        name="top up under one key",
        prepare=lambda shop, number: Round(buyer=make_buyers(shop.site, 1, amount=0)[0]),
        act=_start_top_up,
        effects=lambda _shop, one, _o: count(
            "select count(*) from payments_topup where customer_id = %s", one.buyer.id
        ),
        control=f"{HERE}.test_payment_races:"
        "test_control_without_the_marks_a_top_up_is_credited_again",
    ),
)


def _kinds(outcomes: list[Any], kind: type) -> int:
    return sum(type(outcome) is kind for outcome in outcomes)


@pytest.mark.parametrize("shot", ONE_SHOTS, ids=lambda shot: shot.name)
def test_of_twenty_at_once_one_succeeds_in_every_round(
    shot: OneShot,
    committed_db: None,
    main_site: Site,
    site_a: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done = RefundOutcome(status=RefundStatus.DONE)
    monkeypatch.setattr(EpayProvider, "refund", lambda *_: done)
    shop = open_shop(main_site, site_a, keys=ROUNDS + TOGETHER)

    def judge(one: Round, outcomes: list[Any]) -> None:
        assert shot.effects(shop, one, outcomes) == 1, outcomes

    run_rounds(
        TOGETHER,
        ROUNDS,
        prepare=lambda number: shot.prepare(shop, number),
        act=lambda one, index: shot.act(shop, one, index),
        judge=judge,
    )


@pytest.mark.parametrize("shot", ONE_SHOTS, ids=lambda shot: shot.name)
def test_every_one_shot_has_a_control(shot: OneShot) -> None:
    module, _, name = shot.control.partition(":")

    control = getattr(importlib.import_module(module), name)

    assert control.__name__.startswith("test_control_")
