"""WeChat Pay's bytes: what is signed, what a callback must prove, what little a reply may mean."""

import base64
import dataclasses
import datetime as dt
import hashlib
import json
from typing import Any

import pytest

from kameng.core.http import HttpReply
from kameng.payments.providers.port import (
    CallbackRejected,
    CallbackRequest,
    ConfigInvalid,
    Confirmation,
    OtherNotice,
    PaidStatus,
    ProviderRefused,
    ProviderUncertain,
    RefundNotice,
    RefundStatus,
)
from kameng.payments.providers.wechat import signing, wire
from kameng.payments.providers.wechat.certificates import read_certificates
from kameng.payments.providers.wechat.config import Config
from kameng.payments.providers.wechat.signing import SignatureFault
from kameng.pricing.money import Amount
from kameng_simulator import signing as peers
from kameng_simulator.store import Store
from kameng_simulator.wechat_wire import Keys as PeerKeys
from tests.providers.cases import (
    WECHAT_API_KEY,
    WECHAT_KEY_ID,
    app_key,
    make_case,
    make_refund,
    make_request,
    wechat_body,
)
from tests.providers.wechat import KEYS, NONCE, NOW, head, read, reply


@pytest.fixture(scope="module")
def config() -> Config:
    return Config.from_form(make_case("wechat").form)


def hear(config: Config, body: bytes, **changes: Any) -> Any:
    callback = CallbackRequest(method="POST", body=body, headers=head(body, **changes))
    return wire.parse_callback(config, callback, keys=KEYS, now=NOW)


# --- what we sign ------------------------------------------------------------------------------


def test_the_signed_text_is_the_published_one(config: Config) -> None:
    """The example of the platform's page about signatures: five lines, each with its end."""
    text = signing.join_request(
        method="GET",
        url="https://api.mch.weixin.qq.com/v3/certificates",
        timestamp="1554208460",
        nonce=NONCE,
        body=b"",
    )

    assert text == f"GET\n/v3/certificates\n1554208460\n{NONCE}\n\n"


def test_a_request_is_signed_with_its_query_and_its_body(config: Config) -> None:
    call = wire.Call(
        method="POST", target="/v3/x?a=1&b=2", content={"名": "值"}, serial=WECHAT_KEY_ID
    )
    request = wire.build_request(config, call, now=NOW, nonce=NONCE)
    scheme, _, rest = request.headers["Authorization"].partition(" ")
    parts = dict(part.split("=", 1) for part in rest.split(","))

    assert scheme == "WECHATPAY2-SHA256-RSA2048"
    assert list(parts) == ["mchid", "nonce_str", "signature", "timestamp", "serial_no"]
    text = f'POST\n/v3/x?a=1&b=2\n{int(NOW.timestamp())}\n{NONCE}\n{{"名":"值"}}\n'
    public = peers.load_key(app_key()).public_key()
    assert peers.verify_rsa(text, signature=parts["signature"].strip('"'), key=public)
    assert request.headers["Wechatpay-Serial"] == WECHAT_KEY_ID
    assert request.url == "http://127.0.0.1:9/v3/x?a=1&b=2"


def test_a_request_without_content_names_no_type_and_no_key(config: Config) -> None:
    call = wire.Call(method="GET", target="https://api.mch.weixin.qq.com/v3/bill?token=1")

    request = wire.build_request(config, call, now=NOW, nonce=NONCE)

    assert (request.method, request.body) == ("GET", b"")
    assert request.url == "https://api.mch.weixin.qq.com/v3/bill?token=1"
    assert set(request.headers) == {"Authorization", "Accept"}
    assert request.headers["Accept"] == "application/json"
    text = f"GET\n/v3/bill?token=1\n{int(NOW.timestamp())}\n{NONCE}\n\n"
    sign = signing.sign_text(text, config.merchant_private_key)
    assert request.headers["Authorization"] == (
        f'WECHATPAY2-SHA256-RSA2048 mchid="{config.mchid}",nonce_str="{NONCE}",'
        f'signature="{sign}",timestamp="{int(NOW.timestamp())}",'
        f'serial_no="{config.merchant_serial_no}"'
    )


