"""Epay's bytes: the published vectors, the odd gateways, what a callback may look like."""

import dataclasses
import hashlib
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.payments.providers.epay import wire
from kameng.payments.providers.epay.config import Config
from kameng.payments.providers.port import (
    CallbackRejected,
    CallbackRequest,
    Confirmation,
    Device,
    PaidStatus,
    PayInstruction,
    ProviderRefused,
    ProviderUncertain,
)
from kameng.pricing.money import Amount
from kameng_simulator import signing
from tests.providers.cases import EPAY_KEY, make_request

CONFIG = Config(gateway_url="https://pay.example.com/", pid="1001", key=EPAY_KEY)

VECTORS = [
    (
        {
            "money": "1.00",
            "name": "测试商品",
            "notify_url": "https://shop.example/notify",
            "out_trade_no": "T20260101",
            "pid": "1001",
            "return_url": "https://shop.example/return",
            "type": "alipay",
        },
        "1511c643190e069a3c582172a259b94c",
    ),
    (
        {
            "money": "1.00",
            "name": "测试商品",
            "out_trade_no": "T20260101",
            "pid": "1001",
            "trade_no": "2026010112",
            "trade_status": "TRADE_SUCCESS",
            "type": "alipay",
        },
        "5d4b8b31b6a7855a06c62fc881dbaaa7",
    ),
]


@pytest.mark.parametrize(("fields", "sign"), VECTORS)
def test_published_vectors(fields: dict[str, str], sign: str) -> None:
    raw = {name: value.encode() for name, value in fields.items()}
    noise = {"sign": b"x", "sign_type": b"MD5", "param": b"", "sitename": b""}

    assert wire.sign_fields(raw, "KEY123") == sign
    assert wire.sign_fields({**noise, **raw}, "KEY123") == sign
    assert wire.has_valid_signature({**raw, "sign": sign.encode()}, "KEY123")
    assert not wire.has_valid_signature({**raw, "sign": sign.upper().encode()}, "KEY123")


@pytest.mark.parametrize(("fields", "sign"), VECTORS)
def test_simulator_agrees_with_the_published_vectors(fields: dict[str, str], sign: str) -> None:
    assert signing.sign_epay(fields, "KEY123") == sign


def test_an_empty_key_verifies_nothing() -> None:
    raw = {"money": b"1.00"}
    raw["sign"] = wire.sign_fields(raw, "").encode()

    assert not wire.has_valid_signature(raw, "")


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,12}", fullmatch=True), st.text(max_size=20), max_size=10
    )
)
def test_two_writings_of_the_sign_rule_agree(fields: dict[str, str]) -> None:
    fields = {k: v.encode(errors="ignore").decode() for k, v in fields.items()}
    raw = {name: value.encode() for name, value in fields.items()}

    assert wire.sign_fields(raw, EPAY_KEY) == signing.sign_epay(fields, EPAY_KEY)


def test_page_address_is_signed_and_clean() -> None:
    request = make_request("P1", method="alipay")

    address = urlsplit(wire.build_page_url(CONFIG, request))

    fields = dict(parse_qsl(address.query, strict_parsing=True))
    assert address.netloc + address.path == "pay.example.com/submit.php"
    assert fields["money"] == "12.34"
    assert fields["name"] == "腾讯视频 ＆ 月卡＝12／个月"
    assert fields["sign"] == signing.sign_epay(fields, EPAY_KEY)
    assert fields["sign_type"] == "MD5"
    assert EPAY_KEY not in address.query


def test_long_name_is_cut_at_a_whole_character() -> None:
    request = dataclasses.replace(make_request("P1", method="alipay"), subject="卡" * 200)

    name = wire.build_payment_fields(CONFIG, request)["name"]

    assert name == "卡" * 42
    assert len(name.encode()) <= 127


def test_api_opening_signs_address_and_device_too() -> None:
    body = wire.build_opening(CONFIG, make_request("P1", method="wxpay")).body
    plain = dict(parse_qsl(body.decode(), strict_parsing=True))

    assert plain["clientip"] == "192.0.2.7"
    assert plain["device"] == "pc"
    assert plain["sign"] == signing.sign_epay(plain, EPAY_KEY)


def test_callback_is_taken_as_query_and_as_form() -> None:
    fields = {"pid": "1001", "trade_no": "T1", "out_trade_no": "P1", "money": "1.5", "name": "卡"}
    fields["trade_status"] = "TRADE_SUCCESS"
    fields["sign"] = signing.sign_epay(fields, EPAY_KEY)
    data = urlencode(fields).encode()

    by_get = wire.parse_callback(CONFIG, CallbackRequest(method="GET", query=data))
    by_post = wire.parse_callback(CONFIG, CallbackRequest(method="POST", body=data))

    assert by_get.amount == by_post.amount == Amount(15_000)
    assert by_get.payment_no == by_post.payment_no == "P1"


