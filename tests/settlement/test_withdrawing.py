"""A withdrawal from request to payout: every posting, every refusal, every second try."""

import datetime as dt

import pytest

from kameng.config.wiring import AFTER_COMMIT
from kameng.core import clock
from kameng.core.audit import Actor
from kameng.core.events import consume
from kameng.core.scope import platform_scope
from kameng.ledger.accounts import AccountKind
from kameng.messaging.models import Email
from kameng.payments.providers import registry
from kameng.payments.services.holding import OpenGateway
from kameng.payments.services.prepaying import book_prepaid
from kameng.settlement import errors
from kameng.settlement.claims import site_owner
from kameng.settlement.models import AccountKind as PayoutKind
from kameng.settlement.models import PayoutAccount, Source, Withdrawal
from kameng.settlement.rules import State
from kameng.settlement.services.accounts import remove_payout_account
from kameng.settlement.services.batching import decide_payout, import_result, make_batch
from kameng.settlement.services.paying_out import send_due_payouts, sender_kind, start_payout
from kameng.settlement.services.requesting import (
    WithdrawalWish,
    request_withdrawal,
    take_back_withdrawal,
)
from kameng.settlement.services.reviewing import refuse_withdrawal
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import count, refund
from tests.factories import make_staff
from tests.settlement.fakes import Bank
from tests.settlement.world import ADA, BEN, LIN, Desk

HELD = "select count(*) from ledger_transfer where code = 70"


def start(desk: Desk, withdrawal: Withdrawal) -> Withdrawal:
    with site_scope(desk.main.id):
        return start_payout(
            withdrawal_no=withdrawal.withdrawal_no,
            gateway_id=desk.shop.choice.gateway_id,
            actor=ADA,
        )


def approved(desk: Desk, amount: int = 500) -> Withdrawal:
    withdrawal = desk.ask(amount, desk.add_account(f"lin{amount}@example.com"))
    return desk.approve(withdrawal)


def test_what_is_settled_can_be_withdrawn_and_reaches_the_account(desk: Desk, bank: Bank) -> None:
    desk.set_terms(fee_bps=100, fee_minimum_amount=100, tax_bps=1000, withholds_tax=True)
    desk.sell()
    margin = desk.margin()
    asked = desk.ask(5_000, desk.add_account())

    assert desk.margin() == margin - 5_000
    assert desk.amount(AccountKind.WITHDRAWALS, desk.site.id) == 5_000

    desk.approve(asked)
    start(desk, asked)
    assert send_due_payouts() == 1

    done = desk.fresh(asked)
    assert (done.state, done.fee_amount, done.tax_amount, done.payout_amount) == (
        State.PAID,
        100,
        500,
        4_400,
    )
    assert bank.moved == {done.payout_no: 4_400}
    assert done.external_no == f"X{done.payout_no}"
    assert desk.amount(AccountKind.WITHDRAWALS, desk.site.id) == 0
    assert desk.amount(AccountKind.TAX_WITHHELD, desk.main.id) == 500
    assert desk.margin() == margin - 5_000


def test_the_same_key_asks_once_and_another_content_is_refused(desk: Desk) -> None:
    desk.set_terms()
    desk.sell()
    account = desk.add_account()
    first = desk.ask(500, account, idempotency_key="k")

    assert desk.ask(500, account, idempotency_key="k").id == first.id
    with pytest.raises(errors.KeyReused):
        desk.ask(600, account, idempotency_key="k")
    assert count(HELD) == 1


def test_no_more_than_is_settled_can_be_asked_for(desk: Desk) -> None:
    desk.set_terms(hold_hours=24)
    desk.sell(hours_ago=30)
    settled = desk.margin()
    desk.sell(hours_ago=1)
    account = desk.add_account()

    claim = desk.claim()
    assert (claim.balance_amount, claim.held_amount) == (2 * settled, settled)
    assert claim.available_amount == settled
    with pytest.raises(errors.ClaimShort):
        desk.ask(settled + 100 - settled % 100, account)
    assert count(HELD) == 0


def test_an_order_in_refund_is_not_settled(desk: Desk) -> None:
    desk.set_terms()
    placed = desk.sell()
    desk.sell()
    before = desk.claim().available_amount
    refund(desk.shop, placed, key="part", amount=100)  # waits at its gateway

    assert desk.claim().available_amount < before // 2 + 1


