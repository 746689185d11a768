"""A disputed margin is not paid out: held while it is open, free when won, gone when lost."""

from dataclasses import replace

import pytest

from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind
from kameng.orders.services.placing import PlacedOrder
from kameng.payments.models import Gateway
from kameng.payments.providers.port import DisputeNotice, DisputeStatus
from kameng.payments.services.disputing import accept_dispute
from kameng.pricing.money import Amount
from kameng.settlement import errors
from kameng.settlement.models import Approval, Split
from kameng.settlement.rules import SplitState, State
from kameng.settlement.services.reserving import reserve_due_splits
from kameng.tenancy.models import SettlementWay
from tests.concurrency.shop import count, payment_of, refund
from tests.settlement.fakes import Bank
from tests.settlement.world import BEN, Desk

OPENED, WON, LOST = DisputeStatus.OPENED, DisputeStatus.WON, DisputeStatus.LOST
MARGIN = 44_400
PRICE = 100_000
TAKEN = "select coalesce(sum(amount), 0) from ledger_transfer where code = 93"


def dispute(
    desk: Desk,
    placed: PlacedOrder,
    status: DisputeStatus = OPENED,
    *,
    amount: int = PRICE,
    number: str = "D1",
) -> None:
    """Let the gateway tell of a dispute of an order's payment."""
    payment = payment_of(desk.shop, placed)
    notice = DisputeNotice(
        dispute_no=number,
        payment_no=payment.payment_no,
        external_no="",
        status=status,
        amount=Amount(amount),
        reason="没有收到货",
        answer_by=None,
        raw_digest="",
    )
    with platform_scope("a test is told of a dispute"):
        gateway = Gateway.unscoped.get(id=payment.gateway_id)
    assert accept_dispute(notice, gateway=gateway)


@pytest.fixture
def sold(desk: Desk) -> list[PlacedOrder]:
    """Two settled sales."""
    desk.set_terms()
    return [desk.sell(), desk.sell()]


def test_an_open_dispute_holds_its_margin(desk: Desk, sold: list[PlacedOrder]) -> None:
    account = desk.add_account()
    dispute(desk, sold[0])

    claim = desk.claim()
    assert (claim.balance_amount, claim.held_amount) == (2 * MARGIN, MARGIN)
    assert (claim.disputed_amount, claim.available_amount) == (MARGIN, MARGIN)
    with pytest.raises(errors.ClaimShort):
        desk.ask(MARGIN + 100, account)
    assert desk.ask(MARGIN, account).risk_codes[-1] == "open_dispute"


def test_a_dispute_before_the_hold_time_is_over_is_held_once(desk: Desk) -> None:
    desk.set_terms(hold_hours=24)
    placed = desk.sell(hours_ago=1)
    desk.sell(hours_ago=30)
    dispute(desk, placed)

    claim = desk.claim()
    assert (claim.held_amount, claim.disputed_amount) == (MARGIN, MARGIN)
    assert claim.available_amount == MARGIN


def test_a_won_dispute_frees_it(desk: Desk, sold: list[PlacedOrder]) -> None:
    asked = desk.ask(1_000, desk.add_account())
    dispute(desk, sold[0])
    assert desk.fresh(asked).risk_codes[-1] == "open_dispute"
    dispute(desk, sold[0], WON)

    claim = desk.claim()
    assert (claim.held_amount, claim.disputed_amount) == (0, 0)
    assert claim.available_amount == 2 * MARGIN - 1_000
    assert "open_dispute" not in desk.fresh(asked).risk_codes
    assert count(TAKEN) == 0


def test_a_lost_dispute_takes_it_back_once(desk: Desk, sold: list[PlacedOrder]) -> None:
    dispute(desk, sold[0])
    for _ in range(2):
        dispute(desk, sold[0], LOST)

    claim = desk.claim()
    assert (claim.balance_amount, claim.held_amount) == (MARGIN, 0)
    assert count(TAKEN) == MARGIN
    # The platform bears the rest: what it lost is the payment less the operator's part.
    assert desk.amount(AccountKind.LOSSES, desk.site.id) == MARGIN - PRICE


def test_a_verdict_that_comes_first_takes_it_too(desk: Desk, sold: list[PlacedOrder]) -> None:
    dispute(desk, sold[0], LOST)
    assert desk.margin() == MARGIN


def test_a_part_that_is_lost_takes_its_part(desk: Desk, sold: list[PlacedOrder]) -> None:
    dispute(desk, sold[0], amount=33_333)
    assert desk.claim().disputed_amount == MARGIN  # all of it, until it is known
    dispute(desk, sold[0], LOST, amount=33_333)
    assert count(TAKEN) == MARGIN * 33_333 // PRICE
    dispute(desk, sold[0], amount=66_667, number="D2")
    dispute(desk, sold[0], LOST, amount=66_667, number="D2")

    assert count(TAKEN) == MARGIN
    assert desk.margin() == MARGIN


