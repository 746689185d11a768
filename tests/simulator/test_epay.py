"""The epay side answers with the platform's codes, and believes no unsigned word."""

import json
from urllib.parse import urlencode

import pytest

from tests.providers.world import World
from tests.simulator.calls import call, epay_fields, open_epay


def open_by_api(world: World, fields: dict[str, str]) -> dict[str, object]:
    _, body, _ = call(f"{world.url}/mapi.php", data=urlencode(fields).encode())
    return dict(json.loads(body))


def ask(world: World, **fields: str) -> dict[str, object]:
    account = world.credentials("epay")
    query = urlencode({"pid": account["pid"], "key": account["key"], **fields})
    _, body, _ = call(f"{world.url}/api.php?{query}")
    return dict(json.loads(body))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sign": "0" * 32}, "签名校验失败"),
        ({"sign": ""}, "签名校验失败"),
        ({"pid": "1"}, "商户不存在"),
        ({"money": "1e3"}, "金额不合法"),
        ({"money": "0.00"}, "金额不合法"),
        ({"money": "１.00"}, "金额不合法"),
        ({"money": "1.001"}, "金额不合法"),
        ({"type": "cash"}, "支付方式不存在"),
        ({"out_trade_no": ""}, "不能为空"),
        ({"out_trade_no": "a'b"}, "格式不正确"),
        ({"notify_url": ""}, "不能为空"),
    ],
)
def test_wrong_opening_is_refused(world: World, changes: dict[str, str], words: str) -> None:
    reply = open_by_api(world, epay_fields(world, "P1", **changes))

    assert reply["code"] == -1
    assert words in str(reply["msg"])
    assert world.simulator.store.list_payments(limit=10) == []


def test_opening_twice_gives_the_same_payment(world: World) -> None:
    first = open_by_api(world, epay_fields(world, "P1"))

    assert open_by_api(world, epay_fields(world, "P1")) == first
    other = open_by_api(world, epay_fields(world, "P1", money="2.00"))
    assert other["code"] == -1


def test_device_decides_between_code_and_address(world: World) -> None:
    on_desk = open_by_api(world, epay_fields(world, "P1", device="pc"))
    on_phone = open_by_api(world, epay_fields(world, "P2", device="mobile"))

    assert "/pay/" in str(on_desk["qrcode"])
    assert "/pay/" in str(on_phone["payurl"])


def test_queries_need_the_key(world: World) -> None:
    assert ask(world, act="query")["code"] == 1
    assert ask(world, act="query", key="x")["code"] == -3
    assert ask(world, act="query", pid="1")["code"] == -3
    assert ask(world, act="dance")["code"] == -5
    assert ask(world, act="order", out_trade_no="P9")["msg"] == "订单号不存在"


def test_orders_are_listed_newest_first(world: World) -> None:
    for number in ("P1", "P2", "P3"):
        open_epay(world, number)

    reply = ask(world, act="orders", limit="2")

    assert reply["count"] == 2
    assert [order["out_trade_no"] for order in reply["data"]] == ["P3", "P2"]  # type: ignore[attr-defined]


def test_refunds_stop_at_what_was_paid(world: World) -> None:
    open_epay(world, "P1")
    assert ask(world, act="refund", out_trade_no="P1", money="0.40")["code"] == -1
    world.pay("P1", "lost")

    assert ask(world, act="refund", out_trade_no="P1", money="0.40")["code"] == 1
    assert ask(world, act="refund", out_trade_no="P1", money="0.61")["code"] == -1
    assert ask(world, act="order", out_trade_no="P1")["status"] == 1
    assert ask(world, act="refund", out_trade_no="P1", money="0.60")["code"] == 1
    assert ask(world, act="order", out_trade_no="P1")["status"] == 2
