"""Epay v2's bytes: what is signed both ways, whose time counts, how a payment opens."""

import datetime as dt
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

import pytest

from kameng.payments.providers.epay2 import wire
from kameng.payments.providers.epay2.config import Config
from kameng.payments.providers.port import (
    CallbackRejected,
    ConfigInvalid,
    Confirmation,
    PaidStatus,
    PayInstruction,
    ProviderRefused,
    ProviderUncertain,
    RefundOutcome,
    RefundStatus,
)
from kameng.pricing.money import Amount
from kameng_simulator import signing
from tests.providers.cases import app_key, gateway_key, make_case, make_refund, make_request

NOW = dt.datetime.fromtimestamp(int(time.time()), dt.UTC)


def config(**changes: str) -> Config:
    return Config.from_form({**make_case("epay2").form, **changes})


def seal(said: Mapping[str, object], *, key: str = "", late: int = 0) -> bytes:
    """Answer as the platform does: numbers stay numbers, the signature covers their text."""
    timed = {**said, "timestamp": str(int(NOW.timestamp()) - late)}
    texts = {name: str(value) for name, value in timed.items() if value is not None}
    text = signing.join_sorted(texts, without=("sign", "sign_type"))
    sign = signing.sign_rsa(text, signing.load_key(key or gateway_key()))
    return json.dumps({**timed, "sign": sign, "sign_type": "RSA"}, ensure_ascii=False).encode()


def order(**changes: object) -> dict[str, object]:
    return {
        "code": 0,
        "pid": 1001,
        "trade_no": "2026010112000001",
        "out_trade_no": "P1",
        "status": 1,
        "money": "12.34",
        "endtime": "2026-01-01 20:00:00",
        "buyer": None,
        **changes,
    }


def ask(body: bytes, *, external_no: str = "") -> tuple[PaidStatus, int, str]:
    said = wire.parse_order(config(), body, payment_no="P1", external_no=external_no, now=NOW)
    return said.status, said.amount, said.external_no


def test_a_call_is_signed_by_the_merchant_and_names_its_second() -> None:
    fields = dict(
        parse_qsl(
            wire.build_call(config(), "pay/query", {"out_trade_no": "P1"}, now=NOW).body.decode(),
            strict_parsing=True,
        )
    )

    text = f"out_trade_no=P1&pid=1001&timestamp={int(NOW.timestamp())}"
    key = signing.load_key(app_key()).public_key()
    assert signing.verify_rsa(text, signature=fields["sign"], key=key)
    assert fields["sign_type"] == "RSA"


def test_the_cashiers_address_carries_the_same_signature() -> None:
    page = wire.build_page(config(), make_request("P1", method="wxpay"), now=NOW)

    address, _, query = page.url.partition("?")
    fields = dict(parse_qsl(query, strict_parsing=True))
    text = signing.join_sorted(fields, without=("sign", "sign_type"))
    key = signing.load_key(app_key()).public_key()
    assert (page.kind, address) == ("redirect", "http://127.0.0.1:9/api/pay/submit")
    assert signing.verify_rsa(text, signature=fields["sign"], key=key)
    assert fields["money"] == "12.34"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0, PaidStatus.PENDING),
        (1, PaidStatus.PAID),
        (2, PaidStatus.CLOSED),
        (3, PaidStatus.PAID),
        (4, PaidStatus.PENDING),
        ("1", PaidStatus.PAID),
    ],
)
def test_a_status_is_read(status: object, expected: PaidStatus) -> None:
    assert ask(seal(order(status=status))) == (expected, Amount(123_400), "2026010112000001")


def test_an_unknown_number_is_not_found_though_nobody_signs_that() -> None:
    body = json.dumps({"code": -1, "msg": "订单号不存在"}).encode()

    assert ask(body) == (PaidStatus.NOT_FOUND, 0, "")