def test_a_request_with_content_is_compact_json(config: Config) -> None:
    call = wire.Call(method="POST", target="/v3/x", content={})

    request = wire.build_request(config, call, now=NOW, nonce=NONCE)

    assert (request.method, request.body) == ("POST", b"{}")
    assert request.headers["Content-Type"] == "application/json"


def test_an_order_says_what_the_platform_must_hold(config: Config) -> None:
    wish = make_request("P20260101A", method="jsapi")
    path, content = wire.build_order(
        config, dataclasses.replace(wish, payer_id="oUser", will_split=True), soonest=NOW
    )

    assert path == "/v3/pay/transactions/jsapi"
    assert content["amount"] == {"total": 1234, "currency": "CNY"}
    assert content["payer"] == {"openid": "oUser"}
    assert content["settle_info"] == {"profit_sharing": True}
    assert content["time_expire"].endswith("+08:00")
    assert len(content["description"].encode()) <= 127
    with pytest.raises(ProviderRefused) as caught:
        wire.build_order(config, wish, soonest=NOW)
    assert caught.value.code == "payer_unknown"
    _, plain = wire.build_order(config, make_request("P20260101A", method="h5"), soonest=NOW)
    assert "settle_info" not in plain
    later = wish.expires_at + dt.timedelta(hours=1)
    _, put_off = wire.build_order(config, dataclasses.replace(wish, method="native"), soonest=later)
    assert dt.datetime.fromisoformat(put_off["time_expire"]) == later.replace(microsecond=0)
    assert plain["scene_info"] == {"payer_client_ip": "192.0.2.7", "h5_info": {"type": "Wap"}}


def test_the_bridge_inside_wechat_is_signed(config: Config) -> None:
    fields = wire.sign_bridge(config, "wx201410272009395522657a690389285100", now=NOW, nonce=NONCE)

    package = "prepay_id=wx201410272009395522657a690389285100"
    text = f"wx0123456789abcdef\n{int(NOW.timestamp())}\n{NONCE}\n{package}\n"
    public = peers.load_key(app_key()).public_key()
    assert peers.verify_rsa(text, signature=fields["paySign"], key=public)
    del fields["paySign"]
    assert fields == {
        "appId": "wx0123456789abcdef",
        "timeStamp": str(int(NOW.timestamp())),
        "nonceStr": NONCE,
        "package": package,
        "signType": "RSA",
    }


@pytest.mark.parametrize(
    ("method", "data"),
    [
        ("native", {"code_url": "https://evil.example/x"}),
        ("native", {}),
        ("h5", {"h5_url": "javascript:alert(1)"}),
        ("jsapi", {"prepay_id": ""}),
    ],
)
def test_an_odd_instruction_is_not_shown(config: Config, method: str, data: Any) -> None:
    with pytest.raises(ProviderUncertain):
        wire.read_order(
            config, make_request("P1", method=method), read(reply(data)), now=NOW, nonce=NONCE
        )


# --- what a reply means ------------------------------------------------------------------------


def test_a_reply_counts_only_under_the_platforms_signature() -> None:
    good = reply({"a": 1})
    assert read(good).data == {"a": "1"}

    bad = [
        dataclasses.replace(good, body=good.body + b" "),
        reply({"a": 1}, key=app_key()),
        dataclasses.replace(good, headers={}),
        reply({"a": 1}, **{"wechatpay-signature-type": "WECHATPAY2-SM2-WITH-SM3"}),
        HttpReply(
            status=200, headers=head(good.body, at=NOW - dt.timedelta(minutes=6)), body=b"{}"
        ),
    ]
    for each in bad:
        with pytest.raises(ProviderUncertain):
            read(each)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_reply_of_another_time_is_not_believed(minutes: int) -> None:
    body = b"{}"
    headers = head(body, at=NOW + dt.timedelta(minutes=minutes))
    with pytest.raises(ProviderUncertain) as caught:
        read(HttpReply(status=200, headers=headers, body=body))
    assert caught.value.code == "stale_timestamp"


