"""Twenty at once on the same claim: one request, one approval, one payout, one share.

Each has its control: the same without the guard pays or takes twice.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction

from kameng.ledger.accounts import AccountKind
from kameng.orders.services.placing import PlacedOrder
from kameng.payments.providers import registry
from kameng.settlement import errors
from kameng.settlement.models import Payee, Split, Withdrawal
from kameng.settlement.rules import SplitState, State
from kameng.settlement.services import (
    bouncing,
    contesting,
    paying_out,
    requesting,
    reserving,
    reviewing,
)
from kameng.settlement.services.batching import import_result, make_batch
from kameng.settlement.services.payees import ensure_payee
from kameng.settlement.services.paying_out import send_due_payouts, start_payout
from kameng.settlement.services.reserving import reserve_due_splits
from kameng.settlement.services.reviewing import refuse_withdrawal
from kameng.settlement.services.splitting import ask_due_splits
from kameng.tenancy.models import SettlementWay, Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.guards import Meeting, meetings, without_guard
from tests.concurrency.shop import Shop, connect_gateway, count, of_kind
from tests.factories import make_card_keys, make_product, make_variant
from tests.parallel import run_together
from tests.settlement.fakes import Bank, fresh_bank
from tests.settlement.test_contesting import dispute
from tests.settlement.world import ADA, BEN, Desk

Parallel = Callable[[int, Callable[[int], Any]], list[Any]]
TWENTY = 20
MARGIN = 44_400
HELD = "select coalesce(sum(amount), 0) from ledger_transfer where code = 70"
POSTED = "select count(*) from ledger_transfer where code = %s"


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bank]:
    """The gateway's memory."""
    monkeypatch.setitem(registry.PROVIDERS, "epay", "tests.settlement.fakes.SplittingEpay")
    registry.get_provider.cache_clear()
    yield fresh_bank()
    registry.get_provider.cache_clear()


@pytest.fixture
def desk(bank: Bank, any_db: None, main_site: Site, site_a: Site) -> Desk:
    """A sub-site that sold one piece and may withdraw its margin."""
    variant = make_variant(make_product(main_site, title="点卡"), cost_amount=50_000)
    make_card_keys(variant, 80)
    made = Desk(
        shop=Shop(site=site_a, variant=variant, choice=connect_gateway(main_site)), main=main_site
    )
    made.set_terms()
    made.sell()
    return made


def test_twenty_requests_for_the_whole_claim_give_one(desk: Desk, run_parallel: Parallel) -> None:
    account = desk.add_account()

    outcomes = run_parallel(TWENTY, lambda _i: desk.ask(MARGIN, account))

    assert len(of_kind(outcomes, Withdrawal)) == 1
    assert len(of_kind(outcomes, errors.ClaimShort)) == TWENTY - 1
    assert count(HELD) == MARGIN
    assert desk.margin() == 0


def test_twenty_requests_with_one_key_are_one(desk: Desk, run_parallel: Parallel) -> None:
    account = desk.add_account()

    outcomes = run_parallel(TWENTY, lambda _i: desk.ask(1_000, account, idempotency_key="same"))

    assert len({made.id for made in of_kind(outcomes, Withdrawal)}) == 1
    assert len(of_kind(outcomes, Withdrawal)) == TWENTY
    assert count(HELD) == 1_000