@pytest.mark.parametrize(
    "change",
    [
        {"pid": 1002},
        {"out_trade_no": "P2"},
        {"status": 9},
        {"money": "12.345"},
        {"trade_no": "a b"},
    ],
)
def test_an_answer_about_something_else_is_not_believed(change: dict[str, object]) -> None:
    with pytest.raises(ProviderUncertain):
        ask(seal(order(**change)))


def test_another_number_of_the_platforms_is_another_payment() -> None:
    with pytest.raises(ProviderUncertain):
        ask(seal(order()), external_no="2026010112000002")


def test_a_good_answer_without_signature_or_of_another_time_is_not_believed() -> None:
    unsigned = json.dumps(order()).encode()
    changed = seal(order(status=0)).replace(b'"status": 0', b'"status": 1')
    for body in (unsigned, changed, seal(order(), key=app_key()), seal(order(), late=301)):
        with pytest.raises(ProviderUncertain):
            ask(body)
    with pytest.raises(ProviderUncertain):
        ask(seal(order(), late=-301))
    assert ask(seal(order(), late=299))[0] is PaidStatus.PAID


@pytest.mark.parametrize("late", [301, 86_400, -301])
def test_a_callback_of_another_time_is_refused(late: int) -> None:
    case = make_case("epay2")
    stamp = str(int(NOW.timestamp()) - late)

    with pytest.raises(CallbackRejected) as caught:
        wire.parse_callback(config(), case.send(case.signed(timestamp=stamp)), now=NOW)

    assert caught.value.code == "stale"


@pytest.mark.parametrize(
    ("stamp", "counts"),  # of now: names of tests must not tell the time, or no two processes agree
    [
        (lambda now: now, True),
        (lambda now: now - 300, True),
        (lambda now: now + 300, True),
        (lambda now: now - 301, False),
        (lambda now: now + 301, False),
        (lambda now: str(now)[:9], False),
        (lambda now: f"{now}0", False),
        (lambda now: f" {now}", False),
        (lambda _now: "", False),
        (lambda _now: "x", False),
    ],
)
def test_a_stamp_counts_for_five_minutes_each_way(
    stamp: Callable[[int], object], *, counts: bool
) -> None:
    assert wire.is_fresh(str(stamp(int(NOW.timestamp()))), now=NOW) is counts


def test_what_is_signed_is_sorted_and_says_something() -> None:
    fields = {"b": b"2", "a": b"1", "empty": b"", "blank": b" ", "sign": b"x", "sign_type": b"RSA"}

    assert wire.join_fields(fields) == b"a=1&b=2"
    assert wire.sign_fields(config(), {"empty": "", "a": "1"}, now=NOW).keys() == {
        *("a", "pid", "timestamp", "sign", "sign_type")
    }


def call_back(**changes: str) -> Confirmation:
    case = make_case("epay2")
    signed = case.signed(**{"timestamp": str(int(NOW.timestamp())), **changes})
    return wire.parse_callback(config(), case.send(signed), now=NOW)


def test_a_callback_says_this_and_nothing_else() -> None:
    case = make_case("epay2")
    stamp = str(int(NOW.timestamp()))
    signed = case.signed(timestamp=stamp, endtime="2026-01-01 20:00:00", buyer=" m\te ")
    callback = case.send(signed)

    assert wire.parse_callback(config(), callback, now=NOW) == Confirmation(
        payment_no="P20260101A",
        external_no=case.trade_no,
        amount=Amount(123_400),
        status=PaidStatus.PAID,
        paid_at=dt.datetime(2026, 1, 1, 12, 0, tzinfo=dt.UTC),
        payer="m e",
        raw_digest=hashlib.sha256(callback.query + b"\n" + callback.body).hexdigest(),
    )


def test_a_payer_is_bounded_and_a_time_that_is_none_is_left_out() -> None:
    assert call_back(buyer="x" * 65).payer == "x" * 64
    assert call_back(endtime="gestern", buyer="").paid_at is None
    assert call_back(trade_status="WAIT").status is PaidStatus.PENDING


