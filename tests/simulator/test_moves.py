"""Transfers count once per number; a bill says what happened, and what a tester changed."""

import json
import time

import pytest

from kameng_simulator.moves import Moves
from tests.providers.world import World
from tests.simulator.calls import call, open_epay


def today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + 8 * 3600))


def bring(world: World, number: str, *, day: str, fen: int = 10_000) -> None:
    noon = time.mktime(time.strptime(day, "%Y-%m-%d")) + 4 * 3600
    past = {
        "gateway": "epay",
        "trade_no": f"T{number}",
        "out_trade_no": number,
        "method": "wxpay",
        "subject": "月卡",
        "amount_fen": fen,
        "paid_at": float(noon),
    }
    data = json.dumps({"payments": [past]}).encode()
    assert call(f"{world.url}/control/history", data=data)[0] == 200


def change(world: World, **data: object) -> int:
    return call(f"{world.url}/control/bill", data=json.dumps(data).encode())[0]


def test_a_transfer_counts_once(world: World) -> None:
    moves = world.simulator.moves
    wish = {"gateway": "epay", "kind": "payout", "own_no": "W1", "amount_fen": 5, "account": "a"}

    first, is_new = moves.open_transfer(wish)
    second, is_new_again = moves.open_transfer(wish)

    assert (is_new, is_new_again, first.id) == (True, False, second.id)
    with pytest.raises(ValueError, match="amount_fen"):
        moves.open_transfer({**wish, "amount_fen": 6})


def test_a_bill_holds_the_day_and_its_fees(world: World) -> None:
    bring(world, "P1", day="2026-09-01")
    bring(world, "P2", day="2026-09-02")

    rows = world.simulator.moves.list_bill("epay", day="2026-09-01", fee_bps=60)

    assert [(row.own_no, row.amount_fen, row.fee_fen) for row in rows] == [("P1", 10_000, 60)]


def test_a_refund_stands_in_the_bill_of_its_own_day(world: World) -> None:
    open_epay(world, "P1")
    world.pay("P1", "success")
    payment = world.simulator.store.find_payment("epay", "P1")
    assert payment is not None
    world.simulator.store.refund(payment.id, refund_no="R1", amount_fen=40)

    rows = world.simulator.moves.list_bill("epay", day=today(), fee_bps=100)

    assert [(r.kind, r.own_no, r.amount_fen, r.fee_fen) for r in rows] == [
        ("payment", "P1", 100, 1),
        ("refund", "R1", 40, 0),
    ]


def test_a_changed_bill_says_something_else(world: World) -> None:
    day = "2026-09-01"
    for number in ("P1", "P2", "P3", "P4"):
        bring(world, number, day=day)
    changes = (
        {"change": "missing", "own_no": "P1"},
        {"change": "amount", "own_no": "P2", "amount_fen": 9_999},
        {"change": "fee", "own_no": "P3", "amount_fen": 70},
        {"change": "twice", "own_no": "P4"},
        {"change": "extra", "own_no": "P9", "amount_fen": 1},
    )

    assert {change(world, gateway="epay", day=day, **each) for each in changes} == {200}

    rows = Moves(world.simulator.store).list_bill("epay", day=day, fee_bps=60)
    assert sorted((row.own_no, row.amount_fen, row.fee_fen) for row in rows) == [
        ("P2", 9_999, 60),
        ("P3", 10_000, 70),
        ("P4", 10_000, 60),
        ("P4", 10_000, 60),
        ("P9", 1, 0),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"day": "2026-13-01"},
        {"change": "burnt"},
        {"gateway": "nobody"},
        {"amount_fen": True},
        {"amount_fen": "5"},
    ],
)
def test_a_wrong_change_is_refused(world: World, wrong: dict[str, object]) -> None:
    good = {"gateway": "epay", "day": "2026-09-01", "change": "extra", "own_no": "P1"}

    assert change(world, **{"amount_fen": 1, **good, **wrong}) == 400
