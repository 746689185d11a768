"""The share of a payment, from its plan to its end, and back again for a refund."""

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kameng.core import clock
from kameng.core.events import consume
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind
from kameng.orders.models import OrderRefund
from kameng.payments.models import GatewayRefund, Payment, RefundState
from kameng.payments.services.paying import Payer, instruct_buyer
from kameng.settlement import errors
from kameng.settlement.models import ReceiverState, ReturnState, Split, SplitReceiver, SplitReturn
from kameng.settlement.rules import SplitState
from kameng.settlement.services.planning import free_forgotten_payments
from kameng.settlement.services.reserving import (
    free_overdue_splits,
    give_up_split,
    reserve_due_splits,
    retry_split,
)
from kameng.settlement.services.returning import ask_due_returns
from kameng.settlement.services.splitting import ask_due_splits, free_due_payments
from kameng.tenancy.models import SettlementWay
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import count, fund_wallet, make_buyers, order, payment_of, refund
from tests.settlement.fakes import Bank
from tests.settlement.world import ADA, LIN, Desk

SHARE = 30_000  # 30 % of a payment of 10 yuan; the margin is 4.44
FULL_MARGIN = 44_400


@pytest.fixture
def split_desk(desk: Desk) -> Desk:
    """A site that is settled by splits, with a receiver known to the gateway."""
    desk.set_terms()
    desk.settle_by(SettlementWay.SPLIT)
    desk.add_receiver()
    return desk


def run(desk: Desk) -> None:
    """Let the worker do everything that is due, once."""
    for model in (Split, SplitReturn):
        desk.make_due(model)
    ask_due_returns()
    reserve_due_splits()
    ask_due_splits()
    free_due_payments()


def held(desk: Desk, gateway_kind: AccountKind) -> int:
    return desk.amount(gateway_kind, desk.shop.choice.gateway_id)


def test_a_settled_payment_is_split_and_the_claim_goes_down(split_desk: Desk, bank: Bank) -> None:
    desk = split_desk
    placed = desk.sell(is_held=True)
    lying = held(desk, AccountKind.GATEWAY_CLEARING)
    assert desk.plan(placed) == 1

    run(desk)

    split = desk.split_of(placed)
    assert (split.state, split.amount, split.reason) == (SplitState.DONE, SHARE, "above_maximum")
    assert bank.moved == {split.split_no: SHARE}
    assert desk.margin() == FULL_MARGIN - SHARE
    assert held(desk, AccountKind.GATEWAY_CLEARING) == lying + SHARE
    assert held(desk, AccountKind.SPLIT_CLEARING) == 0
    assert not payment_of(desk.shop, placed).will_split
    assert desk.claim().available_amount == FULL_MARGIN - SHARE  # the rest stays a claim


def test_the_reader_of_events_plans_what_was_delivered(split_desk: Desk) -> None:
    from kameng.config.wiring import AFTER_COMMIT

    consumer = next(each for each in AFTER_COMMIT if each.name == "settlement.plan_shares")
    placed = split_desk.sell(is_held=True)
    kinds = [event.KIND for event in consumer.events]
    while consume(consumer.name, kinds, consumer.handler):
        continue

    assert split_desk.split_of(placed).state == SplitState.WAITING
    assert split_desk.plan(placed) == 1  # told again: no second row
    with platform_scope("a test looks"):
        assert Split.unscoped.count() == 1


def test_what_cannot_be_split_stays_a_claim_and_says_why(split_desk: Desk, bank: Bank) -> None:
    desk = split_desk
    plain = desk.sell()  # opened before the site was settled this way
    (buyer,) = make_buyers(desk.site, 1, amount=200_000)
    by_wallet = order(desk.shop, customer=buyer, by_wallet=True)
    desk.plan(plain, by_wallet)
    run(desk)

    said = [(desk.split_of(each).state, desk.split_of(each).reason) for each in (plain, by_wallet)]
    assert said == [(SplitState.STAYS, "not_flagged"), (SplitState.STAYS, "wallet_paid")]
    assert bank.moved == {}
    fund_wallet(buyer, 1)


def test_a_site_settled_otherwise_is_left_alone(desk: Desk) -> None:
    desk.set_terms()
    placed = desk.sell(is_held=True)

    assert desk.plan(placed) == 0