def test_what_a_refund_took_is_not_taken_again(
    desk: Desk, sold: list[PlacedOrder], bank: Bank
) -> None:
    refund(desk.shop, sold[0], key="part", amount=60_000)
    left = desk.margin() - MARGIN
    dispute(desk, sold[0])
    dispute(desk, sold[0], LOST)

    assert desk.margin() == MARGIN
    assert count(TAKEN) == left


def test_a_claim_that_was_paid_out_falls_below_zero(desk: Desk, sold: list[PlacedOrder]) -> None:
    account = desk.add_account()
    desk.ask(2 * MARGIN, account)
    dispute(desk, sold[0])
    dispute(desk, sold[0], LOST)

    claim = desk.claim()
    assert (claim.balance_amount, claim.owed_amount, claim.available_amount) == (-MARGIN, MARGIN, 0)
    with pytest.raises(errors.ClaimShort):
        desk.ask(100, account)


def test_a_review_is_told_and_must_be_read_again(desk: Desk, sold: list[PlacedOrder]) -> None:
    """What the person ticked was another page: the dispute was not on it."""
    asked = desk.ask(2 * MARGIN, desk.add_account())
    read = asked.risk_codes
    dispute(desk, sold[0])

    assert desk.fresh(asked).risk_codes == [*read, "open_dispute", "claim_short"]
    with pytest.raises(errors.RiskUnread):
        desk.approve(asked, read=read)
    assert desk.approve(asked).state == State.APPROVED


def test_an_approved_one_goes_back_to_review_when_the_claim_is_short(
    desk: Desk, sold: list[PlacedOrder]
) -> None:
    desk.set_terms(second_amount=MARGIN)
    asked = desk.ask(2 * MARGIN, desk.add_account())
    desk.approve(asked)
    desk.approve(asked, BEN)
    dispute(desk, sold[0])

    again = desk.fresh(asked)
    assert (again.state, again.decided_at) == (State.REQUESTED, None)
    assert {"open_dispute", "claim_short"} <= set(again.risk_codes)
    with platform_scope("a test looks"):
        assert not Approval.unscoped.exists()
    desk.approve(asked)
    assert desk.fresh(asked).state == State.REQUESTED
    desk.approve(asked, BEN)
    assert desk.fresh(asked).state == State.APPROVED


def test_an_approved_one_that_the_claim_covers_goes_on(desk: Desk, sold: list[PlacedOrder]) -> None:
    asked = desk.approve(desk.ask(MARGIN, desk.add_account()))
    dispute(desk, sold[0])
    assert desk.fresh(asked).state == State.APPROVED


def test_a_dispute_of_the_main_sites_own_sale_holds_nothing_here(
    desk: Desk, sold: list[PlacedOrder]
) -> None:
    main = Desk(shop=replace(desk.shop, site=desk.main), main=desk.main)
    dispute(main, main.sell())

    assert desk.claim().available_amount == 2 * MARGIN
    assert count(TAKEN) == 0


def test_a_disputed_order_is_not_split_and_counted_once(desk: Desk, bank: Bank) -> None:
    desk.set_terms()
    desk.settle_by(SettlementWay.SPLIT)
    desk.add_receiver()
    placed = desk.sell(is_held=True)
    desk.plan(placed)
    dispute(desk, placed)
    desk.make_due(Split)
    reserve_due_splits()

    split = desk.split_of(placed)
    assert (split.state, split.reason) == (SplitState.WAITING, "dispute_open")
    claim = desk.claim()
    assert (claim.held_amount, claim.to_split_amount) == (MARGIN, 0)
    dispute(desk, placed, LOST)
    desk.make_due(Split)
    reserve_due_splits()
    assert (desk.split_of(placed).state, desk.margin()) == (SplitState.FINISHING, 0)
    assert bank.moved == {}


def test_an_order_in_refund_that_waits_to_be_split_is_held_once(desk: Desk, bank: Bank) -> None:
    desk.set_terms()
    desk.settle_by(SettlementWay.SPLIT)
    placed = desk.sell(is_held=True)
    other = desk.sell()
    desk.plan(placed)
    refund(desk.shop, placed, key="part", amount=50_000)

    claim = desk.claim()
    assert (claim.balance_amount, claim.held_amount) == (MARGIN * 3 // 2, MARGIN // 2)
    assert claim.available_amount == MARGIN
    assert other.order_id != placed.order_id