def test_a_callback_without_time_and_payer_is_read_all_the_same() -> None:
    case = make_case("epay2")
    fields = {name: case.good[name] for name in case.good if name not in ("endtime", "buyer")}
    signed = case.sign({**fields, "timestamp": str(int(NOW.timestamp()))})

    said = wire.parse_callback(config(), case.send(signed), now=NOW)

    assert (said.status, said.paid_at, said.payer) == (PaidStatus.PAID, None, "")


def test_a_signed_answer_without_a_time_is_stale() -> None:
    source = {"code": "0", "money": "12.34"}
    text = signing.join_sorted(source, without=())
    sign = signing.sign_rsa(text, signing.load_key(gateway_key()))

    with pytest.raises(ProviderUncertain) as caught:
        wire.read_reply(config(), json.dumps({**source, "sign": sign}).encode(), now=NOW)

    assert caught.value.code == "stale_reply"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"pid": "1002"}, "wrong_merchant"),
        ({"pid": ""}, "missing_pid"),
        ({"timestamp": ""}, "missing_timestamp"),
        ({"timestamp": "1"}, "stale"),
        ({"trade_status": ""}, "missing_trade_status"),
        ({"out_trade_no": ""}, "missing_out_trade_no"),
        ({"trade_no": "<b>"}, "bad_trade_no"),
        ({"money": "0"}, "bad_amount"),
    ],
)
def test_a_signed_callback_that_does_not_fit_is_rejected_by_name(
    changes: dict[str, str], code: str
) -> None:
    with pytest.raises(CallbackRejected) as caught:
        call_back(**changes)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sign_type": "MD5"}, "bad_sign_type"),
        ({"sign_type": ""}, "bad_sign_type"),
        ({"sign": ""}, "missing_sign"),
        ({"sign": "x"}, "bad_signature"),
        ({"sign": "AAAA"}, "bad_signature"),
        ({"money": "99.99"}, "bad_signature"),
    ],
)
def test_a_callback_changed_after_signing_is_rejected_by_name(
    changes: dict[str, str], code: str
) -> None:
    case = make_case("epay2")
    signed = {**case.signed(timestamp=str(int(NOW.timestamp()))), **changes}

    with pytest.raises(CallbackRejected) as caught:
        wire.parse_callback(config(), case.send(signed), now=NOW)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "bad_reply"),
        (b"[]", "bad_reply"),
        (b"{}", "bad_reply"),
        (b'{"code":null}', "bad_reply"),
        (b'{"code":0}', "bad_reply_signature"),
        (b'{"code":0,"sign":"!"}', "bad_reply_signature"),
        (seal(order(), key=app_key()), "bad_reply_signature"),
        (seal(order(), late=301), "stale_reply"),
        (seal(order(), late=-301), "stale_reply"),
    ],
)
def test_an_answer_that_proves_nothing_is_uncertain_by_name(body: bytes, code: str) -> None:
    with pytest.raises(ProviderUncertain) as caught:
        wire.read_reply(config(), body, now=NOW)

    assert caught.value.code == code


def test_a_refusal_carries_the_platforms_words_and_needs_no_signature() -> None:
    body = json.dumps({"code": -123_456_789_012_345_678, "msg": " 余额\n不足 "}).encode()

    with pytest.raises(ProviderRefused) as caught:
        wire.read_reply(config(), body, now=NOW)

    assert (caught.value.code, caught.value.message) == ("epay_-123456789012345", "余额 不足")


def test_an_answer_is_given_on_without_what_was_not_signed() -> None:
    reply = wire.read_reply(config(), seal(order()), now=NOW)

    assert "buyer" not in reply
    assert (reply["status"], reply["money"]) == ("1", "12.34")


def open_by(**said: object) -> PayInstruction | None:
    body = seal({"code": 0, "trade_no": "T1", **said})
    return wire.parse_opening(config(), body, now=NOW)


