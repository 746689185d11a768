"""Stripe's bytes: signatures, sums to the smallest unit, and what an event may not be."""

import dataclasses
import datetime as dt
import hashlib
import hmac
import json
import time
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kameng.core.http import HttpReply
from kameng.payments.providers.port import (
    CallbackRejected,
    CallbackRequest,
    ConfigInvalid,
    Confirmation,
    DisputeNotice,
    DisputeStatus,
    OtherNotice,
    PaidStatus,
    ProviderRefused,
    ProviderUncertain,
    RefundNotice,
    RefundStatus,
)
from kameng.payments.providers.stripe import rates, webhook, wire
from kameng.payments.providers.stripe.config import Config
from kameng.pricing.money import Amount
from tests.providers.cases import (
    STRIPE_KEY,
    STRIPE_WEBHOOK,
    make_case,
    make_refund,
    make_request,
    sign_stripe,
    stripe_body,
)

FORM = make_case("stripe").form
DOLLARS = {**FORM, "currency": "usd", "rate": "7.1234"}


def deliver(event: Any, *, form: dict[str, str] | None = None, **changes: Any) -> Any:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    moment = str(int(time.time()) + changes.get("seconds", 0))
    secret = changes.get("secret", STRIPE_WEBHOOK)
    header = f"t={moment},v1={sign_stripe(body, secret, moment=moment)}"
    headers = {"stripe-signature": changes.get("header", header)}
    callback = CallbackRequest(method="POST", body=body, headers=headers)
    return webhook.parse(Config.from_form(form or FORM), callback)


def reject(event: Any, **changes: Any) -> str:
    with pytest.raises(CallbackRejected) as caught:
        deliver(event, **changes)
    return caught.value.code


def event(kind: str, thing: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "id": "evt_1",
        "object": "event",
        "created": 1_767_268_800,
        "livemode": False,
        "type": kind,
        "data": {"object": thing},
        **more,
    }


def session(**changes: Any) -> dict[str, Any]:
    price = rates.make_price(Amount(123_400), currency="usd", rate=71_234)
    return {
        "id": "cs_test_a1",
        "object": "checkout.session",
        "amount_total": price.minor,
        "client_reference_id": "P1",
        "currency": "usd",
        "livemode": False,
        "metadata": wire.describe_price("P1", price),
        "payment_intent": "pi_1",
        "payment_status": "paid",
        "status": "complete",
        **changes,
    }


# --- signatures --------------------------------------------------------------------------------


def test_signature_is_the_documented_hmac_of_time_dot_body() -> None:
    """Made with `printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac whsec_test`."""
    moment = dt.datetime.fromtimestamp(1_700_000_000, tz=dt.UTC)
    expected = "38877139021993b830af32feea6e18a8da83eb2f6e49ee50bd9e4cf4ca4d3789"

    def check(header: str, *, seconds: int = 0, secret: str = "whsec_test") -> bool:
        at = moment + dt.timedelta(seconds=seconds)
        return webhook.has_valid_signature(b'{"a":1}', header=header, secret=secret, moment=at)

    good = f"t=1700000000,v1={expected}"
    assert check(good)
    assert check(f"t=1700000000,v1={'0' * 64},v1={expected},v0=x")
    assert check(good, seconds=300)
    assert check(good, seconds=-300)
    assert not check(good, seconds=301)
    assert not check(good, seconds=-301)
    assert not check(good, secret="")
    for bad in (
        "",
        f"v1={expected}",
        "t=1700000000",
        f"t=1700000000,v0={expected}",
        f"t=1700000001,v1={expected}",
        f"t=1700000000,t=1700000000,v1={expected}",
        f"t=,v1={expected}",
        f"t=-1,v1={expected}",
        f"t=1e9,v1={expected}",
        f"t=1700000000,v1={expected[:-1]}",
        f"t=1700000000,v1={expected.upper()}",
        "t=1700000000" + f",v1={'0' * 64}" * 9 + f",v1={expected}",
        f"t=1700000000,v1={expected}é",
    ):
        assert not check(bad), bad


