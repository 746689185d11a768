"""Epay against the simulator: relatives of the program, and what the newer protocol has more."""

import json
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from kameng.core.http import HttpClient
from kameng.payments.providers.epay.provider import EpayProvider
from kameng.payments.providers.epay2.provider import Epay2Provider
from kameng.payments.providers.port import (
    CallbackRejected,
    PaidStatus,
    PayInstruction,
    ProviderUncertain,
    RefundStatus,
)
from kameng.pricing.money import Amount
from tests.providers.cases import PATIENT, make_refund, make_request
from tests.providers.test_contract import new_number
from tests.providers.world import Shop, World, open_world

FORKS = (
    ["post"],
    ["encoded_twice"],
    ["text_codes"],
    ["wrapped"],
    ["zero_refund"],
    ["cut_name"],
    ["both_ways"],
    ["post", "encoded_twice", "text_codes", "wrapped", "zero_refund", "cut_name"],
)


@pytest.fixture(scope="module")
def own_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A simulator of these tests alone: they change how it behaves."""
    with open_world(tmp_path_factory.mktemp("epay")) as running:
        yield running


@contextmanager
def behaving(world: World, forks: Sequence[str]) -> Iterator[None]:
    _switch(world, forks)
    try:
        yield
    finally:
        _switch(world, [])


def _switch(world: World, forks: Sequence[str]) -> None:
    data = json.dumps(forks).encode()
    with urllib.request.urlopen(f"{world.url}/epay/forks", data=data) as reply:
        assert json.loads(reply.read())["on"] == sorted(forks)


@pytest.mark.parametrize("forks", FORKS, ids="+".join)
def test_a_relative_of_the_program_is_understood(
    own_world: World, shop: Shop, forks: list[str]
) -> None:
    provider = EpayProvider(HttpClient(limits=PATIENT, allow_plain=True))
    config = provider.config_from_form({**own_world.credentials("epay"), "opening": "api"})
    number = new_number()
    with behaving(own_world, forks):
        provider.check(config)
        request = make_request(number, method="wxpay", shop_url=shop.url)
        told = provider.create(config, request)
        own_world.browse(told.url or told.qr_text)
        assert provider.query(config, number).status is PaidStatus.PENDING
        assert provider.query(config, new_number()).status is PaidStatus.NOT_FOUND

        own_world.pay(number, "success")
        said = provider.parse_callback(config, shop.wait_for(1)[0])
        refund = make_refund(number, refund_no=new_number())
        outcomes = [provider.refund(config, refund).status for _ in range(2)]

        assert (said.status, said.amount) == (PaidStatus.PAID, Amount(123_400))
        assert outcomes == [RefundStatus.DONE] * 2
        assert provider.query(config, number).status is PaidStatus.CLOSED
    assert told.kind == "qr"
    assert len(own_world.state(number)["refunds"]) == 1


def test_a_platform_without_the_api_is_opened_by_its_page(own_world: World, shop: Shop) -> None:
    provider = EpayProvider(HttpClient(limits=PATIENT, allow_plain=True))
    config = provider.config_from_form({**own_world.credentials("epay"), "opening": "api"})
    number = new_number()
    with behaving(own_world, ["no_mapi"]):
        told = provider.create(config, make_request(number, method="wxpay", shop_url=shop.url))
        own_world.browse(told.url)

    assert told.kind == "redirect"
    assert own_world.state(number)["amount_fen"] == 1234


@pytest.mark.parametrize("opening", ["page", "api", "submit"])
@pytest.mark.parametrize("device", ["pc", "mobile"])
def test_each_way_to_open_v2_reaches_the_cashier(
    own_world: World, shop: Shop, opening: str, device: Any
) -> None:
    import dataclasses

    provider = Epay2Provider(HttpClient(limits=PATIENT, allow_plain=True))
    config = provider.config_from_form({**own_world.credentials("epay2"), "opening": opening})
    number = new_number()
    request = make_request(number, method="alipay", shop_url=shop.url)

    told = provider.create(config, dataclasses.replace(request, device=device))
    page = own_world.browse(told.url or told.qr_text, fields=told.fields)

    assert told.kind == ("qr" if (opening, device) == ("api", "pc") else "redirect")
    assert "模拟收银台" in page
    assert number in page


def open_v2(world: World, shop: Shop) -> tuple[Epay2Provider, Any, str]:
    provider = Epay2Provider(HttpClient(limits=PATIENT, allow_plain=True))
    config = provider.config_from_form(world.credentials("epay2"))
    number = new_number()
    told: PayInstruction = provider.create(
        config, make_request(number, method="alipay", shop_url=shop.url)
    )
    world.browse(told.url)
    return provider, config, number


@pytest.mark.parametrize(
    ("mode", "code"),
    [("forged", "bad_signature"), ("stranger", "wrong_merchant"), ("stale", "stale")],
)
def test_what_is_no_payment_of_ours_is_refused(
    own_world: World, shop: Shop, mode: str, code: str
) -> None:
    provider, config, number = open_v2(own_world, shop)

    own_world.pay(number, mode)

    with pytest.raises(CallbackRejected) as caught:
        provider.parse_callback(config, shop.wait_for(1)[0])
    assert caught.value.code == code
    assert provider.query(config, number).status is PaidStatus.PENDING


def test_parts_go_back_by_their_own_numbers(own_world: World, shop: Shop) -> None:
    provider, config, number = open_v2(own_world, shop)
    own_world.pay(number, "success")
    parts = [make_refund(number, refund_no=new_number(), amount=40_000) for _ in range(3)]

    for part in parts:
        for _ in range(2):
            assert provider.refund(config, part).status is RefundStatus.DONE
        assert provider.query_refund(config, part).status is RefundStatus.DONE

    assert [each["amount_fen"] for each in own_world.state(number)["refunds"]] == [400] * 3
    too_much = make_refund(number, refund_no=new_number(), amount=40_000)
    assert provider.refund(config, too_much).status is RefundStatus.REFUSED
    assert provider.query(config, number).status is PaidStatus.PAID


def test_a_new_key_of_the_platform_must_be_entered(own_world: World, shop: Shop) -> None:
    provider, config, number = open_v2(own_world, shop)
    data = json.dumps({"gateway": "epay2"}).encode()
    with urllib.request.urlopen(f"{own_world.url}/control/rotate", data=data) as reply:
        assert reply.status == 200

    with pytest.raises(ProviderUncertain):
        provider.query(config, number)

    renewed = provider.config_from_form(own_world.credentials("epay2"))
    assert provider.query(renewed, number).status is PaidStatus.PENDING