def test_nothing_is_split_before_its_hold_time(split_desk: Desk, bank: Bank) -> None:
    desk = split_desk
    desk.set_terms(hold_hours=48)
    placed = desk.sell(is_held=True, hours_ago=24)
    desk.plan(placed)
    run(desk)

    split = desk.split_of(placed)
    assert split.state == SplitState.WAITING
    assert split.next_attempt_at is not None
    assert split.next_attempt_at > clock.now() + dt.timedelta(hours=23)
    assert bank.moved == {}
    with clock.standing_at(clock.now() + dt.timedelta(hours=25)):
        run(desk)
    run(desk)
    assert desk.split_of(placed).state == SplitState.DONE


@pytest.mark.parametrize("why", ["no_receiver", "receiver_cooling"])
def test_without_a_usable_receiver_the_share_waits_and_is_freed_in_the_end(
    desk: Desk, bank: Bank, why: str
) -> None:
    desk.set_terms(cooling_hours=720)
    desk.settle_by(SettlementWay.SPLIT)
    if why == "receiver_cooling":
        desk.add_receiver()
    placed = desk.sell(is_held=True)
    desk.plan(placed)
    run(desk)
    assert (desk.split_of(placed).state, desk.split_of(placed).reason) == (SplitState.WAITING, why)

    with clock.standing_at(clock.now() + dt.timedelta(days=26)):
        run(desk)
    run(desk)

    split = desk.split_of(placed)
    assert (split.state, split.reason) == (SplitState.FINISHED, why)
    assert bank.finished == [payment_of(desk.shop, placed).payment_no]
    assert desk.margin() == FULL_MARGIN
    assert not payment_of(desk.shop, placed).will_split


def test_an_unknown_answer_is_asked_about_and_never_issued_anew(
    split_desk: Desk, bank: Bank
) -> None:
    desk = split_desk
    placed = desk.sell(is_held=True)
    desk.plan(placed)
    bank.trouble = ["late"]
    run(desk)
    split = desk.split_of(placed)
    assert split.state == SplitState.ASKED
    assert held(desk, AccountKind.SPLIT_CLEARING) == SHARE

    run(desk)

    assert desk.split_of(placed).state == SplitState.DONE
    assert bank.asked == {split.split_no: 1, f"?{split.split_no}": 1}


def test_a_refusal_gives_the_claim_back_and_can_be_tried_again(
    split_desk: Desk, bank: Bank
) -> None:
    desk = split_desk
    placed = desk.sell(is_held=True)
    desk.plan(placed)
    bank.trouble = ["refuse"]
    run(desk)
    refused = desk.split_of(placed)
    assert (refused.state, refused.last_error) == (SplitState.REFUSED, "not enough")
    assert desk.margin() == FULL_MARGIN

    with site_scope(desk.main.id):
        retry_split(split_id=refused.id, actor=ADA)
        with pytest.raises(errors.SplitNotAllowedNow):
            retry_split(split_id=refused.id, actor=ADA)
    run(desk)

    done = desk.split_of(placed)
    assert (done.state, done.split_no == refused.split_no) == (SplitState.DONE, False)
    assert desk.margin() == FULL_MARGIN - SHARE


def test_a_refused_share_is_freed_by_hand_or_when_its_time_is_over(
    split_desk: Desk, bank: Bank
) -> None:
    desk = split_desk
    one, other = desk.sell(is_held=True), desk.sell(is_held=True)
    desk.plan(one, other)
    bank.trouble = ["refuse", "refuse"]
    run(desk)
    with site_scope(desk.main.id):
        give_up_split(split_id=desk.split_of(one).id, actor=ADA)
    with clock.standing_at(clock.now() + dt.timedelta(days=26)):
        assert free_overdue_splits() == 1
        run(desk)

    assert {desk.split_of(each).state for each in (one, other)} == {SplitState.FINISHED}
    assert len(bank.finished) == 2
    assert desk.margin() == 2 * FULL_MARGIN


def test_a_short_claim_is_never_overdrawn_by_a_share(split_desk: Desk, bank: Bank) -> None:
    """The site took its money out by withdrawals while it was settled that way."""
    desk = split_desk
    desk.settle_by(SettlementWay.CLAIM)
    placed = desk.sell(is_held=True)
    desk.ask(FULL_MARGIN, desk.add_account())
    desk.settle_by(SettlementWay.SPLIT)
    desk.plan(placed)
    run(desk)

    split = desk.split_of(placed)
    assert (split.state, split.reason) == (SplitState.WAITING, "claim_short")
    assert bank.moved == {}
    assert desk.margin() == 0


