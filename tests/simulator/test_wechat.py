"""The WeChat Pay side checks who calls, answers with its codes, and keeps its calendar."""

import base64
import json
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from kameng_simulator import signing
from kameng_simulator.wechat import Wechat
from tests.providers.world import World

ORDER = {
    "out_trade_no": "P2026010101",
    "description": "月卡",
    "notify_url": "http://a.localhost:9/",
}


def ask(
    world: World, method: str, target: str, content: Any = None, /, **changes: str
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Make a signed call, written without any of Kameng's code; `changes` spoil its parts."""
    account = world.credentials("wechat")
    body = json.dumps(content).encode() if content is not None else b""
    parts = {
        "mchid": account["mchid"],
        "nonce_str": "N" * 32,
        "timestamp": str(int(time.time())),
        "serial_no": account["merchant_serial_no"],
        **changes,
    }
    text = f"{method}\n{target}\n{parts['timestamp']}\n{parts['nonce_str']}\n{body.decode()}\n"
    key = signing.load_key(account["merchant_private_key"])
    parts.setdefault("signature", signing.sign_rsa(text, key))
    token = ",".join(f'{name}="{value}"' for name, value in parts.items())
    request = urllib.request.Request(
        world.url + target,
        data=body or None,
        method=method,
        headers={
            "Authorization": f"WECHATPAY2-SHA256-RSA2048 {token}",
            "Wechatpay-Serial": account["public_key_id"],
        },
    )
    try:
        reply = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as problem:
        reply = problem  # type: ignore[assignment]
    with reply:
        raw = reply.read()
        headers = {name.lower(): value for name, value in reply.headers.items()}
        if "wechatpay-signature" in headers:
            assert_signed(world, raw, headers)
        return reply.status, json.loads(raw) if raw else {}, headers


def assert_signed(world: World, raw: bytes, headers: dict[str, str]) -> None:
    account = world.credentials("wechat")
    text = f"{headers['wechatpay-timestamp']}\n{headers['wechatpay-nonce']}\n{raw.decode()}\n"
    der = base64.b64decode(account["public_key"])
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    key: Any = load_der_public_key(der)
    assert signing.verify_rsa(text, signature=headers["wechatpay-signature"], key=key)
    assert headers["wechatpay-serial"] == account["public_key_id"]


def order(world: World, **changes: Any) -> dict[str, Any]:
    account = world.credentials("wechat")
    amount = {"total": 100, "currency": "CNY"}
    return {
        "appid": account["appid"],
        "mchid": account["mchid"],
        "amount": amount,
        **ORDER,
        **changes,
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"signature": "AAAA"},
        {"mchid": "1900000001"},
        {"serial_no": "00"},
        {"timestamp": "1600000000"},
        {"timestamp": "yesterday"},
    ],
)
def test_a_wrong_signature_is_answered_as_the_real_one_does(
    world: World, changes: dict[str, str]
) -> None:
    status, answer, headers = ask(world, "GET", "/v3/certificates", **changes)

    assert (status, answer["code"]) == (401, "SIGN_ERROR")
    assert "wechatpay-signature" not in headers


def test_query_and_body_are_part_of_what_is_signed(world: World) -> None:
    account = world.credentials("wechat")
    mchid = account["mchid"]
    status, answer, headers = ask(
        world, "GET", f"/v3/pay/transactions/out-trade-no/NOTHING?mchid={mchid}"
    )
    assert (status, answer["code"]) == (404, "ORDER_NOT_EXIST")
    assert "wechatpay-signature" in headers
    status, answer, _ = ask(
        world, "GET", "/v3/pay/transactions/out-trade-no/NOTHING?mchid=1900000001"
    )
    assert (status, answer["code"]) == (400, "PARAM_ERROR")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"appid": "wx0000000000000000"}, "APPID_MCHID_NOT_MATCH"),
        ({"amount": {"total": 1.5}}, "PARAM_ERROR"),
        ({"amount": {"total": "100"}}, "PARAM_ERROR"),
        ({"amount": {"total": 100, "currency": "USD"}}, "PARAM_ERROR"),
        ({"out_trade_no": "P1"}, "PARAM_ERROR"),
        ({"description": "字" * 50}, "PARAM_ERROR"),
        ({"time_expire": "soon"}, "PARAM_ERROR"),
        ({"time_expire": "2026-01-01T00:00:00+08:00"}, "ORDER_CLOSED"),
    ],
)
def test_a_wrong_order_is_turned_away(world: World, changes: dict[str, Any], code: str) -> None:
    _, answer, _ = ask(world, "POST", "/v3/pay/transactions/native", order(world, **changes))

    assert answer["code"] == code


