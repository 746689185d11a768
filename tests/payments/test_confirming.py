"""What a callback must prove before it is believed: signature, number, gateway, amount, query."""

from collections.abc import Callable
from typing import Any

import pytest

from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind, account_id
from kameng.ledger.store import balance_of
from kameng.orders.rules import State
from kameng.payments.errors import (
    GatewayAway,
    GatewayNotFound,
    PaymentNotFound,
    RefundTooMuch,
    TopUpKeyReused,
)
from kameng.payments.models import (
    Gateway,
    GatewayRefund,
    Payment,
    PaymentState,
    Proof,
    RejectedCallback,
)
from kameng.payments.providers.port import CallbackRequest, PaidStatus
from kameng.payments.selectors import PayChoice, list_mismatched, list_pay_choices
from kameng.payments.services import confirming
from kameng.payments.services.confirming import accept_callback, confirm_by_staff
from kameng.payments.services.paying import start_top_up
from kameng.payments.services.querying import query_payment
from kameng.payments.services.refunding import refund_mismatched
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import without_guard
from tests.concurrency.shop import STAFF, count, make_buyers
from tests.payments.conftest import Counter, connect
from tests.providers.cases import make_case
from tests.providers.world import World

Pay = Callable[..., dict[str, Any]]


def _codes() -> list[str]:
    with platform_scope("a test looks at refused callbacks"):
        return list(RejectedCallback.objects.order_by("id").values_list("code", flat=True))


def _assert_untouched(counter: Counter, placed: Any, payment: Payment) -> None:
    assert counter.order_of(placed).state == State.AWAITING_PAYMENT
    now = counter.payment_of(payment)
    assert (now.state, now.external_no, now.received_amount) == (PaymentState.OPEN, None, None)
    assert count("select count(*) from ledger_transfer") == 0
    assert count("select count(*) from inventory_cardkey where state = 2") == 0


def test_a_genuine_callback_pays_and_delivers(counter: Counter) -> None:
    placed, payment = counter.sell()

    reply = counter.say(payment)

    assert (reply.status, reply.accepted) == (200, True)
    assert counter.case.heard in reply.body
    assert counter.order_of(placed).state == State.DELIVERED
    assert counter.payment_of(payment).state == PaymentState.CONFIRMED
    with site_scope(counter.shop.site.id):
        proof = Proof.objects.get()
    assert (proof.payment_id, proof.source, len(bytes(proof.raw_digest))) == (
        payment.id,
        "callback",
        32,
    )
    assert _codes() == []


@pytest.mark.parametrize("forgery", ["none", "empty", "random", "cut", "other key"])
def test_a_forged_callback_changes_nothing_and_is_logged(counter: Counter, forgery: str) -> None:
    placed, payment = counter.sell()
    fields = counter.case.signed(
        out_trade_no=payment.payment_no,
        **counter.case.priced(110_000),
    )
    signature = {
        "none": None,
        "empty": "",
        "random": "0123456789abcdef0123456789abcdef",
        "cut": fields["sign"][:-1],
        "other key": fields["sign"][::-1],
    }[forgery]
    forged = {**fields, "sign": signature} if signature is not None else dict(fields)
    if signature is None:
        del forged["sign"]

    reply = counter.send({name: value for name, value in forged.items() if value is not None})

    assert not reply.accepted
    _assert_untouched(counter, placed, payment)
    assert len(_codes()) == 1
    # Every refusal looks the same to the sender.
    unknown = counter.send(counter.case.signed(out_trade_no="P404"))
    assert (reply.status, reply.body, reply.content_type) == (
        unknown.status,
        unknown.body,
        unknown.content_type,
    )


@pytest.mark.parametrize("amount", ["0.01", "0", "-11.00", "1e3", "１１.00", "NaN", "11.001", ""])
def test_an_odd_amount_is_never_taken_for_the_price(counter: Counter, amount: str) -> None:
    placed, payment = counter.sell()

    counter.say(payment, **{counter.case.amount_field: amount})

    assert counter.order_of(placed).state == State.AWAITING_PAYMENT
    assert counter.payment_of(payment).state in {PaymentState.OPEN, PaymentState.MISMATCHED}
    assert count("select count(*) from inventory_cardkey where state = 2") == 0


