"""A callback that never comes: the gateway is asked until it is known what became of it."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from kameng.core import clock
from kameng.orders.rules import State
from kameng.orders.services.closing import expire_orders
from kameng.payments.models import Payment, PaymentState
from kameng.payments.providers.port import PaidStatus
from kameng.payments.rules import QUERY_WAITS_SECONDS, next_query_at
from kameng.payments.services.querying import query_due_payments, query_payment
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import count, make_due
from tests.payments.conftest import Counter

Pay = Callable[..., dict[str, Any]]


def _let_be_due(counter: Counter, payment: Payment, **changes: object) -> None:
    with site_scope(counter.shop.site.id):
        Payment.objects.filter(id=payment.id).update(
            next_query_at=clock.now() - dt.timedelta(seconds=1), **changes
        )


def test_a_payment_whose_callback_was_lost_is_found_and_delivered(live: Counter, pay: Pay) -> None:
    """PAY-09."""
    placed, payment = live.sell()
    live.open(payment)
    pay(payment, "lost")
    assert query_due_payments() == 0  # half a minute is left to the callback
    _let_be_due(live, payment)

    assert query_due_payments() == 1

    assert live.order_of(placed).state == State.DELIVERED
    assert live.payment_of(payment).next_query_at is None
    assert count("select count(*) from payments_proof where source = 'query'") == 1
    assert query_due_payments() == 0


def test_a_short_payment_found_by_a_query_goes_to_a_person(live: Counter, pay: Pay) -> None:
    placed, payment = live.sell()
    live.open(payment)
    pay(payment, "short")
    _let_be_due(live, payment)

    query_due_payments()

    assert live.order_of(placed).state == State.AWAITING_PAYMENT
    assert live.payment_of(payment).state == PaymentState.MISMATCHED


def test_an_unpaid_payment_is_asked_about_at_growing_intervals(live: Counter) -> None:
    _placed, payment = live.sell()
    live.open(payment)

    waits = []
    for _ in range(4):
        _let_be_due(live, payment)
        before = clock.now()
        assert query_due_payments() == 1
        planned = live.payment_of(payment).next_query_at
        assert planned is not None
        waits.append((planned - before).total_seconds())

    expected = QUERY_WAITS_SECONDS[1:5]
    assert [round(wait, -1) for wait in waits] == pytest.approx(expected, abs=10)
    assert live.payment_of(payment).state == PaymentState.OPEN


def test_what_is_over_is_closed_and_a_late_payment_still_counts(live: Counter, pay: Pay) -> None:
    placed, payment = live.sell()
    live.open(payment)
    pay(payment, "fail")  # the buyer looked at the cashier and went away
    make_due(live.shop, placed)
    expire_orders()
    _let_be_due(live, payment, expires_at=clock.now() - dt.timedelta(seconds=1))

    assert query_due_payments() == 1
    assert live.payment_of(payment).state == PaymentState.CLOSED

    if live.case.kind == "epay":  # this gateway cannot close: the buyer pays after all
        pay(payment, "lost")
        with site_scope(live.shop.site.id):
            assert query_payment(payment.id) == PaidStatus.PAID
        assert live.order_of(placed).state == State.DELIVERED
    else:
        assert live.payment_of(payment).next_query_at is None


def test_a_payment_made_while_it_was_being_closed_is_asked_about_at_once(
    live: Counter, pay: Pay, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed, payment = live.sell()
    live.open(payment)
    _let_be_due(live, payment, expires_at=clock.now() - dt.timedelta(seconds=1))
    from kameng.payments.services.gateways import provider_of

    provider = type(provider_of(live.gateway()))
    close = provider.close

    def pay_and_close(self: Any, config: Any, payment_no: str) -> PaidStatus:
        pay(payment, "lost")
        return PaidStatus(close(self, config, payment_no))

    with monkeypatch.context() as patch:
        patch.setattr(provider, "close", pay_and_close)
        query_due_payments()
    assert live.payment_of(payment).state == PaymentState.OPEN
    query_due_payments()

    assert live.order_of(placed).state == State.DELIVERED


def test_a_gateway_that_is_away_is_asked_again_later(counter: Counter) -> None:
    placed, payment = counter.sell()
    _let_be_due(counter, payment)

    assert query_due_payments() == 1

    now = counter.payment_of(payment)
    assert (now.state, now.query_count) == (PaymentState.OPEN, 1)
    assert now.next_query_at is not None
    assert counter.order_of(placed).state == State.AWAITING_PAYMENT


def test_waits_grow_and_end() -> None:
    now = clock.now()
    moments = [next_query_at(now, query_count=n) for n in range(len(QUERY_WAITS_SECONDS) + 1)]

    assert moments[-1] is None
    known = [moment for moment in moments if moment is not None]
    assert known == sorted(known)