def test_an_unknown_key_of_the_platform_is_told_apart() -> None:
    with pytest.raises(SignatureFault) as caught:
        read(reply({}, **{"wechatpay-serial": "PUB_KEY_ID_OTHER"}))
    assert caught.value.code == "unknown_serial"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, "SYSTEM_ERROR"),
        (429, "FREQUENCY_LIMITED"),
        (403, "RATELIMIT_EXCEEDED"),
        (400, "SYSTEM_ERROR"),
        (202, "USERPAYING"),
        (302, ""),
        (404, ""),
    ],
)
def test_what_may_have_been_done_is_uncertain(status: int, code: str) -> None:
    with pytest.raises(ProviderUncertain):
        read(reply({"code": code, "message": "稍后再试"}, status=status))


def test_a_refusal_may_be_unsigned_but_not_signed_wrongly() -> None:
    refused = reply({"code": "SIGN_ERROR", "message": "错误的签名"}, status=401)

    assert read(dataclasses.replace(refused, headers={})).is_signed is False
    with pytest.raises(ProviderUncertain):
        read(reply({"code": "NOT_ENOUGH"}, status=403, key=app_key()))


UNPROVED = HttpReply(status=200, headers={}, body=b"{}")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (reply({"code": "X"}, status=429), "gateway_busy"),
        (reply({"code": "X"}, status=500), "bad_status"),
        (reply({"code": "X"}, status=399), "bad_status"),
        (reply({}, status=202), "bad_status"),
        (reply({"message": "x"}, status=400), "bad_reply"),
        (reply({"code": ""}, status=499), "bad_reply"),
        (reply({"code": "SYSTEM_ERROR"}, status=400), "gateway_busy"),
        (reply([1]), "bad_reply"),
        (UNPROVED, "missing_serial"),
        (dataclasses.replace(UNPROVED, status=204), "missing_serial"),
        (dataclasses.replace(UNPROVED, headers=head(b"{ }")), "bad_signature"),
        (dataclasses.replace(UNPROVED, status=400, body=b"<html>"), "bad_reply"),
        (reply({"code": "X"}, status=400, key=app_key()), "bad_signature"),
    ],
)
def test_a_reply_that_says_nothing_certain_says_why(answer: HttpReply, code: str) -> None:
    with pytest.raises(ProviderUncertain) as caught:
        read(answer)

    assert caught.value.code == code


def test_an_answer_and_a_refusal_are_given_on_whole() -> None:
    good = reply({"a": 1})
    empty = reply(None, status=204)
    refused = reply({"code": "C" * 65, "message": " 余额\n不足 "}, status=400)

    assert read(good) == wire.Answer(status=200, data={"a": "1"}, body=b'{"a": 1}')
    assert read(empty) == wire.Answer(status=204, data={}, body=b"")
    told = wire.Answer(status=400, code="C" * 64, message="余额 不足", body=refused.body)
    assert read(refused) == told
    assert (told.is_signed, told.refuse().code) == (True, "C" * 64)
    for headers in ({}, {"Date": "x"}):
        unsigned = read(dataclasses.replace(refused, headers=headers))
        assert unsigned == dataclasses.replace(told, is_signed=False)
    loud = {name.title(): value for name, value in refused.headers.items()}
    assert read(dataclasses.replace(refused, headers=loud)) == told


def test_a_refusal_under_an_unknown_key_is_told_apart_too() -> None:
    with pytest.raises(SignatureFault) as caught:
        read(reply({"code": "X"}, status=400, **{"wechatpay-serial": "PUB_KEY_ID_OTHER"}))
    assert caught.value.code == "unknown_serial"