def test_what_waits_to_be_split_cannot_be_withdrawn(split_desk: Desk) -> None:
    desk = split_desk
    desk.plan(desk.sell(is_held=True))
    account = desk.add_account()

    assert desk.claim().to_split_amount == FULL_MARGIN
    with pytest.raises(errors.ClaimShort):
        desk.ask(100, account)


def test_a_refund_before_the_split_makes_it_smaller(split_desk: Desk, bank: Bank) -> None:
    desk = split_desk
    placed = desk.sell(is_held=True)
    desk.plan(placed)
    refund(desk.shop, placed, key="part", amount=80_000)
    run(desk)
    assert desk.split_of(placed).reason == "refund_open"
    finish_refunds(desk)

    run(desk)

    split = desk.split_of(placed)
    left = desk.margin() + split.amount
    assert (split.state, split.amount) == (SplitState.DONE, left // 100 * 100)
    assert desk.returns() == []


def finish_refunds(desk: Desk) -> None:
    """Let the gateway say that it gave everything back."""
    from kameng.payments.services.refunding import finish_refund

    with site_scope(desk.site.id):
        for row in GatewayRefund.objects.filter(state=RefundState.WAITING):
            finish_refund(refund=row, gateway_id=desk.shop.choice.gateway_id)


def test_a_whole_refund_before_the_split_frees_the_payment(split_desk: Desk, bank: Bank) -> None:
    desk = split_desk
    placed = desk.sell(is_held=True)
    desk.plan(placed)
    refund(desk.shop, placed, key="all")
    run(desk)

    assert desk.split_of(placed).state == SplitState.FINISHED
    assert bank.finished == [payment_of(desk.shop, placed).payment_no]


def gateway_refund(desk: Desk) -> GatewayRefund:
    with site_scope(desk.site.id):
        found: GatewayRefund = GatewayRefund.objects.get()
    return found


def test_after_a_split_the_share_comes_back_before_the_refund_goes_out(
    split_desk: Desk, bank: Bank
) -> None:
    desk = split_desk
    placed = desk.sell(is_held=True)
    desk.plan(placed)
    run(desk)
    refund(desk.shop, placed, key="all")

    (back,) = desk.returns()
    assert (back.amount, back.state) == (SHARE, ReturnState.WAITING)
    waits = gateway_refund(desk).next_attempt_at
    assert waits is not None
    assert waits > clock.now() + dt.timedelta(minutes=14)
    assert desk.margin() == -SHARE

    run(desk)

    assert desk.returns()[0].state == ReturnState.DONE
    goes = gateway_refund(desk).next_attempt_at
    assert goes is not None
    assert goes <= clock.now()
    assert desk.margin() == 0
    assert desk.split_of(placed).returned_amount == SHARE


def test_a_partial_refund_takes_back_only_what_the_margin_no_longer_covers(
    split_desk: Desk, bank: Bank
) -> None:
    desk = split_desk
    placed = desk.sell(is_held=True)
    desk.plan(placed)
    run(desk)
    refund(desk.shop, placed, key="little", amount=10_000)
    assert desk.returns() == []  # the margin that stayed covers it
    refund(desk.shop, placed, key="more", amount=40_000)

    (back,) = desk.returns()
    run(desk)
    split = desk.split_of(placed)
    assert 0 < back.amount < SHARE
    assert 0 <= desk.margin() < 100
    assert split.returned_amount == back.amount


def test_a_receiver_without_money_does_not_keep_the_buyer_waiting(
    split_desk: Desk, bank: Bank
) -> None:
    desk = split_desk
    placed = desk.sell(is_held=True)
    desk.plan(placed)
    run(desk)
    refund(desk.shop, placed, key="all")
    bank.trouble = ["refuse"]
    run(desk)

    (back,) = desk.returns()
    assert (back.state, back.last_error) == (ReturnState.REFUSED, "not enough")
    goes = gateway_refund(desk).next_attempt_at
    assert goes is not None
    assert goes <= clock.now()
    assert desk.claim().owed_amount == SHARE


@pytest.mark.parametrize("ends", ["done", "refused"])
def test_a_refund_while_a_share_is_asked_for_waits_for_the_answer(
    split_desk: Desk, bank: Bank, ends: str
) -> None:
    desk = split_desk
    placed = desk.sell(is_held=True)
    desk.plan(placed)
    bank.trouble = ["late" if ends == "done" else "lost"]
    run(desk)
    assert desk.split_of(placed).state == SplitState.ASKED
    refund(desk.shop, placed, key="all")
    bank.trouble = [] if ends == "done" else ["refuse"]
    run(desk)  # the return is put off, the share is answered
    assert desk.returns()[0].state == ReturnState.WAITING
    run(desk)

    state = ReturnState.DONE if ends == "done" else ReturnState.NOT_NEEDED
    assert desk.returns()[0].state == state
    assert desk.margin() == 0
    assert held(desk, AccountKind.SPLIT_CLEARING) == 0


def test_a_refund_asked_twice_takes_the_share_back_once(split_desk: Desk, bank: Bank) -> None:
    desk = split_desk
    placed = desk.sell(is_held=True)
    desk.plan(placed)
    run(desk)
    for _ in range(2):
        refund(desk.shop, placed, key="all")
    run(desk)
    run(desk)

    assert len(desk.returns()) == 1
    assert count("select count(*) from ledger_transfer where code = 83") == 1
    with platform_scope("a test looks"):
        assert OrderRefund.unscoped.count() == 1


def test_a_payment_is_flagged_before_its_gateway_is_asked(split_desk: Desk, bank: Bank) -> None:
    desk = split_desk
    payment = payment_of(desk.shop, order(desk.shop))
    payer = Payer(
        client_ip="192.0.2.1",
        device="mobile",
        notify_url="https://a.example.com/notify/",
        return_url="https://a.example.com/",
    )
    with site_scope(desk.site.id):
        instruct_buyer(payment=payment, subject="x", payer=payer)

    assert bank.flagged == [payment.payment_no]
    assert payment_of_id(desk, payment.id).will_split


def payment_of_id(desk: Desk, payment_id: int) -> Payment:
    with site_scope(desk.site.id):
        found: Payment = Payment.objects.get(id=payment_id)
    return found


def test_a_flagged_payment_that_nobody_splits_is_freed(split_desk: Desk, bank: Bank) -> None:
    """Its order was never delivered, or it paid for nothing: no event told of it."""
    desk = split_desk
    placed = desk.sell(is_held=True)
    assert free_forgotten_payments() == 0
    with clock.standing_at(clock.now() + dt.timedelta(days=26)):
        assert free_forgotten_payments() == 1
        run(desk)
        assert free_forgotten_payments() == 0

    assert bank.finished == [payment_of(desk.shop, placed).payment_no]


def test_a_receiver_is_proved_kept_encrypted_and_replaced(desk: Desk, bank: Bank) -> None:
    desk.set_terms(cooling_hours=24)
    first = desk.add_receiver()
    second = desk.add_receiver("1900000110")

    assert bank.receivers == {("merchant", "1900000109"), ("merchant", "1900000110")}
    assert desk.fresh(first).state == ReceiverState.REMOVED
    assert second.state == ReceiverState.ACTIVE
    assert second.hint == "190****0110"
    assert b"1900000110" not in bytes(second.account_cipher)
    assert second.usable_at > clock.now() + dt.timedelta(hours=23)


def test_a_receiver_that_the_gateway_refuses_is_not_used(desk: Desk, bank: Bank) -> None:
    desk.set_terms()
    bank.trouble = ["turned"]

    with pytest.raises(errors.ReceiverRefused) as refused:
        desk.add_receiver()

    assert "姓名不符" in refused.value.text()
    with platform_scope("a test looks"):
        assert SplitReceiver.unscoped.get().state == ReceiverState.REFUSED


def test_a_receiver_without_an_answer_waits_to_be_proved(desk: Desk, bank: Bank) -> None:
    from kameng.settlement.services.receivers import prove_receiver

    desk.set_terms()
    bank.trouble = ["lost"]
    with pytest.raises(errors.ReceiverUncertain):
        desk.add_receiver()
    with platform_scope("a test looks"):
        row = SplitReceiver.unscoped.get()
    assert row.state == ReceiverState.ENTERED

    with site_scope(desk.site.id):
        assert prove_receiver(receiver_id=row.id, actor=LIN).state == ReceiverState.ACTIVE


def test_a_batch_of_shares_is_reserved_in_a_handful_of_statements(
    split_desk: Desk, bank: Bank
) -> None:
    desk = split_desk
    counts = []
    for wave in (1, 2, 12):  # the first makes the payee
        placed = [desk.sell(is_held=True) for _ in range(wave)]
        desk.plan(*placed)
        desk.make_due(Split)
        with CaptureQueriesContext(connection) as seen:
            assert reserve_due_splits() == wave
        counts.append(len(seen))
        ask_due_splits()

    assert counts[1] == counts[2]
