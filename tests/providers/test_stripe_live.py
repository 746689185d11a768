"""Stripe against its simulator: idempotency, currencies, disputes, parts of refunds, bills."""

import dataclasses
import datetime as dt
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

import pytest

from kameng.payments.providers.abilities import (
    BillNotReady,
    BillSource,
    EvidenceRequest,
    EvidenceTaker,
    LineKind,
    TransferStatus,
)
from kameng.payments.providers.port import (
    CallbackRejected,
    DisputeNotice,
    DisputeStatus,
    PaidStatus,
    ProviderRefused,
    ProviderUncertain,
    RefundNotice,
    RefundStatus,
)
from kameng.pricing.money import Amount
from kameng_simulator import signing
from tests.providers.cases import make_case, make_refund, make_request
from tests.providers.world import Shop, World

Account = tuple[Any, Any]


def new_number(first: str = "P") -> str:
    return first + signing.make_digits(18)


@pytest.fixture
def account(world: World) -> Account:
    provider = make_case("stripe").provider()
    return provider, provider.config_from_form(world.credentials("stripe"))


@pytest.fixture
def dollars(world: World) -> Account:
    provider = make_case("stripe").provider()
    form = {**world.credentials("stripe"), "currency": "usd", "rate": "7.1234"}
    return provider, provider.config_from_form(form)


def pay(world: World, account: Account, *, shop: Shop | None = None, amount: int = 123_400) -> str:
    provider, config = account
    number = new_number()
    request = make_request(
        number, method="card", shop_url=shop.url if shop else "http://a.localhost:9"
    )
    world.listen("stripe", request.notify_url)
    provider.create(config, dataclasses.replace(request, amount=Amount(amount)))
    world.pay(number, "success" if shop else "lost")
    return number