@pytest.mark.parametrize("difference", [-100, 100])
def test_a_fen_too_little_or_too_much_goes_to_a_person_and_can_be_given_back(
    counter: Counter, difference: int
) -> None:
    placed, payment = counter.sell()
    received = payment.amount + difference

    for _ in range(2):
        reply = counter.say(payment, **counter.case.priced(received))
        assert reply.accepted  # the gateway has done its part

    assert counter.order_of(placed).state == State.AWAITING_PAYMENT
    suspense = account_id(AccountKind.ORDER_SUSPENSE, counter.shop.site.id)
    assert balance_of(suspense) == received
    with site_scope(counter.shop.site.id):
        (mismatched,) = list_mismatched()
        assert mismatched.received_amount == received
        refund_mismatched(payment=mismatched, reason="金额不符")
        with pytest.raises(RefundTooMuch):
            refund_mismatched(payment=mismatched, reason="金额不符")
        assert GatewayRefund.objects.get().amount == received
        assert list_mismatched() == []


def test_a_callback_of_one_order_cannot_be_turned_to_another(counter: Counter) -> None:
    _first, paid = counter.sell()
    placed, payment = counter.sell()
    counter.say(paid, trade_no="20260101007")
    genuine = counter.case.signed(
        out_trade_no=paid.payment_no,
        **counter.case.priced(110_000),
    )

    turned = counter.send({**genuine, "out_trade_no": payment.payment_no})
    again = counter.say(payment, trade_no="20260101007")

    assert not turned.accepted
    assert not again.accepted
    assert _codes()[-1] == "external_reused"
    now = counter.payment_of(payment)
    assert (counter.order_of(placed).state, now.state) == (State.AWAITING_PAYMENT, 1)


def test_another_gateways_word_does_not_pay(counter: Counter, kind: str, main_site: Site) -> None:
    placed, payment = counter.sell()
    other = connect(main_site, kind, dict(make_case(kind).form))
    fields = counter.case.signed(
        out_trade_no=payment.payment_no,
        **counter.case.priced(110_000),
    )

    reply = accept_callback(
        gateway_id=other.gateway_id, callback=counter.case.send(fields), ip="192.0.2.9"
    )

    assert not reply.accepted
    assert _codes() == ["other_gateway"]
    _assert_untouched(counter, placed, payment)


def test_another_merchants_word_does_not_pay(counter: Counter) -> None:
    placed, payment = counter.sell()

    for fields in counter.case.other_merchants:
        assert not counter.say(payment, **fields).accepted

    _assert_untouched(counter, placed, payment)


def test_a_payment_that_was_not_made_is_acknowledged_and_changes_nothing(counter: Counter) -> None:
    placed, payment = counter.sell()

    assert counter.say(payment, **counter.case.unpaid).accepted

    _assert_untouched(counter, placed, payment)


def test_an_unknown_gateway_is_told_apart(db: None, main_site: Site) -> None:
    with pytest.raises(GatewayNotFound):
        accept_callback(gateway_id=404, callback=CallbackRequest(method="GET"), ip="192.0.2.9")


def test_a_leaked_key_does_not_pay_large_sums_and_freezes_the_gateway(
    live: Counter, world: World, pay: Pay
) -> None:
    """PAY-08: the signature is good, the gateway itself says that nothing was paid."""
    with site_scope(live.gateway().site_id):
        Gateway.objects.update(verify_above_amount=10_000)
    placed, payment = live.sell()
    live.open(payment)

    reply = live.hear(world.words(live.case.kind, payment.payment_no))

    assert not reply.accepted
    assert _codes() == ["query_contradicts"]
    assert live.gateway().is_frozen
    _assert_untouched(live, placed, payment)
    with platform_scope("a test reads the audit log"):
        assert AuditEntry.objects.filter(action="gateway.frozen").count() == 1
    with site_scope(live.shop.site.id) as view:
        assert list_pay_choices(view) == []  # offered to nobody any more

    # A frozen gateway's callbacks are not believed; what it says when asked is.
    pay(payment)
    assert not live.hear(world.words(live.case.kind, payment.payment_no)).accepted
    with site_scope(live.shop.site.id):
        assert query_payment(payment.id) == PaidStatus.PAID
    assert live.order_of(placed).state == State.DELIVERED


