"""What every payment gateway must do, over all of them alike.

A gateway passes when no callback but a genuine one of our own account is believed, when no lost
reply is taken for a failure, and when its secrets stay out of every log, text and exception.
"""

import dataclasses
import logging
import socket
import threading
import traceback
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from kameng.core.http import HttpLimits
from kameng.payments.providers.port import (
    CallbackRejected,
    CallbackRequest,
    ConfigInvalid,
    PaidStatus,
    ProviderRefused,
    ProviderUncertain,
    RefundStatus,
)
from kameng.pricing.money import Amount
from kameng_simulator.store import TWIN
from tests.providers.cases import PATIENT, SHORT, Case, make_refund, make_request
from tests.providers.faulty import FAULTS, faulty_server
from tests.providers.world import Shop, World, wait_until

ODD_AMOUNTS = (
    "",
    "0",
    "0.00",
    "-12.34",
    "+12.34",
    " 12.34",
    "12.34 ",
    "1e3",
    "１２.３４",
    "١٢.٣٤",
    "NaN",
    "Infinity",
    "12.345",
    "100.001",
    "12.",
    ".34",
    "12,34",
    "1,234.00",
    "0x0c",
    "12.34\n",
    "9" * 40,
)


# A refund that was asked for just now; some gateways are through with it at the next look.
ASKED = {RefundStatus.DONE, RefundStatus.PROCESSING}


def new_number() -> str:
    return "P" + uuid.uuid4().hex[:20]


def reject(case: Case, callback: CallbackRequest) -> str:
    with pytest.raises(CallbackRejected) as caught:
        case.provider().parse_callback(case.config(), callback)
    return caught.value.code


# --- callbacks ---------------------------------------------------------------------------------


def test_genuine_callback_is_read_whole(case: Case) -> None:
    confirmation = case.provider().parse_callback(case.config(), case.send(case.signed()))

    assert confirmation.payment_no == "P20260101A"
    assert confirmation.external_no == case.trade_no
    assert confirmation.amount == Amount(123_400)
    assert confirmation.status is PaidStatus.PAID
    assert len(confirmation.raw_digest) == 64


def test_the_same_callback_always_reads_the_same(case: Case) -> None:
    callback = case.send(case.signed())

    first = case.provider().parse_callback(case.config(), callback)

    assert case.provider().parse_callback(case.config(), callback) == first


def test_callback_without_a_good_signature_is_rejected(case: Case) -> None:
    good = case.signed()
    sign = good["sign"]
    flipped = ("b" if sign[0] == "a" else "a") + sign[1:]

    for bad in ("", " ", sign[:-1], sign + "0", flipped, sign[::-1], "0" * len(sign), "é" * 32):
        reject(case, case.send({**good, "sign": bad}))
    without = {name: value for name, value in good.items() if name != "sign"}
    reject(case, case.send(without))
    reject(case, case.send({**good, "sign_type": "NONE"}))


def test_no_signed_field_can_be_changed_dropped_or_added(case: Case) -> None:
    good = case.signed()
    # What says how to read the rest is looked at before the signature.
    codes = ("bad_signature", "bad_charset", "bad_sign_type")

    for name in case.good:
        changed = {**good, name: good[name] + "1"}
        assert reject(case, case.send(changed)) in codes
        dropped = {key: value for key, value in good.items() if key != name}
        assert reject(case, case.send(dropped)) in codes
    assert reject(case, case.send({**good, "extra": "1"})) == "bad_signature"


def test_signature_under_another_key_is_rejected(case: Case) -> None:
    for sign in case.sign_as_strangers():
        code = reject(case, case.send({**case.signed(), "sign": sign}))
        assert code in ("bad_signature", "signature_probe")


def test_callback_of_another_merchant_is_rejected_though_signed(case: Case) -> None:
    for other in case.other_merchants:
        code = reject(case, case.send(case.signed(**other)))
        assert code == "wrong_merchant" or code.startswith("missing_")


@pytest.mark.parametrize("amount", ODD_AMOUNTS)
def test_odd_amount_is_rejected_though_signed(case: Case, amount: str) -> None:
    code = reject(case, case.send(case.signed(**{case.amount_field: amount})))

    assert code in ("bad_amount", f"missing_{case.amount_field}", f"bad_{case.amount_field}")


