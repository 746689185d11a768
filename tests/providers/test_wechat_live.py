"""WeChat Pay's provider against the simulator: what only this gateway can do, the whole way."""

import dataclasses
import datetime as dt
import json
import urllib.request
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from kameng.core import clock
from kameng.core.http import HttpClient
from kameng.payments.providers.abilities import (
    BillNotReady,
    BillSource,
    KeyFetcher,
    LineKind,
    PayerFinder,
    PayoutRequest,
    PayoutSender,
    Receiver,
    SplitRequest,
    SplitReturnRequest,
    Splitter,
    TransferStatus,
)
from kameng.payments.providers.port import (
    CallbackRejected,
    Confirmation,
    PaidStatus,
    ProviderRefused,
    ProviderUncertain,
    RefundNotice,
    RefundStatus,
)
from kameng.payments.providers.wechat import bills, certificates, wire
from kameng.payments.providers.wechat import provider as provider_module
from kameng.payments.providers.wechat.provider import WechatProvider
from kameng.pricing.money import Amount
from tests.providers.cases import PATIENT, make_case, make_refund, make_request
from tests.providers.test_contract import new_number
from tests.providers.world import Shop, World
from tests.simulator.calls import call

SHOP = Receiver(account_kind="MERCHANT_ID", account="1900000109", name="某某商贸有限公司")


@pytest.fixture
def provider() -> WechatProvider:
    limits = dataclasses.replace(PATIENT, reply_bytes=10**6)
    return WechatProvider(HttpClient(limits=limits, allow_plain=True))


@pytest.fixture
def config(provider: WechatProvider, world: World) -> Any:
    return provider.config_from_form(world.credentials("wechat"))


@pytest.fixture
def by_certificate(provider: WechatProvider, world: World) -> Any:
    """The same account, of a merchant who knows certificates only."""
    changes = {"verify_by": "certificate", "public_key": "", "public_key_id": ""}
    return provider.config_from_form({**world.credentials("wechat"), **changes})


def open_paid(
    provider: WechatProvider, config: Any, world: World, shop: Shop, **changes: Any
) -> Confirmation:
    number = new_number()
    wish = make_request(number, method="native", shop_url=shop.url)
    provider.create(config, dataclasses.replace(wish, **changes))
    world.pay(number, "lost")
    said = provider.query(config, number)
    assert said.status is PaidStatus.PAID
    return said


def test_it_has_every_ability(provider: WechatProvider) -> None:
    for ability in (BillSource, Splitter, PayoutSender, PayerFinder, KeyFetcher):
        assert isinstance(provider, ability)


# --- other ways to pay -------------------------------------------------------------------------


def test_inside_wechat_the_payer_is_found_and_the_bridge_takes_the_payment(
    provider: WechatProvider, config: Any, world: World, shop: Shop
) -> None:
    address = provider.authorize_url(config, return_url=f"{shop.url}/back?o=1", state="s1")
    status, _, target = call(address)
    back = parse_qs(urlsplit(target).query)
    assert (status, back["state"], back["o"]) == (302, ["s1"], ["1"])

    payer = provider.read_payer_id(config, back["code"][0])
    with pytest.raises(ProviderRefused) as again:
        provider.read_payer_id(config, back["code"][0])
    assert again.value.code == "oauth_40163"

    wish = make_request(new_number(), method="jsapi", shop_url=shop.url)
    told = provider.create(config, dataclasses.replace(wish, payer_id=payer, device="wechat"))
    bridge = world.url + "/wechat/bridge"
    status, body, _ = call(bridge, data=json.dumps(dict(told.fields)).encode())
    assert (told.kind, status, json.loads(body)["err_msg"]) == (
        "jsapi",
        200,
        "get_brand_wcpay_request:ok",
    )
    forged = {**told.fields, "nonceStr": "0" * 32}
    assert call(bridge, data=json.dumps(forged).encode())[0] == 400

    world.pay(wish.payment_no, "success")
    said = provider.parse_callback(config, shop.wait_for(1)[0])
    assert isinstance(said, Confirmation)
    assert said.payer == payer


