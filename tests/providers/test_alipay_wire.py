"""Alipay's bytes: signatures over the exact source text, and what little a reply may mean."""

import base64
import dataclasses
import datetime as dt
import hashlib
import json
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from kameng.payments.providers.alipay import wire
from kameng.payments.providers.alipay.config import Config
from kameng.payments.providers.port import (
    CallbackRejected,
    CallbackRequest,
    ConfigInvalid,
    Confirmation,
    PaidStatus,
    ProviderRefused,
    ProviderUncertain,
    RefundStatus,
)
from kameng.pricing.money import Amount
from kameng_simulator import signing
from tests.providers.cases import app_key, gateway_key, make_case, make_refund, make_request

NOW = dt.datetime(2026, 1, 1, 4, 0, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def config() -> Config:
    return Config.from_form(make_case("alipay").form)


def reply(method: str, answer: Any, *, source: str = "", key: str = "") -> bytes:
    text = source or json.dumps(answer, ensure_ascii=False)
    sign = signing.sign_rsa(text, signing.load_key(key or gateway_key()))
    return f'{{"{method.replace(".", "_")}_response":{text},"sign":"{sign}"}}'.encode()


def found(**more: str) -> dict[str, str]:
    return {
        "code": "10000",
        "msg": "Success",
        "out_trade_no": "P1",
        "trade_no": "T1",
        "trade_status": "TRADE_SUCCESS",
        "total_amount": "12.34",
        **more,
    }


QUERY = "alipay.trade.query"
REFUND = "alipay.trade.refund"
REFUND_QUERY = "alipay.trade.fastpay.refund.query"


def test_request_is_signed_over_its_sorted_fields(config: Config) -> None:
    request = wire.build_call(config, method=QUERY, content={"out_trade_no": "P1"}, now=NOW)
    fields = dict(parse_qsl(request.body.decode(), strict_parsing=True))

    text = signing.join_sorted(fields, without=("sign",))
    public = signing.load_key(app_key()).public_key()
    assert signing.verify_rsa(text, signature=fields["sign"], key=public)
    assert fields["timestamp"] == "2026-01-01 12:00:00"
    assert fields["sign_type"] == "RSA2"


def test_a_call_carries_these_fields_and_no_others(config: Config) -> None:
    fields = wire.build_fields(
        config,
        method=QUERY,
        content={"名": "值", "b": [1, 2]},
        now=NOW,
        addresses={"notify_url": "https://shop.example/n", "return_url": ""},
    )

    assert len(fields.pop("sign")) == 344
    assert fields == {
        "app_id": config.app_id,
        "method": QUERY,
        "format": "JSON",
        "charset": "utf-8",
        "sign_type": "RSA2",
        "timestamp": "2026-01-01 12:00:00",
        "version": "1.0",
        "biz_content": '{"名":"值","b":[1,2]}',
        "notify_url": "https://shop.example/n",
    }


def test_signed_text_leaves_out_the_signature_and_what_is_empty() -> None:
    fields = {"b": "2", "a": "1", "sign": "x", "sign_type": "RSA2", "empty": ""}

    assert wire.join_fields(fields) == "a=1&b=2&sign_type=RSA2"


def test_page_address_differs_for_a_phone(config: Config) -> None:
    request = make_request("P1", method="page")
    on_desk = urlsplit(wire.build_page_url(config, request, now=NOW))
    on_phone = urlsplit(
        wire.build_page_url(config, dataclasses.replace(request, device="mobile"), now=NOW)
    )

    desk, phone = (dict(parse_qsl(address.query)) for address in (on_desk, on_phone))
    assert desk["method"] == "alipay.trade.page.pay"
    assert json.loads(desk["biz_content"])["product_code"] == "FAST_INSTANT_TRADE_PAY"
    assert phone["method"] == "alipay.trade.wap.pay"
    assert json.loads(phone["biz_content"])["product_code"] == "QUICK_WAP_WAY"
    assert phone["return_url"] == request.return_url
    assert json.loads(phone["biz_content"])["quit_url"] == request.return_url
    by_method = dataclasses.replace(request, method="wap")
    wap = dict(parse_qsl(urlsplit(wire.build_page_url(config, by_method, now=NOW)).query))
    assert wap["method"] == "alipay.trade.wap.pay"


def test_each_way_to_pay_names_the_devices_it_is_for() -> None:
    devices = {each.code: each.devices for each in make_case("alipay").provider().methods}

    assert devices["page"] == ("pc",)
    assert devices["wap"] == ("mobile", "alipay")
    assert not any("wechat" in each for each in devices.values())


def test_reply_is_verified_over_its_source_text(config: Config) -> None:
    """Escaped slashes, spaces and order of members are part of what was signed."""
    source = (
        '{ "trade_status":"TRADE_SUCCESS", "code":"10000","out_trade_no":"P1",\n'
        '"trade_no":"T1","total_amount":"12.34","buyer_logon_id":"a\\/b{}\\"}" }'
    )
    body = reply(QUERY, None, source=source)

    confirmation = wire.parse_query(config, "P1", body)

    assert confirmation.status is PaidStatus.PAID
    assert confirmation.payer == 'a/b{}"}'


def test_reply_signed_by_another_or_changed_is_not_believed(config: Config) -> None:
    good = reply(QUERY, found())
    other = reply(QUERY, found(), key=app_key())
    unsigned = good[: good.rindex(b',"sign"')] + b"}"
    doubled = good[:-1] + b',"alipay_trade_query_response":{"code":"10000"}}'

    for body in (
        good.replace(b"12.34", b"12.35"),
        other,
        unsigned,
        doubled,
        good + b"x",
        good[:-1],
    ):
        with pytest.raises(ProviderUncertain):
            wire.parse_query(config, "P1", body)


def test_unsigned_refusal_of_the_call_itself_is_a_refusal(config: Config) -> None:
    body = b'{"error_response":{"code":"40002","sub_code":"isv.invalid-app-id","msg":"x"}}'

    with pytest.raises(ProviderRefused) as caught:
        wire.parse_query(config, "P1", body)

    assert caught.value.code == "isv.invalid-app-id"


def test_unsigned_business_answers_are_not_believed(config: Config) -> None:
    body = b'{"alipay_trade_query_response":{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}}'

    with pytest.raises(ProviderUncertain):
        wire.parse_query(config, "P1", body)


@pytest.mark.parametrize(
    "answer",
    [
        {"code": "20000", "msg": "Service Currently Unavailable"},
        {"code": "40004", "sub_code": "ACQ.SYSTEM_ERROR"},
        {"code": "40006", "sub_code": "isp.call-limited"},
        found(out_trade_no="P2"),
        found(trade_status="PAID"),
        found(total_amount="1e3"),
        found(trade_no="<b>"),
        "text",
    ],
)
def test_signed_reply_that_does_not_fit_is_uncertain(config: Config, answer: Any) -> None:
    with pytest.raises(ProviderUncertain):
        wire.parse_query(config, "P1", reply(QUERY, answer))


def test_query_status_words(config: Config) -> None:
    words = {
        "TRADE_SUCCESS": PaidStatus.PAID,
        "TRADE_FINISHED": PaidStatus.PAID,
        "WAIT_BUYER_PAY": PaidStatus.PENDING,
        "TRADE_CLOSED": PaidStatus.CLOSED,
    }
    for word, status in words.items():
        body = reply(QUERY, found(trade_status=word))
        assert wire.parse_query(config, "P1", body).status is status


def test_refund_without_moved_funds_is_not_done(config: Config) -> None:
    moved = wire.parse_refund(config, reply(REFUND, {"code": "10000", "fund_change": "Y"}))
    still = wire.parse_refund(config, reply(REFUND, {"code": "10000", "fund_change": "N"}))
    poor = {"code": "40004", "sub_code": "ACQ.SELLER_BALANCE_NOT_ENOUGH", "sub_msg": "余额不足"}

    assert moved.status is RefundStatus.DONE
    assert still.status is RefundStatus.UNKNOWN
    refused = wire.parse_refund(config, reply(REFUND, poor))
    assert refused.status is RefundStatus.REFUSED
    assert "余额不足" in refused.reason


def test_refund_query_that_only_worked_shows_no_refund(config: Config) -> None:
    request = make_refund("P1", refund_no="R1")
    seen = {"code": "10000", "out_request_no": "R1", "refund_amount": "12.34", "trade_no": "T1"}

    def ask(answer: dict[str, str]) -> RefundStatus:
        return wire.parse_refund_query(config, request, reply(REFUND_QUERY, answer)).status

    assert ask({"code": "10000", "msg": "Success"}) is RefundStatus.UNKNOWN
    assert ask(seen) is RefundStatus.DONE
    assert ask({**seen, "refund_status": "REFUND_SUCCESS"}) is RefundStatus.DONE
    assert ask({**seen, "refund_status": "REFUND_PROCESSING"}) is RefundStatus.PROCESSING
    for odd in ({"out_request_no": "R2"}, {"refund_amount": "12.33"}, {"refund_amount": "x"}):
        with pytest.raises(ProviderUncertain):
            ask({**seen, **odd})


def test_callback_of_another_currency_is_rejected() -> None:
    case = make_case("alipay")

    with pytest.raises(CallbackRejected) as caught:
        wire.parse_callback(case.config(), case.send(case.signed(trans_currency="USD")))

    assert caught.value.code == "wrong_currency"


def test_callback_says_this_and_nothing_else() -> None:
    case = make_case("alipay")
    callback = case.send(case.signed())

    assert wire.parse_callback(case.config(), callback) == Confirmation(
        payment_no="P20260101A",
        external_no=case.trade_no,
        amount=Amount(123_400),
        status=PaidStatus.PAID,
        paid_at=dt.datetime(2026, 1, 1, 12, 0, tzinfo=dt.UTC),
        payer="mei***@example.com",
        raw_digest=hashlib.sha256(callback.query + b"\n" + callback.body).hexdigest(),
    )


def call_back(*, without: tuple[str, ...] = (), **changes: str) -> Confirmation:
    """Read a callback that is well signed after the changes."""
    case = make_case("alipay")
    fields = {name: value for name, value in case.good.items() if name not in without}
    return wire.parse_callback(case.config(), case.send(case.sign({**fields, **changes})))


def test_callback_without_time_and_payer_is_read_all_the_same() -> None:
    said = call_back(without=("gmt_payment", "buyer_logon_id"))

    assert (said.status, said.paid_at, said.payer) == (PaidStatus.PAID, None, "")


def test_payer_of_a_callback_is_bounded() -> None:
    assert call_back(buyer_logon_id="x" * 65).payer == "x" * 64


def test_bytes_that_are_no_text_are_taken_where_they_decide_nothing() -> None:
    case = make_case("alipay")
    raw = {name: value.encode() for name, value in case.good.items()}
    raw |= {"buyer_logon_id": b"\xff", "gmt_payment": b"\xff", "alipay_cert_sn": b"\xff"}
    text = b"&".join(name + b"=" + raw[name.decode()] for name in sorted(map(str.encode, raw)))
    key = signing.load_key(gateway_key())
    sign = base64.b64encode(key.sign(text, padding.PKCS1v15(), SHA256()))
    raw |= {"sign": sign, "sign_type": b"RSA2"}
    body = "&".join(f"{name}={quote(value)}" for name, value in raw.items()).encode()

    said = wire.parse_callback(case.config(), CallbackRequest(method="POST", body=body))

    assert (said.status, said.paid_at, said.payer) == (PaidStatus.PAID, None, "\ufffd")


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8"])
def test_only_one_character_set_is_taken(charset: str) -> None:
    assert call_back(charset=charset).status is PaidStatus.PAID
    assert call_back(without=("charset",)).status is PaidStatus.PAID


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"charset": "gbk"}, "bad_charset"),
        ({"app_id": "2021000000000002"}, "wrong_merchant"),
        ({"app_id": ""}, "missing_app_id"),
        ({"seller_id": "2088000000000099"}, "wrong_merchant"),
        ({"seller_id": ""}, "missing_seller_id"),
        ({"trans_currency": "USD"}, "wrong_currency"),
        ({"trade_status": ""}, "missing_trade_status"),
        ({"out_trade_no": ""}, "missing_out_trade_no"),
        ({"trade_no": "<b>"}, "bad_trade_no"),
        ({"total_amount": "0.00"}, "bad_amount"),
        ({"total_amount": ""}, "missing_total_amount"),
    ],
)
def test_signed_callback_that_does_not_fit_is_rejected_by_name(
    changes: dict[str, str], code: str
) -> None:
    with pytest.raises(CallbackRejected) as caught:
        call_back(**changes)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sign_type": "RSA"}, "bad_sign_type"),
        ({"sign_type": ""}, "bad_sign_type"),
        ({"sign": ""}, "missing_sign"),
        ({"sign": "!"}, "bad_signature"),
        ({"total_amount": "0.01"}, "bad_signature"),
    ],
)
def test_callback_changed_after_signing_is_rejected_by_name(
    changes: dict[str, str], code: str
) -> None:
    case = make_case("alipay")

    with pytest.raises(CallbackRejected) as caught:
        wire.parse_callback(case.config(), case.send({**case.signed(), **changes}))

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_reply"),
        (b"\xff", "bad_reply"),
        (b"{}", "bad_reply"),
        (b'{"sign":"x"}', "bad_reply"),
        (b'{"alipay_trade_query_response":"text","sign":"x"}', "bad_reply"),
        (b'{"alipay_trade_query_response":{"code":"10000"},"sign":1}', "bad_reply_signature"),
        (b'{"alipay_trade_query_response":{"code":"10000"},"sign":{}}', "bad_reply"),
        (
            b'{"alipay_trade_query_response":{"code":"10000"},"sign":"","alipay_cert_sn":[]}',
            "bad_reply",
        ),
        (b'{"alipay_trade_query_response":{"code":"10000"}}', "bad_reply_signature"),
        (b'{"alipay_trade_query_response":{"code":"40004"},"sign":""}', "bad_reply_signature"),
        (b'{"other_response":{"code":"10000"},"sign":"x"}', "bad_reply"),
        (reply(QUERY, found(), key=app_key()), "bad_reply_signature"),
        (reply(QUERY, {"code": "20000"}), "gateway_busy"),
        (reply(QUERY, {"code": "10003"}), "gateway_busy"),
        (reply(QUERY, {"code": "40004", "sub_code": "SYSTEM_ERROR"}), "gateway_busy"),
        (reply(QUERY, {"code": "40004", "sub_code": "aop.x"}), "gateway_busy"),
    ],
)
def test_reply_that_proves_nothing_is_uncertain_by_name(
    config: Config, body: bytes, code: str
) -> None:
    with pytest.raises(ProviderUncertain) as caught:
        wire.read_reply(config, method=QUERY, body=body)

    assert caught.value.code == code