def paid(**changes: Any) -> dict[str, Any]:
    return {
        "mchid": "1900000001",
        "appid": "wx0123456789abcdef",
        "out_trade_no": "P1",
        "transaction_id": "4200000001",
        "trade_state": "SUCCESS",
        "success_time": "2026-01-01T12:00:00+08:00",
        "payer": {"openid": "oUser"},
        "amount": {"total": 1234, "payer_total": 1000, "currency": "CNY"},
        **changes,
    }


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("SUCCESS", PaidStatus.PAID),
        ("NOTPAY", PaidStatus.PENDING),
        ("USERPAYING", PaidStatus.PENDING),
        ("CLOSED", PaidStatus.CLOSED),
        ("REVOKED", PaidStatus.CLOSED),
        ("PAYERROR", PaidStatus.CLOSED),
        ("REFUND", PaidStatus.CLOSED),
    ],
)
def test_a_query_reads_the_state(config: Config, state: str, status: PaidStatus) -> None:
    said = wire.read_query(config, "P1", read(reply(paid(trade_state=state))))

    assert (said.status, said.amount) == (status, Amount(123_400))
    assert (said.paid_at is not None) == (status is PaidStatus.PAID)


@pytest.mark.parametrize(
    "change",
    [
        {"mchid": "1900000002"},
        {"appid": "wx0123456789abcdee"},
        {"out_trade_no": "P2"},
        {"trade_state": "DANCING"},
        {"transaction_id": ""},
        {"amount": {"total": 12.34, "currency": "CNY"}},
        {"amount": {"total": 1234, "currency": "USD"}},
    ],
)
def test_an_answer_about_something_else_is_no_answer(config: Config, change: Any) -> None:
    with pytest.raises(ProviderUncertain):
        wire.read_query(config, "P1", read(reply(paid(**change))))


def test_a_query_by_the_platforms_number_is_held_to_it(config: Config) -> None:
    answer = read(reply(paid()))

    assert wire.read_query(config, "P1", answer, external_no="4200000001").amount == 123_400
    with pytest.raises(ProviderUncertain):
        wire.read_query(config, "P1", answer, external_no="4200000002")


@pytest.mark.parametrize("code", ["ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS"])
def test_an_unknown_payment_is_not_found(config: Config, code: str) -> None:
    answer = read(reply({"code": code}, status=404))

    assert wire.read_query(config, "P1", answer).status is PaidStatus.NOT_FOUND
    assert wire.read_close(answer) is PaidStatus.NOT_FOUND


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ORDERPAID", PaidStatus.PAID),
        ("ORDER_PAID", PaidStatus.PAID),
        ("ORDER_CLOSED", PaidStatus.CLOSED),
    ],
)
def test_closing_too_late_is_told(code: str, status: PaidStatus) -> None:
    assert wire.read_close(read(reply({"code": code}, status=400))) is status
    assert wire.read_close(read(reply(None, status=204))) is PaidStatus.CLOSED


REFUND = make_refund("P1", refund_no="R1", amount=50_000)


def refunded(**changes: Any) -> dict[str, Any]:
    return {
        "refund_id": "503",
        "out_refund_no": "R1",
        "transaction_id": "T1",
        "out_trade_no": "P1",
        "status": "SUCCESS",
        "amount": {"refund": 500, "total": 1234},
        **changes,
    }


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("SUCCESS", RefundStatus.DONE),
        ("PROCESSING", RefundStatus.PROCESSING),
        ("ABNORMAL", RefundStatus.PROCESSING),
        ("CLOSED", RefundStatus.REFUSED),
    ],
)
def test_a_refund_is_done_only_when_it_is(said: str, status: RefundStatus) -> None:
    answer = read(reply(refunded(status=said)))

    assert wire.read_refund(REFUND, answer).status is status
    assert wire.read_refund_query(REFUND, answer).status is status


@pytest.mark.parametrize(
    "change",
    [
        {"out_refund_no": "R2"},
        {"out_trade_no": "P2"},
        {"amount": {"refund": 501}},
        {"amount": {}},
        {"status": "MAYBE"},
    ],
)
def test_another_refund_is_no_answer(change: Any) -> None:
    with pytest.raises(ProviderUncertain):
        wire.read_refund(REFUND, read(reply(refunded(**change))))