def test_a_header_holds_eight_signatures_at_most_and_any_text() -> None:
    moment = dt.datetime.fromtimestamp(1_700_000_000, tz=dt.UTC)
    good = sign_stripe(b"{}", STRIPE_WEBHOOK, moment="1700000000")

    def check(header: str) -> bool:
        return webhook.has_valid_signature(
            b"{}", header=header, secret=STRIPE_WEBHOOK, moment=moment
        )

    assert check("t=1700000000" + f",v1={'0' * 64}" * 7 + f",v1={good}")
    assert not check("t=1700000000" + f",v1={'0' * 64}" * 8 + f",v1={good}")
    assert check(f"t=1700000000, v1={good}")
    assert check(f"t=1700000000,v1=\ud800,v1={good}")
    assert not check("t=1700000000,v1=\ud800")


def send(body: bytes = b"{}", **changes: Any) -> str:
    """Return why a callback without a good signature is rejected."""
    callback = CallbackRequest(method="POST", body=body, **changes)
    with pytest.raises(CallbackRejected) as caught:
        webhook.parse(Config.from_form(FORM), callback)
    return caught.value.code


def test_a_callback_has_one_form_and_one_signature() -> None:
    assert send() == "bad_signature"
    assert send(headers={"stripe-signature": "x"}) == "bad_signature"
    assert send(query=b"a=1") == "two_sources"
    assert send(b"") == "empty"
    assert send(b"x" * webhook.MAX_BYTES) == "bad_signature"
    assert send(b"x" * (webhook.MAX_BYTES + 1)) == "too_large"


def test_an_event_is_of_this_account_and_whole() -> None:
    form = {**DOLLARS, "account_id": "acct_1032D82eZvKYlo2C"}
    good = event("checkout.session.completed", session())

    for account in (None, "acct_1032D82eZvKYlo2C"):
        assert deliver({**good, "account": account}, form=form).status is PaidStatus.PAID
    assert reject({**good, "account": "acct_2"}, form=form) == "wrong_merchant"
    assert reject({**good, "account": ""}, form=form) == "wrong_merchant"
    assert reject({**good, "object": "charge"}, form=form) == "wrong_merchant"
    assert reject({**good, "livemode": True}, form=form) == "wrong_merchant"
    for data in (None, [], {}, {"object": None}):
        assert reject({**good, "data": data}, form=form) == "malformed"


def test_the_header_is_found_by_whatever_case_and_the_digest_is_the_bodys() -> None:
    body = json.dumps(event("checkout.session.completed", session())).encode()
    moment = str(int(time.time()))
    header = f"t={moment},v1={sign_stripe(body, STRIPE_WEBHOOK, moment=moment)}"

    said = webhook.parse(
        Config.from_form(DOLLARS),
        CallbackRequest(method="POST", body=body, headers={"Stripe-Signature": header}),
    )

    assert said.raw_digest == hashlib.sha256(b"\n" + body).hexdigest()


def test_an_empty_secret_verifies_nothing_though_its_hmac_is_right() -> None:
    body = b"{}"
    moment = str(int(time.time()))
    sign = hmac.new(b"", moment.encode() + b"." + body, hashlib.sha256).hexdigest()

    assert not webhook.has_valid_signature(
        body, header=f"t={moment},v1={sign}", secret="", moment=dt.datetime.now(dt.UTC)
    )


@pytest.mark.parametrize("seconds", [-360, 360])
def test_stale_or_future_event_is_rejected(seconds: int) -> None:
    good = event("checkout.session.completed", session())

    assert reject(good, seconds=seconds, form=DOLLARS) == "bad_signature"
    assert deliver(good, form=DOLLARS).status is PaidStatus.PAID


def test_oversized_empty_and_odd_bodies_are_rejected() -> None:
    assert reject(b"x" * (webhook.MAX_BYTES + 1)) == "too_large"
    assert reject(b"") == "empty"
    assert reject(b"[]") == "malformed"
    assert reject(b"\xff") == "malformed"
    assert reject(b"[" * 5000) == "malformed"
    assert reject({"object": "event", "livemode": False, "data": {"object": []}}) == "malformed"
    twice = CallbackRequest(method="POST", query=b"a=1", body=b"{}")
    with pytest.raises(CallbackRejected):
        webhook.parse(Config.from_form(FORM), twice)


