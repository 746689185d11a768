"""A payment made twice whose second callback comes twenty times at once: in the books once."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from kameng.core.scope import platform_scope
from kameng.payments.models import Payment, RejectedCallback
from kameng.payments.providers.port import Confirmation, PaidStatus
from kameng.payments.services import overpaying
from kameng.payments.services.confirming import Reply
from kameng.pricing.money import Amount
from tests.concurrency.shop import Shop, count, notify, order, payment_of

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
RECEIPTS = "select count(*) from ledger_transfer where code = 20"
PAYMENTS = "select count(*) from payments_payment"
PATIENCE = 60


@pytest.fixture
def paid(any_db: None, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Payment:
    """A payment that was made, at a gateway that confirms every number it is asked for."""
    payment = payment_of(shop, order(shop))

    class Gateway:
        def query(self, _config: object, payment_no: str, *, external_no: str) -> Confirmation:
            return Confirmation(
                payment_no=payment_no,
                external_no=external_no,
                amount=Amount(payment.amount),
                status=PaidStatus.PAID,
                paid_at=None,
                payer="",
                raw_digest="00" * 32,
            )

    monkeypatch.setattr(overpaying, "provider_of", lambda _gateway: Gateway())
    assert notify(shop, payment).accepted
    return payment


def test_a_second_payment_is_recorded_once_however_often_it_is_told(
    shop: Shop, paid: Payment, run_parallel: Parallel
) -> None:
    replies = run_parallel(20, lambda _i: notify(shop, paid, external_no="EXT-TWICE"))

    assert all(isinstance(r, Reply) and r.accepted for r in replies), replies
    assert (count(RECEIPTS), count(PAYMENTS)) == (2, 2)


def test_control_without_the_lock_a_callback_is_refused_that_should_be_heard(
    wrecked_db: None,
    shop: Shop,
    paid: Payment,
    run_parallel: Parallel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both look, both find nothing: the gateway's unique number stops the second, too late."""
    both = threading.Barrier(2)
    record = overpaying._record

    def record_together(first: Payment, answer: Confirmation) -> None:
        both.wait(PATIENCE)
        record(first, answer)

    monkeypatch.setattr(overpaying, "lock_payment", lambda _payment_id: None)
    monkeypatch.setattr(overpaying, "_record", record_together)

    replies = run_parallel(2, lambda _i: notify(shop, paid, external_no="EXT-TWICE"))

    assert sorted(reply.accepted for reply in replies) == [False, True]
    with platform_scope("a test looks at refused callbacks"):
        assert [row.code for row in RejectedCallback.objects.all()] == ["external_reused"]
    assert (count(RECEIPTS), count(PAYMENTS)) == (2, 2)
