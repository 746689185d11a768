"""Alipay's bytes: signatures over the exact source text, and what little a reply may mean."""

import dataclasses
import datetime as dt
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.payments.providers.alipay import wire
from kameng.payments.providers.alipay.config import Config
from kameng.payments.providers.port import (
    CallbackRejected,
    CallbackRequest,
    ConfigInvalid,
    PaidStatus,
    ProviderRefused,
    ProviderUncertain,
    RefundStatus,
)
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