def test_a_refund_after_the_withdrawal_leaves_a_receivable_that_blocks_the_next(desk: Desk) -> None:
    desk.set_terms()
    placed = desk.sell()
    account = desk.add_account()
    margin = desk.margin() // 100 * 100
    asked = desk.ask(margin, account)
    refund(desk.shop, placed, key="all")

    claim = desk.claim()
    assert claim.balance_amount < 0
    assert claim.owed_amount == -claim.balance_amount
    assert claim.available_amount == 0
    with pytest.raises(errors.ClaimShort):
        desk.ask(100, account)
    assert desk.fresh(asked).state == State.REQUESTED


def test_limits_are_told_in_words(desk: Desk) -> None:
    desk.set_terms(
        minimum_amount=500, maximum_amount=800, day_limit_amount=1_000, month_limit_amount=1_000
    )
    desk.sell()
    account = desk.add_account()

    for amount, words in ((400, "单笔最低"), (900, "单笔最高"), (550, "单笔最低")):
        with pytest.raises(errors.LimitBroken, match="withdrawal_limit") as refused:
            desk.ask(amount, account)
        assert words in refused.value.text()
    desk.ask(600, account)
    with pytest.raises(errors.LimitBroken) as refused:
        desk.ask(500, account)
    assert "每天最多" in refused.value.text()
    assert count(HELD) == 1


def test_a_new_account_cools_off_first(desk: Desk) -> None:
    desk.set_terms(cooling_hours=24)
    desk.sell()
    account = desk.add_account()

    with pytest.raises(errors.AccountCooling):
        desk.ask(500, account)
    assert count(HELD) == 0
    with clock.standing_at(clock.now() + dt.timedelta(hours=24, minutes=1)):
        assert desk.ask(500, account).state == State.REQUESTED


def test_an_account_is_kept_encrypted_and_shown_masked(desk: Desk) -> None:
    desk.set_terms()
    account = desk.add_account("6222020200011112222", kind=PayoutKind.BANK, bank_name="工商银行")

    with platform_scope("a test looks"):
        row = PayoutAccount.unscoped.get(id=account.id)
    assert row.hint == "622****2222"
    assert b"6222020200011112222" not in bytes(row.account_cipher)
    assert "6222020200011112222" not in repr(row.__dict__)
    with pytest.raises(errors.AccountKnown):
        desk.add_account("6222 0202 0001 1112 222", kind=PayoutKind.BANK, bank_name="工商银行")


@pytest.mark.parametrize(
    ("kind", "account", "more"),
    [
        (PayoutKind.ALIPAY, "not an account", {}),
        (PayoutKind.WECHAT, "short", {}),
        (PayoutKind.BANK, "12345", {"bank_name": "工商银行"}),
        (PayoutKind.BANK, "6222020200011112222", {}),
        (PayoutKind.ALIPAY, "lin@example.com", {"name": "林"}),
    ],
)
def test_what_cannot_be_an_account_is_refused(
    desk: Desk, kind: PayoutKind, account: str, more: dict[str, str]
) -> None:
    with pytest.raises(errors.AccountInvalid):
        desk.add_account(account, kind=kind, **more)
    with platform_scope("a test looks"):
        assert not PayoutAccount.unscoped.exists()


def test_a_removed_account_takes_nothing_new_but_what_is_on_its_way_arrives(desk: Desk) -> None:
    desk.set_terms()
    desk.sell()
    account = desk.add_account()
    asked = desk.ask(500, account)
    with site_scope(desk.site.id):
        remove_payout_account(owner=site_owner(), account_id=account.id, actor=LIN)

    with pytest.raises(errors.AccountNotFound):
        desk.ask(500, account)
    desk.approve(asked)
    start(desk, asked)
    send_due_payouts()
    assert desk.fresh(asked).state == State.PAID


def test_nobody_approves_his_own_request(desk: Desk) -> None:
    desk.set_terms()
    desk.sell()
    asked = desk.ask(500, desk.add_account())

    with pytest.raises(errors.OwnRequest):
        desk.approve(asked, LIN)
    assert desk.fresh(asked).state == State.REQUESTED


def test_above_the_threshold_two_different_people_say_yes(desk: Desk) -> None:
    desk.set_terms(second_amount=500)
    desk.sell()
    asked = desk.ask(500, desk.add_account())

    assert desk.approve(asked).state == State.REQUESTED
    with pytest.raises(errors.ApprovedAlready):
        desk.approve(asked)
    assert desk.fresh(asked).state == State.REQUESTED
    assert desk.approve(asked, BEN).state == State.APPROVED