def test_doubled_fields_and_arrays_are_rejected(form_case: Case) -> None:
    case = form_case
    good, name = case.signed(), case.amount_field

    assert reject(case, case.send(good, rest=f"&{name}=0.01")) == "duplicate_field"
    assert reject(case, case.send(good, rest=f"&{name}[]=0.01")) == "malformed"
    assert reject(case, case.send(good, rest=f"&{name}%5B%5D=0.01")) == "malformed"
    assert reject(case, case.send(good, rest="&out_trade_no=P2")) == "duplicate_field"
    assert reject(case, case.send(good, rest="&novalue")) == "malformed"
    assert reject(case, case.send(good, rest="&x=%zz")) == "malformed"


def test_value_that_could_be_cut_in_two_ways_is_rejected(form_case: Case) -> None:
    """A name such as `x&out_trade_no=…` signs the same text as another order's callback."""
    case = form_case
    tricky = case.signed(**{case.subject_field: f"x&{case.number_field}=P20260101B"})

    assert reject(case, case.send(tricky)) == "ambiguous_value"


def test_oversized_and_empty_callbacks_are_rejected(form_case: Case) -> None:
    case = form_case
    assert reject(case, case.send(case.signed(), rest="&x=" + "y" * 20_000)) == "too_large"
    many = "".join(f"&x{i}=1" for i in range(80))
    assert reject(case, case.send(case.signed(), rest=many)) == "too_many_fields"
    assert reject(case, CallbackRequest(method="GET")) == "empty"
    assert reject(case, CallbackRequest(method="POST", query=b"a=1", body=b"b=1")) == "two_sources"
    assert reject(case, CallbackRequest(method="POST", body=b"\xff\x00")) == "malformed"


def test_bad_payment_numbers_are_rejected(case: Case) -> None:
    for number in ("", "P 1", "P1'--", "P1\n", "单号", "P" * 65):
        code = reject(case, case.send(case.signed(out_trade_no=number)))
        assert code in (f"bad_{case.number_field}", f"missing_{case.number_field}")


def test_unpaid_status_is_no_payment(case: Case) -> None:
    [(name, unpaid)] = case.unpaid.items()
    for status in (unpaid, "TRADE_PENDING", "trade_success", "Success"):
        callback = case.send(case.signed(**{name: status}))
        confirmation = case.provider().parse_callback(case.config(), callback)
        assert confirmation.status in (PaidStatus.PENDING, PaidStatus.CLOSED)


def test_answers_to_callbacks_are_uniform(case: Case) -> None:
    status, body, _ = case.provider().callback_reply(True)
    assert status == 200
    assert case.heard in body
    status, body, _ = case.provider().callback_reply(False)
    assert status == 400
    assert case.heard not in body