@given(st.binary(max_size=300))
def test_no_bytes_make_reading_fail_otherwise_than_by_the_ports_words(data: bytes) -> None:
    reject(data)
    with pytest.raises((ProviderUncertain, ProviderRefused)):
        wire.read_reply(HttpReply(status=400, body=data))


# --- events ------------------------------------------------------------------------------------


def test_paid_session_in_another_currency_is_the_amount_that_was_asked() -> None:
    said = deliver(event("checkout.session.completed", session()), form=DOLLARS)

    assert isinstance(said, Confirmation)
    assert (said.payment_no, said.external_no) == ("P1", "pi_1")
    assert said.amount == Amount(123_400)
    assert said.paid_at == dt.datetime.fromtimestamp(1_767_268_800, tz=dt.UTC)


def test_a_rate_that_changed_meanwhile_changes_nothing_of_an_open_payment() -> None:
    later = {**DOLLARS, "rate": "6.5"}

    said = deliver(event("checkout.session.completed", session()), form=later)

    assert said.amount == Amount(123_400)


@pytest.mark.parametrize("cents", [-1, 1])
def test_one_cent_less_or_more_is_another_amount(cents: int) -> None:
    asked = session()["amount_total"]

    said = deliver(
        event("checkout.session.completed", session(amount_total=asked + cents)), form=DOLLARS
    )

    assert said.amount != Amount(123_400)
    assert (said.amount > Amount(123_400)) == (cents > 0)
    assert abs(said.amount - 123_400) < 2 * 713


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"currency": "eur"}, "wrong_currency"),
        ({"currency": "cny"}, "wrong_currency"),
        ({"amount_total": "173"}, ""),
        ({"amount_total": 173.5}, "bad_amount"),
        ({"amount_total": 1e3}, "bad_amount"),
        ({"amount_total": -173}, "bad_amount"),
        ({"amount_total": 0}, "bad_amount"),
        ({"amount_total": None}, "bad_amount"),
        ({"amount_total": True}, "bad_amount"),
        ({"amount_total": [173]}, "bad_amount"),
        ({"amount_total": 10**30}, "bad_amount"),
        ({"livemode": True}, "wrong_merchant"),
        ({"livemode": "false"}, "wrong_merchant"),
        ({"object": "charge"}, "wrong_merchant"),
        ({"client_reference_id": None}, "bad_out_trade_no"),
        ({"client_reference_id": "P2"}, "bad_out_trade_no"),
        ({"client_reference_id": "P 1"}, "bad_out_trade_no"),
        ({"metadata": None}, "bad_out_trade_no"),
        ({"payment_intent": None}, "missing_payment_intent"),
        ({"payment_intent": {"id": "pi_1"}}, "bad_payment_intent"),
        ({"payment_intent": "<b>"}, "bad_payment_intent"),
    ],
)
def test_session_that_contradicts_itself_is_rejected(changes: dict[str, Any], code: str) -> None:
    if not code:
        # A number as text is what the reader makes of every number.
        assert deliver(event("checkout.session.completed", session(**changes)), form=DOLLARS)
        return
    assert reject(event("checkout.session.completed", session(**changes)), form=DOLLARS) == code


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": "1234000"},
        {"minor": "1"},
        {"rate": "1"},
        {"rate": "0"},
        {"rate": "-1"},
        {"rate": ""},
        {"currency": "xxx"},
        {"amount": "1e3"},
    ],
)
def test_price_that_we_cannot_have_asked_is_rejected(changes: dict[str, str]) -> None:
    metadata = {**session()["metadata"], **changes}
    code = reject(event("checkout.session.completed", session(metadata=metadata)), form=DOLLARS)

    assert code in ("bad_amount", "wrong_currency")


