"""Splits and withdrawals through the real protocols, against the simulator over loopback."""

from collections.abc import Iterator

import pytest
from django.conf import settings

from kameng.ledger.accounts import AccountKind
from kameng.payments.models import RefundState
from kameng.payments.services.gateways import switch_gateway
from kameng.payments.services.gateways import test_gateway as prove_gateway
from kameng.settlement import errors
from kameng.settlement.models import AccountKind as PayoutKind
from kameng.settlement.models import (
    PayoutAccount,
    ReceiverState,
    ReturnState,
    Withdrawal,
)
from kameng.settlement.rules import SplitState, State
from kameng.settlement.services.paying_out import send_due_payouts, start_payout
from kameng.settlement.services.receivers import prove_receiver
from kameng.settlement.services.reserving import give_up_split
from kameng.tenancy.models import SettlementWay, Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import STAFF, Shop, payment_of, refund
from tests.factories import make_card_keys, make_product, make_variant
from tests.payments.conftest import connect
from tests.providers.world import World, open_world
from tests.settlement.live import LiveDesk
from tests.settlement.test_bouncing import recheck
from tests.settlement.world import ADA, LIN

SHARE = 30_000  # 30 % of a payment of 10 yuan; the margin is 4.44
FULL_MARGIN = 44_400
LOSSES = ("reset_after", "error_after")  # it was done, and nobody heard so


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The simulator, in fast motion."""
    with open_world(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture(autouse=True)
def _allow_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "ALLOW_LOOPBACK_GATEWAYS", True)


def open_desk(receiver: str, world: World, main: Site, site: Site) -> LiveDesk:
    account = receiver.partition(" ")[0]
    choice = connect(main, account.partition("_")[0], world.credentials(account))
    with site_scope(main.id):
        prove_gateway(gateway_id=choice.gateway_id, actor=STAFF)
        switch_gateway(gateway_id=choice.gateway_id, is_enabled=True, actor=STAFF)
    variant = make_variant(make_product(main, title="测试点卡"), cost_amount=50_000)
    make_card_keys(variant, 20)
    shop = Shop(site=site, variant=variant, choice=choice)
    desk = LiveDesk(shop=shop, main=main, world=world, account=account, receiver=receiver)
    desk.set_terms()
    return desk


@pytest.fixture(params=["wechat", "alipay", "alipay by login", "alipay_cert"])
def split_desk(
    request: pytest.FixtureRequest, any_db: None, world: World, main_site: Site, site_a: Site
) -> LiveDesk:
    """A site that is settled by splits at each gateway that can split."""
    desk = open_desk(request.param, world, main_site, site_a)
    desk.settle_by(SettlementWay.SPLIT)
    return desk


@pytest.fixture(params=["wechat", "alipay_cert"])
def pay_desk(
    request: pytest.FixtureRequest, any_db: None, world: World, main_site: Site, site_a: Site
) -> LiveDesk:
    """A site that withdraws at each gateway that can pay out."""
    return open_desk(request.param, world, main_site, site_a)


def between(desk: LiveDesk) -> int:
    return desk.amount(AccountKind.SPLIT_CLEARING, desk.shop.choice.gateway_id)


# --- shares ------------------------------------------------------------------------------------


def test_a_share_goes_the_whole_way(split_desk: LiveDesk) -> None:
    desk = split_desk
    assert desk.add_receiver().state == ReceiverState.ACTIVE
    placed = desk.sell()
    assert payment_of(desk.shop, placed).will_split

    desk.plan(placed)
    desk.work_until_done()

    split = desk.split_of(placed)
    assert (split.state, split.amount, split.last_error) == (SplitState.DONE, SHARE, "")
    assert split.external_no
    assert desk.moved(placed) == [("split", SHARE // 100)]
    assert (desk.margin(), between(desk)) == (FULL_MARGIN - SHARE, 0)
    assert not payment_of(desk.shop, placed).will_split


@pytest.mark.parametrize("fault", LOSSES)
def test_a_share_whose_answer_is_lost_is_found_and_never_asked_for_again(
    split_desk: LiveDesk, fault: str
) -> None:
    desk = split_desk
    desk.add_receiver()
    placed = desk.sell()
    desk.plan(placed)
    desk.break_call(fault)

    desk.work()
    assert desk.split_of(placed).state == SplitState.ASKED
    assert between(desk) == SHARE
    asked_no = desk.split_of(placed).split_no
    desk.work_until_done()

    split = desk.split_of(placed)
    assert (split.state, split.split_no) == (SplitState.DONE, asked_no)
    assert desk.moved(placed) == [("split", SHARE // 100)]
    assert between(desk) == 0


def test_a_call_that_never_arrived_is_made_again_under_its_number(split_desk: LiveDesk) -> None:
    desk = split_desk
    desk.add_receiver()
    placed = desk.sell()
    desk.plan(placed)
    desk.break_call("error")

    desk.work()
    assert (desk.split_of(placed).state, desk.moved(placed)) == (SplitState.ASKED, [])
    desk.work_until_done()

    assert desk.split_of(placed).state == SplitState.DONE
    assert desk.moved(placed) == [("split", SHARE // 100)]


def test_the_share_comes_back_before_the_buyers_money_goes(split_desk: LiveDesk) -> None:
    desk = split_desk
    desk.add_receiver()
    placed = desk.sell()
    desk.plan(placed)
    desk.work_until_done()

    refund(desk.shop, placed, key="all")
    desk.ask_refunds()
    assert desk.refund_row().asked_count == 0  # it waits for the share
    desk.work_until_done()

    [back] = desk.returns()
    assert (back.state, back.amount) == (ReturnState.DONE, SHARE)
    assert desk.moved(placed) == [("split", SHARE // 100), ("split_return", SHARE // 100)]
    desk.ask_refunds()
    desk.finish_refunds()
    assert desk.refund_row().state == RefundState.DONE
    assert desk.at_gateway(placed)["refunded_fen"] == 1000
    assert desk.margin() == 0


@pytest.mark.parametrize("fault", LOSSES)
def test_a_return_whose_answer_is_lost_is_found(split_desk: LiveDesk, fault: str) -> None:
    desk = split_desk
    desk.add_receiver()
    placed = desk.sell()
    desk.plan(placed)
    desk.work_until_done()
    refund(desk.shop, placed, key="all")
    desk.break_call(fault)

    desk.work()
    [back] = desk.returns()
    assert back.state == ReturnState.WAITING
    desk.work_until_done()

    [back] = desk.returns()
    assert (back.state, desk.margin()) == (ReturnState.DONE, 0)
    assert [kind for kind, _fen in desk.moved(placed)] == ["split", "split_return"]


def test_two_partial_refunds_take_two_returns(split_desk: LiveDesk) -> None:
    """Each return is its own at the gateway: the second is not taken for the first."""
    desk = split_desk
    desk.add_receiver()
    placed = desk.sell()
    desk.plan(placed)
    desk.work_until_done()

    for key, amount in (("one", 50_000), ("two", 50_000)):
        refund(desk.shop, placed, key=key, amount=amount)
        desk.work_until_done()
        desk.ask_refunds()
        desk.finish_refunds()

    assert [row.state for row in desk.returns()] == [ReturnState.DONE] * 2
    assert sum(row.amount for row in desk.returns()) == SHARE
    assert desk.at_gateway(placed)["refunded_fen"] == 1000
    assert desk.margin() == 0


def test_a_refund_before_the_share_is_handed_over_frees_the_payment(split_desk: LiveDesk) -> None:
    desk = split_desk
    desk.add_receiver()
    placed = desk.sell()
    desk.plan(placed)
    refund(desk.shop, placed, key="all")
    desk.ask_refunds()
    desk.finish_refunds()

    desk.work_until_done()

    assert desk.split_of(placed).state == SplitState.FINISHED
    assert desk.at_gateway(placed)["refunded_fen"] == 1000
    assert sum(fen for _kind, fen in desk.moved(placed)) == 0
    assert not payment_of(desk.shop, placed).will_split


def test_a_share_that_its_gateway_refuses_can_be_given_up(split_desk: LiveDesk) -> None:
    """The receiver was taken off at the gateway: the claim is whole, the payment is freed."""
    desk = split_desk
    receiver = desk.add_receiver()
    placed = desk.sell()
    desk.plan(placed)
    desk.forget_at_gateway(receiver)
    desk.work_until_done()

    refused = desk.split_of(placed)
    assert (refused.state, desk.margin(), between(desk)) == (SplitState.REFUSED, FULL_MARGIN, 0)
    assert refused.last_error
    with site_scope(desk.main.id):
        give_up_split(split_id=refused.id, actor=ADA)
    desk.work_until_done()
    assert desk.split_of(placed).state == SplitState.FINISHED
    assert not payment_of(desk.shop, placed).will_split


@pytest.mark.parametrize("fault", LOSSES)
def test_an_ending_whose_answer_is_lost_is_found(split_desk: LiveDesk, fault: str) -> None:
    desk = split_desk
    placed = desk.sell()
    desk.plan(placed)
    with site_scope(desk.main.id):
        give_up_split(split_id=desk.split_of(placed).id, actor=ADA)
    desk.break_call(fault)

    desk.work()
    desk.work_until_done()

    assert desk.split_of(placed).state == SplitState.FINISHED
    assert len(desk.at_gateway(placed)["transfers"]) == 1


def test_a_receiver_whose_name_is_wrong_is_refused_in_the_gateways_words(
    split_desk: LiveDesk,
) -> None:
    with pytest.raises(errors.ReceiverRefused) as refused:
        split_desk.add_receiver(name="姓名不符商行")

    assert "不" in refused.value.text()
    [row] = split_desk.receivers()
    assert row.state == ReceiverState.REFUSED
    assert row.reason
    assert split_desk.add_receiver().state == ReceiverState.ACTIVE


@pytest.mark.parametrize("fault", ["error", *LOSSES])
def test_a_receiver_without_an_answer_is_proved_later(split_desk: LiveDesk, fault: str) -> None:
    desk = split_desk
    desk.break_call(fault)
    with pytest.raises(errors.ReceiverUncertain):
        desk.add_receiver()
    [row] = desk.receivers()
    assert row.state == ReceiverState.ENTERED

    with site_scope(desk.site.id):
        assert prove_receiver(receiver_id=row.id, actor=LIN).state == ReceiverState.ACTIVE


def test_a_share_of_a_person_does_not_come_back_and_the_refund_goes_on(
    any_db: None, world: World, main_site: Site, site_a: Site
) -> None:
    """WeChat takes nothing back from a person: the claim carries it, the buyer does not wait."""
    desk = open_desk("wechat person", world, main_site, site_a)
    desk.settle_by(SettlementWay.SPLIT)
    desk.add_receiver()
    placed = desk.sell()
    desk.plan(placed)
    desk.work_until_done()
    assert desk.split_of(placed).state == SplitState.DONE

    refund(desk.shop, placed, key="part", amount=60_000)
    desk.work()

    [back] = desk.returns()
    assert back.state == ReturnState.REFUSED
    assert back.last_error
    desk.ask_refunds()
    desk.finish_refunds()
    assert desk.refund_row().state == RefundState.DONE
    assert desk.margin() == FULL_MARGIN * 4 // 10 - SHARE


# --- payouts -----------------------------------------------------------------------------------


def add_account(desk: LiveDesk, *, name: str = "林小满") -> PayoutAccount:
    if desk.account == "wechat":
        return desk.add_account("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", kind=PayoutKind.WECHAT, name=name)
    return desk.add_account("lin@example.com", name=name)


def start(desk: LiveDesk, account: PayoutAccount, *, amount: int = 5_000) -> Withdrawal:
    asked = desk.approve(desk.ask(amount, account))
    with site_scope(desk.main.id):
        return start_payout(
            withdrawal_no=asked.withdrawal_no, gateway_id=desk.shop.choice.gateway_id, actor=ADA
        )


def send(desk: LiveDesk, *, times: int = 1) -> None:
    for _ in range(times):
        desk.make_due(Withdrawal)
        send_due_payouts()


def confirm(desk: LiveDesk, asked: Withdrawal, *, act: str = "take") -> None:
    """The person takes the money, or does not, where the gateway asks for it."""
    if desk.account == "wechat":
        page = f"{desk.world.url}/wechat/transfer/{asked.payout_no}"
        desk.world.browse(page, fields={"act": act})


def test_a_payout_reaches_its_person(pay_desk: LiveDesk) -> None:
    desk = pay_desk
    desk.sell()
    asked = start(desk, add_account(desk))
    send(desk)
    confirm(desk, asked)
    send(desk)

    done = desk.fresh(asked)
    [sent] = desk.sent(asked.payout_no)
    assert (done.state, sent.amount_fen, sent.state) == (State.PAID, 50, "done")
    assert done.external_no
    assert done.reason == ""
    assert desk.amount(AccountKind.WITHDRAWALS, desk.site.id) == 0


@pytest.mark.parametrize("fault", LOSSES)
def test_a_payout_whose_answer_is_lost_is_found_and_sent_once(
    pay_desk: LiveDesk, fault: str
) -> None:
    desk = pay_desk
    desk.sell()
    asked = start(desk, add_account(desk))
    desk.break_call(fault)
    send(desk)
    assert desk.fresh(asked).state == State.SENDING
    assert len(desk.sent(asked.payout_no)) == 1
    confirm(desk, asked)

    send(desk, times=2)

    assert desk.fresh(asked).state == State.PAID
    assert len(desk.sent(asked.payout_no)) == 1
    assert desk.fresh(asked).payout_no == asked.payout_no


def test_a_payout_that_never_arrived_is_sent_under_its_number(pay_desk: LiveDesk) -> None:
    desk = pay_desk
    desk.sell()
    asked = start(desk, add_account(desk))
    desk.break_call("error")
    send(desk)
    assert (desk.fresh(asked).state, desk.sent(asked.payout_no)) == (State.SENDING, [])

    send(desk)
    confirm(desk, asked)
    send(desk)

    assert desk.fresh(asked).state == State.PAID
    assert len(desk.sent(asked.payout_no)) == 1


def test_a_payout_that_is_refused_gives_the_money_back(pay_desk: LiveDesk) -> None:
    desk = pay_desk
    desk.sell()
    margin = desk.margin()
    name = "林小满" if desk.account == "wechat" else "不符"
    asked = start(desk, add_account(desk, name=name))
    send(desk)
    confirm(desk, asked, act="refuse")
    send(desk)

    failed = desk.fresh(asked)
    assert (failed.state, desk.margin()) == (State.FAILED, margin)
    assert failed.reason


def test_a_payout_that_comes_back_later_is_a_claim_again(
    any_db: None, world: World, main_site: Site, site_a: Site
) -> None:
    """Alipay says of it that it went out; asked a day later, that it came back."""
    desk = open_desk("alipay_cert", world, main_site, site_a)
    desk.sell()
    margin = desk.margin()
    asked = start(desk, add_account(desk, name="林退回"))
    send(desk)
    assert (desk.fresh(asked).state, desk.margin()) == (State.PAID, margin - 5_000)

    for _ in range(2):
        recheck(desk)

    back = desk.fresh(asked)
    assert (back.state, back.reason, desk.margin()) == (State.RETURNED, "收款方退回", margin)


def test_wechat_is_not_asked_whether_a_payout_came_back(
    any_db: None, world: World, main_site: Site, site_a: Site
) -> None:
    desk = open_desk("wechat", world, main_site, site_a)
    desk.sell()
    asked = start(desk, add_account(desk))
    send(desk)
    confirm(desk, asked)
    send(desk)
    recheck(desk)
    assert (desk.fresh(asked).state, desk.fresh(asked).recheck_at) == (State.PAID, None)


def test_many_payouts_are_each_sent_once(pay_desk: LiveDesk) -> None:
    desk = pay_desk
    desk.sell()
    account = add_account(desk)
    rows = [start(desk, account, amount=amount) for amount in (3_000, 3_100, 3_200)]
    desk.break_call("reset_after", after=1)
    send(desk)
    for row in rows:
        if desk.sent(row.payout_no):
            confirm(desk, row)
    send(desk, times=2)

    assert [desk.fresh(row).state for row in rows] == [State.PAID] * 3
    assert [len(desk.sent(row.payout_no)) for row in rows] == [1, 1, 1]
    assert desk.amount(AccountKind.WITHDRAWALS, desk.site.id) == 0
