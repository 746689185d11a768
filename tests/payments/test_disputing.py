"""Disputes: held, won and lost in the books once each; nothing is given back twice."""

from collections.abc import Callable
from typing import Any

import pytest

from kameng.accounts.models import Approval
from kameng.accounts.selectors import list_waiting_approvals
from kameng.accounts.services.approving import approve_wish
from kameng.ledger.accounts import AccountKind
from kameng.orders.models import Order
from kameng.orders.services.delivering import collect_goods
from kameng.payments.errors import DisputeKnown, DisputeOver, PaymentDisputed, RefundTooMuch
from kameng.payments.models import Dispute, DisputeState, Gateway, Payment
from kameng.payments.providers.port import DisputeNotice, DisputeStatus
from kameng.payments.services import disputing
from kameng.payments.services.disputing import (
    Complaint,
    accept_dispute,
    answer_dispute,
    close_dispute,
    file_dispute,
)
from kameng.pricing.money import Amount
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import Meeting
from tests.concurrency.shop import (
    STAFF,
    Shop,
    count,
    make_buyers,
    notify,
    of_kind,
    order,
    payment_of,
    refund,
)
from tests.payments.filling import BO, RefundDesk, ask_gateways, balance, set_rules

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
LOST = "select coalesce(sum(amount), 0) from ledger_transfer where code = 92"
CODE_COUNT = "select count(*) from ledger_transfer where code = %s"


@pytest.fixture
def paid(any_db: None, shop: Shop, desk: RefundDesk) -> Payment:
    """A payment that paid a delivered order of a customer."""
    (mei,) = make_buyers(shop.site, 1, amount=0)
    payment = payment_of(shop, order(shop, customer=mei))
    assert notify(shop, payment).accepted
    return payment


def tell(
    shop: Shop,
    payment: Payment,
    status: DisputeStatus,
    *,
    amount: int | None = None,
    number: str = "D1",
    payment_no: str | None = None,
) -> bool:
    notice = DisputeNotice(
        dispute_no=number,
        payment_no=payment.payment_no if payment_no is None else payment_no,
        external_no="",
        status=status,
        amount=Amount(payment.amount if amount is None else amount),
        reason="没有收到货",
        answer_by=None,
        raw_digest="00" * 32,
    )
    with site_scope(shop.site.id):
        gateway = Gateway.objects.get(id=payment.gateway_id)
    return accept_dispute(notice, gateway=gateway)


def the_dispute(shop: Shop) -> Dispute:
    with site_scope(shop.site.id):
        found: Dispute = Dispute.objects.get()
    return found


def order_of(shop: Shop, payment: Payment) -> Order:
    with site_scope(shop.site.id):
        found: Order = Order.objects.get(id=payment.subject_id)
    return found


def give_back(shop: Shop, payment: Payment, *, key: str = "r", to_wallet: bool = False) -> object:
    placed = type("Placed", (), {"order_id": payment.subject_id})()
    return refund(shop, placed, key=key, to_wallet=to_wallet)


def test_held_and_won(shop: Shop, paid: Payment) -> None:
    before = balance(AccountKind.GATEWAY_CLEARING, paid.gateway_id)
    assert tell(shop, paid, DisputeStatus.OPENED)
    assert balance(AccountKind.DISPUTES, paid.gateway_id) == -paid.amount
    assert balance(AccountKind.GATEWAY_CLEARING, paid.gateway_id) == before + paid.amount

    assert tell(shop, paid, DisputeStatus.WON)

    assert the_dispute(shop).state == DisputeState.WON
    assert balance(AccountKind.DISPUTES, paid.gateway_id) == 0
    assert balance(AccountKind.GATEWAY_CLEARING, paid.gateway_id) == before
    give_back(shop, paid)  # it may be refunded again
    ask_gateways(shop)