def test_yuan_has_one_rate_only() -> None:
    """Otherwise who can write metadata sells for a cent what costs a hundred yuan."""
    metadata = {
        "payment_no": "P1",
        "amount": "123400",
        "minor": "1",
        "currency": "cny",
        "rate": "12340000",
    }
    cheap = session(currency="cny", amount_total=1, metadata=metadata)

    assert reject(event("checkout.session.completed", cheap)) == "bad_amount"


@pytest.mark.parametrize(
    ("kind", "changes", "status"),
    [
        ("checkout.session.completed", {}, PaidStatus.PAID),
        ("checkout.session.completed", {"payment_status": "unpaid"}, PaidStatus.PENDING),
        ("checkout.session.async_payment_succeeded", {}, PaidStatus.PAID),
        (
            "checkout.session.async_payment_failed",
            {"payment_status": "unpaid"},
            PaidStatus.CLOSED,
        ),
        (
            "checkout.session.expired",
            {"payment_status": "unpaid", "status": "expired", "payment_intent": None},
            PaidStatus.CLOSED,
        ),
        (
            "checkout.session.completed",
            {"payment_status": "no_payment_required"},
            PaidStatus.PENDING,
        ),
    ],
)
def test_words_of_a_session(kind: str, changes: dict[str, Any], status: PaidStatus) -> None:
    said = deliver(event(kind, session(**changes)), form=DOLLARS)

    assert said.status is status
    assert (said.paid_at is not None) == (status is PaidStatus.PAID)


@pytest.mark.parametrize("kind", ["customer.created", "payment_intent.succeeded", "", "x"])
def test_other_events_say_nothing_of_money(kind: str) -> None:
    said = deliver(event(kind, session()), form=DOLLARS)

    assert isinstance(said, OtherNotice)
    assert said.kind == kind


def test_other_events_are_verified_like_all() -> None:
    other = event("customer.created", session())

    assert reject(other, form=DOLLARS, secret="whsec_of_somebody_else") == "bad_signature"
    assert reject(other | {"livemode": True}, form=DOLLARS) == "wrong_merchant"


def test_event_of_a_connected_account_is_not_ours() -> None:
    good = event("checkout.session.completed", session(), account="acct_other")

    assert reject(good, form=DOLLARS) == "wrong_merchant"


def test_refund_event_names_our_refund() -> None:
    thing = {
        "id": "re_1",
        "object": "refund",
        "amount": 70,
        "currency": "usd",
        "status": "succeeded",
        "metadata": {"refund_no": "R1", "amount": "50000", "minor": "70"},
    }

    said = deliver(event("refund.updated", thing))

    assert isinstance(said, RefundNotice)
    assert (said.refund_no, said.external_no, said.amount) == ("R1", "re_1", 50_000)
    assert said.status is RefundStatus.DONE
    failed = deliver(event("charge.refund.updated", {**thing, "status": "failed"}))
    assert failed.status is RefundStatus.REFUSED
    for odd in (
        {"metadata": {}},
        {"metadata": None},
        {"metadata": {"refund_no": "<b>", "amount": "1", "minor": "70"}},
        {"object": "charge"},
        {"amount": 71},
        {"status": "maybe"},
    ):
        assert reject(event("refund.updated", {**thing, **odd}))


def test_dispute_event_names_the_payment_by_stripes_number() -> None:
    thing = {
        "id": "du_1",
        "object": "dispute",
        "amount": 1234,
        "currency": "cny",
        "evidence_details": {"due_by": 1_767_900_000},
        "payment_intent": "pi_1",
        "reason": "fraudulent",
        "status": "needs_response",
    }

    said = deliver(event("charge.dispute.created", thing))

    assert isinstance(said, DisputeNotice)
    assert (said.dispute_no, said.external_no, said.payment_no) == ("du_1", "pi_1", "")
    assert (said.status, said.amount) == (DisputeStatus.OPENED, 123_400)
    assert said.answer_by == dt.datetime.fromtimestamp(1_767_900_000, tz=dt.UTC)
    for word, status in (("won", DisputeStatus.WON), ("lost", DisputeStatus.LOST)):
        assert deliver(event("charge.dispute.closed", {**thing, "status": word})).status is status
    for odd in ({"currency": "usd"}, {"amount": 0}, {"payment_intent": None}, {"id": None}):
        assert reject(event("charge.dispute.created", {**thing, **odd}))