def test_what_is_odd_must_be_read_before_the_yes(desk: Desk) -> None:
    desk.set_terms(large_amount=500)
    desk.sell()
    asked = desk.ask(500, desk.add_account())

    assert asked.risk_codes == ["first_payout", "new_account", "unusually_large"]
    with pytest.raises(errors.RiskUnread):
        desk.approve(asked, seen=False)
    assert desk.approve(asked).state == State.APPROVED


@pytest.mark.parametrize("after_yes", [False, True])
def test_a_no_gives_the_money_back_with_the_reason(desk: Desk, after_yes: bool) -> None:
    desk.set_terms()
    desk.sell()
    margin = desk.margin()
    asked = desk.ask(500, desk.add_account())
    if after_yes:
        desk.approve(asked)

    with site_scope(desk.main.id):
        with pytest.raises(errors.ReasonMissing):
            refuse_withdrawal(withdrawal_no=asked.withdrawal_no, reason=" ", actor=ADA)
        refuse_withdrawal(withdrawal_no=asked.withdrawal_no, reason="姓名不符", actor=ADA)
        with pytest.raises(errors.NotAllowedNow):
            refuse_withdrawal(withdrawal_no=asked.withdrawal_no, reason="again", actor=ADA)

    assert desk.margin() == margin
    assert (desk.fresh(asked).state, desk.fresh(asked).reason) == (State.REFUSED, "姓名不符")


def test_a_request_can_be_taken_back_until_it_is_decided(desk: Desk) -> None:
    desk.set_terms()
    desk.sell()
    margin = desk.margin()
    account = desk.add_account()
    asked, kept = desk.ask(500, account), desk.ask(600, account)
    desk.approve(kept)

    with site_scope(desk.site.id):
        take_back_withdrawal(owner=site_owner(), withdrawal_no=asked.withdrawal_no, actor=LIN)
        with pytest.raises(errors.NotAllowedNow):
            take_back_withdrawal(owner=site_owner(), withdrawal_no=kept.withdrawal_no, actor=LIN)
    assert desk.margin() == margin - 600


def test_a_withdrawal_of_another_site_is_not_found(desk: Desk, site_b: Site) -> None:
    desk.set_terms()
    desk.sell()
    asked = desk.ask(500, desk.add_account())

    with site_scope(site_b.id):
        with pytest.raises(errors.WithdrawalNotFound):
            take_back_withdrawal(owner=site_owner(), withdrawal_no=asked.withdrawal_no, actor=LIN)
        with pytest.raises(errors.WithdrawalNotFound):
            refuse_withdrawal(withdrawal_no=asked.withdrawal_no, reason="no", actor=LIN)
        assert not Withdrawal.objects.exists()


def test_the_main_site_does_not_withdraw_from_itself(desk: Desk) -> None:
    account = desk.add_account()
    wish = WithdrawalWish(
        source=Source.MARGIN, amount=100, account_id=account.id, idempotency_key="k"
    )
    with site_scope(desk.main.id), pytest.raises(errors.NotForMainSite):
        request_withdrawal(owner=site_owner(), wish=wish, actor=ADA)


def test_a_payout_without_an_answer_is_asked_about_and_never_sent_twice(
    desk: Desk, bank: Bank
) -> None:
    desk.set_terms()
    desk.sell()
    asked = start(desk, approved(desk))
    bank.trouble = ["late"]

    send_due_payouts()
    assert desk.fresh(asked).state == State.SENDING
    desk.make_due(Withdrawal)
    send_due_payouts()

    assert desk.fresh(asked).state == State.PAID
    assert bank.asked == {asked.payout_no: 1, f"?{asked.payout_no}": 1}


def test_a_payout_that_never_arrived_is_sent_again_under_its_number(desk: Desk, bank: Bank) -> None:
    desk.set_terms()
    desk.sell()
    asked = start(desk, approved(desk))
    bank.trouble = ["lost"]

    send_due_payouts()
    desk.make_due(Withdrawal)
    send_due_payouts()

    assert desk.fresh(asked).state == State.PAID
    assert bank.moved == {asked.payout_no: 500}


def test_a_clear_refusal_gives_the_money_back(desk: Desk, bank: Bank) -> None:
    desk.set_terms()
    desk.sell()
    margin = desk.margin()
    asked = start(desk, approved(desk))
    bank.trouble = ["refuse"]

    send_due_payouts()

    failed = desk.fresh(asked)
    assert (failed.state, failed.reason) == (State.FAILED, "not enough")
    assert desk.margin() == margin


