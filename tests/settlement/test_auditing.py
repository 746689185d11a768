"""The audit finds what is wrong with withdrawals and splits, each under its name."""

import pytest
from django.db import connection

from kameng.config import audit
from kameng.core.scope import platform_scope
from kameng.payments.providers.port import DisputeStatus
from kameng.settlement.models import Split, SplitReturn, Withdrawal
from kameng.settlement.services.batching import import_result, make_batch
from kameng.settlement.services.bouncing import mark_returned
from kameng.settlement.services.paying_out import send_due_payouts, start_payout
from kameng.settlement.services.reserving import reserve_due_splits
from kameng.settlement.services.returning import ask_due_returns
from kameng.settlement.services.reviewing import refuse_withdrawal
from kameng.settlement.services.splitting import ask_due_splits, free_due_payments
from kameng.tenancy.models import SettlementWay
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import refund
from tests.damage import as_owner
from tests.settlement.fakes import Bank
from tests.settlement.test_contesting import dispute
from tests.settlement.world import ADA, Desk

COPY = (
    "insert into ledger_transfer (site_id, debit_account, credit_account, amount, code,"
    " reference_kind, reference_id) select site_id, debit_account, credit_account, amount, {code},"
    " reference_kind, reference_id from ledger_transfer where code = {of} limit 1"
)
MOVE = "update ledger_transfer set {side} = {account} where code = {code}"
PAID = "settlement_withdrawal where state = 5"
BREAKS = [
    ("I19", COPY.format(code=72, of=72)),
    ("I19", COPY.format(code=70, of=70)),
    ("I19", COPY.format(code=71, of=71)),
    ("I19", "delete from ledger_transfer where code = 72"),
    ("I19", MOVE.format(side="credit_account", account=99981, code=72)),
    ("I19", MOVE.format(side="credit_account", account=99940, code=73)),
    ("I19", MOVE.format(side="credit_account", account=99986, code=74)),
    ("I19", MOVE.format(side="debit_account", account=99950, code=70)),
    ("I19", "update settlement_withdrawal set state = 7 where state = 5"),
    ("I19", "update settlement_withdrawal set state = 8 where state = 1"),
    ("I19", "delete from settlement_approval"),
    ("I19", "update settlement_approval set user_id = 101"),
    ("I19", "update settlement_withdrawal set next_attempt_at = null where state = 3"),
    ("I19", "update settlement_withdrawal set batch_id = null where state = 4"),
    ("I19", "update settlement_withdrawal set ended_at = null where state = 5"),
    ("I19", COPY.format(code=75, of=75)),
    ("I19", "delete from ledger_transfer where code = 75 and debit_account % 100 = 40"),
    ("I19", MOVE.format(side="credit_account", account=99950, code=75)),
    ("I19", "update settlement_withdrawal set state = 5 where state = 9"),
    ("I19", "update settlement_withdrawal set recheck_at = now() where state = 9"),
    ("I20", COPY.format(code=80, of=80)),
    ("I20", COPY.format(code=81, of=81)),
    ("I20", COPY.format(code=82, of=82)),
    ("I20", COPY.format(code=83, of=83)),
    ("I20", MOVE.format(side="credit_account", account=99920, code=81)),
    ("I20", MOVE.format(side="credit_account", account=99950, code=83)),
    ("I20", "update settlement_split set state = 3 where state = 2"),
    ("I20", "update settlement_split set amount = amount + 100 where state = 3"),
    ("I20", "update settlement_split set returned_amount = 0 where returned_amount > 0"),
    ("I20", "update settlement_splitreturn set state = 3 where state = 2"),
    (
        "I20",
        (
            "update ledger_transfer set amount = amount + 90000 where code in (80, 81);"
            " update settlement_split set amount = amount + 90000 where state in (2, 3)"
        ),
    ),
    ("I20", "update settlement_split set receiver_id = null where state = 3"),
    ("I20", "update settlement_split set next_attempt_at = null where state = 2"),
    ("I20", "update settlement_splitreturn set next_attempt_at = now() where state = 2"),
    ("I21", COPY.format(code=70, of=70)),
    ("I21", COPY.format(code=80, of=80)),
    (
        "I21",
        "update settlement_withdrawal set amount = amount + 100, fee_amount = fee_amount + 100",
    ),
    ("I28", COPY.format(code=93, of=93)),
    ("I28", "delete from ledger_transfer where code = 93"),
    ("I28", MOVE.format(side="debit_account", account=99950, code=93)),
    ("I28", "update settlement_withdrawal set risk_codes = '{}' where state = 1"),
    ("I11", "update ledger_transfer set reference_id = 0 where code = 72"),
    ("I11", "update ledger_transfer set reference_id = 0 where code = 81"),
    ("I11", "update settlement_split set payment_id = 0 where state = 3 and returned_amount > 0"),
]