def call_back(*, sign: str = "", **changes: str) -> CallbackRequest:
    fields = {"pid": "1001", "trade_no": "T1", "out_trade_no": "P1", "money": "1.50"}
    fields |= {"trade_status": "TRADE_SUCCESS", **changes}
    fields = {name: value for name, value in fields.items() if value}
    fields["sign"] = sign or signing.sign_epay(fields, EPAY_KEY)
    return CallbackRequest(method="GET", query=urlencode(fields).encode())


def test_callback_says_this_and_nothing_else() -> None:
    callback = call_back(sign_type="MD5")

    assert wire.parse_callback(CONFIG, callback) == Confirmation(
        payment_no="P1",
        external_no="T1",
        amount=Amount(15_000),
        status=PaidStatus.PAID,
        paid_at=None,
        payer="",
        raw_digest=hashlib.sha256(callback.query + b"\n").hexdigest(),
    )


@pytest.mark.parametrize("word", ["WAIT_BUYER_PAY", "TRADE_CLOSED", "trade_success", "x"])
def test_other_words_for_a_status_are_no_payment(word: str) -> None:
    said = wire.parse_callback(CONFIG, call_back(trade_status=word))

    assert said.status is PaidStatus.PENDING


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sign_type": "RSA"}, "bad_sign_type"),
        ({"sign_type": "md5"}, "bad_sign_type"),
        ({"sign": "0" * 32}, "bad_signature"),
        ({"sign": "x"}, "bad_signature"),
        ({"pid": "1002"}, "wrong_merchant"),
        ({"pid": ""}, "missing_pid"),
        ({"trade_status": ""}, "missing_trade_status"),
        ({"out_trade_no": ""}, "missing_out_trade_no"),
        ({"out_trade_no": "P 1"}, "bad_out_trade_no"),
        ({"trade_no": ""}, "missing_trade_no"),
        ({"trade_no": "<b>"}, "bad_trade_no"),
        ({"money": ""}, "missing_money"),
        ({"money": "0.00"}, "bad_amount"),
    ],
)
def test_callback_that_proves_nothing_is_rejected_by_name(
    changes: dict[str, str], code: str
) -> None:
    with pytest.raises(CallbackRejected) as caught:
        wire.parse_callback(CONFIG, call_back(**changes))

    assert caught.value.code == code


def test_callback_without_a_signature_is_rejected() -> None:
    query = call_back().query.partition(b"&sign=")[0]

    with pytest.raises(CallbackRejected) as caught:
        wire.parse_callback(CONFIG, CallbackRequest(method="GET", query=query))

    assert caught.value.code == "bad_signature"


def test_name_cut_inside_a_character_still_verifies() -> None:
    cut = "卡密商品".encode()[:-1]
    raw = {
        "pid": b"1001",
        "trade_no": b"T1",
        "out_trade_no": b"P1",
        "money": b"1.00",
        "name": cut,
        "trade_status": b"TRADE_SUCCESS",
    }
    raw["sign"] = wire.sign_fields(raw, EPAY_KEY).encode()
    query = "&".join(f"{k}={quote(v)}" for k, v in raw.items()).encode()

    confirmation = wire.parse_callback(CONFIG, CallbackRequest(method="GET", query=query))

    assert confirmation.status is PaidStatus.PAID


@given(st.binary(max_size=300))
def test_no_bytes_make_a_callback_fail_otherwise_than_by_rejection(data: bytes) -> None:
    for callback in (
        CallbackRequest(method="GET", query=data),
        CallbackRequest(method="POST", body=data),
    ):
        with pytest.raises(CallbackRejected):
            wire.parse_callback(CONFIG, callback)