def test_each_way_to_open_leads_somewhere() -> None:
    jump = open_by(pay_type="jump", pay_info="https://pay.example.com/x")
    qr = open_by(pay_type="qrcode", pay_info="weixin://wxpay/bizpayurl?pr=1")
    scheme = open_by(pay_type="urlscheme", pay_info="weixin://dl/business/?t=1")

    assert jump == PayInstruction(kind="redirect", url="https://pay.example.com/x")
    assert qr == PayInstruction(kind="qr", qr_text="weixin://wxpay/bizpayurl?pr=1")
    assert scheme == PayInstruction(kind="redirect", url="weixin://dl/business/?t=1")
    for kind in ("html", "jsapi", "wxplugin", "wxapp", "app"):
        assert open_by(pay_type=kind, pay_info="<script>") is None
    for odd in ({"pay_type": "jump", "pay_info": "javascript:alert(1)"}, {"pay_type": "x"}, {}):
        with pytest.raises(ProviderUncertain):
            open_by(**odd)


def test_an_opening_that_nobody_signs_leads_on_but_a_wrong_signature_does_not() -> None:
    plain = {"code": 0, "trade_no": "T1", "pay_type": "qrcode", "pay_info": "weixin://x"}

    found = wire.parse_opening(config(), json.dumps(plain).encode(), now=NOW)

    assert found == PayInstruction(kind="qr", qr_text="weixin://x")
    with pytest.raises(ProviderUncertain):
        wire.parse_opening(config(), json.dumps({**plain, "sign": "x"}).encode(), now=NOW)
    body = json.dumps({"code": -3, "msg": "RSA签名校验失败"}).encode()
    with pytest.raises(ProviderRefused):
        wire.parse_opening(config(), body, now=NOW)


def ask_refund(**changes: object) -> RefundOutcome:
    said = {"code": 0, "out_refund_no": "R1", "refund_no": "77", "money": "12.34", **changes}
    request = make_refund("P1", refund_no="R1")
    return wire.parse_refund_query(config(), seal(said), request=request, now=NOW)


def test_a_refund_is_done_when_its_own_record_says_so() -> None:
    assert ask_refund(status=1) == RefundOutcome(status=RefundStatus.DONE, external_no="77")
    assert ask_refund().status is RefundStatus.DONE
    assert ask_refund(status=0).status is RefundStatus.UNKNOWN
    for change in ({"out_refund_no": "R2"}, {"money": "12.33"}, {"money": ""}):
        with pytest.raises(ProviderUncertain):
            ask_refund(**change)
    unknown = json.dumps({"code": -1, "msg": "退款记录不存在"}).encode()
    said = wire.parse_refund_query(
        config(), unknown, request=make_refund("P1", refund_no="R1"), now=NOW
    )
    assert said.status is RefundStatus.UNKNOWN


def test_a_merchant_that_is_not_ours_or_not_active_is_told() -> None:
    wire.parse_merchant(config(), seal({"code": 0, "pid": 1001, "status": 1}), now=NOW)
    for said in ({"pid": 1002}, {"pid": 1001, "status": 0}, {"pid": 1001, "pay_status": 0}):
        with pytest.raises(ProviderRefused):
            wire.parse_merchant(config(), seal({"code": 0, **said}), now=NOW)


def test_the_usual_mistakes_in_the_form_are_named() -> None:
    own = signing.publish_key(signing.load_key(app_key()))

    for change, field in (
        ({"platform_public_key": own}, "platform_public_key"),
        ({"platform_public_key": ""}, "platform_public_key"),
        ({"merchant_private_key": own}, "merchant_private_key"),
        ({"pid": "abc"}, "pid"),
        ({"opening": "x"}, "opening"),
    ):
        with pytest.raises(ConfigInvalid) as caught:
            config(**change)
        assert list(caught.value.problems) == [field]
    for tail in ("api/pay/create", "api/pay/", "api/pay", "submit.php", ""):
        address = config(gateway_url=f"https://pay.example.com/{tail}").gateway_url
        assert address == "https://pay.example.com/"