def test_control_without_the_question_a_leaked_key_pays(
    wrecked_db: None, live: Counter, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confirming, "_ask_back", lambda gateway, said, **_: "")
    with site_scope(live.gateway().site_id):
        Gateway.objects.update(verify_above_amount=10_000)
    placed, payment = live.sell()
    live.open(payment)

    live.hear(world.words(live.case.kind, payment.payment_no))

    assert live.order_of(placed).state == State.DELIVERED


def test_control_without_the_comparison_a_cent_buys_the_goods(
    wrecked_db: None, counter: Counter
) -> None:
    placed, payment = counter.sell()

    with without_guard("payments_confirm", ("p_amount = p.amount", "true")):
        counter.say(payment, **{counter.case.amount_field: counter.case.cheap})

    assert counter.order_of(placed).state == State.DELIVERED


def test_a_large_sum_is_believed_after_the_gateway_said_so_too(
    live: Counter, world: World, pay: Pay
) -> None:
    with site_scope(live.gateway().site_id):
        Gateway.objects.update(verify_above_amount=10_000)
    placed, payment = live.sell()
    live.open(payment)
    pay(payment, "lost")

    reply = live.hear(world.words(live.case.kind, payment.payment_no))

    assert reply.accepted
    assert live.order_of(placed).state == State.DELIVERED
    assert not live.gateway().is_frozen


def test_a_gateway_that_does_not_answer_is_neither_believed_nor_frozen(counter: Counter) -> None:
    with site_scope(counter.gateway().site_id):
        Gateway.objects.update(verify_above_amount=10_000)
    placed, payment = counter.sell()

    reply = counter.say(payment)

    assert not reply.accepted  # it calls again, and we ask later
    assert _codes() == ["query_unanswered"]
    assert not counter.gateway().is_frozen
    _assert_untouched(counter, placed, payment)


def test_a_top_up_is_always_asked_about(counter: Counter) -> None:
    (mei,) = make_buyers(counter.shop.site, 1, amount=0)
    with site_scope(counter.shop.site.id):
        _top_up, payment = start_top_up(
            customer_id=mei.id, amount=10_000, choice=counter.shop.choice, idempotency_key="k"
        )

    assert not counter.say(payment).accepted
    assert _codes() == ["query_unanswered"]
    assert count("select count(*) from ledger_transfer") == 0


def test_a_top_up_is_begun_once_a_key(counter: Counter, main_site: Site, kind: str) -> None:
    """LED-06: the same key with another amount or another gateway is refused, nothing written."""
    (mei,) = make_buyers(counter.shop.site, 1, amount=0)
    other = connect(main_site, kind, dict(make_case(kind).form))

    def begin(amount: int = 10_000, choice: PayChoice = counter.shop.choice) -> int:
        with site_scope(counter.shop.site.id):
            top_up, payment = start_top_up(
                customer_id=mei.id, amount=amount, choice=choice, idempotency_key="k"
            )
        assert payment.subject_id == top_up.id
        return int(payment.id)

    assert begin() == begin()
    with pytest.raises(TopUpKeyReused):
        begin(amount=20_000)
    with pytest.raises(TopUpKeyReused):
        begin(choice=other)

    assert count("select count(*) from payments_topup") == 1
    assert count("select count(*) from payments_payment") == 1


def test_staff_confirm_only_what_the_gateway_confirms(live: Counter, pay: Pay) -> None:
    placed, payment = live.sell()
    live.open(payment)
    with site_scope(live.shop.site.id):
        assert confirm_by_staff(payment_id=payment.id, actor=STAFF) in {
            PaidStatus.PENDING,
            PaidStatus.NOT_FOUND,
        }
        assert live.order_of(placed).state == State.AWAITING_PAYMENT
        pay(payment, "lost")
        assert confirm_by_staff(payment_id=payment.id, actor=STAFF) == PaidStatus.PAID
        assert confirm_by_staff(payment_id=payment.id, actor=STAFF) == PaidStatus.PAID
        with pytest.raises(PaymentNotFound):
            confirm_by_staff(payment_id=0, actor=STAFF)

    assert live.order_of(placed).state == State.DELIVERED
    assert count("select count(*) from ledger_transfer where code = 20") == 1


def test_staff_are_told_when_the_gateway_is_away(counter: Counter) -> None:
    _placed, payment = counter.sell()

    with site_scope(counter.shop.site.id), pytest.raises(GatewayAway):
        confirm_by_staff(payment_id=payment.id, actor=STAFF)
