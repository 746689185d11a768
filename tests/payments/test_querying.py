"""A callback that never comes: the gateway is asked until it is known what became of it."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from kameng.core import clock
from kameng.orders.rules import State
from kameng.orders.services.closing import expire_orders
from kameng.orders.services.paying import begin_payment
from kameng.payments import tasks
from kameng.payments.models import Payment, PaymentState, Purpose
from kameng.payments.providers.epay.provider import EpayProvider
from kameng.payments.providers.port import Confirmation, PaidStatus, ProviderUncertain
from kameng.payments.rules import QUERY_WAITS_SECONDS, next_query_at
from kameng.payments.services.gateways import provider_of
from kameng.payments.services.paying import open_payment
from kameng.payments.services.querying import query_due_payments, query_payment
from kameng.pricing.money import Amount
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, site_scope
from tests.concurrency.shop import count, make_due
from tests.payments.conftest import PAYER, Counter, connect
from tests.providers.cases import make_case

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

    # A gateway that cannot close: the buyer pays after all.
    if live.case.closes_to is PaidStatus.PENDING:
        pay(payment, "lost")
        with site_scope(live.shop.site.id):
            assert query_payment(payment.id) == PaidStatus.PAID
        assert live.order_of(placed).state == State.DELIVERED
    else:
        assert live.payment_of(payment).next_query_at is None


def test_what_the_gateway_closed_before_its_time_is_closed(
    live: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The buyer gave up at the cashier: our page must not lead there again."""
    placed, payment = live.sell()
    _let_be_due(live, payment)

    def closed(_self: Any, _config: Any, payment_no: str) -> Confirmation:
        return Confirmation(
            payment_no=payment_no,
            external_no="",
            amount=Amount(0),
            status=PaidStatus.CLOSED,
            paid_at=None,
            payer="",
            raw_digest="",
        )

    with monkeypatch.context() as patch:
        patch.setattr(type(provider_of(live.gateway())), "query", closed)
        assert query_due_payments() == 1

    now = live.payment_of(payment)
    assert (now.state, now.next_query_at) == (PaymentState.CLOSED, None)
    with site_scope(live.shop.site.id):
        order = live.order_of(placed)
        begin_payment(
            order=order,
            view=get_site_view(order.site_id),
            payer=PAYER,
            choice=live.shop.choice,
        )
        another = Payment.objects.latest("id")
    assert (another.subject_id, another.state) == (placed.order_id, PaymentState.OPEN)
    assert another.id != payment.id
    assert order.state == State.AWAITING_PAYMENT


def test_a_payment_made_while_it_was_being_closed_is_asked_about_at_once(
    live: Counter, pay: Pay, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed, payment = live.sell()
    live.open(payment)
    _let_be_due(live, payment, expires_at=clock.now() - dt.timedelta(seconds=1))
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


def test_a_gateway_that_keeps_us_waiting_does_not_hold_up_the_others(
    live: Counter, pay: Pay, main_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AVL-06: three payments of a dead gateway wait before one of a gateway that answers."""
    dead = connect(main_site, "epay", dict(make_case("epay").form))
    placed, payment = live.sell()
    live.open(payment)
    pay(payment, "lost")
    with site_scope(live.shop.site.id):
        waiting = [
            open_payment(
                purpose=Purpose.ORDER,
                paid_for=placed.order_id,
                amount=payment.amount,
                choice=dead,
                expires_at=payment.expires_at,
            )
            for _ in range(3)
        ]
    for each in waiting:
        _let_be_due(live, each)
    _let_be_due(live, payment)
    provider = type(provider_of(live.gateway()))
    asked: list[str] = []
    real = provider.query

    def query(self: Any, config: Any, payment_no: str, **more: str) -> Any:
        asked.append(payment_no)
        if payment_no != payment.payment_no:
            raise ProviderUncertain("timeout")
        return real(self, config, payment_no, **more)

    for each_kind in {provider, EpayProvider}:
        monkeypatch.setattr(each_kind, "query", query)

    assert query_due_payments() == 4

    assert asked == [waiting[0].payment_no, payment.payment_no]
    assert live.order_of(placed).state == State.DELIVERED
    for each in waiting:  # put off as if asked
        now = live.payment_of(each)
        assert (now.state, now.query_count) == (PaymentState.OPEN, 1)
        assert now.next_query_at is not None
        assert now.next_query_at > clock.now()


def test_one_run_at_a_time_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs behind one that hangs would take every slot of the worker."""
    runs: list[str] = []

    def ask() -> int:
        runs.append("begun")
        tasks.query_payments(timestamp=0)  # the next run, while this one still asks
        return 0

    monkeypatch.setattr(tasks, "query_due_payments", ask)
    monkeypatch.setattr(tasks, "ask_due_refunds", lambda: runs.append("refunds") or 0)

    tasks.query_payments(timestamp=0)
    tasks.send_refunds(timestamp=0)
    tasks.query_payments(timestamp=0)

    assert runs == ["begun", "refunds", "begun"]


def test_waits_grow_and_end() -> None:
    now = clock.now()
    moments = [next_query_at(now, query_count=n) for n in range(len(QUERY_WAITS_SECONDS) + 1)]

    assert moments[-1] is None
    known = [moment for moment in moments if moment is not None]
    assert known == sorted(known)