def call(
    world: World, path: str, form: dict[str, str] | None = None, **headers: str
) -> tuple[int, Any, Any]:
    key = world.credentials("stripe")["secret_key"]
    given = {"Authorization": f"Bearer {key}"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    data = None if form is None else urlencode(form).encode()
    request = urllib.request.Request(world.url + path, data=data, headers=given)
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.loads(reply.read()), reply.headers
    except urllib.error.HTTPError as problem:
        with problem:
            return problem.code, json.loads(problem.read()), problem.headers


def test_payment_in_dollars_is_confirmed_at_the_very_price_in_yuan(
    world: World, shop: Shop, dollars: Account
) -> None:
    provider, config = dollars
    number = pay(world, dollars, shop=shop)

    said = provider.parse_callback(config, shop.wait_for(1)[0])
    asked = provider.query(config, number)

    assert said.amount == asked.amount == Amount(123_400)
    assert world.state(number)["paid_fen"] == 174  # cents: 12.34 / 7.1234 upwards


def test_payment_in_dollars_is_given_back_in_parts_to_the_last_cent(
    world: World, dollars: Account
) -> None:
    provider, config = dollars
    number = pay(world, dollars)
    parts = [make_refund(number, refund_no=new_number("R"), amount=41_100) for _ in range(2)]
    parts.append(make_refund(number, refund_no=new_number("R"), amount=41_200))

    for part in parts:
        assert provider.refund(config, part).status is RefundStatus.DONE
        assert provider.refund(config, part).status is RefundStatus.DONE

    state = world.state(number)
    assert len(state["refunds"]) == 3
    assert state["refunded_fen"] == state["paid_fen"] == 174
    more = make_refund(number, refund_no=new_number("R"), amount=10_000)
    assert provider.refund(config, more).status is RefundStatus.REFUSED


@pytest.mark.parametrize("mode", ["forged", "foreign", "stranger", "stale"])
def test_tricked_callbacks_are_rejected(
    world: World, shop: Shop, account: Account, mode: str
) -> None:
    provider, config = account
    number = new_number()
    request = make_request(number, method="card", shop_url=shop.url)
    world.listen("stripe", request.notify_url)
    provider.create(config, request)

    world.pay(number, mode)

    with pytest.raises(CallbackRejected):
        provider.parse_callback(config, shop.wait_for(1)[0])
    assert provider.query(config, number).status is PaidStatus.PENDING


def test_a_rolled_webhook_secret_signs_beside_the_old_one(
    world: World, shop: Shop, account: Account
) -> None:
    provider, config = account
    world.rotate("stripe")
    new = provider.config_from_form(world.credentials("stripe"))
    assert new.webhook_secret != config.webhook_secret

    pay(world, account, shop=shop)

    callback = shop.wait_for(1)[0]
    said = provider.parse_callback(config, callback)
    assert said.status is PaidStatus.PAID
    assert provider.parse_callback(new, callback) == said


def test_dispute_and_refund_are_told_by_the_webhook(
    world: World, shop: Shop, account: Account
) -> None:
    provider, config = account
    number = pay(world, account, shop=shop)
    paid = provider.parse_callback(config, shop.wait_for(1)[0])

    world.dispute(number, status="needs_response")
    opened = provider.parse_callback(config, shop.wait_for(2)[1])
    world.dispute(number, status="lost")
    lost = provider.parse_callback(config, shop.wait_for(3)[2])
    refund = make_refund(number, refund_no=new_number("R"), amount=50_000)
    provider.refund(config, refund)
    told = provider.parse_callback(config, shop.wait_for(4)[3])

    assert isinstance(opened, DisputeNotice)
    assert isinstance(lost, DisputeNotice)
    assert (opened.status, lost.status) == (DisputeStatus.OPENED, DisputeStatus.LOST)
    assert opened.external_no == paid.external_no
    assert opened.dispute_no == lost.dispute_no
    assert opened.amount == Amount(123_400)
    assert isinstance(told, RefundNotice)
    assert (told.refund_no, told.amount) == (refund.refund_no, 50_000)


def test_opening_again_gives_the_first_session_whatever_changed(
    world: World, account: Account
) -> None:
    provider, config = account
    request = make_request(new_number(), method="card")

    first = provider.create(config, request)

    assert provider.create(config, request) == first
    other = dataclasses.replace(request, return_url="http://b.localhost:9/return")
    assert provider.create(config, other) == first
    dearer = dataclasses.replace(request, amount=Amount(200_000))
    with pytest.raises(ProviderUncertain):
        provider.create(config, dearer)
    assert world.browse(first.url)


def test_number_of_stripes_that_is_unknown_there_is_not_found(
    world: World, account: Account
) -> None:
    provider, config = account
    number = pay(world, account)

    unknown = provider.query(config, number, external_no="pi_000000000000000000000000")

    assert unknown.status is PaidStatus.NOT_FOUND
    assert provider.query(config, number).status is PaidStatus.PAID


def test_key_of_another_account_is_told(world: World) -> None:
    provider = make_case("stripe").provider()
    form = {**world.credentials("stripe"), "account_id": "acct_1032D82eZvKYlo2C"}

    with pytest.raises(ProviderRefused) as caught:
        provider.check(provider.config_from_form(form))

    assert caught.value.code == "wrong_account"


def test_wrong_key_gets_stripes_own_words(world: World) -> None:
    status, answer, _ = call(
        world, "/v1/account", Authorization="Bearer sk_test_51Hs8Kq3Vn7Rt5Wp2Yb6Hd9Fj"
    )
    assert status == 401
    assert answer["error"]["message"].startswith("Invalid API Key provided: sk_test_***")
    assert call(world, "/v1/account", Authorization="")[0] == 401
    assert call(world, "/v1/nothing")[0] == 404


def test_used_key_gives_the_first_answer_and_refuses_other_parameters(
    world: World, account: Account
) -> None:
    _, config = account
    number = pay(world, account)
    intent = make_case("stripe").provider().query(config, number).external_no
    form = {"payment_intent": intent, "amount": "100"}

    first = call(world, "/v1/refunds", form, Idempotency_Key="k-" + number)
    again = call(world, "/v1/refunds", form, Idempotency_Key="k-" + number)
    other = call(world, "/v1/refunds", {**form, "amount": "200"}, Idempotency_Key="k-" + number)

    assert first[0] == again[0] == 200
    assert first[1] == again[1]
    assert again[2]["Idempotent-Replayed"] == "true"
    assert (other[0], other[1]["error"]["type"]) == (400, "idempotency_error")
    assert world.state(number)["refunded_fen"] == 100


def test_refund_beside_one_made_by_hand_is_left_to_a_person(world: World, account: Account) -> None:
    provider, config = account
    number = pay(world, account)
    intent = provider.query(config, number).external_no
    call(world, "/v1/refunds", {"payment_intent": intent, "amount": "100"})

    with pytest.raises(ProviderUncertain):
        provider.refund(config, make_refund(number, refund_no=new_number("R"), amount=10_000))

    assert world.state(number)["refunded_fen"] == 100


def test_answer_under_a_used_refund_number_is_never_another_refund(
    world: World, account: Account
) -> None:
    provider, config = account
    number = pay(world, account)
    refund = make_refund(number, refund_no=new_number("R"), amount=50_000)
    provider.refund(config, refund)

    with pytest.raises(ProviderUncertain):
        provider.refund(config, dataclasses.replace(refund, amount=Amount(60_000)))

    assert world.state(number)["refunded_fen"] == 500


def test_bill_of_a_day_names_payments_and_refunds_in_yuan(world: World, dollars: Account) -> None:
    provider, config = dollars
    assert isinstance(provider, BillSource)
    number = pay(world, dollars)
    refund = make_refund(number, refund_no=new_number("R"), amount=50_000)
    provider.refund(config, refund)
    store = world.simulator.store
    day = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=30)
    moment = dt.datetime.combine(day, dt.time(12), tzinfo=dt.UTC).timestamp()
    store.run("UPDATE payments SET paid_at=? WHERE out_trade_no=?", moment, number)
    where = "payment_id = (SELECT id FROM payments WHERE out_trade_no=?)"
    store.run(f"UPDATE refunds SET refunded_at=? WHERE {where}", moment + 60, number)

    bill = provider.fetch_bill(config, day)

    mine = {line.kind: line for line in bill.lines if line.payment_no == number}
    paid, back = mine[LineKind.PAYMENT], mine[LineKind.REFUND]
    assert (paid.own_no, paid.amount) == (number, 123_400)
    assert paid.external_no == provider.query(config, number).external_no
    assert paid.fee_amount == 6 * 71_234 // 100  # six cents of 174, at the rate
    assert (back.own_no, back.amount, back.fee_amount) == (refund.refund_no, 50_000, 0)
    assert bill.unread_lines == []
    assert provider.fetch_bill(config, day).raw_digest == bill.raw_digest


