"""The Alipay side answers with the gateway's codes, and no trade exists unopened."""

from urllib.parse import urlencode

import pytest

from tests.providers.world import World
from tests.simulator.calls import alipay_fields, call, call_alipay

PAYMENT = {"out_trade_no": "P1", "total_amount": "1.00", "subject": "月卡"}


@pytest.mark.parametrize(
    ("changes", "sub_code"),
    [
        ({"sign": "AAAA"}, "isv.invalid-signature"),
        ({"app_id": "2021000000000000"}, "isv.invalid-app-id"),
        ({"timestamp": "2020-01-01 00:00:00"}, "isv.invalid-timestamp"),
        ({"timestamp": "yesterday"}, "isv.invalid-timestamp"),
        ({"sign_type": "RSA"}, "isv.invalid-signature-type"),
        ({"method": "alipay.trade.dance"}, "isv.invalid-method"),
        ({"biz_content": "[]"}, "isv.invalid-parameter"),
    ],
)
def test_wrong_call_is_turned_away(world: World, changes: dict[str, str], sub_code: str) -> None:
    answer = call_alipay(world, "alipay.trade.query", {"out_trade_no": "P1"}, **changes)

    assert answer["sub_code"] == sub_code


def test_trade_exists_once_the_buyer_has_opened_it(world: World) -> None:
    opened = call_alipay(world, "alipay.trade.precreate", PAYMENT)
    before = call_alipay(world, "alipay.trade.query", {"out_trade_no": "P1"})
    assert before["sub_code"] == "ACQ.TRADE_NOT_EXIST"
    closed = call_alipay(world, "alipay.trade.close", {"out_trade_no": "P1"})
    assert closed["sub_code"] == "ACQ.TRADE_NOT_EXIST"

    world.browse(opened["qr_code"])

    after = call_alipay(world, "alipay.trade.query", {"out_trade_no": "P1"})
    assert after["trade_status"] == "WAIT_BUYER_PAY"


def test_opening_again_with_another_amount_is_refused(world: World) -> None:
    first = call_alipay(world, "alipay.trade.precreate", PAYMENT)

    assert call_alipay(world, "alipay.trade.precreate", PAYMENT) == first
    dearer = {**PAYMENT, "total_amount": "2.00"}
    answer = call_alipay(world, "alipay.trade.precreate", dearer)
    assert answer["sub_code"] == "ACQ.CONTEXT_INCONSISTENT"


def test_expired_trade_is_closed(world: World) -> None:
    late = {**PAYMENT, "time_expire": "2026-01-01 00:00:00"}

    assert call_alipay(world, "alipay.trade.precreate", late)["sub_code"] == "ACQ.TRADE_HAS_CLOSE"


def test_same_refund_number_moves_money_once(world: World) -> None:
    call_alipay(world, "alipay.trade.precreate", PAYMENT)
    world.pay("P1", "lost")
    refund = {"out_trade_no": "P1", "refund_amount": "0.40", "out_request_no": "R1"}

    assert call_alipay(world, "alipay.trade.refund", refund)["fund_change"] == "Y"
    assert call_alipay(world, "alipay.trade.refund", refund)["fund_change"] == "N"
    other = call_alipay(world, "alipay.trade.refund", {**refund, "refund_amount": "0.50"})
    assert other["sub_code"] == "ACQ.DISCORDANT_REPEAT_REQUEST"
    too_much = {"out_trade_no": "P1", "refund_amount": "0.61", "out_request_no": "R2"}
    answer = call_alipay(world, "alipay.trade.refund", too_much)
    assert answer["sub_code"] == "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL"


def test_page_pay_leads_to_the_cashier(world: World) -> None:
    address = world.credentials("alipay")["gateway_url"]
    query = urlencode(alipay_fields(world, "alipay.trade.page.pay", PAYMENT))

    status, _, target = call(f"{address}?{query}")

    assert status == 302
    assert target.startswith(world.url + "/pay/")
    _, body, _ = call(f"{address}?{query.replace('1.00', '0.01')}")
    assert "无效签名" in body