def test_a_refused_call_is_told_from_a_refused_refund() -> None:
    unsigned = dataclasses.replace(reply({"code": "SIGN_ERROR"}, status=401), headers={})
    with pytest.raises(ProviderRefused):
        wire.read_refund(REFUND, read(unsigned))
    short = read(reply({"code": "NOT_ENOUGH", "message": "余额不足"}, status=403))
    assert wire.read_refund(REFUND, short).status is RefundStatus.REFUSED
    unknown = read(reply({"code": "RESOURCE_NOT_EXISTS"}, status=404))
    assert wire.read_refund_query(REFUND, unknown).status is RefundStatus.UNKNOWN


def test_a_refund_names_where_it_is_told() -> None:
    told = dataclasses.replace(REFUND, notify_url="https://shop.example/notify/7/")

    assert wire.build_refund(told)["notify_url"] == "https://shop.example/notify/7/"
    assert wire.build_refund(REFUND)["amount"] == {"refund": 500, "total": 1234, "currency": "CNY"}
    second = dataclasses.replace(REFUND, payment_no="", external_no="T9")
    content = wire.build_refund(second)
    assert (content["transaction_id"], "out_trade_no" in content) == ("T9", False)


# --- callbacks ---------------------------------------------------------------------------------


def good_body(**changes: str) -> bytes:
    return wechat_body({**make_case("wechat").good, **changes})


def test_a_callback_gives_its_nonce_and_who_paid(config: Config) -> None:
    said = hear(config, good_body())

    assert isinstance(said, Confirmation)
    assert (said.nonce, said.payer) == (NONCE, "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")
    assert said.paid_at == dt.datetime(2026, 1, 1, 12, 0, tzinfo=dt.UTC)


def test_a_callback_says_this_and_nothing_else(config: Config) -> None:
    body = good_body()

    assert hear(config, body) == Confirmation(
        payment_no="P20260101A",
        external_no=make_case("wechat").good["transaction_id"],
        amount=Amount(123_400),
        status=PaidStatus.PAID,
        paid_at=dt.datetime(2026, 1, 1, 12, 0, tzinfo=dt.UTC),
        payer="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o",
        raw_digest=hashlib.sha256(b"\n" + body).hexdigest(),
        nonce=NONCE,
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"method": "GET"}, "malformed"),
        ({"query": b"a=1"}, "malformed"),
        ({"body": b""}, "malformed"),
        ({"body": b"x" * (16 * 1024)}, "bad_signature"),
        ({"body": b"x" * (16 * 1024 + 1)}, "too_large"),
        ({"headers": {}}, "missing_serial"),
    ],
)
def test_a_callback_has_one_form(config: Config, changes: dict[str, Any], code: str) -> None:
    body = good_body()
    good = CallbackRequest(method="POST", body=body, headers=head(body))

    with pytest.raises(CallbackRejected) as caught:
        wire.parse_callback(config, dataclasses.replace(good, **changes), keys=KEYS, now=NOW)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"mchid": "1900000002"}, "wrong_merchant"),
        ({"mchid": ""}, "wrong_merchant"),
        ({"appid": "wx0123456789abcdee"}, "wrong_merchant"),
    ],
)
def test_a_callback_of_another_merchant_is_refused_by_name(
    config: Config, changes: dict[str, str], code: str
) -> None:
    with pytest.raises(CallbackRejected) as caught:
        hear(config, good_body(**changes))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("event", "original"),
    [
        ("TRANSACTION.SUCCESS", "refund"),
        ("REFUND.SUCCESS", "transaction"),
        ("", "transaction"),
        ("TRANSACTION.SUCCESS", ""),
        ("XTRANSACTION", "transaction"),
    ],
)
def test_event_and_resource_must_be_of_one_kind(config: Config, event: str, original: str) -> None:
    with pytest.raises(CallbackRejected) as caught:
        hear(config, wechat_body(make_case("wechat").good, event=event, original=original))
    assert caught.value.code == "unknown_event"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("algorithm", "bad_algorithm"),
        ("ciphertext", "bad_resource"),
        ("associated_data", "bad_resource"),
        ("nonce", "bad_resource"),
        ("original_type", "unknown_event"),
    ],
)
def test_each_part_of_a_resource_must_be_there(config: Config, name: str, code: str) -> None:
    outer = json.loads(good_body())
    del outer["resource"][name]

    with pytest.raises(CallbackRejected) as caught:
        hear(config, json.dumps(outer).encode())
    assert caught.value.code == code