def test_without_the_apps_secret_nobody_is_found(provider: WechatProvider, config: Any) -> None:
    with pytest.raises(ProviderRefused) as caught:
        provider.read_payer_id(dataclasses.replace(config, app_secret=""), "code")
    assert caught.value.code == "app_secret_missing"


def test_a_phone_comes_back_to_the_shop(
    provider: WechatProvider, config: Any, world: World, shop: Shop
) -> None:
    wish = make_request(new_number(), method="h5", shop_url=shop.url)
    told = provider.create(config, dataclasses.replace(wish, device="mobile"))
    assert told.kind == "redirect"

    _, _, cashier = call(told.url)
    status, _, back = call(f"{cashier}/success", data=b"")

    assert (status, back) == (303, wish.return_url)
    assert provider.query(config, wish.payment_no).status is PaidStatus.PAID


# --- callbacks ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("twist", "code"),
    [
        ("forged", "bad_signature"),
        ("foreign", "other_currency"),
        ("stranger", "wrong_merchant"),
        ("stale", "stale_timestamp"),
        ("probe", "signature_probe"),
    ],
)
def test_a_twisted_callback_is_refused(
    provider: WechatProvider, config: Any, world: World, shop: Shop, twist: str, code: str
) -> None:
    wish = make_request(new_number(), method="native", shop_url=shop.url)
    provider.create(config, wish)

    world.pay(wish.payment_no, twist)

    with pytest.raises(CallbackRejected) as caught:
        provider.parse_callback(config, shop.wait_for(1)[0])
    assert caught.value.code == code


def test_every_sending_has_a_nonce_of_its_own(
    provider: WechatProvider, config: Any, world: World, shop: Shop
) -> None:
    wish = make_request(new_number(), method="native", shop_url=shop.url)
    provider.create(config, wish)

    world.pay(wish.payment_no, "repeat")

    said = [provider.parse_callback(config, each) for each in shop.wait_for(5)]
    assert len({each.nonce for each in said}) == 5


def test_a_refund_tells_of_itself(
    provider: WechatProvider, config: Any, world: World, shop: Shop
) -> None:
    said = open_paid(provider, config, world, shop)
    wish = make_refund(said.payment_no, refund_no=new_number(), amount=50_000)
    wish = dataclasses.replace(wish, notify_url=f"{shop.url}/refunds")

    assert provider.refund(config, wish).status is RefundStatus.PROCESSING

    told = provider.parse_callback(config, shop.wait_for(1)[0])
    assert isinstance(told, RefundNotice)
    assert (told.refund_no, told.status, told.amount) == (
        wish.refund_no,
        RefundStatus.DONE,
        wish.amount,
    )
    assert told.external_no == provider.query_refund(config, wish).external_no


# --- certificates ------------------------------------------------------------------------------