def test_lost_counts_as_given_back(shop: Shop, paid: Payment) -> None:
    tell(shop, paid, DisputeStatus.OPENED)
    tell(shop, paid, DisputeStatus.LOST)

    assert the_dispute(shop).lost_amount == paid.amount
    assert count(LOST) == paid.amount
    for to_wallet in (False, True):
        with pytest.raises(RefundTooMuch):
            give_back(shop, paid, to_wallet=to_wallet)


def test_a_part_that_was_lost_leaves_the_rest(shop: Shop, paid: Payment) -> None:
    tell(shop, paid, DisputeStatus.OPENED)
    tell(shop, paid, DisputeStatus.LOST, amount=paid.amount - 10_000)

    assert count(LOST) == paid.amount - 10_000
    assert balance(AccountKind.DISPUTES, paid.gateway_id) == 0


def test_while_it_is_open_nothing_goes_back(shop: Shop, paid: Payment) -> None:
    tell(shop, paid, DisputeStatus.OPENED)

    for to_wallet in (False, True):
        with pytest.raises(PaymentDisputed):
            give_back(shop, paid, to_wallet=to_wallet)
    assert count(CODE_COUNT, 40) == 0


def test_what_went_back_before_is_not_held_again(shop: Shop, paid: Payment) -> None:
    give_back(shop, paid)
    tell(shop, paid, DisputeStatus.OPENED)

    found = the_dispute(shop)
    assert (found.amount, found.held_amount) == (paid.amount, 0)
    ask_gateways(shop)


@pytest.mark.parametrize("status", [DisputeStatus.WON, DisputeStatus.LOST])
def test_a_verdict_before_the_opening_and_everything_twice(
    shop: Shop, paid: Payment, status: DisputeStatus
) -> None:
    for each in (status, status, DisputeStatus.OPENED, DisputeStatus.OPENED, DisputeStatus.WON):
        assert tell(shop, paid, each)

    assert count(CODE_COUNT, 90) == 1
    assert count("select count(*) from ledger_transfer where code in (91, 92)") == 1
    assert the_dispute(shop).state == DisputeState[status.name]


def test_of_an_unknown_payment_nothing_is_written(shop: Shop, paid: Payment) -> None:
    assert not tell(shop, paid, DisputeStatus.OPENED, payment_no="4711")
    open_one = payment_of(shop, order(shop))
    assert not tell(shop, open_one, DisputeStatus.OPENED)
    assert count("select count(*) from payments_dispute") == 0


def test_a_number_means_one_payment(shop: Shop, paid: Payment) -> None:
    other = payment_of(shop, order(shop))
    assert notify(shop, other).accepted
    assert tell(shop, paid, DisputeStatus.OPENED)
    assert not tell(shop, other, DisputeStatus.LOST)
    assert the_dispute(shop).state == DisputeState.OPEN


def test_goods_that_nobody_saw_stay_hidden_while_it_is_open(shop: Shop, paid: Payment) -> None:
    tell(shop, paid, DisputeStatus.OPENED)
    with site_scope(shop.site.id):
        found = order_of(shop, paid)
        assert collect_goods(found, by_buyer=True) == []
        found.refresh_from_db()
        assert found.revealed_at is None
        assert collect_goods(found, by_buyer=False)  # staff look, on record
        tell(shop, paid, DisputeStatus.WON)
        assert collect_goods(found, by_buyer=True)


def test_goods_that_were_seen_may_be_seen_again(shop: Shop, paid: Payment) -> None:
    with site_scope(shop.site.id):
        collect_goods(order_of(shop, paid), by_buyer=True)
        tell(shop, paid, DisputeStatus.OPENED)
        assert collect_goods(order_of(shop, paid), by_buyer=True)


def complain(shop: Shop, payment: Payment, **changes: Any) -> Dispute:
    values = {
        "dispute_no": "2026112700001",
        "amount": payment.amount,
        "held_amount": 0,
        "reason": "平台邮件：买家投诉",
        "answer_by": None,
    }
    with site_scope(shop.site.id):
        return file_dispute(
            payment_id=payment.id, complaint=Complaint(**{**values, **changes}), actor=STAFF
        )