def test_an_order_is_opened_paid_and_cannot_be_closed(world: World) -> None:
    number, mchid = ORDER["out_trade_no"], world.credentials("wechat")["mchid"]
    path = f"/v3/pay/transactions/out-trade-no/{number}"
    status, first, _ = ask(world, "POST", "/v3/pay/transactions/native", order(world))
    assert status == 200
    assert ask(world, "POST", "/v3/pay/transactions/native", order(world))[1] == first
    dearer = order(world, amount={"total": 200, "currency": "CNY"})
    assert ask(world, "POST", "/v3/pay/transactions/native", dearer)[1]["code"] == (
        "OUT_TRADE_NO_USED"
    )
    before = ask(world, "GET", f"{path}?mchid={mchid}")[1]
    assert (before["trade_state"], "transaction_id" in before) == ("NOTPAY", False)

    world.pay(number, "lost")

    after = ask(world, "GET", f"{path}?mchid={mchid}")[1]
    assert (after["trade_state"], after["amount"]["total"]) == ("SUCCESS", 100)
    found = ask(world, "GET", f"/v3/pay/transactions/id/{after['transaction_id']}?mchid={mchid}")
    assert found[1] == after
    assert ask(world, "POST", f"{path}/close", {"mchid": mchid})[1]["code"] == "ORDERPAID"
    again = ask(world, "POST", "/v3/pay/transactions/native", order(world))
    assert again[1]["code"] == "ORDERPAID"


def test_a_closed_order_is_closed_for_good(world: World) -> None:
    mchid = world.credentials("wechat")["mchid"]
    path = f"/v3/pay/transactions/out-trade-no/{ORDER['out_trade_no']}"
    ask(world, "POST", "/v3/pay/transactions/native", order(world))

    assert ask(world, "POST", f"{path}/close", {"mchid": mchid})[:2] == (204, {})

    assert ask(world, "GET", f"{path}?mchid={mchid}")[1]["trade_state"] == "CLOSED"
    again = ask(world, "POST", "/v3/pay/transactions/native", order(world))
    assert again[1]["code"] == "ORDER_CLOSED"


def test_a_refund_counts_once_per_number(world: World) -> None:
    ask(world, "POST", "/v3/pay/transactions/native", order(world))
    wish = {
        "out_trade_no": ORDER["out_trade_no"],
        "out_refund_no": "R1",
        "amount": {"refund": 40, "total": 100, "currency": "CNY"},
    }
    path = "/v3/refund/domestic/refunds"
    assert ask(world, "POST", path, wish)[1]["code"] == "INVALID_REQUEST"
    world.pay(ORDER["out_trade_no"], "lost")

    assert ask(world, "POST", path, wish)[1]["status"] == "PROCESSING"
    assert ask(world, "POST", path, wish)[1]["status"] == "SUCCESS"
    assert ask(world, "GET", f"{path}/R1")[1]["status"] == "SUCCESS"
    assert ask(world, "GET", f"{path}/R2")[1]["code"] == "RESOURCE_NOT_EXISTS"
    other = {**wish, "amount": {**wish["amount"], "refund": 50}}  # type: ignore[dict-item]
    assert ask(world, "POST", path, other)[1]["code"] == "INVALID_REQUEST"
    too_much = {**other, "out_refund_no": "R2", "amount": {**other["amount"], "refund": 61}}
    assert ask(world, "POST", path, too_much)[1]["code"] == "NOT_ENOUGH"
    assert world.state(ORDER["out_trade_no"])["refunded_fen"] == 40


def test_its_calendar_lasts_a_day_and_a_bit() -> None:
    assert Wechat.calendar[:5] == (15, 15, 30, 180, 600)
    assert len(Wechat.calendar) == 15
    assert sum(Wechat.calendar) == 24 * 3600 + 4 * 60


def test_the_certificate_before_stays_listed(world: World) -> None:
    def serials() -> list[str]:
        rows = ask(world, "GET", "/v3/certificates")[1]["data"]
        return [row["serial_no"] for row in rows]

    [old] = serials()
    for _ in range(2):
        told = world.simulator.peers["wechat"].rotate_keys()
        assert "新序列号" in told
    new, before = serials()
    assert old not in {new, before}


def test_unknown_addresses_are_answered_with_a_code(world: World) -> None:
    assert ask(world, "GET", "/v3/nothing")[1]["code"] == "RESOURCE_NOT_EXISTS"
    assert ask(world, "POST", "/v3/pay/transactions/native", [])[1]["code"] == "PARAM_ERROR"
