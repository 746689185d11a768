"""A payout that comes back days after it was paid: the claim is whole again, once."""

import datetime as dt

import pytest

from kameng.config.wiring import AFTER_COMMIT
from kameng.core import clock
from kameng.core.audit import Actor
from kameng.core.events import consume
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind
from kameng.messaging.models import Email
from kameng.settlement import errors
from kameng.settlement.models import AccountKind as PayoutKind
from kameng.settlement.models import Source, Withdrawal
from kameng.settlement.rules import State
from kameng.settlement.services.batching import import_result, make_batch
from kameng.settlement.services.bouncing import mark_returned, recheck_paid
from kameng.settlement.services.paying_out import send_due_payouts, start_payout
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import count
from tests.factories import make_staff
from tests.settlement.fakes import Bank
from tests.settlement.test_withdrawing import pay_in
from tests.settlement.world import ADA, LIN, Desk

RETURNED = "select count(*) from ledger_transfer where code = 75"


def start(desk: Desk, asked: Withdrawal) -> Withdrawal:
    with site_scope(desk.main.id):
        return start_payout(
            withdrawal_no=asked.withdrawal_no, gateway_id=desk.shop.choice.gateway_id, actor=ADA
        )


def paid(desk: Desk, amount: int = 5_000, **more: object) -> Withdrawal:
    """A withdrawal that the gateway paid."""
    desk.set_terms(fee_bps=100, fee_minimum_amount=100, tax_bps=1000, withholds_tax=True)
    if not desk.margin():
        desk.sell()
    asked = start(desk, desk.approve(desk.ask(amount, desk.add_account(), **more)))
    send_due_payouts()
    assert desk.fresh(asked).state == State.PAID
    return asked


def mark(desk: Desk, asked: Withdrawal, reason: str = "收款行退票：户名不符") -> Withdrawal:
    with site_scope(desk.main.id):
        return mark_returned(withdrawal_no=asked.withdrawal_no, reason=reason, actor=ADA)


def recheck(desk: Desk) -> None:
    """Let the time of the next question have come, and ask."""
    with platform_scope("a test makes due"):
        Withdrawal.unscoped.filter(recheck_at__isnull=False).update(
            recheck_at="2020-01-01T00:00:00Z"
        )
    recheck_paid()


def test_a_person_says_that_it_came_back_and_everything_is_as_before(desk: Desk) -> None:
    desk.sell()
    margin = desk.margin()
    bought = desk.amount(AccountKind.SALES, desk.main.id)
    lying = desk.amount(AccountKind.GATEWAY_CLEARING, desk.shop.choice.gateway_id)
    asked = paid(desk)
    assert desk.margin() == margin - 5_000

    back = mark(desk, asked)

    assert (back.state, back.reason) == (State.RETURNED, "收款行退票：户名不符")
    assert back.returned_at is not None
    assert desk.margin() == margin
    assert desk.claim().available_amount == margin
    assert desk.amount(AccountKind.SALES, desk.main.id) == bought
    assert desk.amount(AccountKind.TAX_WITHHELD, desk.main.id) == 0
    assert desk.amount(AccountKind.GATEWAY_CLEARING, desk.shop.choice.gateway_id) == lying


def test_it_comes_back_once(desk: Desk) -> None:
    asked = paid(desk)
    mark(desk, asked)
    posted = count(RETURNED)

    with pytest.raises(errors.NotAllowedNow):
        mark(desk, asked)
    recheck(desk)
    assert count(RETURNED) == posted


def test_without_a_reason_or_before_it_was_paid_nothing_comes_back(desk: Desk) -> None:
    asked = paid(desk)
    with pytest.raises(errors.ReasonMissing):
        mark(desk, asked, " ")
    waiting = desk.ask(5_000, desk.add_account("other@example.com"))
    with pytest.raises(errors.NotAllowedNow):
        mark(desk, waiting)
    assert (desk.fresh(asked).state, count(RETURNED)) == (State.PAID, 0)


def test_the_gateway_is_asked_for_a_month_and_says_that_it_came_back(
    desk: Desk, bank: Bank
) -> None:
    asked = paid(desk)
    margin = desk.margin()
    recheck(desk)
    row = desk.fresh(asked)
    assert row.state == State.PAID
    assert row.recheck_at == row.ended_at + dt.timedelta(days=1)
    bank.returned.add(asked.payout_no)
    recheck_paid()
    assert desk.fresh(asked).state == State.PAID  # its time has not come

    recheck(desk)

    back = desk.fresh(asked)
    assert (back.state, back.reason, back.recheck_at) == (State.RETURNED, "收款方退回", None)
    assert desk.margin() == margin + 5_000
    assert bank.moved == {asked.payout_no: asked.payout_amount}