@pytest.mark.parametrize(
    "answer",
    [
        {"code": "10000"},
        {"code": "40004", "sub_code": "ACQ.TRADE_NOT_EXIST"},
        {"code": "40004", "sub_code": "isp.bill_not_exist"},
        {"code": "40004", "sub_code": "isv.x"},
    ],
)
def test_signed_reply_is_given_on_whatever_its_code(config: Config, answer: dict[str, str]) -> None:
    assert wire.read_reply(config, method=QUERY, body=reply(QUERY, answer)) == answer


def test_reply_is_split_into_answer_source_signature_and_certificate() -> None:
    body = '{"alipay_trade_query_response": {"code" :"10000"}, "sign":"S", "alipay_cert_sn":"N"}'
    error = '{"error_response":{"code":"40002"}}'

    assert wire.split_reply(QUERY, body.encode()) == (
        {"code": "10000"},
        '{"code" :"10000"}',
        "S",
        "N",
    )
    assert wire.split_reply(QUERY, error.encode()) == (
        {"code": "40002"},
        '{"code":"40002"}',
        "",
        "",
    )


@pytest.mark.parametrize("code", ["40001", "40002", "40003", "40006"])
def test_call_that_was_turned_away_needs_no_signature(config: Config, code: str) -> None:
    body = f'{{"error_response":{{"code":"{code}","msg":"x"}}}}'.encode()

    with pytest.raises(ProviderRefused) as caught:
        wire.read_reply(config, method=QUERY, body=body)

    assert (caught.value.code, caught.value.message) == (code, "x")