def test_control_without_the_payees_lock_the_claim_is_overdrawn(
    wrecked_db: None, desk: Desk, run_parallel: Parallel, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = desk.add_account()
    both = Meeting(2)
    check = requesting._check_claim

    def check_together(*args: Any) -> None:
        check(*args)
        both.arrive()

    def no_lock(owner: Any) -> Payee:
        return ensure_payee(owner)

    monkeypatch.setattr(requesting, "lock_payee", no_lock)
    monkeypatch.setattr(requesting, "_check_claim", check_together)

    outcomes = run_parallel(2, lambda _i: desk.ask(MARGIN, account))

    assert len(of_kind(outcomes, Withdrawal)) == 2
    assert desk.margin() == -MARGIN


def test_a_request_and_a_share_do_not_take_the_same_claim(
    desk: Desk, run_parallel: Parallel
) -> None:
    """A site that changes its way has both on one claim: together never more than there is."""
    desk.add_receiver()
    desk.settle_by(SettlementWay.SPLIT)
    desk.plan(desk.sell(is_held=True))
    account = desk.add_account()
    desk.make_due(Split)

    def act(index: int) -> Any:
        if index % 2:
            return reserve_due_splits()
        return desk.ask(MARGIN, account)

    run_parallel(TWENTY, act)

    assert desk.margin() == 2 * MARGIN - MARGIN - 30_000
    assert count(POSTED, 80) == 1
    assert count(POSTED, 70) == 1


def test_twenty_yeses_of_one_person_count_once(desk: Desk, run_parallel: Parallel) -> None:
    desk.set_terms(second_amount=100)
    asked = desk.ask(1_000, desk.add_account())

    outcomes = run_parallel(TWENTY, lambda _i: desk.approve(asked))

    assert len(of_kind(outcomes, Withdrawal)) == 1
    assert len(of_kind(outcomes, errors.ApprovedAlready)) == TWENTY - 1
    assert desk.fresh(asked).state == State.REQUESTED
    assert desk.approve(asked, BEN).state == State.APPROVED


def test_a_yes_and_a_no_at_once_leave_one_of_them(desk: Desk, run_parallel: Parallel) -> None:
    asked = desk.ask(1_000, desk.add_account())

    def decide(index: int) -> Any:
        if index % 2:
            return desk.approve(asked)
        with site_scope(desk.main.id):
            return refuse_withdrawal(withdrawal_no=asked.withdrawal_no, reason="no", actor=ADA)

    run_parallel(TWENTY, decide)

    assert desk.fresh(asked).state == State.REFUSED  # a no also follows a yes
    assert count(POSTED, 71) == 1
    assert desk.margin() == MARGIN


def test_control_without_the_compare_a_refusal_gives_back_twice(
    wrecked_db: None, desk: Desk, run_parallel: Parallel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The arrow is a compare-and-set: a plain update lets both refusals post."""
    asked = desk.ask(1_000, desk.add_account())
    both = Meeting(2)
    post = requesting.post_transfers

    def post_together(postings: Any) -> None:
        both.arrive()
        post(postings)

    monkeypatch.setattr(requesting, "post_transfers", post_together)
    manager = Withdrawal.objects
    plain = manager.filter

    def any_state(*args: Any, **wanted: Any) -> Any:
        wanted.pop("state__in", None)
        rows = plain(*args, **wanted)
        return _Blind(rows)

    monkeypatch.setattr(manager, "filter", any_state)

    def refuse(_index: int) -> Any:
        with site_scope(desk.main.id):
            return refuse_withdrawal(withdrawal_no=asked.withdrawal_no, reason="no", actor=ADA)

    run_parallel(2, refuse)

    assert count(POSTED, 71) == 2


class _Blind:
    """Rows whose update says that it moved something, and locks nothing."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows

    def update(self, **_values: Any) -> int:
        """Move nothing, and say one."""
        return 1

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)


def test_twenty_payouts_of_one_withdrawal_are_one(
    desk: Desk, bank: Bank, run_parallel: Parallel
) -> None:
    asked = desk.approve(desk.ask(1_000, desk.add_account()))

    def pay(index: int) -> Any:
        with site_scope(desk.main.id):
            if index % 2:
                return make_batch(withdrawal_nos=[asked.withdrawal_no], actor=ADA)
            return start_payout(
                withdrawal_no=asked.withdrawal_no,
                gateway_id=desk.shop.choice.gateway_id,
                actor=ADA,
            )

    outcomes = run_parallel(TWENTY, pay)
    run_parallel(4, lambda _i: send_due_payouts())

    assert len(of_kind(outcomes, errors.NotAllowedNow)) == TWENTY - 1
    assert count(POSTED, 72) == len(bank.moved) <= 1


def test_twenty_workers_pay_once(desk: Desk, bank: Bank, run_parallel: Parallel) -> None:
    asked = desk.approve(desk.ask(1_000, desk.add_account()))
    with site_scope(desk.main.id):
        start_payout(
            withdrawal_no=asked.withdrawal_no, gateway_id=desk.shop.choice.gateway_id, actor=ADA
        )

    run_parallel(TWENTY, lambda _i: send_due_payouts())

    assert desk.fresh(asked).state == State.PAID
    assert bank.asked == {asked.payout_no: 1}
    assert count(POSTED, 72) == 1


def test_control_without_skipping_and_putting_off_the_gateway_is_asked_twice(
    wrecked_db: None, desk: Desk, bank: Bank, run_parallel: Parallel
) -> None:
    """Its number keeps the money from moving twice even then."""
    asked = desk.approve(desk.ask(1_000, desk.add_account()))
    with site_scope(desk.main.id):
        start_payout(
            withdrawal_no=asked.withdrawal_no, gateway_id=desk.shop.choice.gateway_id, actor=ADA
        )
    calls = Meeting(2)
    bank.on_call = calls.arrive
    edit = (
        "set next_attempt_at = now() + interval '2 minutes', asked_count = w.asked_count + 1",
        "set asked_count = w.asked_count",
    )

    waits = (" for no key update skip locked", "")

    with without_guard("settlement_claim_payouts", edit, waits):
        run_parallel(2, lambda _i: send_due_payouts())

    assert bank.asked == {asked.payout_no: 2}
    assert bank.moved == {asked.payout_no: 1_000}
    assert count(POSTED, 72) == 1


def test_control_without_the_compare_a_payout_is_posted_twice(
    wrecked_db: None,
    desk: Desk,
    bank: Bank,
    run_parallel: Parallel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = desk.approve(desk.ask(1_000, desk.add_account()))
    with site_scope(desk.main.id):
        start_payout(
            withdrawal_no=asked.withdrawal_no, gateway_id=desk.shop.choice.gateway_id, actor=ADA
        )
    found = desk.fresh(asked)
    plain = Withdrawal.objects.filter
    monkeypatch.setattr(
        Withdrawal.objects, "filter", lambda *args, **wanted: _Blind(plain(*args, **wanted))
    )

    def finish(_index: int) -> bool:
        with site_scope(desk.site.id):
            return paying_out.finish_payout(found, external_no="X")

    assert run_parallel(2, finish) == [True, True]
    assert count(POSTED, 72) == 2


def test_one_result_file_read_twenty_times_pays_once(desk: Desk, run_parallel: Parallel) -> None:
    asked = desk.approve(desk.ask(1_000, desk.add_account()))
    with site_scope(desk.main.id):
        batch = make_batch(withdrawal_nos=[asked.withdrawal_no], actor=ADA)
    text = f"打款编号,金额,结果\n{asked.payout_no},0.10,成功\n".encode()

    def read(_index: int) -> Any:
        with site_scope(desk.main.id):
            return import_result(batch_no=batch.batch_no, data=text, filename="r.csv", actor=ADA)

    run_parallel(TWENTY, read)

    assert desk.fresh(asked).state == State.PAID
    assert count(POSTED, 72) == 1
    assert desk.amount(AccountKind.BANK, desk.main.id) == 1_000


def test_twenty_workers_split_each_payment_once(
    desk: Desk, bank: Bank, run_parallel: Parallel
) -> None:
    desk.add_receiver()
    desk.settle_by(SettlementWay.SPLIT)
    placed = [desk.sell(is_held=True) for _ in range(8)]
    desk.plan(*placed)
    desk.make_due(Split)

    def work(_index: int) -> None:
        reserve_due_splits()
        ask_due_splits()

    run_parallel(TWENTY, work)
    ask_due_splits()

    assert {desk.split_of(each).state for each in placed} == {SplitState.DONE}
    assert sorted(bank.moved.values()) == [30_000] * 8
    assert count(POSTED, 80) == count(POSTED, 81) == 8


def test_control_without_the_row_lock_a_share_is_reserved_twice(
    wrecked_db: None, desk: Desk, run_parallel: Parallel
) -> None:
    desk.add_receiver()
    desk.settle_by(SettlementWay.SPLIT)
    desk.plan(desk.sell(is_held=True))
    desk.make_due(Split)
    taken = (
        "    update settlement_split s\n"
        "       set next_attempt_at = now() + interval '2 minutes',\n"
        "           asked_count = s.asked_count + case when p_state = 1 then 0 else 1 end\n"
        "      from (select id from settlement_split\n"
    )
    seen = (
        "    select id from (select test_meet(2)) m, lateral (\n"
        "      select id from settlement_split\n"
    )
    end = " for no key update skip locked) due\n     where s.id = due.id\n    returning s.id;"
    with meetings(), without_guard("settlement_claim_splits", (taken, seen), (end, ") due;")):
        run_parallel(2, lambda _i: reserve_due_splits())

    assert count(POSTED, 80) == 2


# --- a payout that comes back --------------------------------------------------------------------


def paid(desk: Desk) -> Withdrawal:
    asked = desk.approve(desk.ask(1_000, desk.add_account()))
    with site_scope(desk.main.id):
        start_payout(
            withdrawal_no=asked.withdrawal_no, gateway_id=desk.shop.choice.gateway_id, actor=ADA
        )
    send_due_payouts()
    return desk.fresh(asked)  # type: ignore[no-any-return]


def test_twenty_who_say_that_it_came_back_give_it_back_once(
    desk: Desk, bank: Bank, run_parallel: Parallel
) -> None:
    asked = paid(desk)
    bank.returned.add(asked.payout_no)

    def say(index: int) -> Any:
        if index % 2:
            with site_scope(desk.site.id):
                return bouncing.recheck_payout(asked.id)
        with site_scope(desk.main.id):
            return bouncing.mark_returned(
                withdrawal_no=asked.withdrawal_no, reason="退票", actor=ADA
            )

    outcomes = run_parallel(TWENTY, say)

    assert len(of_kind(outcomes, Withdrawal)) + outcomes.count(True) == 1
    assert (count(POSTED, 75), desk.margin()) == (1, MARGIN)


def test_control_without_the_compare_it_is_given_back_twice(
    wrecked_db: None,
    desk: Desk,
    bank: Bank,
    run_parallel: Parallel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = paid(desk)
    plain = Withdrawal.objects.filter
    monkeypatch.setattr(
        Withdrawal.objects, "filter", lambda *args, **wanted: _Blind(plain(*args, **wanted))
    )

    def give_back(_index: int) -> bool:
        with site_scope(desk.site.id), transaction.atomic():
            return bouncing.take_return(asked, reason="退票")

    assert run_parallel(2, give_back) == [True, True]
    assert count(POSTED, 75) == 2


# --- a dispute at the same moment ----------------------------------------------------------------


def is_told(desk: Desk, asked: Withdrawal) -> bool:
    """The reviewer of a withdrawal sees the dispute before anything is paid."""
    row = desk.fresh(asked)
    return row.state == State.REQUESTED and {"open_dispute", "claim_short"} <= set(row.risk_codes)


def ask_or_dispute(desk: Desk) -> Callable[[int], Any]:
    """Of two at once, the one asks for the whole claim and the other's payment is disputed."""
    placed, account = desk.sell(), desk.add_account()

    def act(index: int) -> Any:
        return dispute(desk, placed) if index else desk.ask(2 * MARGIN, account)

    return act


def test_a_dispute_and_a_request_at_once_see_each_other(
    desk: Desk, run_parallel: Parallel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request has read its claim when the dispute comes: then the review is told of it."""
    both, check = Meeting(2, patience=1), requesting._check_claim

    def check_and_wait(*args: Any) -> None:
        check(*args)
        both.arrive()

    monkeypatch.setattr(requesting, "_check_claim", check_and_wait)
    outcomes = run_parallel(2, ask_or_dispute(desk))

    made = of_kind(outcomes, Withdrawal)
    assert all(is_told(desk, each) for each in made)
    assert len(made) + len(of_kind(outcomes, errors.ClaimShort)) == 1
    assert outcomes[1] is None


def test_control_without_the_payees_lock_the_review_is_not_told(
    wrecked_db: None, desk: Desk, run_parallel: Parallel, monkeypatch: pytest.MonkeyPatch
) -> None:
    both, check, look = Meeting(2), requesting._check_claim, contesting._look_again
    done = Meeting(2)

    def check_and_wait(*args: Any) -> None:
        check(*args)
        both.arrive()
        done.arrive()

    def look_when_read(payee: Payee) -> None:
        both.arrive()
        look(payee)

    def no_lock(owner: Any) -> Payee:
        return ensure_payee(owner)

    monkeypatch.setattr(requesting, "_check_claim", check_and_wait)
    monkeypatch.setattr(contesting, "lock_payee", no_lock)
    monkeypatch.setattr(contesting, "_look_again", look_when_read)
    act = ask_or_dispute(desk)

    def act_and_tell(index: int) -> Any:
        outcome = act(index)
        if index:
            done.arrive()
        return outcome

    [made] = of_kind(run_parallel(2, act_and_tell), Withdrawal)

    assert not is_told(desk, made)
    assert desk.claim().is_short


def dispute_before_the_lock(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> PlacedOrder:
    """Let a share be looked at, then its payment be disputed, then the claim be locked."""
    desk.add_receiver()
    desk.settle_by(SettlementWay.SPLIT)
    placed = desk.sell(is_held=True)
    desk.plan(placed)
    desk.make_due(Split)
    lock = reserving.lock_site_payees

    def dispute_first(site_ids: set[int]) -> None:
        assert run_together(1, lambda _i: dispute(desk, placed)) == [None]
        lock(site_ids)

    monkeypatch.setattr(reserving, "lock_site_payees", dispute_first)
    return placed


def test_a_share_whose_payment_is_disputed_meanwhile_is_put_off(
    desk: Desk, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = dispute_before_the_lock(desk, monkeypatch)
    reserve_due_splits()

    split = desk.split_of(placed)
    assert (split.state, split.reason) == (SplitState.WAITING, "dispute_open")
    assert count(POSTED, 80) == 0


def test_control_without_the_second_look_the_disputed_share_is_handed_over(
    desk: Desk, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    placed = dispute_before_the_lock(desk, monkeypatch)
    monkeypatch.setattr(reserving, "_undisputed", lambda rows, _now: list(rows))
    reserve_due_splits()
    ask_due_splits()

    split = desk.split_of(placed)
    assert split.state == SplitState.DONE
    assert bank.moved == {split.split_no: split.amount}


def approve_or_dispute(desk: Desk) -> tuple[Withdrawal, Callable[[int], Any]]:
    """Of two at once, the one approves what takes the whole claim, the other disputes."""
    placed = desk.sell()
    asked = desk.ask(2 * MARGIN, desk.add_account())
    read = asked.risk_codes

    def act(index: int) -> Any:
        return dispute(desk, placed) if index else desk.approve(asked, read=read)

    return asked, act


def test_a_dispute_and_a_yes_at_once_end_in_review(desk: Desk, run_parallel: Parallel) -> None:
    asked, act = approve_or_dispute(desk)

    outcomes = run_parallel(2, act)

    assert outcomes[1] is None
    assert is_told(desk, asked)


def test_control_without_the_withdrawals_lock_it_is_approved_unread(
    wrecked_db: None, desk: Desk, run_parallel: Parallel, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Meeting(2)

    def no_lock(withdrawal_id: int) -> Withdrawal:
        found: Withdrawal = Withdrawal.objects.get(id=withdrawal_id)
        told.arrive()
        return found

    monkeypatch.setattr(reviewing, "lock_withdrawal", no_lock)
    asked, act = approve_or_dispute(desk)

    def act_and_tell(index: int) -> Any:
        outcome = act(index)
        if index:
            told.arrive()
        return outcome

    run_parallel(2, act_and_tell)

    assert desk.fresh(asked).state == State.APPROVED
    assert not is_told(desk, asked)
