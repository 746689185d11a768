"""What a gateway answered is kept sealed: it holds the address that opens the order."""

import json

import pytest
from django.conf import LazySettings

from kameng.core import keyring
from kameng.core.crypto import CipherBroken
from kameng.payments.models import Payment, PaymentState
from kameng.payments.providers.port import PayInstruction
from kameng.payments.services import paying
from kameng.payments.services.rotating import rotate_payments
from kameng.tenancy.selectors import site_scope
from tests.payments.conftest import PAYER, Counter

TOLD = PayInstruction(
    kind="form",
    url="https://pay.example.com/submit.php",
    fields={"return_url": "https://shop.example.com/pay/1/?t=canary-token", "名": "点卡"},
)


@pytest.fixture
def kind() -> str:
    """One protocol will do: the gateway is not called."""
    return "epay"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The payments that the gateway was asked about."""
    asked: list[str] = []

    def create(_gateway: object, request: paying.PayRequest) -> PayInstruction:
        asked.append(request.payment_no)
        return TOLD

    monkeypatch.setattr(paying, "_create", create)
    monkeypatch.setattr(paying, "in_transaction_of_request", lambda: False)
    return asked


def tell(counter: Counter, payment: Payment) -> PayInstruction:
    with site_scope(counter.shop.site.id):
        return paying.instruct_buyer(payment=payment, subject="测试点卡", payer=PAYER)


def enable(counter: Counter) -> None:
    gateway = counter.gateway()
    gateway.is_enabled = True
    with site_scope(gateway.site_id):
        gateway.save(update_fields=["is_enabled"])


def test_the_gateway_is_asked_once_and_its_answer_is_stored_without_the_orders_token(
    counter: Counter, calls: list[str]
) -> None:
    enable(counter)
    _placed, payment = counter.sell()

    first = tell(counter, payment)
    stored = counter.payment_of(payment)
    again = tell(counter, stored)

    assert first == again == TOLD
    assert calls == [payment.payment_no]
    assert list(stored.instruction) == ["sealed"]
    assert "canary" not in json.dumps(stored.instruction)


def test_an_answer_that_was_moved_to_another_payment_does_not_open(
    counter: Counter, calls: list[str]
) -> None:
    enable(counter)
    _placed, payment = counter.sell()
    tell(counter, payment)
    stored = counter.payment_of(payment)
    stored.payment_no = "261127000000000001"

    with pytest.raises(CipherBroken):
        tell(counter, stored)


def test_answers_of_open_payments_are_sealed_anew_with_a_new_key(
    counter: Counter, calls: list[str], settings: LazySettings
) -> None:
    enable(counter)
    payments = [counter.sell()[1] for _number in range(2)]
    for payment in payments:
        tell(counter, payment)
    with site_scope(counter.shop.site.id):
        Payment.objects.filter(id=payments[1].id).update(state=PaymentState.CLOSED)
    version = keyring.add_key(settings.KEYRING_PATH)

    assert sum(rotate_payments()) == 2  # the gateway itself, and what the open payment keeps
    assert sum(rotate_payments()) == 0

    assert paying.sealing_key(counter.payment_of(payments[0])) == version
    assert paying.sealing_key(counter.payment_of(payments[1])) == version - 1
    assert tell(counter, counter.payment_of(payments[0])) == TOLD
