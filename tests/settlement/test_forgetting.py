"""Gateways forget receivers that nobody uses any more, and no other."""

import datetime as dt
from collections.abc import Iterator

import pytest
from django.conf import settings

from kameng.core import clock
from kameng.core.scope import platform_scope
from kameng.settlement import errors
from kameng.settlement.models import ReceiverState, Split, SplitReceiver
from kameng.settlement.rules import SplitState
from kameng.settlement.services import forgetting
from kameng.settlement.services.forgetting import forget_due_receivers
from kameng.settlement.services.receivers import close_split_receiver
from kameng.settlement.services.reserving import reserve_due_splits
from kameng.settlement.services.splitting import ask_due_splits
from kameng.tenancy.models import SettlementWay, Site
from kameng.tenancy.selectors import site_scope
from tests.providers.world import World, open_world
from tests.settlement.fakes import Bank
from tests.settlement.live import LiveDesk
from tests.settlement.test_live import open_desk
from tests.settlement.world import LIN, Desk

OLD, NEW = ("merchant", "1900000109"), ("merchant", "1900000110")


def forget(desk: Desk) -> int:
    """Let the worker's hour have come."""
    with platform_scope("a test makes due"):
        SplitReceiver.unscoped.filter(forget_at__isnull=False).update(
            forget_at="2020-01-01T00:00:00Z"
        )
    return forget_due_receivers()


def close(desk: Desk, receiver: SplitReceiver) -> SplitReceiver:
    with site_scope(desk.site.id):
        return close_split_receiver(receiver_id=receiver.id, actor=LIN)


@pytest.fixture
def split_desk(desk: Desk) -> Desk:
    """A site that is settled by splits."""
    desk.set_terms()
    desk.settle_by(SettlementWay.SPLIT)
    return desk


def test_one_that_was_replaced_is_forgotten_and_the_new_one_stays(
    split_desk: Desk, bank: Bank
) -> None:
    old = split_desk.add_receiver()
    split_desk.add_receiver("1900000110")
    assert bank.receivers == {OLD, NEW}

    assert forget(split_desk) == 1

    assert bank.receivers == {NEW}
    gone = split_desk.fresh(old)
    assert (gone.state, gone.forget_at) == (ReceiverState.REMOVED, None)
    assert gone.forgotten_at is not None
    assert forget(split_desk) == 0


def test_one_that_is_closed_is_forgotten_and_gets_no_share(split_desk: Desk, bank: Bank) -> None:
    desk = split_desk
    receiver = desk.add_receiver()
    placed = desk.sell(is_held=True)
    desk.plan(placed)
    close(desk, receiver)
    desk.make_due(Split)
    reserve_due_splits()
    forget(desk)

    assert (desk.split_of(placed).state, desk.split_of(placed).reason) == (
        SplitState.WAITING,
        "no_receiver",
    )
    assert bank.receivers == set()
    with pytest.raises(errors.ReceiverInvalid):
        close(desk, receiver)


def test_a_stranger_closes_nothing(split_desk: Desk, bank: Bank, site_b: Site) -> None:
    receiver = split_desk.add_receiver()
    with site_scope(site_b.id), pytest.raises(errors.ReceiverInvalid):
        close_split_receiver(receiver_id=receiver.id, actor=LIN)
    assert split_desk.fresh(receiver).state == ReceiverState.ACTIVE


def test_one_that_the_gateway_refused_needs_no_forgetting(split_desk: Desk, bank: Bank) -> None:
    bank.trouble = ["turned"]
    with pytest.raises(errors.ReceiverRefused):
        split_desk.add_receiver()
    split_desk.add_receiver("1900000110")
    assert forget(split_desk) == 0
    assert bank.receivers == {NEW}


def test_the_same_account_entered_anew_stays(split_desk: Desk, bank: Bank) -> None:
    split_desk.add_receiver()
    split_desk.add_receiver()
    assert forget(split_desk) == 1
    assert bank.receivers == {OLD}


def test_an_account_that_another_site_uses_stays(
    split_desk: Desk, bank: Bank, site_b: Site
) -> None:
    mine = split_desk.add_receiver()
    other = Desk(
        shop=type(split_desk.shop)(site_b, split_desk.shop.variant, split_desk.shop.choice),
        main=split_desk.main,
    )
    theirs = other.add_receiver()
    close(split_desk, mine)
    forget(split_desk)
    assert bank.receivers == {OLD}

    close(other, theirs)
    forget(other)
    assert bank.receivers == set()