def test_staff_write_down_what_came_by_mail_once(shop: Shop, paid: Payment) -> None:
    filed = complain(shop, paid)
    with pytest.raises(DisputeKnown):
        complain(shop, paid)
    with pytest.raises(RefundTooMuch):
        complain(shop, paid, dispute_no="2", amount=paid.amount + 1)
    with site_scope(shop.site.id):
        answer_dispute(dispute_id=filed.id, evidence="买家 11:02 看过卡密", actor=STAFF)
        with pytest.raises(PaymentDisputed):
            give_back(shop, paid)
        closed = close_dispute(dispute_id=filed.id, is_lost=False, reason="平台驳回", actor=STAFF)
        assert isinstance(closed, Dispute)
        assert (closed.state, closed.evidence) == (DisputeState.WON, "买家 11:02 看过卡密")
        with pytest.raises(DisputeOver):
            close_dispute(dispute_id=filed.id, is_lost=True, reason="", actor=STAFF)
    assert count("select count(*) from ledger_transfer where code in (90, 91, 92)") == 0


def test_a_write_off_above_the_threshold_needs_two(shop: Shop, paid: Payment) -> None:
    filed = complain(shop, paid, held_amount=paid.amount)
    set_rules(shop, two_person_amount=paid.amount - 1)
    with site_scope(shop.site.id):
        asked = close_dispute(dispute_id=filed.id, is_lost=True, reason="平台判赔", actor=STAFF)
        assert isinstance(asked, Approval)
        assert the_dispute(shop).state == DisputeState.OPEN
        (waiting,) = list_waiting_approvals()
        approve_wish(waiting.id, actor=BO)
    assert the_dispute(shop).state == DisputeState.LOST
    assert count(LOST) == paid.amount


def test_twenty_notices_at_once_hold_and_lose_once(
    shop: Shop, paid: Payment, run_parallel: Parallel
) -> None:
    said = (DisputeStatus.OPENED, DisputeStatus.LOST)

    outcomes = run_parallel(20, lambda i: tell(shop, paid, said[i % 2]))

    assert outcomes == [True] * 20
    assert (count(CODE_COUNT, 90), count(CODE_COUNT, 92)) == (1, 1)


def test_a_refund_and_a_dispute_at_once_never_take_more_than_came(
    shop: Shop, paid: Payment, run_parallel: Parallel
) -> None:
    outcomes = run_parallel(
        2,
        lambda i: tell(shop, paid, DisputeStatus.LOST) if i else give_back(shop, paid),
    )

    with site_scope(shop.site.id):
        paid.refresh_from_db()
    assert paid.refunded_amount + paid.disputed_amount == paid.amount
    assert len(of_kind(outcomes, RefundTooMuch)) + (paid.refunded_amount > 0) == 1
    ask_gateways(shop)


def test_control_without_the_lock_the_second_notice_falls_over_the_first(
    wrecked_db: None,
    shop: Shop,
    paid: Payment,
    run_parallel: Parallel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both find no dispute and open it: the unique number stops the second, loudly."""
    both, find = Meeting(2), disputing._find

    def find_together(gateway_id: int, dispute_no: str) -> Dispute | None:
        found = find(gateway_id, dispute_no)
        both.arrive()
        return found

    def unlocked(payment_id: int) -> Payment:
        found: Payment = Payment.objects.get(id=payment_id)
        return found

    monkeypatch.setattr(disputing, "lock_payment", unlocked)
    monkeypatch.setattr(disputing, "_find", find_together)

    outcomes = run_parallel(2, lambda _i: tell(shop, paid, DisputeStatus.OPENED))

    assert len([each for each in outcomes if isinstance(each, Exception)]) == 1