# --- rates -------------------------------------------------------------------------------------


@given(
    st.integers(min_value=1, max_value=10**8).map(lambda fen: fen * 100),
    st.integers(min_value=10, max_value=10_000_000),
    st.sampled_from(sorted(set(rates.MINOR_UNITS) - {"cny"})),
)
def test_what_was_asked_comes_back_exactly_and_is_never_below_the_price(
    amount: int, rate: int, currency: str
) -> None:
    price = rates.make_price(Amount(amount), currency=currency, rate=rate)

    assert rates.is_consistent(price)
    assert rates.to_amount(price.minor, price) == amount
    # Exact, without the program's own arithmetic: minor/units × rate ≥ amount > one unit less.
    units = rates.MINOR_UNITS[currency]
    assert price.minor * rate >= amount * units > (price.minor - 1) * rate
    assert rates.to_amount(price.minor + 1, price) > amount
    if price.minor > 1:
        assert rates.to_amount(price.minor - 1, price) < amount


def test_yuan_is_fen_for_fen() -> None:
    price = rates.make_price(Amount(123_400), currency="cny", rate=10_000)

    assert price.minor == 1234
    assert rates.to_amount(1233, price) == 123_300


@given(
    st.lists(st.integers(min_value=1, max_value=10**6), min_size=1, max_size=8),
    st.integers(min_value=1, max_value=10**6),
)
def test_part_refunds_give_back_every_unit_and_never_more(parts: list[int], minor: int) -> None:
    paid, before, given_back = sum(parts), 0, 0
    for part in parts:
        unit = rates.refund_minor(part, before=before, paid_amount=paid, paid_minor=minor)
        assert unit >= 0
        before, given_back = before + part, given_back + unit

    assert given_back == minor


# --- requests and replies ----------------------------------------------------------------------


def test_request_carries_key_version_price_and_idempotency() -> None:
    config = Config.from_form(DOLLARS)
    request = make_request("P1", method="wechat_pay")

    sent = wire.build_session(config, request)

    fields = dict(parse_qsl(sent.body.decode(), strict_parsing=True))
    assert sent.headers["Authorization"] == f"Bearer {STRIPE_KEY}"
    assert sent.headers["Idempotency-Key"] == "kameng-pay-P1"
    assert sent.headers["Stripe-Version"] == wire.API_VERSION
    assert fields["line_items[0][price_data][unit_amount]"] == "174"  # 12.34 / 7.1234 upwards
    assert fields["line_items[0][price_data][currency]"] == "usd"
    assert fields["client_reference_id"] == fields["metadata[payment_no]"] == "P1"
    assert fields["payment_intent_data[transfer_group]"] == "P1"
    assert fields["payment_method_options[wechat_pay][client]"] == "web"
    assert wire.build_session(config, request) == sent
    assert STRIPE_KEY not in repr(sent)


def test_session_lives_as_long_as_stripe_demands_whenever_it_is_opened() -> None:
    request = make_request("P1", method="card")

    fields = dict(parse_qsl(wire.build_session(Config.from_form(FORM), request).body.decode()))

    left = int(fields["expires_at"]) - request.expires_at.timestamp()
    assert 30 * 60 < left <= 32 * 60


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404])
def test_clear_refusal_is_told_with_its_code(status: int) -> None:
    body = b'{"error":{"code":"amount_too_small","message":"Amount too small","type":"x"}}'

    with pytest.raises(ProviderRefused) as caught:
        wire.read_reply(HttpReply(status=status, body=body))

    assert caught.value.code == "amount_too_small"


@pytest.mark.parametrize("status", [201, 302, 409, 424, 429, 500, 503])
def test_other_answers_leave_it_open(status: int) -> None:
    body = b'{"error":{"code":"lock_timeout","message":"busy","type":"api_error"}}'

    with pytest.raises(ProviderUncertain):
        wire.read_reply(HttpReply(status=status, body=body))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"<html>", b'{"error":"x"}', b'{"error":{"code":NaN}}', b"\xff"]
)
def test_refusal_that_is_none_leaves_it_open(body: bytes) -> None:
    with pytest.raises(ProviderUncertain):
        wire.read_reply(HttpReply(status=400, body=body))