def test_turned_away_after_an_unknown_answer_is_no_refusal(desk: Desk, bank: Bank) -> None:
    """The first call may have paid: a person looks at the gateway and says what happened."""
    desk.set_terms()
    desk.sell()
    asked = start(desk, approved(desk))
    bank.trouble = ["lost", "turned"]
    send_due_payouts()
    desk.make_due(Withdrawal)
    send_due_payouts()
    assert desk.fresh(asked).state == State.SENDING

    with site_scope(desk.main.id):
        decide_payout(
            withdrawal_no=asked.withdrawal_no, is_paid=True, reason="看过通道账单", actor=ADA
        )
        with pytest.raises(errors.NotAllowedNow):
            decide_payout(withdrawal_no=asked.withdrawal_no, is_paid=False, reason="x", actor=ADA)
    assert desk.fresh(asked).state == State.PAID


def test_a_gateway_pays_only_to_accounts_it_knows(desk: Desk) -> None:
    desk.set_terms()
    desk.sell()
    card = desk.add_account("6222020200011112222", kind=PayoutKind.BANK, bank_name="工商银行")
    asked = desk.approve(desk.ask(500, card))

    with pytest.raises(errors.PayoutUnsupported):
        start(desk, asked)
    assert desk.fresh(asked).state == State.APPROVED


def batch_of(desk: Desk, *withdrawals: Withdrawal) -> str:
    with site_scope(desk.main.id):
        numbers = [each.withdrawal_no for each in withdrawals]
        return make_batch(withdrawal_nos=numbers, actor=ADA).batch_no


def read_result(desk: Desk, batch_no: str, text: str) -> list[str]:
    with site_scope(desk.main.id):
        lines = import_result(
            batch_no=batch_no, data=text.encode(), filename="result.csv", actor=ADA
        )
    return [str(line.outcome) for line in lines]


def test_the_banks_result_is_matched_line_by_line(desk: Desk) -> None:
    desk.set_terms()
    for _ in range(3):
        desk.sell()
    margin = desk.margin()
    rows = [approved(desk, amount) for amount in (500, 600, 700, 800)]
    other = approved(desk, 900)
    batch_no = batch_of(desk, *rows)
    batch_of(desk, other)
    paid, failed, pending, short = rows
    text = (
        "打款编号,金额,结果,失败原因\n"
        f"{paid.payout_no},0.05,成功,\n"
        f"{failed.payout_no},0.06,失败,账号不存在\n"
        f"{pending.payout_no},0.07,处理中,\n"
        f"{short.payout_no},0.07,成功,\n"
        f"{other.payout_no},0.09,成功,\n"
        "123456789012345678,0.05,成功,\n"
        "no number,0.05,成功,\n"
    )

    said = read_result(desk, batch_no, text)

    assert said == [
        "paid",
        "failed",
        "pending",
        "other_amount",
        "other_batch",
        "unknown_number",
        "unreadable",
    ]
    states = [desk.fresh(each).state for each in (*rows, other)]
    assert states == [State.PAID, State.FAILED, *[State.IN_BATCH] * 3]
    assert desk.fresh(failed).reason == "账号不存在"
    assert desk.margin() == margin - (500 + 700 + 800 + 900)
    assert desk.amount(AccountKind.BANK, desk.main.id) == 500
    assert read_result(desk, batch_no, text)[:2] == ["done_already", "done_already"]
    assert desk.amount(AccountKind.BANK, desk.main.id) == 500


def test_a_result_that_speaks_twice_of_a_payout_settles_neither(desk: Desk) -> None:
    desk.set_terms()
    desk.sell()
    asked = approved(desk)
    batch_no = batch_of(desk, asked)
    text = f"打款编号,金额,结果\n{asked.payout_no},0.05,成功\n{asked.payout_no},0.05,失败\n"

    assert read_result(desk, batch_no, text) == ["twice", "twice"]
    assert desk.fresh(asked).state == State.IN_BATCH


def test_a_result_against_what_was_settled_is_named(desk: Desk) -> None:
    desk.set_terms()
    desk.sell()
    asked = approved(desk)
    batch_no = batch_of(desk, asked)
    read_result(desk, batch_no, f"打款编号,金额,结果\n{asked.payout_no},0.05,成功\n")

    said = read_result(desk, batch_no, f"打款编号,金额,结果\n{asked.payout_no},0.05,失败\n")

    assert said == ["contradicts"]
    assert desk.fresh(asked).state == State.PAID


