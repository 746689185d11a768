"""Trouble on purpose: the page and the control API do the same; nonsense does nothing."""

import json
import time
from urllib.parse import parse_qs, urlencode

import pytest

from kameng_simulator.faults import FAULTS
from tests.providers.world import Shop, World
from tests.simulator.calls import call, open_epay


def trouble(world: World, **form: str) -> tuple[int, str]:
    status, body, _ = call(f"{world.url}/trouble", data=urlencode(form).encode())
    return status, body


def control(world: World, act: str, **data: object) -> tuple[int, dict[str, object]]:
    status, body, _ = call(f"{world.url}/control/{act}", data=json.dumps(data).encode())
    return status, json.loads(body)


def test_the_page_offers_every_fault(world: World) -> None:
    _, body, _ = call(f"{world.url}/trouble")

    assert all(f'value="{name}"' in body for name in FAULTS)
    assert "没有安排" in body


def test_a_fault_planned_on_the_page_breaks_the_next_call_only(world: World) -> None:
    open_epay(world, "P1")
    account = world.credentials("epay")
    address = f"{world.url}/api.php?act=order&out_trade_no=P1&" + urlencode(
        {"pid": account["pid"], "key": account["key"]}
    )

    status, body = trouble(world, act="fault", gateway="epay", fault="error", times="1", after="1")

    assert (status, "已生效" in body) == (200, True)
    assert [call(address)[0] for _ in range(3)] == [200, 500, 200]


@pytest.mark.parametrize(
    "form",
    [
        {"act": "steal"},
        {"act": "fault", "gateway": "epay", "fault": "fire", "times": "1", "after": "0"},
        {"act": "fault", "gateway": "epay", "fault": "error", "times": "many", "after": "0"},
        {"act": "speed", "speed": "0"},
        {"act": "speed", "speed": "fast"},
        {"act": "rotate", "gateway": "nobody"},
        {"act": "rotate", "gateway": "alipay"},
        {"act": "bill", "gateway": "epay", "day": "yesterday", "change": "missing", "own_no": "P1"},
        {"act": "pay", "out_trade_no": "P9", "mode": "success"},
        {"act": "notice", "out_trade_no": "P1", "twist": "foreign", "delay_seconds": "0"},
    ],
)
def test_nonsense_is_told_and_does_nothing(world: World, form: dict[str, str]) -> None:
    open_epay(world, "P1")

    status, body = trouble(world, **form)

    assert (status, 'class="told bad"' in body) == (200, True)
    state = world.state("P1")
    assert (state["state"], state["notices"]) == ("wait", [])


def test_the_speed_changes_while_it_runs(world: World) -> None:
    assert control(world, "speed", speed=7) == (200, {"speed": 7.0})
    assert world.simulator.clockwork.speed == 7.0


def test_a_new_key_signs_from_now_on(world: World, shop: Shop) -> None:
    before = world.credentials("epay")["key"]

    status, told = control(world, "rotate", gateway="epay")

    assert (status, "密钥" in str(told["told"])) == (200, True)
    assert world.credentials("epay")["key"] != before


def test_a_stranger_is_signed_well_and_named_wrong(world: World, shop: Shop) -> None:
    open_epay(world, "P1", notify_url=f"{shop.url}/n")

    world.pay("P1", "stranger")

    (callback,) = shop.wait_for(1)
    fields = {name: values[0] for name, values in parse_qs(callback.query.decode()).items()}
    assert int(fields["pid"]) == int(world.credentials("epay")["pid"]) + 1
    assert world.state("P1")["state"] == "wait"


def test_a_replay_is_the_same_bytes(world: World, shop: Shop) -> None:
    open_epay(world, "P1", notify_url=f"{shop.url}/n")
    world.pay("P1", "success")
    shop.wait_for(1)

    world.pay("P1", "replayed")

    first, second = shop.wait_for(2)
    assert (first.query, first.body) == (second.query, second.body)


def test_a_replay_need_not_wait_for_the_answer_to_the_first(world: World, shop: Shop) -> None:
    open_epay(world, "P1", notify_url=f"{shop.url}/n")
    shop.may_answer.clear()
    world.pay("P1", "success")
    shop.wait_for(1)

    world.pay("P1", "replayed")

    first, second = shop.wait_for(2)
    assert first.query == second.query


def test_who_waits_behind_is_sent_after_the_next(world: World, shop: Shop) -> None:
    for number in ("P1", "P2"):
        open_epay(world, number, notify_url=f"{shop.url}/{number}")
    world.pay("P1", "behind")
    time.sleep(0.3)
    assert shop.callbacks == []

    world.pay("P2", "success")

    said = [parse_qs(callback.query.decode())["out_trade_no"] for callback in shop.wait_for(2)]
    assert said == [["P2"], ["P1"]]


def test_a_delayed_notice_waits(world: World, shop: Shop) -> None:
    open_epay(world, "P1", notify_url=f"{shop.url}/n")

    world.pay("P1", "slow", delay_seconds=3600)

    state = world.state("P1")
    assert state["state"] == "paid"
    assert state["notices"][0]["attempt_count"] == 0
    assert state["notices"][0]["due_at"] > time.time() + 3000


@pytest.mark.parametrize("fault", ["error_after", "reset_after"])
def test_faults_that_come_after_the_act(world: World, fault: str) -> None:
    open_epay(world, "P1")
    world.pay("P1", "success")
    account = world.credentials("epay")
    form = {"pid": account["pid"], "key": account["key"], "out_trade_no": "P1", "money": "1.00"}
    control(world, "fault", gateway="epay", fault=fault)

    try:
        status = call(f"{world.url}/api.php?act=refund", data=urlencode(form).encode())[0]
    except ConnectionError:
        status = 0

    assert status in (0, 500)
    assert world.state("P1")["refunded_fen"] == 100