def test_refund_that_is_not_the_one_we_asked_for_is_not_believed() -> None:
    mine = {
        "id": "re_1",
        "amount": "1234",
        "status": "succeeded",
        "metadata": {"refund_no": "R1", "amount": "123400", "minor": "1234"},
    }
    request = make_refund("P1", refund_no="R1")

    found = wire.find_refund([mine], request)
    assert found is not None
    assert found.status is RefundStatus.DONE
    assert wire.find_refund([mine], dataclasses.replace(request, refund_no="R2")) is None
    for odd in (
        {"amount": "1233"},
        {"metadata": {"refund_no": "R1", "amount": "100", "minor": "1234"}},
        {"status": "maybe"},
    ):
        with pytest.raises(ProviderUncertain):
            wire.find_refund([{**mine, **odd}], request)


def test_refund_made_by_hand_at_stripe_leaves_the_rest_to_a_person() -> None:
    config = Config.from_form(DOLLARS)
    read = wire.read_session(config, json.loads(json.dumps(session()), parse_int=str))
    assert read is not None
    foreign = {"id": "re_9", "amount": "50", "status": "succeeded", "metadata": {}}

    with pytest.raises(ProviderUncertain):
        wire.price_refund([foreign], make_refund("P1", refund_no="R1"), read)
    failed = {**foreign, "status": "failed"}
    assert wire.price_refund([failed], make_refund("P1", refund_no="R1"), read) == read.minor


# --- the form ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"secret_key": "pk_test_51Hs8Kq3Vn7Rt5Wp2Yb6Hd9Fj"}, "secret_key", "pk_"),
        ({"secret_key": STRIPE_WEBHOOK}, "secret_key", "Webhook"),
        ({"webhook_secret": STRIPE_KEY}, "webhook_secret", "API"),
        ({"secret_key": "sk_test_4eC39HqLyjWDarjtT1zdp7dc"}, "secret_key", "示例"),
        ({"secret_key": STRIPE_KEY.replace("test", "live")}, "secret_key", "不一致"),
        ({"mode": "live"}, "secret_key", "不一致"),
        ({"mode": "both"}, "mode", "环境"),
        ({"webhook_secret": ""}, "webhook_secret", "空"),
        ({"webhook_secret": "whsec_"}, "webhook_secret", "whsec_"),
        ({"webhook_secret": "whsec_" + "x" * 32}, "webhook_secret", "默认"),
        ({"account_id": "1032D82eZvKYlo2C"}, "account_id", "acct_"),
        ({"currency": "krw"}, "currency", "货币"),
        ({"currency": "usd"}, "rate", "汇率"),
        ({"currency": "usd", "rate": "0"}, "rate", "汇率"),
        ({"currency": "usd", "rate": "-7"}, "rate", "汇率"),
        ({"currency": "usd", "rate": "7.12345"}, "rate", "汇率"),
        ({"currency": "usd", "rate": "1e1"}, "rate", "汇率"),
        ({"currency": "usd", "rate": "2000"}, "rate", "汇率"),
        ({"currency": "cny", "rate": "7"}, "rate", "汇率"),
    ],
)
def test_form_that_cannot_be_taken_says_why(
    changes: dict[str, str], field: str, words: str
) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        Config.from_form({**FORM, **changes})

    assert words in caught.value.problems[field]


def test_rate_is_kept_to_the_last_of_four_decimals() -> None:
    config = Config.from_form(DOLLARS)

    assert config.rate == 71_234
    assert Config.from_json(config.to_json()) == config


def test_body_of_the_contract_suite_is_what_stripe_sends() -> None:
    """The flat case of the contract is a real event: the same reader takes it whole."""
    said = deliver(stripe_body(make_case("stripe").good))

    assert said.payment_no == "P20260101A"
    assert said.payer == "mei***@example.com"
