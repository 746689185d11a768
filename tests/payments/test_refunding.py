"""Money back through the gateway: one number, asked until the outcome is known, never twice."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from kameng.core import clock
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind, account_id
from kameng.ledger.store import balance_of
from kameng.orders import errors as order_errors
from kameng.orders.models import OrderRefund, OrderRefundState
from kameng.orders.rules import State
from kameng.orders.services.refunding import settle_refused_refund
from kameng.payments.models import GatewayRefund, RefundState, RejectedCallback
from kameng.payments.providers.port import (
    ProviderRefused,
    ProviderUncertain,
    RefundNotice,
    RefundRequest,
    RefundStatus,
)
from kameng.payments.rules import REFUND_WAITS_SECONDS, next_refund_at
from kameng.payments.services.gateways import provider_of
from kameng.payments.services.querying import query_payment
from kameng.payments.services.refunding import ask_due_refunds, refund_mismatched
from kameng.pricing.money import Amount
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import STAFF, count, make_buyers, refund
from tests.payments.conftest import Counter
from tests.providers.world import World

Pay = Callable[..., dict[str, Any]]


@pytest.fixture
def sold(live: Counter, pay: Pay) -> tuple[Any, Any]:
    """An order that was paid at the simulator and delivered."""
    placed, payment = live.sell()
    live.open(payment)
    pay(payment, "lost")
    with site_scope(live.shop.site.id):
        query_payment(payment.id)
    assert live.order_of(placed).state == State.DELIVERED
    return placed, payment


def _accounts(counter: Counter) -> list[int]:
    site, main = counter.shop.site, counter.gateway().site_id
    gateway = counter.shop.choice.gateway_id
    kinds = AccountKind
    return [
        balance_of(account_id(kinds.ORDER_SUSPENSE, site.id)),
        balance_of(account_id(kinds.SALES, main)),
        balance_of(account_id(kinds.SITE_MARGIN, site.id)),
        balance_of(account_id(kinds.GATEWAY_CLEARING, gateway)),
        balance_of(account_id(kinds.GATEWAY_FEES, gateway)),
    ]


def test_a_whole_refund_reaches_the_buyer_and_leaves_every_account_empty(
    live: Counter, world: World, sold: tuple[Any, Any]
) -> None:
    placed, payment = sold
    refund(live.shop, placed, key="r")
    assert live.order_of(placed).state == State.REFUNDING

    assert live.ask_refunds() == 1
    assert ask_due_refunds() == 0

    assert live.order_of(placed).state == State.REFUNDED
    assert world.state(payment.payment_no)["refunded_fen"] == payment.amount // 100
    assert _accounts(live) == [0, 0, 0, 0, 0]
    assert count("select count(*) from inventory_cardkey where state = 0") == 6


def test_a_part_goes_back_where_the_gateway_knows_parts(
    live: Counter, world: World, sold: tuple[Any, Any]
) -> None:
    placed, payment = sold
    if live.case.kind == "epay":
        with pytest.raises(order_errors.RefundRouteMissing):
            refund(live.shop, placed, key="r", amount=10_000)
        assert live.order_of(placed).refunded_amount == 0
        return

    for number in range(3):
        refund(live.shop, placed, key=f"r{number}", amount=10_000)
    live.ask_refunds()

    assert world.state(payment.payment_no)["refunded_fen"] == 300
    assert live.order_of(placed).state == State.DELIVERED
    with site_scope(live.shop.site.id):
        states = OrderRefund.objects.values_list("state", flat=True)
        assert list(states) == [OrderRefundState.DONE] * 3


@pytest.mark.parametrize("fault", ["reset_after", "garbage", "error", "reset"])
def test_an_unknown_outcome_is_asked_about_and_never_paid_twice(
    live: Counter, world: World, sold: tuple[Any, Any], fault: str
) -> None:
    """The gateway may have paid and lost its answer: same number, first a question."""
    placed, payment = sold
    refund(live.shop, placed, key="r")
    # epay asks for the state first: there the second call is the refund itself.
    world.break_call(live.case.kind, fault, after=1 if live.case.kind == "epay" else 0)

    assert ask_due_refunds() == 1
    assert live.order_of(placed).state == State.REFUNDING
    with site_scope(live.shop.site.id):
        assert GatewayRefund.objects.get().state == RefundState.WAITING
    for _ in range(3):
        live.let_refunds_be_due()
        ask_due_refunds()

    assert live.order_of(placed).state == State.REFUNDED
    state = world.state(payment.payment_no)
    assert state["refunded_fen"] == payment.amount // 100
    assert len(state["refunds"]) == 1
    assert count("select count(*) from ledger_transfer where code = 51") == 1


def test_a_gateway_that_is_away_is_asked_later_and_never_given_up(
    live: Counter, world: World, sold: tuple[Any, Any]
) -> None:
    placed, _payment = sold
    refund(live.shop, placed, key="r")
    with site_scope(live.shop.site.id):
        for _ in range(4):
            world.break_call(live.case.kind, "error")
            live.let_refunds_be_due()
            ask_due_refunds()
        asked = GatewayRefund.objects.get()
    assert (asked.state, asked.asked_count) == (RefundState.WAITING, 4)
    assert asked.next_attempt_at is not None
    assert asked.next_attempt_at > clock.now() + dt.timedelta(seconds=60)

    world.break_call(live.case.kind, "error", after=0)
    live.let_refunds_be_due()
    ask_due_refunds()
    live.let_refunds_be_due()
    live.ask_refunds()
    assert live.order_of(placed).state == State.REFUNDED


def test_a_gateway_that_keeps_us_waiting_is_asked_once_a_batch(
    live: Counter, sold: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    placed, payment = sold
    with site_scope(live.shop.site.id):
        for number in range(3):
            GatewayRefund.objects.create(
                site_id=payment.site_id,
                payment_id=payment.id,
                refund_no=f"{number}",
                purpose=payment.purpose,
                subject_id=placed.order_id,
                amount=100,
            )
    asked: list[str] = []

    def hang(_self: Any, _config: Any, request: RefundRequest) -> None:
        asked.append(request.refund_no)
        raise ProviderUncertain("timeout")

    provider = type(provider_of(live.gateway()))
    with monkeypatch.context() as patch:
        patch.setattr(provider, "refund", hang)
        assert ask_due_refunds() == 3

    assert asked == ["0"]
    with site_scope(live.shop.site.id):
        rows = GatewayRefund.objects.order_by("id")
        assert [(row.state, row.last_error) for row in rows] == [
            (RefundState.WAITING, "timeout"),
            (RefundState.WAITING, "gateway_silent"),
            (RefundState.WAITING, "gateway_silent"),
        ]
        assert all(row.next_attempt_at > clock.now() for row in rows)
        rows.delete()


@pytest.mark.parametrize("way", ["again", "wallet", "hand"])
def test_a_refused_refund_waits_for_a_person_who_decides(
    live: Counter, way: str, monkeypatch: pytest.MonkeyPatch, pay: Pay
) -> None:
    (mei,) = make_buyers(live.shop.site, 1, amount=0)
    placed, payment = live.sell(customer=mei)
    live.open(payment)
    pay(payment, "lost")
    with site_scope(live.shop.site.id):
        query_payment(payment.id)
    refund(live.shop, placed, key="r")

    def refuse(*_: object) -> None:
        raise ProviderRefused("balance_short", "商户余额不足")

    with monkeypatch.context() as patch:
        patch.setattr(type(provider_of(live.gateway())), "refund", refuse)
        ask_due_refunds()
    with site_scope(live.shop.site.id):
        (refused,) = OrderRefund.objects.all()
        assert refused.state == OrderRefundState.REFUSED
        assert live.payment_of(payment).refunded_amount == 0

        settle_refused_refund(refund_id=refused.id, way=way, reason="已核实", actor=STAFF)
        with pytest.raises(order_errors.NotAllowedNow):
            settle_refused_refund(refund_id=refused.id, way=way, reason="又一次", actor=STAFF)
    live.ask_refunds()

    assert live.order_of(placed).state == State.REFUNDED
    assert _accounts(live)[0] == 0  # nothing hangs between the accounts
    moved = {"again": 51, "wallet": 50, "hand": 53}[way]
    assert count("select count(*) from ledger_transfer where code = %s", moved) == 1


def test_a_wrong_amount_goes_back_whole(live: Counter, world: World, pay: Pay) -> None:
    placed, payment = live.sell()
    live.open(payment)
    pay(payment, "over")
    with site_scope(live.shop.site.id):
        query_payment(payment.id)
        refund_mismatched(payment=live.payment_of(payment), reason="金额不符")

    live.ask_refunds()

    state = world.state(payment.payment_no)
    assert state["refunded_fen"] == state["paid_fen"] == payment.amount // 100 + 100
    assert _accounts(live) == [0, 0, 0, 0, 0]
    assert live.order_of(placed).state == State.AWAITING_PAYMENT


def test_the_last_wait_repeats() -> None:
    now = clock.now()

    assert next_refund_at(now, asked_count=0) == now + dt.timedelta(seconds=REFUND_WAITS_SECONDS[0])
    assert next_refund_at(now, asked_count=99) == now + dt.timedelta(
        seconds=REFUND_WAITS_SECONDS[-1]
    )


def test_a_refund_that_was_made_at_the_platform_is_acknowledged_and_listed(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = RefundNotice(
        refund_no="MADE-BY-HAND",
        external_no="R1",
        status=RefundStatus.DONE,
        amount=Amount(100),
        raw_digest="00" * 32,
    )
    provider = type(provider_of(counter.gateway()))
    monkeypatch.setattr(provider, "parse_callback", lambda *_: told)

    reply = counter.send(counter.case.good)

    assert reply.status in {200, 204}
    assert not reply.accepted
    with platform_scope("a test looks"):
        assert [row.code for row in RejectedCallback.objects.all()] == ["refund_unknown"]
        assert GatewayRefund.unscoped.count() == 0
