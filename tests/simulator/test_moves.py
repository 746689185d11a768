"""Transfers count once per number; a bill says what happened, and what a tester changed."""

import calendar
import json
import time

import pytest

from kameng_simulator.moves import Moves
from tests.providers.world import World
from tests.simulator.calls import call, open_epay


def today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + 8 * 3600))


def noon_of(day: str) -> float:
    return float(calendar.timegm(time.strptime(day, "%Y-%m-%d")) + 4 * 3600)


def bring(world: World, number: str, *, day: str, fen: int = 10_000, gateway: str = "epay") -> None:
    past = {
        "gateway": gateway,
        "trade_no": f"T{number}",
        "out_trade_no": number,
        "method": "wxpay",
        "subject": "月卡",
        "amount_fen": fen,
        "paid_at": noon_of(day),
    }
    data = json.dumps({"payments": [past]}).encode()
    assert call(f"{world.url}/control/history", data=data)[0] == 200


def act(world: World, what: str, **data: object) -> int:
    return call(f"{world.url}/control/{what}", data=json.dumps(data).encode())[0]


def change(world: World, **data: object) -> int:
    return act(world, "bill", **data)


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


def test_a_payout_that_came_back_stands_in_the_bills_of_both_days(world: World) -> None:
    moves = world.simulator.moves
    wish = {"gateway": "alipay_cert", "kind": "payout", "amount_fen": 5, "account": "a"}
    moves.open_transfer({**wish, "own_no": "W1", "created_at": noon_of("2026-09-01")})
    moves.open_transfer({**wish, "own_no": "W2", "created_at": noon_of("2026-09-01")})

    assert act(world, "return", gateway="alipay_cert", own_no="W1") == 200
    assert act(world, "return", gateway="alipay_cert", own_no="W1") == 404

    def told(day: str) -> list[tuple[str, str, int]]:
        rows = moves.list_bill("alipay_cert", day=day, fee_bps=60)
        return [(row.kind, row.own_no, row.amount_fen) for row in rows]

    assert told("2026-09-01") == [("payout", "W1", 5), ("payout", "W2", 5)]
    assert told(today()) == [("payout_return", "W1", 5)]
    found = moves.find_transfer("alipay_cert", "payout", "W1")
    assert found is not None
    assert found.state == "back"


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"gateway": "wechat", "own_no": "W1"}, 400),  # SUCCESS is its last word
        ({"gateway": "nobody", "own_no": "W1"}, 400),
        ({"gateway": "alipay_cert", "own_no": "W9"}, 404),
    ],
)
def test_what_cannot_come_back_is_refused(
    world: World, wish: dict[str, object], status: int
) -> None:
    assert act(world, "return", **wish) == status


@pytest.mark.parametrize(
    "wrong",
    [{"amount_fen": 0}, {"amount_fen": True}, {"amount_fen": "5"}, {"way": "up"}, {"day": "x"}],
)
def test_a_wrong_correction_is_refused(world: World, wrong: dict[str, object]) -> None:
    bring(world, "P1", day="2026-09-01", gateway="unionpay")
    good = {"out_trade_no": "P1", "way": "out", "day": "2026-09-02", "amount_fen": 5}

    assert act(world, "correct", **{**good, **wrong}) == 400
    assert world.simulator.moves.list_corrections("unionpay", day="2026-09-02") == []
    assert act(world, "correct", **good) == 200
    [kept] = world.simulator.moves.list_corrections("unionpay", day="2026-09-02")
    assert (kept.is_in, kept.own_no, kept.amount_fen) == (False, "P1", 5)


def test_a_platform_without_such_files_corrects_nothing(world: World) -> None:
    bring(world, "P1", day="2026-09-01")

    wish = {"out_trade_no": "P1", "way": "out", "day": "2026-09-02", "amount_fen": 5}
    assert act(world, "correct", **wish) == 400