@pytest.fixture
def any_db(db: None) -> None:
    """One transaction, rolled back: the damage is not committed."""


@pytest.fixture
def world(desk: Desk, bank: Bank) -> Desk:
    """Withdrawals and splits in every state that there is."""
    desk.set_terms(fee_bps=100, tax_bps=1000, withholds_tax=True)
    placed = [desk.sell(is_held=True) for _ in range(4)]
    account = desk.add_account()
    rows = [desk.ask(amount, account) for amount in (5_000, 5_100, 5_200, 5_300, 5_400, 5_500)]
    for row in rows[:5]:
        desk.approve(row)
    back = desk.approve(desk.ask(5_600, account))
    with site_scope(desk.main.id):
        for row in (*rows[:2], back):
            start_payout(
                withdrawal_no=row.withdrawal_no,
                gateway_id=desk.shop.choice.gateway_id,
                actor=ADA,
            )
        send_due(desk, bank)
        numbers = [row.withdrawal_no for row in rows[2:4]]
        batch = make_batch(withdrawal_nos=numbers, actor=ADA)
        text = f"打款编号,金额,结果\n{rows[2].payout_no},{rows[2].payout_amount / 10_000},成功\n"
        import_result(batch_no=batch.batch_no, data=text.encode(), filename="r.csv", actor=ADA)
        mark_returned(withdrawal_no=back.withdrawal_no, reason="退票", actor=ADA)
        refuse_withdrawal(withdrawal_no=rows[4].withdrawal_no, reason="不符", actor=ADA)
    split_some(desk, bank, placed)
    lost, opened = desk.sell(), desk.sell()
    dispute(desk, lost, DisputeStatus.LOST, amount=50_000)
    dispute(desk, opened, number="D2")
    return desk


def send_due(desk: Desk, bank: Bank) -> None:
    bank.trouble = ["", "lost", ""]
    desk.make_due(Withdrawal)
    send_due_payouts()


def split_some(desk: Desk, bank: Bank, placed: list) -> None:  # type: ignore[type-arg]
    desk.settle_by(SettlementWay.SPLIT)
    desk.add_receiver()
    desk.plan(*placed)
    bank.trouble = ["", "lost", "refuse", "refuse"]
    desk.make_due(Split)
    reserve_due_splits()
    desk.make_due(Split)
    ask_due_splits()
    free_due_payments()
    bank.trouble = []
    done = next(each for each in placed if desk.split_of(each).state == 3)
    refund(desk.shop, done, key="back")
    desk.make_due(SplitReturn)
    ask_due_returns()


def test_the_world_has_every_kind_and_no_breach(world: Desk) -> None:
    with platform_scope("a test looks"):
        withdrawals = set(Withdrawal.unscoped.values_list("state", flat=True))
        splits = set(Split.unscoped.values_list("state", flat=True))
    assert withdrawals == {1, 3, 4, 5, 6, 9}
    assert splits == {2, 3, 4}
    assert world.returns()[0].state == 2
    assert audit.find_breaches() == []


@pytest.mark.parametrize(("name", "damage"), BREAKS)
def test_damage_is_found_under_its_name(name: str, damage: str, world: Desk) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")
        cursor.execute(damage)

    found = audit.find_breaches()

    assert name in {line.partition(":")[0] for line in found}, found