def test_certificates_rotate_with_an_overlap(
    provider: WechatProvider,
    by_certificate: Any,
    world: World,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wish = make_request(new_number(), method="native", shop_url=shop.url)
    provider.create(by_certificate, wish)
    world.pay(wish.payment_no, "success")
    old = shop.wait_for(1)[0]
    assert provider.parse_callback(by_certificate, old).nonce

    world.simulator.peers["wechat"].rotate_keys()
    world.pay(wish.payment_no, "repeat")
    new = shop.wait_for(6)[-1]
    with pytest.raises(CallbackRejected) as caught:
        provider.parse_callback(by_certificate, new)
    assert caught.value.code == "unknown_serial"
    assert not provider.fetch_keys(by_certificate)  # it was asked less than a minute ago
    later = clock.now() + dt.timedelta(seconds=61)
    monkeypatch.setattr(certificates.clock, "now", lambda: later)
    assert provider.fetch_keys(by_certificate)

    for callback in (old, new):
        assert provider.parse_callback(by_certificate, callback).nonce
    assert not provider.fetch_keys(by_certificate)


def test_an_answer_under_a_new_certificate_makes_it_known(
    provider: WechatProvider, by_certificate: Any, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.check(by_certificate)
    world.simulator.peers["wechat"].rotate_keys()
    monkeypatch.setattr(provider_module, "CALL_WAIT", dt.timedelta())

    assert provider.query(by_certificate, new_number()).status is PaidStatus.NOT_FOUND


def test_a_hundred_unknown_serials_are_one_question(
    provider: WechatProvider, by_certificate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def count(*_args: object, **_more: object) -> Any:
        asked.append("")
        raise ProviderUncertain("timeout")

    monkeypatch.setattr(provider_module, "exchange", count)

    assert not any(provider.fetch_keys(by_certificate) for _ in range(100))
    assert len(asked) == 1


def test_a_merchant_who_changes_over_takes_both(
    provider: WechatProvider, by_certificate: Any, world: World, shop: Shop
) -> None:
    both = provider.config_from_form({**world.credentials("wechat"), "verify_by": "both"})
    provider.check(both)
    callbacks = []
    for account in (by_certificate, both):
        wish = make_request(new_number(), method="native", shop_url=shop.url)
        provider.create(account, wish)
        world.pay(wish.payment_no, "success")
        callbacks.append(shop.wait_for(len(callbacks) + 1)[-1])

    serials = [callback.headers["Wechatpay-Serial"] for callback in callbacks]
    assert serials[0] != serials[1] == both.public_key_id
    assert all(provider.parse_callback(both, callback).nonce for callback in callbacks)


def test_the_test_button_proves_the_api_key(provider: WechatProvider, world: World) -> None:
    wrong = {**world.credentials("wechat"), "api_v3_key": make_case("wechat").form["api_v3_key"]}

    with pytest.raises(ProviderRefused) as caught:
        provider.check(provider.config_from_form(wrong))
    assert caught.value.code == "bad_api_v3_key"


# --- shares ------------------------------------------------------------------------------------


def share_of(said: Confirmation, amount: int, **changes: Any) -> SplitRequest:
    wish = SplitRequest(
        split_no=new_number(),
        payment_no=said.payment_no,
        external_no=said.external_no,
        receiver=SHOP,
        amount=Amount(amount),
        reason="分站货款",
    )
    return dataclasses.replace(wish, **changes)


def test_a_payment_is_shared_taken_back_and_refunded(
    provider: WechatProvider, config: Any, world: World, shop: Shop
) -> None:
    said = open_paid(provider, config, world, shop, will_split=True)
    provider.add_receiver(config, SHOP)
    provider.add_receiver(config, SHOP)
    split = share_of(said, 30_000, is_last=False)

    assert provider.query_split(config, split).status is TransferStatus.UNKNOWN
    assert provider.split(config, split).status is TransferStatus.PROCESSING
    assert provider.split(config, split).status is TransferStatus.DONE
    assert provider.query_split(config, split).status is TransferStatus.DONE
    dearer = dataclasses.replace(split, amount=Amount(30_100))
    assert provider.split(config, dearer).status is TransferStatus.REFUSED

    whole = make_refund(said.payment_no, refund_no=new_number())
    refused = provider.refund(config, whole)
    assert (refused.status, refused.reason[:10]) == (RefundStatus.REFUSED, "NOT_ENOUGH")
    back = SplitReturnRequest(
        return_no=new_number(),
        split_no=split.split_no,
        payment_no=said.payment_no,
        external_no=said.external_no,
        receiver=SHOP,
        amount=Amount(30_000),
        reason="退款",
    )
    assert provider.query_split_return(config, back).status is TransferStatus.UNKNOWN
    assert provider.return_split(config, back).status is TransferStatus.PROCESSING
    assert provider.query_split_return(config, back).status is TransferStatus.DONE
    assert provider.return_split(config, back).status is TransferStatus.DONE
    assert provider.refund(config, whole).status is RefundStatus.PROCESSING
    assert provider.query_refund(config, whole).status is RefundStatus.DONE


def test_the_rest_of_a_payment_is_freed(
    provider: WechatProvider, config: Any, world: World, shop: Shop
) -> None:
    said = open_paid(provider, config, world, shop, will_split=True)
    provider.add_receiver(config, SHOP)
    ending = share_of(
        said, 0, receiver=Receiver(account_kind="", account="", name=""), reason="完结"
    )

    assert provider.finish_split(config, ending).status is TransferStatus.PROCESSING
    assert provider.query_split(config, ending).status is TransferStatus.DONE
    after = provider.split(config, share_of(said, 100))
    assert after.status is TransferStatus.REFUSED


@pytest.mark.parametrize("why", ["unmarked", "too much", "unknown receiver", "other name"])
def test_a_share_that_cannot_be_is_refused(
    provider: WechatProvider, config: Any, world: World, shop: Shop, why: str
) -> None:
    said = open_paid(provider, config, world, shop, will_split=why != "unmarked")
    provider.add_receiver(config, SHOP)
    split = share_of(said, 37_100 if why == "too much" else 100)
    if why == "unknown receiver":
        stranger = dataclasses.replace(SHOP, account="1900000110")
        split = dataclasses.replace(split, receiver=stranger)
    if why == "other name":
        split = dataclasses.replace(split, receiver=dataclasses.replace(SHOP, name="别家"))

    assert provider.split(config, split).status is TransferStatus.REFUSED


def test_a_receiver_is_forgotten(provider: WechatProvider, config: Any, world: World) -> None:
    provider.add_receiver(config, SHOP)
    provider.remove_receiver(config, SHOP)
    provider.remove_receiver(config, SHOP)

    listed = world.simulator.store.remember("wechat_receivers", lambda: "{}")
    assert json.loads(listed) == {}


# --- payouts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "end", "reason"),
    [
        ("take", "DONE", ""),
        ("refuse", "REFUSED", "RECEIVE_REFUSED"),
        ("expire", "REFUSED", "OVERDUE_CLOSE"),
    ],
)
def test_a_payout_waits_for_its_receiver(
    provider: WechatProvider, by_certificate: Any, world: World, act: str, end: str, reason: str
) -> None:
    wish = PayoutRequest(
        payout_no=new_number(),
        account_kind="openid",
        account="oUser",
        name="张三",
        amount=Amount(20_000_000),
        reason="佣金提现",
    )
    assert provider.query_payout(by_certificate, wish).status is TransferStatus.UNKNOWN

    first = provider.pay_out(by_certificate, wish)
    again = provider.pay_out(by_certificate, wish)

    assert first == again
    assert first.status is TransferStatus.PROCESSING
    assert first.reason == "WAIT_USER_CONFIRM"
    assert len(first.confirmation) > 160
    asked = provider.query_payout(by_certificate, wish)
    assert (asked.reason, asked.confirmation) == ("WAIT_USER_CONFIRM", "")
    fields = provider.confirm_fields(by_certificate, first.confirmation)
    assert set(fields) == {"mchId", "appId", "package"}
    assert json.loads(world.post_bridge(fields))["page"].endswith(wish.payout_no)
    page = f"{world.url}/wechat/transfer/{wish.payout_no}"
    assert "待你收款" in world.browse(page)
    urllib.request.urlopen(page, data=f"act={act}".encode(), timeout=60).close()
    ended = provider.query_payout(by_certificate, wish)
    assert (ended.status, ended.reason) == (TransferStatus[end], reason)
    [kept] = world.simulator.moves.list_transfers("wechat", kind="payout", limit=1)
    assert (kept.name, kept.amount_fen) == ("张三", 200_000)
    dearer = dataclasses.replace(wish, amount=Amount(20_000_100))
    assert provider.pay_out(by_certificate, dearer).status is TransferStatus.REFUSED


# --- bills -------------------------------------------------------------------------------------


def test_the_bill_of_a_day_tells_everything(
    provider: WechatProvider, config: Any, world: World, shop: Shop
) -> None:
    provider.add_receiver(config, SHOP)
    said = open_paid(provider, config, world, shop, will_split=True)
    split, refund = share_of(said, 10_000), make_refund(said.payment_no, refund_no=new_number())
    refund = dataclasses.replace(refund, amount=Amount(50_000))
    provider.split(config, split)
    provider.refund(config, refund)
    ahead = clock.now().astimezone(wire.BEIJING).date() + dt.timedelta(days=1)
    with pytest.raises(BillNotReady):
        provider.fetch_bill(config, ahead)
    day = dt.date(2022, 7, 8)
    assert provider.fetch_bill(config, day).lines == []
    _move_to_noon_of(world, day)

    bill = provider.fetch_bill(config, day)

    ours = {line.own_no: line for line in bill.lines}
    payment = ours[said.payment_no]
    assert (payment.kind, payment.external_no) == (LineKind.PAYMENT, said.external_no)
    assert (payment.amount, payment.fee_amount) == (123_400, 700)
    back = ours[refund.refund_no]
    assert (back.kind, back.payment_no, back.amount) == (
        LineKind.REFUND,
        said.payment_no,
        50_000,
    )
    assert back.external_no == provider.query_refund(config, refund).external_no
    assert (ours[split.split_no].kind, ours[split.split_no].amount) == (LineKind.SPLIT, 10_000)
    assert bill.unread_lines == []
    assert len(bill.raw_digest) == 64


def test_a_day_without_a_bill_is_empty_only_when_bills_are_made(
    provider: WechatProvider, config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = dt.date(2021, 3, 4)
    assert provider.fetch_bill(config, day).lines == []
    monkeypatch.setattr(bills, "read_place", lambda *_args: None)
    for hour, is_made in ((1, False), (2, True)):  # ten in the morning in Beijing is two in UTC
        moment = dt.datetime(2026, 5, 6, hour, 0, 1, tzinfo=dt.UTC)
        monkeypatch.setattr(provider_module, "now", lambda m=moment: m)
        monkeypatch.setattr(provider, "_call", lambda *_args: wire.Answer(status=400))
        wish = dt.date(2026, 5, 5)
        if is_made:
            assert provider.fetch_bill(config, wish).lines == []
        else:
            with pytest.raises(BillNotReady):
                provider.fetch_bill(config, wish)


def test_certificates_that_are_gone_are_not_asked_for_at_every_call(
    provider: WechatProvider, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = provider.config_from_form({**world.credentials("wechat"), "verify_by": "both"})

    def gone(*_args: object, **_more: object) -> Any:
        raise ProviderRefused("RESOURCE_NOT_EXISTS")

    asked: list[str] = []
    real = provider_module.exchange

    def exchange(client: Any, request: Any, **more: Any) -> Any:
        asked.append(urlsplit(request.url).path)
        return real(client, request, **more)

    monkeypatch.setattr(provider, "_read_certificates", gone)
    monkeypatch.setattr(provider_module, "exchange", exchange)
    for _ in range(3):
        assert provider.query(both, new_number()).status is PaidStatus.NOT_FOUND

    assert asked.count("/v3/certificates") == 1


def test_an_old_list_is_used_while_the_platform_gives_no_new_one(
    provider: WechatProvider, by_certificate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.query(by_certificate, new_number())

    def away(*_args: object, **_more: object) -> Any:
        raise ProviderUncertain("timeout")

    monkeypatch.setattr(provider, "_read_certificates", away)
    monkeypatch.setattr(certificates, "FRESH", dt.timedelta(seconds=-1))
    monkeypatch.setattr(provider_module, "CALL_WAIT", dt.timedelta())

    assert provider.query(by_certificate, new_number()).status is PaidStatus.NOT_FOUND


def _move_to_noon_of(world: World, day: dt.date) -> None:
    noon = dt.datetime.combine(day, dt.time(12), wire.BEIJING).timestamp()
    store = world.simulator.store
    store.run("UPDATE payments SET paid_at=? WHERE gateway='wechat' AND paid_at > 0", noon)
    store.run("UPDATE refunds SET refunded_at=?", noon)
    store.run("UPDATE transfers SET created_at=? WHERE gateway='wechat'", noon)