def test_pay_time_is_read_as_chinese_time() -> None:
    case = make_case("alipay")

    confirmation = wire.parse_callback(case.config(), case.send(case.signed()))

    assert confirmation.paid_at == dt.datetime(2026, 1, 1, 12, 0, tzinfo=dt.UTC)
    assert confirmation.payer == "mei***@example.com"


@given(st.binary(max_size=300))
def test_no_bytes_make_reading_fail_otherwise_than_by_the_ports_words(data: bytes) -> None:
    config = make_case("alipay").config()

    with pytest.raises(CallbackRejected):
        wire.parse_callback(config, CallbackRequest(method="POST", body=data))
    with pytest.raises(ProviderUncertain):
        wire.parse_query(config, "P1", data)


def test_own_public_key_in_place_of_alipays_is_named() -> None:
    form = make_case("alipay").form
    own = signing.publish_key(signing.load_key(app_key()))

    with pytest.raises(ConfigInvalid) as caught:
        Config.from_form({**form, "alipay_public_key": own})

    assert "应用公钥" in caught.value.problems["alipay_public_key"]


def test_keys_are_taken_with_pem_frames_and_line_breaks(config: Config) -> None:
    form = make_case("alipay").form
    wrapped = "\n".join(form["app_private_key"][i : i + 64] for i in range(0, 2000, 64))
    framed = f"-----BEGIN PRIVATE KEY-----\n{wrapped}\n-----END PRIVATE KEY-----\n"

    assert Config.from_form({**form, "app_private_key": framed}) == config
    windows = framed.replace("\n", "\r\n")
    assert Config.from_form({**form, "app_private_key": f"\ufeff{windows}\u200b"}) == config
    public = f"\u200b{form['alipay_public_key']}\u2060"
    assert Config.from_form({**form, "alipay_public_key": public}) == config
