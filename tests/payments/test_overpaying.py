"""One payment made twice, under two numbers of its gateway: in the books, shown, given back."""

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from kameng.core import clock
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind, account_id
from kameng.ledger.store import balance_of
from kameng.orders.models import Note
from kameng.orders.rules import State
from kameng.payments.errors import PaymentClosed, RefundTooMuch
from kameng.payments.models import Payment, PaymentState, Proof, RefundState, RejectedCallback
from kameng.payments.providers.port import Confirmation, PaidStatus, ProviderRefused
from kameng.payments.selectors import list_mismatched, list_unbooked
from kameng.payments.services import overpaying
from kameng.payments.services.confirming import confirm_payment
from kameng.payments.services.deciding import give_back_mismatched, note_returned_by_hand
from kameng.payments.services.gateways import provider_of
from kameng.payments.services.paying import open_payment
from kameng.payments.services.refunding import ask_due_refunds
from kameng.pricing.money import Amount
from kameng.tenancy.selectors import scope_of_site, site_scope
from kameng_simulator.store import TWIN
from tests.concurrency.shop import STAFF, count, make_buyers
from tests.payments.conftest import Counter
from tests.providers.world import World

Pay = Callable[..., dict[str, Any]]
PAID_ROWS = "select count(*) from ledger_transfer where code = 20"


def _codes() -> list[str]:
    with platform_scope("a test looks at refused callbacks"):
        return list(RejectedCallback.objects.order_by("id").values_list("code", flat=True))


def _balance(kind: AccountKind, owner_id: int) -> int:
    return balance_of(account_id(kind, owner_id))


@pytest.fixture
def twice(live: Counter, world: World, pay: Pay) -> tuple[Any, Payment, Payment]:
    """An order whose one payment was made twice at the simulator: order, payment, second one."""
    placed, payment = live.sell()
    live.open(payment)
    pay(payment, "twice")
    assert live.hear(world.words(live.case.kind, payment.payment_no)).accepted
    assert live.hear(world.words(live.case.kind, payment.payment_no + TWIN)).accepted
    with site_scope(live.shop.site.id):
        (second,) = list_mismatched()
    return placed, live.payment_of(payment), second


def test_the_second_payment_is_in_the_books_and_waits_for_a_person(
    live: Counter, world: World, twice: tuple[Any, Payment, Payment]
) -> None:
    placed, payment, second = twice

    assert live.order_of(placed).state == State.DELIVERED
    assert (payment.state, payment.is_second) == (PaymentState.CONFIRMED, False)
    assert (second.state, second.is_second) == (PaymentState.MISMATCHED, True)
    assert (second.subject_id, second.gateway_id) == (placed.order_id, payment.gateway_id)
    assert second.received_amount == payment.amount
    assert second.external_no not in {None, payment.external_no}
    assert _balance(AccountKind.ORDER_SUSPENSE, live.shop.site.id) == payment.amount
    with site_scope(live.shop.site.id):
        proof = Proof.objects.get(payment_id=second.id)
    assert (proof.source, proof.note) == ("query", payment.payment_no)
    assert len(bytes(proof.raw_digest)) == 32
    assert _codes() == []

    for _ in range(3):  # the gateway repeats itself until it is heard
        assert live.hear(world.words(live.case.kind, payment.payment_no + TWIN)).accepted

    assert count(PAID_ROWS) == 2
    assert count("select count(*) from payments_payment") == 2


def test_it_goes_back_by_the_gateways_own_number(
    live: Counter, world: World, twice: tuple[Any, Payment, Payment]
) -> None:
    placed, payment, second = twice
    with site_scope(live.shop.site.id):
        give_back_mismatched(payment_id=second.id, reason="付了两次", actor=STAFF)
        with pytest.raises(RefundTooMuch):
            give_back_mismatched(payment_id=second.id, reason="付了两次", actor=STAFF)
        assert list_mismatched() == []

    assert live.ask_refunds() == 1

    fen = payment.amount // 100
    assert world.state(payment.payment_no)["refunded_fen"] == 0
    assert world.state(payment.payment_no + TWIN)["refunded_fen"] == fen
    assert live.order_of(placed).state == State.DELIVERED
    assert _balance(AccountKind.ORDER_SUSPENSE, live.shop.site.id) == 0
    assert count("select count(*) from payments_gatewayrefund where state = 2") == 1


def test_what_staff_gave_back_by_other_means_is_written_down_once(
    live: Counter, twice: tuple[Any, Payment, Payment]
) -> None:
    _placed, payment, second = twice
    site_id = live.shop.site.id
    with site_scope(site_id):
        with pytest.raises(PaymentClosed):
            note_returned_by_hand(payment_id=payment.id, reason="转账退了", actor=STAFF)
        note_returned_by_hand(payment_id=second.id, reason="转账退了", actor=STAFF)
        with pytest.raises(RefundTooMuch):
            note_returned_by_hand(payment_id=second.id, reason="又一次", actor=STAFF)
        with pytest.raises(RefundTooMuch):
            give_back_mismatched(payment_id=second.id, reason="又一次", actor=STAFF)
        assert list_mismatched() == []

    assert _balance(AccountKind.ORDER_SUSPENSE, site_id) == 0
    assert _balance(AccountKind.ADJUSTMENTS, site_id) == payment.amount
    assert ask_due_refunds() == 0
    with platform_scope("a test reads the audit log"):
        entry = AuditEntry.objects.get(action="payment.returned_by_hand")
    assert entry.detail == {"amount": payment.amount, "reason": "转账退了"}


