"""The control API refuses nonsense with a 4xx and does nothing."""

import json
import socket

import pytest

from tests.providers.world import World
from tests.simulator.calls import call, open_epay


@pytest.mark.parametrize(
    ("path", "data", "status"),
    [
        ("/control/pay", b'{"out_trade_no":"P1","mode":"steal"}', 400),
        ("/control/pay", b'{"out_trade_no":"P9","mode":"success"}', 404),
        ("/control/pay", b"[]", 400),
        ("/control/pay", b"{", 400),
        ("/control/pay", b"\xff", 400),
        ("/control/fault", b'{"gateway":"epay","fault":"fire"}', 400),
        ("/control/fault", b'{"gateway":"x","fault":"hang"}', 400),
        ("/control/history", b'{"payments":[{"gateway":"epay"}]}', 400),
        ("/control/history", b'{"payments":{}}', 400),
        ("/control/dispute", b'{"out_trade_no":"P1"}', 400),
        ("/control/dispute", b'{"out_trade_no":"P9"}', 404),
        ("/control/nothing", b"{}", 404),
        ("/submit.php", b"x" * 70_000, 413),
        ("/submit.php", b"a=%ff", 400),
    ],
)
def test_nonsense_is_a_4xx(world: World, path: str, data: bytes, status: int) -> None:
    open_epay(world, "P1")

    assert call(world.url + path, data=data)[0] == status
    assert world.state("P1")["state"] == "wait"


def test_state_tells_payments_callbacks_and_refunds(world: World) -> None:
    open_epay(world, "P1")
    world.pay("P1", "forged")

    state = world.state("P1")

    assert state["state"] == "wait"
    assert [notice["kind"] for notice in state["notices"]] == ["伪造通知"]
    assert state["refunds"] == []


def test_broken_http_does_not_stop_the_server(world: World) -> None:
    port = int(world.url.rpartition(":")[2])
    for data in (
        b"\x00\xff\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(data)
            connection.recv(100)

    assert json.loads(world.browse(world.url + "/healthz")) == {"ok": True}


def test_a_payment_of_the_past_is_known_and_can_be_refunded_once(world: World) -> None:
    past = {
        "gateway": "epay",
        "trade_no": "2026090110203000001",
        "out_trade_no": "P7",
        "method": "wxpay",
        "subject": "月卡",
        "amount_fen": 1250,
        "paid_at": 1_788_200_000.0,
    }
    data = json.dumps({"payments": [past]}).encode()

    first = call(world.url + "/control/history", data=data)
    second = call(world.url + "/control/history", data=data)

    assert json.loads(first[1]) == {"new": 1}
    assert json.loads(second[1]) == {"new": 0}
    account = world.credentials("epay")
    who = f"pid={account['pid']}&key={account['key']}&out_trade_no=P7&money=12.50"
    asked = json.loads(call(f"{world.url}/api.php?act=order&{who}")[1])
    assert (asked["status"], asked["money"], asked["trade_no"]) == (1, "12.50", past["trade_no"])
    assert json.loads(call(f"{world.url}/api.php?act=refund", data=who.encode())[1])["code"] == 1
    assert world.state("P7")["refunded_fen"] == 1250


def test_a_payment_of_the_past_may_be_held_for_a_split(world: World) -> None:
    past = {
        "gateway": "wechat",
        "trade_no": "4200002026090110203000001",
        "out_trade_no": "P8",
        "method": "native",
        "subject": "月卡",
        "amount_fen": 1250,
        "paid_at": 1_788_200_000.0,
        "is_held": True,
    }

    told = call(world.url + "/control/history", data=json.dumps({"payments": [past]}).encode())
    odd = json.dumps({"payments": [{**past, "is_held": "yes"}]}).encode()

    assert json.loads(told[1]) == {"new": 1}
    assert world.state("P8")["extra"] == {"splits": True, "royalty_freeze": True}
    assert call(world.url + "/control/history", data=odd)[0] == 400