def test_a_callback_is_opened_into_event_kind_and_resource(config: Config) -> None:
    event, kind, resource = wire.open_callback(config, good_body())

    assert (event, kind) == ("TRANSACTION.SUCCESS", "transaction")
    assert (resource["mchid"], resource["out_trade_no"]) == ("1900000001", "P20260101A")
    for body in (b"x", b"[]", b"{}"):
        with pytest.raises(CallbackRejected):
            wire.open_callback(config, body)


@pytest.mark.parametrize("associated", [None, ""])
def test_a_resource_may_belong_to_nothing(config: Config, associated: str | None) -> None:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    sealed = AESGCM(WECHAT_API_KEY.encode()).encrypt(b"0123456789ab", b'{"a":1}', b"")
    outer = {
        "resource": {
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": base64.b64encode(sealed).decode(),
            "associated_data": associated,
            "nonce": "0123456789ab",
        }
    }

    assert wire.open_callback(config, json.dumps(outer).encode()) == ("", "", {"a": "1"})


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"wechatpay-signature": "WECHATPAY/SIGNTEST/" + "A" * 320}, "signature_probe"),
        ({"wechatpay-serial": "7777"}, "unknown_serial"),
        ({"wechatpay-timestamp": "1767240301x"}, "bad_timestamp"),
        ({"wechatpay-timestamp": ""}, "missing_timestamp"),
        ({"wechatpay-nonce": ""}, "missing_nonce"),
        ({"wechatpay-nonce": "n" * 32}, "bad_signature"),
        ({"wechatpay-nonce": "n" * 65}, "malformed"),
        ({"wechatpay-signature-type": "NONE"}, "bad_signature_type"),
        ({"key": app_key()}, "bad_signature"),
    ],
)
def test_a_callback_must_prove_itself(config: Config, changes: Any, code: str) -> None:
    with pytest.raises(CallbackRejected) as caught:
        hear(config, good_body(), **changes)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("seconds", "is_taken"), [(-301, False), (-299, True), (299, True), (301, False)]
)
def test_a_callback_is_five_minutes_old_at_most(
    config: Config, seconds: int, is_taken: bool
) -> None:
    at = NOW + dt.timedelta(seconds=seconds)
    if is_taken:
        assert hear(config, good_body(), at=at).status is PaidStatus.PAID
        return
    with pytest.raises(CallbackRejected) as caught:
        hear(config, good_body(), at=at)
    assert caught.value.code == "stale_timestamp"


def test_a_callback_in_another_currency_is_refused(config: Config) -> None:
    with pytest.raises(CallbackRejected) as caught:
        hear(config, good_body(currency="USD"))
    assert caught.value.code == "other_currency"


@pytest.mark.parametrize("change", ["ciphertext", "associated_data", "nonce", "algorithm"])
def test_a_resource_that_does_not_open_is_refused(config: Config, change: str) -> None:
    outer = json.loads(good_body())
    outer["resource"][change] = "AAAA" + outer["resource"][change][4:]

    with pytest.raises(CallbackRejected) as caught:
        hear(config, json.dumps(outer).encode())
    assert caught.value.code in ("bad_resource", "bad_algorithm")


def test_an_event_of_another_kind_moves_nothing_and_is_no_forgery(config: Config) -> None:
    fields = make_case("wechat").good

    said = hear(config, wechat_body(fields, event="PAYSCORE.USER_PAID", original="payscore"))

    assert isinstance(said, OtherNotice)
    assert said.kind == "PAYSCORE.USER_PAID"