def test_bill_is_read_over_its_pages(
    world: World, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, config = account
    numbers = [pay(world, account) for _ in range(5)]
    day = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=60)
    moment = dt.datetime.combine(day, dt.time(12), tzinfo=dt.UTC).timestamp()
    for number in numbers:
        world.simulator.store.run(
            "UPDATE payments SET paid_at=? WHERE out_trade_no=?", moment, number
        )
    monkeypatch.setattr("kameng.payments.providers.stripe.wire.PAGE", 2)

    bill = provider.fetch_bill(config, day)

    assert sorted(line.payment_no for line in bill.lines) == sorted(numbers)
    monkeypatch.setattr("kameng.payments.providers.stripe.provider.MAX_BILL_PAGES", 2)
    with pytest.raises(ProviderUncertain):
        provider.fetch_bill(config, day)


def test_bill_of_today_is_not_ready(account: Account) -> None:
    provider, config = account
    today = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=8)).date()

    with pytest.raises(BillNotReady):
        provider.fetch_bill(config, today)


def evidence_of(number: str, world: World, **changes: Any) -> EvidenceRequest:
    """Return evidence for the dispute of a payment."""
    world.dispute(number, status="needs_response")
    found = world.state(number)
    values: dict[str, Any] = {
        "evidence_no": new_number("E"),
        "dispute_no": "du_" + found["trade_no"].removeprefix("pi_"),
        "product": "测试点卡 × 1",
        "delivered_at": dt.datetime(2026, 11, 27, 10, 0, tzinfo=dt.UTC),
        "text": "买家在发货后查看了商品。",
        "document": b"%PDF-1.5\nfacts",
    }
    return EvidenceRequest(**{**values, **changes})


def test_evidence_is_handed_in_once_and_found_again(world: World, account: Account) -> None:
    provider, config = account
    assert isinstance(provider, EvidenceTaker)
    number = pay(world, account)
    request = evidence_of(number, world)

    first = provider.submit_evidence(config, request)
    again = provider.submit_evidence(config, request)
    other = provider.submit_evidence(
        config, dataclasses.replace(request, evidence_no=new_number("E"))
    )

    assert first.status == again.status == TransferStatus.DONE
    assert first.external_no == again.external_no
    assert first.external_no.startswith("file_")
    assert (other.status, other.reason) == (TransferStatus.REFUSED, "already_submitted")
    status, shown, _ = call(world, f"/v1/disputes/{request.dispute_no}")
    assert status == 200
    assert shown["status"] == "under_review"
    assert shown["evidence"]["uncategorized_text"] == request.text
    assert shown["evidence"]["service_date"] == "2026-11-27"
    assert shown["evidence"]["service_documentation"] == first.external_no
    assert shown["metadata"] == {"evidence_no": request.evidence_no}


def test_evidence_that_comes_too_late_or_is_no_document_is_refused(
    world: World, account: Account
) -> None:
    provider, config = account
    number = pay(world, account)
    late = evidence_of(number, world)
    world.dispute(number, status="lost")
    assert provider.submit_evidence(config, late).reason == "lost"

    wrong = evidence_of(pay(world, account), world, document=b"MZ")
    assert provider.submit_evidence(config, wrong).status == TransferStatus.REFUSED
    status, shown, _ = call(world, f"/v1/disputes/{wrong.dispute_no}")
    assert (status, shown["evidence_details"]["submission_count"]) == (200, 0)


def test_evidence_for_a_dispute_that_stripe_does_not_know_stays_unknown(
    world: World, account: Account
) -> None:
    provider, config = account
    unknown = dataclasses.replace(evidence_of(pay(world, account), world), dispute_no="du_0")

    with pytest.raises(ProviderUncertain):
        provider.submit_evidence(config, unknown)
