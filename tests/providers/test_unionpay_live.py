"""UnionPay against the simulator: what its own protocol has beside the common contract."""

import dataclasses
import datetime as dt
import json
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

import pytest

from kameng.core.http import HttpClient
from kameng.payments.providers.abilities import BillNotReady, BillSource, LineKind, TimeKeeper
from kameng.payments.providers.port import (
    CallbackRejected,
    Confirmation,
    PaidStatus,
    ProviderRefused,
    ProviderUncertain,
    RefundNotice,
    RefundStatus,
)
from kameng.payments.providers.unionpay.provider import UnionPayProvider
from kameng.pricing.money import Amount
from kameng_simulator.store import Store
from tests.providers.cases import OPENED_AT, PATIENT, make_refund, make_request
from tests.providers.test_contract import new_number
from tests.providers.world import Shop, World, open_world, wait_until
from tests.simulator.test_races import forget_to_tell, no_transaction


@pytest.fixture(scope="module")
def own_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A simulator of these tests alone: they rotate its keys and change its bills."""
    with open_world(tmp_path_factory.mktemp("unionpay")) as running:
        yield running


@pytest.fixture
def provider() -> UnionPayProvider:
    return UnionPayProvider(HttpClient(limits=PATIENT, allow_plain=True)).at(OPENED_AT)


@pytest.fixture
def config(provider: UnionPayProvider, own_world: World) -> Any:
    return provider.config_from_form(own_world.credentials("unionpay"))


def open_payment(provider: UnionPayProvider, config: Any, world: World, shop: Shop) -> str:
    number = new_number()
    told = provider.create(config, make_request(number, method="gateway", shop_url=shop.url))
    page = world.browse(told.url, fields=told.fields)
    assert "模拟收银台" in page
    return number


def post(world: World, path: str, **data: object) -> Any:
    with urllib.request.urlopen(world.url + path, data=json.dumps(data).encode()) as reply:
        return json.loads(reply.read())


def test_it_has_bills_and_keeps_time(provider: UnionPayProvider) -> None:
    assert isinstance(provider, BillSource)
    assert isinstance(provider, TimeKeeper)


def test_a_payment_is_known_by_its_second_only(
    provider: UnionPayProvider, config: Any, own_world: World, shop: Shop
) -> None:
    number = open_payment(provider, config, own_world, shop)
    own_world.pay(number, "lost")

    other = provider.at(OPENED_AT + dt.timedelta(seconds=1))

    assert provider.query(config, number).status is PaidStatus.PAID
    assert other.query(config, number).status is PaidStatus.NOT_FOUND
    with pytest.raises(ProviderUncertain):
        UnionPayProvider(HttpClient(limits=PATIENT, allow_plain=True)).query(config, number)


def test_a_refund_is_told_at_its_own_address(
    provider: UnionPayProvider, config: Any, own_world: World, shop: Shop
) -> None:
    number = open_payment(provider, config, own_world, shop)
    own_world.pay(number, "success")
    shop.wait_for(1)
    part = dataclasses.replace(
        make_refund(number, refund_no=new_number(), amount=50_000),
        notify_url=f"{shop.url}/refunds",
    )

    outcome = provider.refund(config, part)
    said = provider.parse_callback(config, shop.wait_for(2)[1])

    assert outcome.status is RefundStatus.DONE
    assert isinstance(said, RefundNotice)
    assert (said.refund_no, said.status) == (part.refund_no, RefundStatus.DONE)
    assert (said.amount, said.external_no) == (Amount(50_000), outcome.external_no)


@pytest.mark.parametrize("is_guarded", [True, False], ids=["guarded", "control"])
def test_a_refund_that_is_cut_off_is_taken_whole_or_not_at_all(
    provider: UnionPayProvider,
    config: Any,
    own_world: World,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    is_guarded: bool,
) -> None:
    number = open_payment(provider, config, own_world, shop)
    own_world.pay(number, "lost")
    part = dataclasses.replace(
        make_refund(number, refund_no=new_number(), amount=50_000),
        notify_url=f"{shop.url}/refunds",
    )
    with monkeypatch.context() as patch:
        patch.setattr(Store, "add_notice", forget_to_tell)
        if not is_guarded:
            patch.setattr(Store, "transaction", no_transaction)
        with pytest.raises(ProviderUncertain):
            provider.refund(config, part)

    assert own_world.state(number)["refunded_fen"] == (0 if is_guarded else 500)
    assert provider.refund(config, part).status is RefundStatus.DONE
    if is_guarded:
        assert isinstance(provider.parse_callback(config, shop.wait_for(1)[0]), RefundNotice)
    assert len(own_world.state(number)["notices"]) == (1 if is_guarded else 0)


def test_a_cancel_takes_the_whole_payment_back_once(
    provider: UnionPayProvider, own_world: World, shop: Shop
) -> None:
    form = {**own_world.credentials("unionpay"), "same_day": "cancel"}
    config = provider.config_from_form(form)
    number = open_payment(provider, config, own_world, shop)
    own_world.pay(number, "success")
    whole = make_refund(number, refund_no=new_number())

    outcomes = [provider.refund(config, whole).status for _ in range(2)]

    assert outcomes == [RefundStatus.DONE] * 2
    assert own_world.state(number)["refunded_fen"] == 1234
    kinds = own_world.state(number)["extra"]["refunds"]
    assert kinds[whole.refund_no]["txnType"] == "31"


@pytest.mark.parametrize(
    ("mode", "code"),
    [("forged", "bad_signature"), ("foreign", "wrong_currency"), ("stranger", "wrong_merchant")],
)
def test_what_is_no_payment_of_ours_is_refused(
    provider: UnionPayProvider, config: Any, own_world: World, shop: Shop, mode: str, code: str
) -> None:
    number = open_payment(provider, config, own_world, shop)

    own_world.pay(number, mode)

    with pytest.raises(CallbackRejected) as caught:
        provider.parse_callback(config, shop.wait_for(1)[0])
    assert caught.value.code == code
    assert provider.query(config, number).status is PaidStatus.PENDING


def test_a_new_certificate_of_unionpay_needs_nothing_of_the_shop(
    provider: UnionPayProvider, config: Any, own_world: World, shop: Shop
) -> None:
    number = open_payment(provider, config, own_world, shop)
    before = own_world.simulator.peers["unionpay"].tell_paid  # the peer stays the same object
    assert post(own_world, "/control/rotate", gateway="unionpay")

    own_world.pay(number, "success")
    said = provider.parse_callback(config, shop.wait_for(1)[0])

    assert own_world.simulator.peers["unionpay"].tell_paid == before
    assert isinstance(said, Confirmation)
    assert said.status is provider.query(config, number).status is PaidStatus.PAID


def test_an_answer_of_200_ends_the_calls_whatever_it_says(
    provider: UnionPayProvider, config: Any, own_world: World, shop: Shop
) -> None:
    shop.answers, shop.statuses = [b"fail", b"anything"], [400, 200]
    number = open_payment(provider, config, own_world, shop)

    own_world.pay(number, "success")

    wait_until(lambda: own_world.state(number)["notices"][0]["state"] == "done")
    assert own_world.state(number)["notices"][0]["attempt_count"] == 2


def test_the_browser_comes_back_by_a_signed_form(
    provider: UnionPayProvider, config: Any, own_world: World, shop: Shop
) -> None:
    number = open_payment(provider, config, own_world, shop)
    trade_no = own_world.state(number)["trade_no"]
    own_world.pay(number, "success")

    page = own_world.browse(f"{own_world.url}/unionpay/return?queryId={trade_no}")

    assert f'action="{shop.url}/return?order=1"' in page
    assert f'name="orderId" value="{number}"' in page
    assert 'name="signature"' in page


def bring(world: World, number: str, moment: dt.datetime, *, fen: int) -> None:
    past = {
        "gateway": "unionpay",
        "trade_no": f"44{moment:%m%d%H%M%S}{number[-9:]}",
        "out_trade_no": number,
        "method": "unionpay",
        "subject": "月卡",
        "amount_fen": fen,
        "paid_at": moment.timestamp(),
    }
    assert post(world, "/control/history", payments=[past]) == {"new": 1}


def test_the_files_of_a_settlement_day(
    provider: UnionPayProvider, config: Any, own_world: World
) -> None:
    day = (OPENED_AT + dt.timedelta(hours=8)).date() - dt.timedelta(days=5)
    start = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC) - dt.timedelta(hours=8)
    eve, noon, night = (start + dt.timedelta(hours=h) for h in (-0.5, 12, 23.5))
    bring(own_world, "260101000000000001", eve, fen=1000)
    bring(own_world, "260101000000000002", noon, fen=2000)
    bring(own_world, "260101000000000003", night, fen=3000)

    bill = provider.fetch_bill(config, day)

    lines = [(line.kind, line.own_no, line.amount, line.fee_amount) for line in bill.lines]
    assert lines == [
        (LineKind.PAYMENT, "260101000000000001", Amount(100_000), Amount(600)),
        (LineKind.PAYMENT, "260101000000000002", Amount(200_000), Amount(1200)),
    ]
    assert [line.happened_at for line in bill.lines] == [
        eve.replace(microsecond=0),
        noon.replace(microsecond=0),
    ]
    assert provider.fetch_bill(config, day + dt.timedelta(days=1)).lines[0].amount == 300_000
    assert bill.raw.startswith(b"PK")


def test_corrections_come_in_a_file_of_their_own(
    provider: UnionPayProvider, config: Any, own_world: World
) -> None:
    day = (OPENED_AT + dt.timedelta(hours=8)).date() - dt.timedelta(days=40)
    noon = dt.datetime(day.year, day.month, day.day, 4, tzinfo=dt.UTC)
    bring(own_world, "260101000000000041", noon, fen=2000)
    later = day + dt.timedelta(days=3)
    for way, fen in (("out", 2000), ("in", 500)):
        wish = {"out_trade_no": "260101000000000041", "day": later.isoformat()}
        assert post(own_world, "/control/correct", way=way, amount_fen=fen, **wish)["ok"]

    bill = provider.fetch_bill(config, later)

    assert [(line.kind, line.amount) for line in bill.lines] == [
        (LineKind.CORRECTION_OUT, Amount(200_000)),
        (LineKind.CORRECTION_IN, Amount(50_000)),
    ]
    assert bill.unread_lines == []
    assert [line.kind for line in provider.fetch_bill(config, day).lines] == [LineKind.PAYMENT]


def test_a_day_without_files_is_waited_for_and_then_empty(
    provider: UnionPayProvider, config: Any
) -> None:
    today = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=8)).date()

    with pytest.raises(BillNotReady):
        provider.fetch_bill(config, today)
    empty = provider.fetch_bill(config, today - dt.timedelta(days=90))
    assert (list(empty.lines), empty.raw) == ([], b"")


# --- what the simulator turns away -------------------------------------------------------------


def call(world: World, path: str, fields: dict[str, str]) -> dict[str, str]:
    text = world.browse(f"{world.url}{path}", fields=fields)
    return dict(part.split("=", 1) for part in text.split("&"))


def signed(provider: UnionPayProvider, config: Any) -> dict[str, str]:
    from kameng.payments.providers.unionpay import wire

    asked = wire.build_query(config, "260101999999999999", sent_at=OPENED_AT)
    return dict(parse_qsl(asked.body.decode(), strict_parsing=True))


def test_the_simulator_checks_what_the_real_one_checks(
    provider: UnionPayProvider, config: Any, own_world: World
) -> None:
    path, good = "/gateway/api/queryTrans.do", signed(provider, config)

    assert call(own_world, path, good)["respCode"] == "34"
    for change, code in (
        ({"orderId": "260101000000000009"}, "11"),
        ({"certId": "1"}, "11"),
        ({"merId": "777290000000000"}, "31"),
        ({"version": "5.0.0"}, "10"),
        ({"signature": ""}, "13"),
    ):
        said = call(own_world, path, {**good, **change})
        assert (said["respCode"], "signature" in said) == (code, False)


def test_the_front_page_of_a_wrong_form_says_why(
    provider: UnionPayProvider, config: Any, own_world: World, shop: Shop
) -> None:
    number = new_number()
    told = provider.create(config, make_request(number, method="gateway", shop_url=shop.url))

    page = own_world.browse(told.url, fields={**told.fields, "txnAmt": "1"})

    assert "验证签名失败[9100004]" in page


def test_an_account_that_is_not_ours_is_told(provider: UnionPayProvider, own_world: World) -> None:
    form = {**own_world.credentials("unionpay"), "mer_id": "777290000000000"}
    config = provider.config_from_form(form)

    with pytest.raises(ProviderRefused) as caught:
        provider.check(config)

    assert caught.value.code == "unionpay_31"