def test_the_forgery_cases_fail_when_the_signature_check_is_removed(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Negative control: the guard, not chance, is what rejects a forged callback."""
    forged = case.send({**case.signed(), case.amount_field: case.cheap})
    assert reject(case, forged) == "bad_signature"

    monkeypatch.setattr(case.guard_module, "has_valid_signature", lambda *_, **__: True)

    believed = case.provider().parse_callback(case.config(), forged)
    assert believed.status is PaidStatus.PAID


# --- configuration -----------------------------------------------------------------------------


def test_configuration_survives_storage(case: Case) -> None:
    config = case.config()

    assert case.provider().config_from_json(config.to_json()) == config


@pytest.mark.parametrize(
    "value", ["", "   ", "\t\n", "key", "123456", "KEY123", "x" * 32, "0123456789abcdef", "密钥"]
)
def test_weak_or_empty_secret_is_refused_with_a_reason(case: Case, value: str) -> None:
    for field in case.provider().fields:
        if field.secret and (value.strip() or not field.is_optional):
            with pytest.raises(ConfigInvalid) as caught:
                case.config(**{field.name: value})
            assert len(caught.value.problems[field.name]) > 5
            assert case.form[field.name] not in str(caught.value.problems)


@pytest.mark.parametrize(
    "address",
    [
        "http://pay.example.com/",
        "ftp://pay.example.com/",
        "https://user:pw@pay.example.com/",
        "https://pay.example.com/?a=1",
        "https://",
        "https://pay.example .com/",
        "https://pay.example.com:99999/",
        "javascript:alert(1)",
        "https://pay.example.com/#x",
        "https://" + "a" * 300 + ".com/",
    ],
)
def test_unsafe_gateway_address_is_refused(case: Case, address: str) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        case.config(gateway_url=address)

    assert list(caught.value.problems) == ["gateway_url"]


def test_console_form_is_complete(case: Case) -> None:
    provider = case.provider()

    assert set(case.config().to_json()) == {field.name for field in provider.fields}
    assert any(field.secret for field in provider.fields)
    assert all(str(field.label) for field in provider.fields)
    assert provider.methods


# --- calls that go wrong -----------------------------------------------------------------------


def calls_of(
    case: Case, config: Any, *, limits: HttpLimits = PATIENT
) -> dict[str, Callable[[], object]]:
    provider = case.provider(limits=limits)
    refund = make_refund("P1", refund_no="R2026010100001")
    calls = {
        "query": lambda: provider.query(config, "P1"),
        "close": lambda: provider.close(config, "P1"),
        "refund": lambda: provider.refund(config, refund),
        "query_refund": lambda: provider.query_refund(config, refund),
        "check": lambda: provider.check(config),
        "create": lambda: provider.create(config, make_request("P2026010100", method=case.method)),
    }
    if case.opens_by_form:
        del calls["create"]
    return calls


@pytest.mark.parametrize("fault", FAULTS)
def test_broken_reply_is_uncertain_never_a_failure(case: Case, fault: str) -> None:
    with faulty_server(fault) as port:
        is_slow = fault in ("hang", "dribble", "dribble_head")
        calls = calls_of(case, case.point_at(port), limits=SHORT if is_slow else PATIENT)
        # A slow fault costs a second a call; one reading and one writing call stand for all.
        names = ("query", "refund") if is_slow else calls
        for name in names:
            with pytest.raises(ProviderUncertain):
                calls[name]()


def test_gateway_that_is_down_is_uncertain(case: Case) -> None:
    with socket.socket() as held:  # nobody listens, and nobody else can meanwhile
        held.bind(("127.0.0.1", 0))
        config = case.point_at(held.getsockname()[1])

        with pytest.raises(ProviderUncertain) as caught:
            case.provider().query(config, "P1")

    assert caught.value.code == "unreachable"


def test_plain_http_is_refused_where_it_is_not_allowed(case: Case) -> None:
    with pytest.raises(ProviderRefused) as caught:
        case.provider(allow_plain=False).query(case.config(), "P1")

    assert caught.value.code == "address_refused"


def test_secrets_stay_out_of_logs_texts_and_exceptions(
    case: Case,
    world: World,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    texts = [repr(case.config()), str(case.config())]
    gateway_url = world.credentials(case.account)["gateway_url"]
    targets = [case.config(gateway_url=gateway_url)]
    for fault in ("garbage", "error", "close"):
        with faulty_server(fault) as port:
            targets.append(case.point_at(port))
            for call in calls_of(case, targets[-1]).values():
                try:
                    texts.append(repr(call()))
                except (ProviderUncertain, ProviderRefused) as problem:
                    texts += [repr(problem), "".join(traceback.format_exception(problem))]
    for call in calls_of(case, targets[0]).values():
        try:
            call()
        except (ProviderUncertain, ProviderRefused) as problem:
            texts += [repr(problem), "".join(traceback.format_exception(problem))]

    captured = capfd.readouterr()
    seen = "\n".join([*texts, caplog.text, captured.out, captured.err])
    for secret in case.secrets:
        assert secret not in seen


# --- the whole way, against the simulator ------------------------------------------------------


@pytest.fixture
def account(case: Case, world: World) -> tuple[Any, Any]:
    provider = case.provider()
    return provider, provider.config_from_form(world.credentials(case.account))


def open_payment(case: Case, world: World, shop: Shop, account: tuple[Any, Any]) -> str:
    provider, config = account
    number = new_number()
    request = make_request(number, method=case.method, shop_url=shop.url)
    case.listen(world, request.notify_url)
    instruction = provider.create(config, request)
    world.browse(instruction.url or instruction.qr_text, fields=instruction.fields)
    return number


def test_credentials_are_proved_by_a_real_query(
    case: Case, world: World, account: tuple[Any, Any]
) -> None:
    provider, config = account
    provider.check(config)

    with pytest.raises(ProviderRefused):
        provider.check(case.config(gateway_url=world.credentials(case.account)["gateway_url"]))


def test_refused_question_about_a_refund_is_no_refusal_of_the_refund(
    case: Case, world: World
) -> None:
    """A shop that took it for one would give the money back a second time."""
    stranger = case.config(gateway_url=world.credentials(case.account)["gateway_url"])

    with pytest.raises(ProviderUncertain):
        case.provider().query_refund(stranger, make_refund("P1", refund_no="R1"))
    with pytest.raises(ProviderUncertain):
        case.provider(allow_plain=False).query_refund(
            case.config(), make_refund("P1", refund_no="R1")
        )


def test_payment_from_opening_to_refund(
    case: Case, world: World, shop: Shop, account: tuple[Any, Any]
) -> None:
    provider, config = account
    number = open_payment(case, world, shop, account)
    assert provider.query(config, number).status is PaidStatus.PENDING

    world.pay(number, "success")
    confirmed = provider.parse_callback(config, shop.wait_for(1)[0])
    queried = provider.query(config, number)

    assert confirmed.status is queried.status is PaidStatus.PAID
    assert confirmed.payment_no == queried.payment_no == number
    assert confirmed.external_no == queried.external_no
    assert confirmed.amount == queried.amount == Amount(123_400)
    assert queried.paid_at is not None

    refund = make_refund(number, refund_no=new_number())
    assert provider.query_refund(config, refund).status is RefundStatus.UNKNOWN
    first = provider.refund(config, refund)
    assert first.status in ASKED
    assert provider.refund(config, refund).status is RefundStatus.DONE
    assert provider.query_refund(config, refund).status is RefundStatus.DONE
    assert [r["amount_fen"] for r in world.state(number)["refunds"]] == [1234]


def test_payment_made_twice_is_asked_about_and_given_back_by_the_gateways_number(
    case: Case, world: World, shop: Shop, account: tuple[Any, Any]
) -> None:
    provider, config = account
    number = open_payment(case, world, shop, account)
    world.pay(number, "twice")
    said = [provider.parse_callback(config, each) for each in shop.wait_for(2)]

    assert {each.payment_no for each in said} == {number}
    first = provider.query(config, number)
    second = next(each for each in said if each.external_no != first.external_no)
    asked = provider.query(config, number, external_no=second.external_no)
    assert (asked.status, asked.external_no) == (PaidStatus.PAID, second.external_no)
    with pytest.raises(ProviderUncertain):
        provider.query(config, new_number(), external_no=second.external_no)

    refund = dataclasses.replace(
        make_refund(number, refund_no=new_number()), payment_no="", external_no=second.external_no
    )
    assert provider.query_refund(config, refund).status is RefundStatus.UNKNOWN
    assert provider.refund(config, refund).status in ASKED
    assert provider.refund(config, refund).status is RefundStatus.DONE
    assert provider.query_refund(config, refund).status is RefundStatus.DONE
    assert world.state(number)["refunded_fen"] == 0
    assert world.state(number + TWIN)["refunded_fen"] == 1234


def test_unknown_payment_is_not_found(case: Case, account: tuple[Any, Any]) -> None:
    provider, config = account

    confirmation = provider.query(config, new_number())

    assert confirmation.status is PaidStatus.NOT_FOUND
    assert confirmation.amount == 0


def test_closed_payment_stays_unpaid_until_a_late_payment(
    case: Case, world: World, shop: Shop, account: tuple[Any, Any]
) -> None:
    provider, config = account
    number = open_payment(case, world, shop, account)
    closed = case.closes_to

    assert provider.close(config, number) is closed
    assert provider.query(config, number).status is (case.asked_closed or closed)
    assert provider.close(config, number) is closed

    world.pay(number, "late", delay_seconds=0)
    shop.wait_for(1)
    assert provider.query(config, number).status is PaidStatus.PAID
    assert provider.close(config, number) is PaidStatus.PAID


def test_lost_callback_is_found_by_query(
    case: Case, world: World, shop: Shop, account: tuple[Any, Any]
) -> None:
    provider, config = account
    number = open_payment(case, world, shop, account)

    world.pay(number, "lost")

    assert provider.query(config, number).status is PaidStatus.PAID
    assert shop.callbacks == []


@pytest.mark.parametrize(("mode", "amount"), [("short", 123_300), ("over", 133_400)])
def test_other_amount_than_asked_is_told_as_it_is(
    case: Case, world: World, shop: Shop, account: tuple[Any, Any], mode: str, amount: int
) -> None:
    provider, config = account
    number = open_payment(case, world, shop, account)

    world.pay(number, mode)

    assert provider.parse_callback(config, shop.wait_for(1)[0]).amount == Amount(amount)
    assert provider.query(config, number).amount == Amount(amount)


def test_forged_callback_of_the_simulator_is_rejected(
    case: Case, world: World, shop: Shop, account: tuple[Any, Any]
) -> None:
    provider, config = account
    number = open_payment(case, world, shop, account)

    world.pay(number, "forged")

    with pytest.raises(CallbackRejected) as caught:
        provider.parse_callback(config, shop.wait_for(1)[0])
    assert caught.value.code == "bad_signature"
    assert provider.query(config, number).status is PaidStatus.PENDING


def test_repeated_callbacks_say_the_same(
    case: Case, world: World, shop: Shop, account: tuple[Any, Any]
) -> None:
    provider, config = account
    number = open_payment(case, world, shop, account)

    world.pay(number, "repeat")

    said = [provider.parse_callback(config, each) for each in shop.wait_for(5)]
    # Each sending may have a nonce of its own, and be sealed anew.
    assert len({dataclasses.replace(each, nonce="", raw_digest="") for each in said}) == 1


def test_refund_whose_reply_was_lost_is_repeated_without_paying_twice(
    case: Case, world: World, shop: Shop, account: tuple[Any, Any]
) -> None:
    provider, config = account
    number = open_payment(case, world, shop, account)
    world.pay(number, "success")
    refund = make_refund(number, refund_no=new_number())

    # Some look before they refund: a later call is the one that moves the money.
    world.break_call(case.account, "reset_after", after=case.calls_before_refund)
    with pytest.raises(ProviderUncertain):
        provider.refund(config, refund)
    assert len(world.state(number)["refunds"]) == 1

    assert provider.query_refund(config, refund).status is RefundStatus.DONE
    assert provider.refund(config, refund).status is RefundStatus.DONE
    assert len(world.state(number)["refunds"]) == 1


def test_parallel_calls_of_one_refund_pay_once(
    case: Case, world: World, shop: Shop, account: tuple[Any, Any]
) -> None:
    provider, config = account
    number = open_payment(case, world, shop, account)
    world.pay(number, "success")
    refund = make_refund(number, refund_no=new_number())
    barrier = threading.Barrier(10)
    outcomes: list[RefundStatus] = []

    def run() -> None:
        barrier.wait()
        outcomes.append(provider.refund(config, refund).status)

    threads = [threading.Thread(target=run) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(outcomes) == 10
    assert set(outcomes) <= ASKED
    assert [r["amount_fen"] for r in world.state(number)["refunds"]] == [1234]


def test_refund_of_a_part_follows_what_the_gateway_can(
    case: Case, world: World, shop: Shop, account: tuple[Any, Any]
) -> None:
    provider, config = account
    number = open_payment(case, world, shop, account)
    world.pay(number, "success")
    part = make_refund(number, refund_no=new_number(), amount=50_000)

    outcome = provider.refund(config, part)

    expected = RefundStatus.DONE if provider.supports_partial_refund else RefundStatus.REFUSED
    assert outcome.status in {expected, RefundStatus.PROCESSING}
    assert provider.refund(config, part).status is expected
    refunds = [r["amount_fen"] for r in world.state(number)["refunds"]]
    assert refunds == ([500] if provider.supports_partial_refund else [])


def test_refund_of_more_than_was_paid_is_refused(
    case: Case, world: World, shop: Shop, account: tuple[Any, Any]
) -> None:
    provider, config = account
    number = open_payment(case, world, shop, account)
    world.pay(number, "short")

    outcome = provider.refund(config, make_refund(number, refund_no=new_number()))

    assert outcome.status is RefundStatus.REFUSED
    assert world.state(number)["refunds"] == []


def test_refund_of_an_unpaid_payment_is_refused(
    case: Case, world: World, shop: Shop, account: tuple[Any, Any]
) -> None:
    provider, config = account
    number = open_payment(case, world, shop, account)

    outcome = provider.refund(config, make_refund(number, refund_no=new_number()))

    assert outcome.status is RefundStatus.REFUSED


def test_amounts_below_a_fen_and_unknown_methods_are_not_opened(case: Case) -> None:
    provider, config = case.provider(), case.config()
    good = make_request("P1", method=case.method)
    for change in ({"amount": Amount(123_450)}, {"amount": Amount(0)}, {"method": "cash"}):
        with pytest.raises(ProviderRefused):
            provider.create(config, dataclasses.replace(good, **change))


def test_unanswered_callbacks_come_again(
    case: Case, world: World, shop: Shop, account: tuple[Any, Any]
) -> None:
    shop.answers, shop.statuses = [b"fail", b"<html>success</html>"], [400, 500]
    number = open_payment(case, world, shop, account)

    world.pay(number, "success")

    shop.wait_for(3)
    wait_until(lambda: world.state(number)["notices"][0]["state"] == "done")
    assert world.state(number)["notices"][0]["attempt_count"] == 3
