"""A payment taken for made on a person's word: after its gateway was asked, above a sum by two."""

from collections.abc import Callable
from typing import Any

import pytest

from kameng.accounts import errors as account_errors
from kameng.accounts.selectors import list_waiting_approvals
from kameng.accounts.services.approving import approve_wish, refuse_wish
from kameng.core.audit import Actor
from kameng.core.scope import platform_scope
from kameng.orders.models import Order
from kameng.orders.rules import State
from kameng.payments.errors import EvidenceMissing, PaymentClosed, VoucherRefused
from kameng.payments.models import Payment, PaymentState, Proof
from kameng.payments.providers.port import Confirmation, PaidStatus, ProviderUncertain
from kameng.payments.providers.registry import get_provider
from kameng.payments.services import confirming
from kameng.payments.services.vouching import Vouched, Voucher, vouch_payment
from kameng.pricing.money import Amount
from kameng.tenancy.selectors import site_scope
from kameng.tenancy.services import change_settings
from tests.concurrency.shop import STAFF, Shop, count, notify, order, payment_of

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
BO = Actor(kind="user", actor_id=2, name="Bo")
WORD = Voucher(evidence="买家给了转账截图，尾号 8841", external_no="WX-8841")


class Gateway:
    """A gateway that answers what a test wants, and counts how often it was asked."""

    def __init__(self) -> None:
        self.status: PaidStatus | None = PaidStatus.NOT_FOUND
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(get_provider("epay"), name)  # callbacks are read as ever

    def query(self, _config: object, payment_no: str) -> Confirmation:
        self.asked += 1
        if self.status is None:
            raise ProviderUncertain("timeout")
        with platform_scope("a gateway knows its payments"):
            amount = Payment.unscoped.get(payment_no=payment_no).amount
        return Confirmation(
            payment_no=payment_no,
            external_no=f"9{payment_no}",
            amount=Amount(amount),
            status=self.status,
            paid_at=None,
            payer="",
            raw_digest="00" * 32,
        )


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """The gateway of the shop."""
    found = Gateway()
    monkeypatch.setattr(confirming, "provider_of", lambda _gateway: found)
    return found


def _set_threshold(shop: Shop, amount: int) -> None:
    with site_scope(shop.site.id):
        change_settings(site_id=shop.site.id, changes={"two_person_amount": amount}, actor=STAFF)


def _vouch(shop: Shop, payment: Payment, voucher: Voucher = WORD, actor: Actor = STAFF) -> Vouched:
    with site_scope(shop.site.id):
        return vouch_payment(payment_id=payment.id, voucher=voucher, actor=actor)


def _order(shop: Shop, order_id: int | None) -> Order:
    with site_scope(shop.site.id):
        found: Order = Order.objects.get(id=order_id)
    return found


@pytest.mark.parametrize("status", [PaidStatus.NOT_FOUND, PaidStatus.PENDING, None])
def test_below_the_threshold_one_person_vouches_after_the_gateway_was_asked(
    any_db: None, shop: Shop, gateway: Gateway, status: PaidStatus | None
) -> None:
    placed = order(shop)
    payment = payment_of(shop, placed)
    gateway.status = status

    assert _vouch(shop, payment) == Vouched.BY_STAFF

    assert gateway.asked == 1
    assert _order(shop, placed.order_id).state == State.DELIVERED
    with site_scope(shop.site.id):
        proof = Proof.objects.get(payment_id=payment.id)
        payment.refresh_from_db()
    assert (proof.source, proof.note) == ("staff", f"Lin: {WORD.evidence}")
    assert (payment.state, payment.external_no) == (PaymentState.CONFIRMED, "WX-8841")


def test_the_gateways_own_yes_needs_no_word(any_db: None, shop: Shop, gateway: Gateway) -> None:
    payment = payment_of(shop, order(shop))
    gateway.status = PaidStatus.PAID

    assert _vouch(shop, payment) == Vouched.BY_GATEWAY

    with site_scope(shop.site.id):
        assert Proof.objects.get(payment_id=payment.id).source == "query"


def test_above_the_threshold_a_second_person_confirms(
    any_db: None, shop: Shop, gateway: Gateway
) -> None:
    placed = order(shop)
    payment = payment_of(shop, placed)
    _set_threshold(shop, payment.amount - 1)

    assert _vouch(shop, payment) == Vouched.WAITING

    assert _order(shop, placed.order_id).state == State.AWAITING_PAYMENT
    with site_scope(shop.site.id):
        (asked,) = list_waiting_approvals()
        assert asked.wish["gateway_said"] == "not_found"
        with pytest.raises(account_errors.ApprovalByOneself):
            approve_wish(asked.id, actor=STAFF)
        approve_wish(asked.id, actor=BO)
        assert Proof.objects.get(payment_id=payment.id).note == f"Bo: {WORD.evidence}"
    assert _order(shop, placed.order_id).state == State.DELIVERED


def test_at_the_threshold_one_person_is_enough(any_db: None, shop: Shop, gateway: Gateway) -> None:
    payment = payment_of(shop, order(shop))
    _set_threshold(shop, payment.amount)

    assert _vouch(shop, payment) == Vouched.BY_STAFF


def test_a_refused_wish_confirms_nothing(any_db: None, shop: Shop, gateway: Gateway) -> None:
    placed = order(shop)
    payment = payment_of(shop, placed)
    _set_threshold(shop, 0)
    _vouch(shop, payment)

    with site_scope(shop.site.id):
        (asked,) = list_waiting_approvals()
        refuse_wish(asked.id, note="截图是假的", actor=BO)

    assert _order(shop, placed.order_id).state == State.AWAITING_PAYMENT


def test_paid_meanwhile_the_approval_is_refused_and_nothing_happens_twice(
    any_db: None, shop: Shop, gateway: Gateway
) -> None:
    placed = order(shop)
    payment = payment_of(shop, placed)
    _set_threshold(shop, 0)
    _vouch(shop, payment)
    assert notify(shop, payment).accepted

    with site_scope(shop.site.id):
        (asked,) = list_waiting_approvals()
        with pytest.raises(PaymentClosed):
            approve_wish(asked.id, actor=BO)
        assert len(list_waiting_approvals()) == 1
    assert count("select count(*) from ledger_transfer where code = 20") == 1


def test_without_evidence_or_for_a_made_payment_nothing_is_asked(
    any_db: None, shop: Shop, gateway: Gateway
) -> None:
    payment = payment_of(shop, order(shop))
    with pytest.raises(EvidenceMissing):
        _vouch(shop, payment, Voucher(evidence=" \n"))
    assert notify(shop, payment).accepted
    with pytest.raises(PaymentClosed):
        _vouch(shop, payment)
    assert gateway.asked == 0


def test_a_number_that_paid_something_else_is_refused(
    any_db: None, shop: Shop, gateway: Gateway
) -> None:
    first, second = payment_of(shop, order(shop)), payment_of(shop, order(shop))
    _vouch(shop, first)
    with pytest.raises(VoucherRefused):
        _vouch(shop, second)


def test_twenty_words_at_once_confirm_once(
    shop: Shop, gateway: Gateway, run_parallel: Parallel
) -> None:
    payment = payment_of(shop, order(shop))

    outcomes = run_parallel(20, lambda _i: _vouch(shop, payment))

    assert [each for each in outcomes if each == Vouched.BY_STAFF] == [Vouched.BY_STAFF]
    refused = (VoucherRefused, PaymentClosed)
    assert all(each == Vouched.BY_STAFF or isinstance(each, refused) for each in outcomes), outcomes
    assert count("select count(*) from ledger_transfer where code = 20") == 1