@given(st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_no_reply_fails_otherwise_than_by_the_ports_words(body: bytes) -> None:
    with pytest.raises((ProviderUncertain, ProviderRefused)):
        wire.parse_order(CONFIG, "P1", body)


def reply(**fields: str) -> bytes:
    good = {"code": "1", "status": "1", "money": '"12.34"', "trade_no": '"T1"', **fields}
    return ("{" + ",".join(f'"{k}":{v}' for k, v in good.items() if v) + "}").encode()


def test_order_reply_in_the_writings_of_different_gateways() -> None:
    for body in (
        reply(),
        reply(code='"1"', status='"1"', pid="1001"),
        reply(money="12.34", pid='"1001"'),
        b"\xef\xbb\xbf" + reply(),
        b'"' + reply().replace(b'"', b'\\"') + b'"',
    ):
        confirmation = wire.parse_order(CONFIG, "P1", body)
        assert confirmation.status is PaidStatus.PAID
        assert confirmation.amount == Amount(123_400)


def test_end_time_is_read_as_chinese_time() -> None:
    confirmation = wire.parse_order(CONFIG, "P1", reply(endtime='"2026-01-01 08:00:00"'))

    assert confirmation.paid_at is not None
    assert confirmation.paid_at.isoformat() == "2026-01-01T00:00:00+00:00"


@pytest.mark.parametrize(
    "body",
    [
        reply(money="1e3"),
        reply(money='"NaN"'),
        reply(money=""),
        reply(money="12.345"),
        reply(status="9"),
        reply(status="true"),
        reply(pid="1002"),
        reply(out_trade_no='"P2"'),
        reply(trade_no='"<b>"'),
        reply(code="true"),
        reply(code=""),
    ],
)
def test_reply_that_does_not_fit_is_uncertain(body: bytes) -> None:
    with pytest.raises(ProviderUncertain):
        wire.parse_order(CONFIG, "P1", body)


def test_refusal_is_told_apart_from_not_found() -> None:
    missing = wire.parse_order(CONFIG, "P1", '{"code":-1,"msg":"订单号不存在"}'.encode())
    assert missing.status is PaidStatus.NOT_FOUND

    with pytest.raises(ProviderRefused) as caught:
        wire.parse_order(CONFIG, "P1", '{"code":-3,"msg":"商户ID不存在"}'.encode())
    assert caught.value.code == "epay_-3"


def test_key_that_the_gateway_repeats_does_not_reach_the_message() -> None:
    body = f'{{"code":-3,"msg":"key {EPAY_KEY} wrong"}}'.encode()

    with pytest.raises(ProviderRefused) as caught:
        wire.parse_order(CONFIG, "P1", body)

    assert EPAY_KEY not in repr(caught.value) + caught.value.message


def test_opening_reply_gives_redirect_or_code() -> None:
    paged = opened(b'{"code":1,"payurl":"https://pay.example.com/x"}')
    coded = opened(b'{"code":1,"qrcode":"weixin://wxpay/bizpayurl?pr=1"}')

    assert (paged.kind, paged.url) == ("redirect", "https://pay.example.com/x")
    assert (coded.kind, coded.qr_text) == ("qr", "weixin://wxpay/bizpayurl?pr=1")


def test_of_two_ways_a_desktop_shows_the_code_and_a_phone_goes_to_the_page() -> None:
    body = b'{"code":"1","payurl":"https://pay.example.com/x","qrcode":"https://qr.example.com/y"}'

    assert opened(body, device="pc") == PayInstruction(
        kind="qr", qr_text="https://qr.example.com/y"
    )
    for device in ("mobile", "wechat", "alipay"):
        page = opened(body, device=device)
        assert page == PayInstruction(kind="redirect", url="https://pay.example.com/x")


@pytest.mark.parametrize(
    "body",
    [
        b'{"code":1}',
        b'{"code":1,"payurl":"javascript:alert(1)"}',
        b'{"code":1,"html":"<form>"}',
        b'{"code":1,"qrcode":"data:image/png;base64,AAAA"}',
    ],
)
def test_an_opening_that_we_cannot_show_is_left_to_the_platforms_page(body: bytes) -> None:
    assert wire.parse_opening(CONFIG, body, device="pc") is None


def test_a_reply_that_wraps_its_content_is_read() -> None:
    inner = '{"status":1,"money":"1.00","trade_no":"T1","out_trade_no":"P1","pid":1001}'
    body = f'{{"code":1,"data":{inner}}}'.encode()

    said = wire.parse_order(CONFIG, "P1", body)

    assert (said.status, said.amount) == (PaidStatus.PAID, Amount(10_000))
    assert opened(b'{"code":1,"data":{"qrcode":"weixin://x"}}').qr_text == "weixin://x"


def test_a_refunds_yes_is_told_from_a_no() -> None:
    for yes in ('{"code":1,"msg":"ok"}', '{"code":"0","msg":"退款成功！退款金额￥1.00"}'):
        wire.parse_refund(CONFIG, yes.encode())
    for no in ('{"code":0,"msg":"只有支付成功的订单可以退款"}', '{"code":0}', '{"code":-1}'):
        with pytest.raises(ProviderRefused):
            wire.parse_refund(CONFIG, no.encode())


def opened(body: bytes, *, device: Device = "pc") -> PayInstruction:
    found = wire.parse_opening(CONFIG, body, device=device)
    assert found is not None
    return found


@pytest.mark.parametrize("tail", ["", "/", "/submit.php", "/mapi.php", "/api.php"])
def test_gateway_address_is_taken_with_or_without_its_file(tail: str) -> None:
    form = {"gateway_url": "https://pay.example.com/a" + tail, "pid": "1", "key": EPAY_KEY}

    assert Config.from_form(form).gateway_url == "https://pay.example.com/a/"