def test_after_a_month_it_is_asked_no_more(desk: Desk) -> None:
    asked = paid(desk)
    with clock.standing_at(clock.now() + dt.timedelta(days=31)):
        recheck(desk)
    assert (desk.fresh(asked).state, desk.fresh(asked).recheck_at) == (State.PAID, None)


def test_a_gateway_without_such_an_answer_is_not_asked(
    desk: Desk, bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.settlement.fakes.SplittingEpay.may_come_back", False)
    asked = paid(desk)
    bank.returned.add(asked.payout_no)
    recheck(desk)

    assert (desk.fresh(asked).state, desk.fresh(asked).recheck_at) == (State.PAID, None)
    assert f"?{asked.payout_no}" not in bank.asked


def test_one_that_came_back_before_it_was_known_as_paid_has_failed(desk: Desk, bank: Bank) -> None:
    desk.set_terms()
    desk.sell()
    margin = desk.margin()
    asked = start(desk, desk.approve(desk.ask(5_000, desk.add_account())))
    bank.trouble = ["late"]
    send_due_payouts()
    bank.returned.add(asked.payout_no)
    desk.make_due(Withdrawal)
    send_due_payouts()

    assert (desk.fresh(asked).state, desk.margin()) == (State.FAILED, margin)
    assert count(RETURNED) == 0


def test_a_prepaid_balance_that_came_back_is_prepaid_again(desk: Desk) -> None:
    pay_in(desk, 20_000)
    asked = paid(desk, source=Source.PREPAID)
    assert desk.amount(AccountKind.PREPAID, desk.site.id) == 15_000
    mark(desk, asked)
    assert desk.amount(AccountKind.PREPAID, desk.site.id) == 20_000


def test_the_banks_file_says_that_it_came_back(desk: Desk) -> None:
    desk.set_terms()
    desk.sell()
    margin = desk.margin()
    card = desk.add_account("6222020200011112222", kind=PayoutKind.BANK, bank_name="工商银行")
    asked = desk.approve(desk.ask(5_000, card))
    with site_scope(desk.main.id):
        batch_no = make_batch(withdrawal_nos=[asked.withdrawal_no], actor=ADA).batch_no

    def read(word: str, reason: str = "") -> str:
        text = f"打款编号,金额,结果,失败原因\n{asked.payout_no},0.50,{word},{reason}\n"
        with site_scope(desk.main.id):
            [line] = import_result(
                batch_no=batch_no, data=text.encode(), filename="r.csv", actor=ADA
            )
        return str(line.outcome)

    assert read("成功") == "paid"
    assert (desk.margin(), desk.fresh(asked).recheck_at) == (margin - 5_000, None)
    assert read("退票", "户名不符") == "returned"
    assert (desk.fresh(asked).state, desk.fresh(asked).reason) == (State.RETURNED, "户名不符")
    assert [read("退票"), read("成功"), read("失败")] == [
        "done_already",
        "done_already",
        "contradicts",
    ]
    assert desk.margin() == margin
    assert desk.amount(AccountKind.BANK, desk.main.id) == 0


def test_the_next_payout_to_that_account_is_looked_at(desk: Desk) -> None:
    asked = paid(desk)
    mark(desk, asked)
    with platform_scope("a test looks"):
        account = Withdrawal.unscoped.select_related("account").get(id=asked.id).account
    assert "came_back" in desk.ask(5_000, account).risk_codes


def test_who_asked_is_told_by_mail_once(desk: Desk) -> None:
    make_staff(name="Ada")  # whose number is that of who approves
    person = make_staff(login="lin@shop.example.com", name="Lin")
    asked = paid(desk)
    with platform_scope("a test names who asked"):
        Withdrawal.unscoped.filter(id=asked.id).update(asked_by_id=person.id)
    mark(desk, asked)
    consumer = next(each for each in AFTER_COMMIT if each.name == "settlement.tell_operators")
    kinds = [event.KIND for event in consumer.events]
    while consume(consumer.name, kinds, consumer.handler):
        continue

    with platform_scope("a test reads mails"):
        subjects = [mail.subject for mail in Email.unscoped.order_by("id")]
    assert subjects == ["提现被退回：0.50 元"]  # both facts at once: only the last is still true


def test_a_stranger_does_not_find_it(desk: Desk) -> None:
    asked = paid(desk)
    with site_scope(desk.site.id), pytest.raises(errors.WithdrawalNotFound):
        mark_returned(
            withdrawal_no=asked.withdrawal_no,
            reason="x",
            actor=Actor(kind="user", actor_id=LIN.actor_id, name="Lin"),
        )
    assert desk.fresh(asked).state == State.PAID