def test_doubled_members_are_refused(config: Config) -> None:
    doubled = good_body().replace(b'"id":', b'"id":"x","id":', 1)
    with pytest.raises(CallbackRejected) as caught:
        hear(config, doubled)
    assert caught.value.code == "bad_resource"


def refund_body(**changes: Any) -> bytes:
    resource = {
        "mchid": "1900000001",
        "transaction_id": "T1",
        "out_trade_no": "P1",
        "refund_id": "503",
        "out_refund_no": "R1",
        "refund_status": "SUCCESS",
        "amount": {"total": 1234, "refund": 500},
        **changes,
    }
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    plain = json.dumps(resource).encode()
    sealed = AESGCM(WECHAT_API_KEY.encode()).encrypt(b"0123456789ab", plain, b"refund")
    return json.dumps(
        {
            "event_type": "REFUND." + str(resource["refund_status"]),
            "resource": {
                "original_type": "refund",
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": base64.b64encode(sealed).decode(),
                "associated_data": "refund",
                "nonce": "0123456789ab",
            },
        }
    ).encode()


def test_a_refund_callback_is_a_notice(config: Config) -> None:
    said = hear(config, refund_body())

    assert isinstance(said, RefundNotice)
    assert (said.refund_no, said.status, said.amount) == ("R1", RefundStatus.DONE, 50_000)
    assert said.nonce == NONCE
    assert hear(config, refund_body(refund_status="CLOSED")).status is RefundStatus.REFUSED
    for change in ({"mchid": "1900000002"}, {"amount": {}}, {"out_refund_no": "?"}):
        with pytest.raises(CallbackRejected):
            hear(config, refund_body(**change))


# --- certificates ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> PeerKeys:
    return PeerKeys(Store(tmp_path_factory.mktemp("keys") / "s.sqlite"))


def listed(platform: PeerKeys, **changes: Any) -> tuple[Config, HttpReply]:
    [each] = platform.list_certificates()[-1:]
    row = {
        "serial_no": each["serial"],
        "effective_time": each["from"],
        "expire_time": each["until"],
        "encrypt_certificate": platform.seal(each["pem"].encode(), associated="certificate"),
        **changes,
    }
    body = json.dumps({"data": [row]}).encode()
    form = {**make_case("wechat").form, "verify_by": "certificate", "api_v3_key": platform.api_key}
    headers = platform.sign_headers(body, serial="")
    return Config.from_form(form), HttpReply(status=200, headers=headers, body=body)


def test_certificates_are_opened_and_verified(platform: PeerKeys) -> None:
    config, answer = listed(platform)
    now = dt.datetime.now(dt.UTC)

    found = read_certificates(config, answer, known={}, now=now)

    assert list(found) == [platform.list_certificates()[-1]["serial"]]
    assert read_certificates(config, answer, known={}, now=now + dt.timedelta(minutes=4)) == found
    ended = (now + dt.timedelta(minutes=2)).isoformat()
    config, answer = listed(platform, expire_time=ended)
    with pytest.raises(ProviderUncertain):  # nothing that counts is left to verify the list
        read_certificates(config, answer, known={}, now=now + dt.timedelta(minutes=3))


def test_certificates_that_are_not_the_platforms_are_not_kept(platform: PeerKeys) -> None:
    config, answer = listed(platform)
    now = dt.datetime.now(dt.UTC)
    stranger = Config.from_form(make_case("wechat").form)
    _, renamed = listed(platform, serial_no="5157F09EFDC096DE15EBE81A47057A7232F1B8E1")
    changed = dataclasses.replace(answer, body=answer.body + b" ")

    for account, odd, code in (
        (stranger, answer, "bad_certificates"),
        (config, renamed, "bad_certificates"),
        (config, changed, "bad_signature"),
        (config, dataclasses.replace(answer, headers={}), "missing_serial"),
    ):
        with pytest.raises(ProviderUncertain) as caught:
            read_certificates(account, odd, known={}, now=now)
        assert caught.value.code == code