def test_one_that_got_a_share_lately_is_kept_for_a_month(split_desk: Desk, bank: Bank) -> None:
    """A refund takes the share back from there."""
    desk = split_desk
    receiver = desk.add_receiver()
    desk.plan(desk.sell(is_held=True))
    bank.trouble = ["late"]
    desk.make_due(Split)
    reserve_due_splits()
    ask_due_splits()
    close(desk, receiver)
    forget(desk)
    assert bank.receivers == {OLD}  # its share is on its way
    desk.make_due(Split)
    ask_due_splits()
    forget(desk)
    assert bank.receivers == {OLD}
    assert desk.fresh(receiver).forget_at > clock.now() + dt.timedelta(days=29)

    with clock.standing_at(clock.now() + dt.timedelta(days=31)):
        forget(desk)
    assert bank.receivers == set()


def test_a_gateway_that_does_not_answer_is_asked_again_and_not_for_ever(
    split_desk: Desk, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = split_desk.add_receiver()
    close(split_desk, receiver)
    tries: list[str] = []

    def silent(*_args: object) -> None:
        tries.append("")
        raise forgetting.ProviderUncertain("timeout")

    with monkeypatch.context() as patch:
        patch.setattr("tests.settlement.fakes.SplittingEpay.remove_receiver", silent)
        forget(split_desk)
        row = split_desk.fresh(receiver)
        assert (row.reason, row.forgotten_at) == ("timeout", None)
        assert row.forget_at > clock.now() + dt.timedelta(hours=5)
        for _ in range(12):
            forget(split_desk)
    assert len(tries) == forgetting.FORGET_TRIES
    assert split_desk.fresh(receiver).forget_at is None
    assert bank.receivers == {OLD}


def enter_between(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let somebody enter the same account after the look and before the call."""
    from tests.settlement.fakes import SplittingEpay

    forget_there = SplittingEpay.remove_receiver

    def enter_first(self: SplittingEpay, config: object, receiver: object) -> None:
        with site_scope(desk.site.id):
            desk.add_receiver()
        forget_there(self, config, receiver)  # type: ignore[arg-type]

    monkeypatch.setattr(SplittingEpay, "remove_receiver", enter_first)


def test_one_that_is_entered_meanwhile_is_made_known_again(
    split_desk: Desk, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(split_desk, split_desk.add_receiver())
    enter_between(split_desk, monkeypatch)
    forget(split_desk)
    assert bank.receivers == {OLD}


def test_control_without_the_second_look_a_receiver_in_use_is_forgotten(
    split_desk: Desk, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    close(split_desk, split_desk.add_receiver())
    enter_between(split_desk, monkeypatch)
    monkeypatch.setattr(forgetting, "_users_of", lambda _row: [])
    forget(split_desk)
    assert bank.receivers == set()


# --- the real gateways ---------------------------------------------------------------------------


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The simulator, in fast motion."""
    with open_world(tmp_path_factory.mktemp("forgetting")) as running:
        yield running


@pytest.fixture(params=["wechat", "wechat person", "alipay", "alipay by login"])
def live(
    request: pytest.FixtureRequest,
    any_db: None,
    world: World,
    main_site: Site,
    site_a: Site,
    monkeypatch: pytest.MonkeyPatch,
) -> LiveDesk:
    monkeypatch.setattr(settings, "ALLOW_LOOPBACK_GATEWAYS", True)
    desk = open_desk(request.param, world, main_site, site_a)
    desk.settle_by(SettlementWay.SPLIT)
    return desk


@pytest.mark.parametrize("fault", ["", "error", "reset_after"])
def test_the_real_gateways_forget(live: LiveDesk, fault: str) -> None:
    receiver = live.add_receiver()
    assert live.known_at_gateway()
    close(live, receiver)
    if fault:
        live.break_call(fault)
        forget(live)
        assert live.fresh(receiver).forgotten_at is None
    forget(live)

    assert live.known_at_gateway() == []
    assert live.fresh(receiver).forgotten_at is not None
    assert live.add_receiver().state == ReceiverState.ACTIVE
    assert live.known_at_gateway()
    close(live, live.receivers()[-1])
    forget(live)