def test_a_number_that_the_gateway_does_not_know_is_refused_and_told(
    live: Counter, world: World, pay: Pay
) -> None:
    placed, payment = live.sell()
    live.open(payment)
    pay(payment, "lost")
    assert live.hear(world.words(live.case.kind, payment.payment_no)).accepted
    alias = world.words(live.case.kind, payment.payment_no, trade_no="20260101008")

    assert not live.hear(alias).accepted

    assert _codes() == ["paid_twice"]
    assert not live.gateway().is_frozen
    assert (count(PAID_ROWS), live.order_of(placed).state) == (1, State.DELIVERED)
    with site_scope(live.gateway().site_id):
        long_ago = clock.now() - dt.timedelta(days=365)
        assert list_unbooked(long_ago, limit=9) == [payment.payment_no]


def test_a_gateway_that_does_not_answer_is_heard_again_later(counter: Counter) -> None:
    _placed, payment = counter.sell()
    counter.say(payment)

    assert not counter.say(payment, trade_no="20260101008").accepted

    assert _codes() == ["query_unanswered"]
    assert count(PAID_ROWS) == 1


def test_a_number_that_paid_another_order_pays_nothing_more(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    _first, paid = counter.sell()
    _other, payment = counter.sell()
    counter.say(paid, trade_no="20260101007")
    counter.say(payment)

    class Liar:
        def query(self, _config: object, payment_no: str, *, external_no: str) -> Confirmation:
            return _said(payment_no, external_no, payment.amount)

    monkeypatch.setattr(overpaying, "provider_of", lambda _gateway: Liar())

    assert not counter.say(payment, trade_no="20260101007").accepted

    assert _codes() == ["external_reused"]
    assert (count(PAID_ROWS), count("select count(*) from payments_payment")) == (2, 2)


def test_a_payment_confirmed_without_a_number_is_no_second_one(counter: Counter) -> None:
    """Some gateways name no number of their own when they are asked."""
    placed, payment = counter.sell()
    scope = scope_of_site(counter.shop.site.id, main_id=counter.gateway().site_id)
    said = _said(payment.payment_no, "", payment.amount)
    confirm_payment(said, gateway_id=payment.gateway_id, source="query", scope=scope)
    assert counter.order_of(placed).state == State.DELIVERED

    assert counter.say(payment).accepted
    done = confirm_payment(said, gateway_id=payment.gateway_id, source="query", scope=scope)

    assert done.outcome == 1
    assert _codes() == []
    assert count(PAID_ROWS) == 1


def _said(payment_no: str, external_no: str, amount: int) -> Confirmation:
    return Confirmation(
        payment_no=payment_no,
        external_no=external_no,
        amount=Amount(amount),
        status=PaidStatus.PAID,
        paid_at=None,
        payer="",
        raw_digest="00" * 32,
    )


@pytest.mark.parametrize("way", ["refused", "unsupported"])
def test_a_second_attempt_whose_money_finds_no_way_back_waits_for_a_person(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Two attempts of one order, both paid; the gateway gives nothing back."""
    placed, payment = counter.sell()
    with site_scope(counter.shop.site.id):
        attempt = open_payment(
            purpose=payment.purpose,
            paid_for=placed.order_id,
            amount=payment.amount,
            choice=counter.shop.choice,
            expires_at=payment.expires_at,
        )
    counter.say(payment)

    def refuse(*_: object) -> None:
        raise ProviderRefused("balance_short", "商户余额不足")

    provider = type(provider_of(counter.gateway()))
    monkeypatch.setattr(provider, "refund", refuse)
    monkeypatch.setattr(provider, "supports_refund", way == "refused")
    assert counter.say(attempt).accepted
    ask_due_refunds()

    with site_scope(counter.shop.site.id):
        (waiting,) = list_mismatched()
        assert (waiting.id, waiting.is_second) == (attempt.id, True)
        kinds = list(Note.objects.order_by("id").values_list("kind", flat=True))
        note_returned_by_hand(payment_id=attempt.id, reason="转账退了", actor=STAFF)
    assert kinds == ["paid_twice", "paid_twice_unrefundable"]
    assert counter.order_of(placed).state == State.DELIVERED
    assert _balance(AccountKind.ORDER_SUSPENSE, counter.shop.site.id) == 0
    refused = count(
        "select count(*) from payments_gatewayrefund where state = %s", RefundState.REFUSED
    )
    assert refused == (1 if way == "refused" else 0)


def test_a_customers_second_payment_still_goes_to_the_wallet(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mei,) = make_buyers(counter.shop.site, 1, amount=0)
    placed, payment = counter.sell(customer=mei)
    with site_scope(counter.shop.site.id):
        attempt = open_payment(
            purpose=payment.purpose,
            paid_for=placed.order_id,
            amount=payment.amount,
            choice=counter.shop.choice,
            expires_at=payment.expires_at,
        )
    monkeypatch.setattr(type(provider_of(counter.gateway())), "supports_refund", False)
    counter.say(payment)

    assert counter.say(attempt).accepted

    with site_scope(counter.shop.site.id):
        assert list_mismatched() == []
    assert _balance(AccountKind.WALLET, mei.id) == payment.amount