# --- what a shop enters ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"mchid": "wx0123456789abcdef"}, "mchid"),
        ({"mchid": "0190000001"}, "mchid"),
        ({"appid": "1900000001"}, "appid"),
        ({"merchant_serial_no": WECHAT_KEY_ID}, "merchant_serial_no"),
        ({"merchant_serial_no": "XYZ"}, "merchant_serial_no"),
        ({"api_v3_key": WECHAT_API_KEY[:-1]}, "api_v3_key"),
        ({"api_v3_key": WECHAT_API_KEY + "x"}, "api_v3_key"),
        ({"api_v3_key": "8e1f0c7b2a9d4e6f1b3c5d7e9f0a2b4c"}, "api_v3_key"),
        ({"app_secret": "short"}, "app_secret"),
        ({"verify_by": "nothing"}, "verify_by"),
        ({"public_key_id": ""}, "public_key_id"),
        ({"public_key_id": "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"}, "public_key_id"),
        ({"public_key": ""}, "public_key"),
        ({"public_key": peers.publish_key(peers.load_key(app_key()))}, "public_key"),
        (
            {"merchant_private_key": peers.publish_key(peers.load_key(app_key()))},
            "merchant_private_key",
        ),
        ({"transfer_scene": "9999"}, "transfer_scene"),
        ({"oauth_url": "http://open.weixin.qq.com"}, "oauth_url"),
        ({"token_url": "nonsense"}, "token_url"),
    ],
)
def test_a_wrong_value_is_refused_where_it_stands(changes: dict[str, str], field: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        Config.from_form({**make_case("wechat").form, **changes})

    assert list(caught.value.problems) == [field]
    assert len(caught.value.problems[field]) > 5


def test_certificate_and_key_files_are_told_apart(platform: PeerKeys) -> None:
    pem = platform.list_certificates()[-1]["pem"]
    for field in ("merchant_private_key", "public_key"):
        with pytest.raises(ConfigInvalid) as caught:
            Config.from_form({**make_case("wechat").form, field: pem})
        assert "证书" in caught.value.problems[field]


def test_keys_are_taken_as_they_are_pasted(config: Config) -> None:
    text = app_key()
    lines = "\r\n".join(text[i : i + 64] for i in range(0, len(text), 64))
    pem = f"-----BEGIN PRIVATE KEY-----\r\n{lines}\r\n-----END PRIVATE KEY-----\r\n"
    changes = {
        "merchant_private_key": "\ufeff" + pem,
        "merchant_serial_no": "51:57:F0:9E:FD:C0:96:DE:15:EB:E8:1A:47:05:7A:72:32:F1:b8:e1",
        "gateway_url": "http://127.0.0.1:9/",
    }

    assert Config.from_form({**make_case("wechat").form, **changes}) == config


def test_certificate_mode_needs_no_public_key() -> None:
    form = {
        **make_case("wechat").form,
        "verify_by": "certificate",
        "public_key": "",
        "public_key_id": "",
    }
    config = Config.from_form(form)

    assert (config.takes_certificates, config.takes_public_key) == (True, False)
    both = Config.from_form({**make_case("wechat").form, "verify_by": "both"})
    assert (both.takes_certificates, both.takes_public_key) == (True, True)


# --- who pays ----------------------------------------------------------------------------------


def test_a_code_gives_one_payer() -> None:
    assert wire.read_openid(b'{"openid":"oUser","access_token":"x"}') == "oUser"
    with pytest.raises(ProviderRefused) as refused:
        wire.read_openid(b'{"errcode":40163,"errmsg":"code been used"}')
    assert refused.value.code == "oauth_40163"
    for body in (b'{"errcode":-1}', b"<html>", b"{}", b'{"openid":"a b"}'):
        with pytest.raises(ProviderUncertain):
            wire.read_openid(body)