@pytest.mark.parametrize("text", ["", "just,words\n1,2\n"])
def test_a_file_that_is_no_result_is_refused(desk: Desk, text: str) -> None:
    desk.set_terms()
    desk.sell()
    batch_no = batch_of(desk, approved(desk))

    with pytest.raises(errors.ResultUnreadable):
        read_result(desk, batch_no, text)


def test_a_batch_takes_all_or_none(desk: Desk) -> None:
    desk.set_terms()
    desk.sell()
    ready, waiting = approved(desk, 500), desk.ask(600, desk.add_account("w@example.com"))

    with pytest.raises(errors.NotAllowedNow):
        batch_of(desk, ready, waiting)
    assert desk.fresh(ready).state == State.APPROVED
    with pytest.raises(errors.BatchEmpty):
        batch_of(desk)


def pay_in(desk: Desk, amount: int) -> None:
    """Book what an operator paid into the prepaid balance."""
    with site_scope(desk.site.id):
        book_prepaid(
            site_id=desk.site.id,
            amount=amount,
            reason="转账 8841",
            idempotency_key="paid in",
            actor=ADA,
        )


def test_an_unused_prepaid_balance_goes_back_to_its_operator(desk: Desk, bank: Bank) -> None:
    desk.set_terms()
    pay_in(desk, 20_000)
    account = desk.add_account()
    assert desk.claim(Source.PREPAID).available_amount == 20_000
    with pytest.raises(errors.ClaimShort):
        desk.ask(20_100, account, source=Source.PREPAID)

    kept, gone = (desk.ask(amount, account, source=Source.PREPAID) for amount in (5_000, 8_000))
    assert desk.amount(AccountKind.PREPAID, desk.site.id) == 7_000
    with site_scope(desk.main.id):
        refuse_withdrawal(withdrawal_no=kept.withdrawal_no, reason="不符", actor=ADA)
    desk.approve(gone)
    start(desk, gone)
    send_due_payouts()

    assert desk.fresh(gone).state == State.PAID
    assert desk.amount(AccountKind.PREPAID, desk.site.id) == 12_000
    assert bank.moved == {gone.payout_no: 8_000}


def test_who_asked_is_told_by_mail_what_became_of_it(desk: Desk) -> None:
    person = make_staff(login="lin@shop.example.com", name="Lin")
    lin = Actor(kind="user", actor_id=person.id, name="Lin")
    desk.set_terms()
    desk.sell()
    with site_scope(desk.site.id):
        wish = WithdrawalWish(
            source=Source.MARGIN,
            amount=500,
            account_id=desk.add_account().id,
            idempotency_key="mail",
        )
        asked = request_withdrawal(owner=site_owner(), wish=wish, actor=lin)
    with site_scope(desk.main.id):
        refuse_withdrawal(withdrawal_no=asked.withdrawal_no, reason="姓名不符", actor=ADA)

    consumer = next(each for each in AFTER_COMMIT if each.name == "settlement.tell_operators")
    kinds = [event.KIND for event in consumer.events]
    for _ in range(2):
        while consume(consumer.name, kinds, consumer.handler):
            continue
    with platform_scope("a test looks"):
        (mail,) = Email.unscoped.all()
    assert "未通过" in mail.subject


@pytest.mark.parametrize(
    ("kind", "account_kind", "account", "word"),
    [
        ("alipay", "alipay", "lin@example.com", "ALIPAY_LOGON_ID"),
        ("alipay", "alipay", "2088102177846880", "ALIPAY_USER_ID"),
        ("alipay", "bank", "6222020200011112222", ""),
        ("alipay", "wechat", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", ""),
        ("wechat", "wechat", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "openid"),
        ("wechat", "alipay", "lin@example.com", ""),
        ("epay", "alipay", "lin@example.com", ""),
    ],
)
def test_each_gateway_is_told_the_account_in_its_own_words(
    kind: str, account_kind: str, account: str, word: str
) -> None:
    gateway = OpenGateway(
        gateway_id=1,
        name=kind,
        kind=kind,
        is_enabled=True,
        provider=registry.get_provider(kind),
        config=None,
    )

    assert sender_kind(gateway, account_kind=account_kind, account=account) == word
