"""Splits, their returns and transfers at Alipay: once per number, and never believed too early."""

import dataclasses
import json
import threading
from typing import Any

import pytest

from kameng.payments.providers.abilities import (
    PayoutRequest,
    PayoutSender,
    Receiver,
    SplitRequest,
    SplitReturnRequest,
    Splitter,
    TransferStatus,
)
from kameng.payments.providers.alipay import paying_out, splitting, wire
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain, RefundStatus
from kameng.pricing.money import Amount
from kameng_simulator import signing
from tests.providers.cases import gateway_key, make_case, make_refund, make_request
from tests.providers.world import World

RECEIVER = Receiver(account_kind="userId", account="2088000000000099", name="王五商行")


def new_number(first: str) -> str:
    return first + signing.make_digits(18)


def reply(method: str, answer: Any) -> bytes:
    text = json.dumps(answer, ensure_ascii=False)
    sign = signing.sign_rsa(text, signing.load_key(gateway_key()))
    return f'{{"{method.replace(".", "_")}_response":{text},"sign":"{sign}"}}'.encode()


@pytest.fixture(params=["alipay", "alipay_cert"])
def account(request: pytest.FixtureRequest, world: World) -> tuple[Any, Any]:
    provider = make_case(request.param).provider()
    return provider, provider.config_from_form(world.credentials(request.param))


@pytest.fixture
def cert_account(world: World) -> tuple[Any, Any]:
    provider = make_case("alipay_cert").provider()
    return provider, provider.config_from_form(world.credentials("alipay_cert"))


def pay(world: World, account: tuple[Any, Any], *, method: str = "qr") -> SplitRequest:
    """Pay a payment that will be split, and return a split of a fifth of it."""
    provider, config = account
    number = new_number("P")
    request = dataclasses.replace(make_request(number, method=method), will_split=True)
    instruction = provider.create(config, request)
    world.browse(instruction.qr_text or instruction.url)
    world.pay(number, "lost")
    return SplitRequest(
        split_no=new_number("S"),
        payment_no=number,
        external_no=provider.query(config, number).external_no,
        receiver=RECEIVER,
        amount=Amount(24_600),
        reason="货款",
    )


def returning(split: SplitRequest, *, amount: int = 10_000) -> SplitReturnRequest:
    return SplitReturnRequest(
        return_no=new_number("B"),
        split_no=split.split_no,
        payment_no=split.payment_no,
        external_no=split.external_no,
        receiver=split.receiver,
        amount=Amount(amount),
        reason="退货",
    )


# --- splits ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["qr", "page", "wap"])
def test_payment_that_will_be_split_is_frozen(
    world: World, account: tuple[Any, Any], method: str
) -> None:
    provider, config = account
    split = pay(world, account, method=method)
    plain = new_number("P")
    provider.create(config, make_request(plain, method="qr"))

    assert isinstance(provider, Splitter)
    assert world.state(split.payment_no)["extra"]["royalty_freeze"] is True
    assert world.state(plain)["extra"]["royalty_freeze"] is False


def test_share_is_handed_over_once_and_taken_back_once(
    world: World, account: tuple[Any, Any]
) -> None:
    provider, config = account
    split = pay(world, account)
    provider.add_receiver(config, RECEIVER)
    provider.add_receiver(config, RECEIVER)
    assert provider.query_split(config, split).status is TransferStatus.UNKNOWN

    first = provider.split(config, split)
    assert first.status is TransferStatus.DONE
    assert provider.split(config, split) == first == provider.query_split(config, split)

    back = returning(split)
    assert provider.query_split_return(config, back).status is TransferStatus.UNKNOWN
    assert provider.return_split(config, back).status is TransferStatus.DONE
    assert provider.return_split(config, back).status is TransferStatus.DONE
    assert provider.query_split_return(config, back).status is TransferStatus.DONE
    moved = world.state(split.payment_no)["transfers"]
    assert sorted((each["kind"], each["amount_fen"]) for each in moved) == [
        ("split", 246),
        ("split_return", 100),
    ]
    assert world.state(split.payment_no)["refunded_fen"] == 0
    whole = make_refund(split.payment_no, refund_no=new_number("R"))
    assert provider.refund(config, whole).status is RefundStatus.DONE


def test_receiver_that_is_not_known_gets_nothing(world: World, account: tuple[Any, Any]) -> None:
    provider, config = account
    split = pay(world, account)
    provider.add_receiver(config, RECEIVER)
    provider.remove_receiver(config, RECEIVER)
    provider.remove_receiver(config, RECEIVER)

    outcome = provider.split(config, split)

    assert outcome.status is TransferStatus.REFUSED
    assert "ROYALTY_RECEIVER_INVALID" in outcome.reason
    assert world.state(split.payment_no)["transfers"] == []


def test_receiver_that_comes_back_is_known_again(world: World, account: tuple[Any, Any]) -> None:
    """A number that was used before would be answered from memory, and bind nobody."""
    provider, config = account
    split = pay(world, account)
    for act in (provider.add_receiver, provider.remove_receiver, provider.add_receiver):
        act(config, RECEIVER)

    assert provider.split(config, split).status is TransferStatus.DONE


def test_receiver_given_by_login_is_found_in_answers_that_name_a_number(
    world: World, account: tuple[Any, Any]
) -> None:
    provider, config = account
    receiver = Receiver(account_kind="loginName", account="w@example.com", name="王五")
    split = dataclasses.replace(pay(world, account), receiver=receiver)
    with pytest.raises(ProviderRefused) as refused:
        provider.add_receiver(config, dataclasses.replace(receiver, name=""))
    provider.add_receiver(config, receiver)

    assert refused.value.code == "name_missing"
    assert provider.split(config, split).status is TransferStatus.DONE
    assert provider.return_split(config, returning(split)).status is TransferStatus.DONE


def test_too_large_a_part_is_refused(world: World, account: tuple[Any, Any]) -> None:
    provider, config = account
    split = pay(world, account)
    provider.add_receiver(config, RECEIVER)

    outcome = provider.split(config, dataclasses.replace(split, amount=Amount(40_000)))

    assert outcome.status is TransferStatus.REFUSED
    over = provider.return_split(config, returning(split))
    assert over.status is TransferStatus.REFUSED


def test_number_that_was_used_for_another_share_is_uncertain(
    world: World, account: tuple[Any, Any]
) -> None:
    provider, config = account
    split = pay(world, account)
    provider.add_receiver(config, RECEIVER)
    provider.split(config, split)

    with pytest.raises(ProviderUncertain) as caught:
        provider.split(config, dataclasses.replace(split, amount=Amount(100)))

    assert caught.value.code == "other_split"


def test_lost_reply_of_a_split_is_found_by_the_query(
    world: World, account: tuple[Any, Any]
) -> None:
    provider, config = account
    split = pay(world, account)
    provider.add_receiver(config, RECEIVER)
    world.break_call("alipay_cert" if config.has_certificates else "alipay", "reset_after")

    with pytest.raises(ProviderUncertain):
        provider.split(config, split)

    assert provider.query_split(config, split).status is TransferStatus.DONE
    assert provider.split(config, split).status is TransferStatus.DONE
    assert len(world.state(split.payment_no)["transfers"]) == 1


def test_ended_splitting_allows_no_further_share(world: World, account: tuple[Any, Any]) -> None:
    provider, config = account
    split = pay(world, account)
    provider.add_receiver(config, RECEIVER)
    ending = dataclasses.replace(split, split_no=new_number("E"))

    assert provider.finish_split(config, ending).status is TransferStatus.DONE
    assert provider.finish_split(config, ending).status is TransferStatus.DONE

    assert provider.split(config, split).status is TransferStatus.REFUSED


def test_refused_question_about_a_split_is_no_refusal(
    world: World, account: tuple[Any, Any]
) -> None:
    provider, config = account
    split = pay(world, account)
    stranger = dataclasses.replace(config, app_id="2021000000000002")

    for ask in (
        lambda: provider.query_split(stranger, split),
        lambda: provider.query_split_return(stranger, returning(split)),
    ):
        with pytest.raises(ProviderUncertain):
            ask()


def test_settle_that_was_only_taken_is_not_done() -> None:
    config = make_case("alipay").config()
    split = SplitRequest(
        split_no="S1",
        payment_no="P1",
        external_no="T1",
        receiver=RECEIVER,
        amount=Amount(24_600),
        reason="",
    )
    row = {
        "operation_type": "transfer",
        "trans_in": RECEIVER.account,
        "amount": "2.46",
        "state": "SUCCESS",
        "detail_id": "D1",
    }

    def ask(**changes: Any) -> Any:
        details = [{**row, **changes}] if changes.get("state", "x") else []
        answer = {"code": "10000", "out_request_no": "S1", "royalty_detail_list": details}
        return splitting.parse_settle_query(config, split, reply(splitting.SETTLE_QUERY, answer))

    assert splitting.parse_settle(config, reply(splitting.SETTLE, {"code": "10000"})) is None
    assert ask().status is TransferStatus.DONE
    assert ask(state="PROCESSING").status is TransferStatus.PROCESSING
    failed = ask(state="FAIL", error_desc="账户异常")
    assert (failed.status, failed.reason) == (TransferStatus.REFUSED, "账户异常")
    assert ask(state="").status is TransferStatus.UNKNOWN
    assert ask(trans_in="2088000000000098").status is TransferStatus.UNKNOWN
    assert ask(operation_type="replenish").status is TransferStatus.UNKNOWN
    for odd in ({"amount": "2.47"}, {"amount": "x"}, {"state": "OK"}):
        with pytest.raises(ProviderUncertain):
            ask(**odd)


# --- payouts -----------------------------------------------------------------------------------


def payout(**changes: Any) -> PayoutRequest:
    request = PayoutRequest(
        payout_no=new_number("W"),
        account_kind="ALIPAY_LOGON_ID",
        account="mei@example.com",
        name="梅小姐",
        amount=Amount(123_400),
        reason="佣金提现",
    )
    return dataclasses.replace(request, **changes)


def sent_of(world: World, request: PayoutRequest) -> list[int]:
    moves = world.simulator.moves.list_transfers("alipay_cert", kind="payout", limit=1000)
    return [each.amount_fen for each in moves if each.own_no == request.payout_no]


def test_payout_moves_money_once(world: World, cert_account: tuple[Any, Any]) -> None:
    provider, config = cert_account
    request = payout()
    assert isinstance(provider, PayoutSender)
    assert provider.query_payout(config, request).status is TransferStatus.UNKNOWN

    barrier, outcomes = threading.Barrier(5), []

    def run() -> None:
        barrier.wait()
        outcomes.append(provider.pay_out(config, request).status)

    threads = [threading.Thread(target=run) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes == [TransferStatus.DONE] * 5
    assert provider.query_payout(config, request).status is TransferStatus.DONE
    assert sent_of(world, request) == [1234]


def test_an_account_without_certificates_cannot_pay_out(
    world: World, cert_account: tuple[Any, Any]
) -> None:
    provider, config = cert_account
    plain = dataclasses.replace(config, mode="key", app_cert="", alipay_cert="")

    assert provider.can_pay_out(config)
    assert not provider.can_pay_out(plain)
    with pytest.raises(ProviderRefused, match="needs_certificate_mode"):
        provider.pay_out(plain, payout())


def test_lost_reply_of_a_payout_is_found_by_the_query(
    world: World, cert_account: tuple[Any, Any]
) -> None:
    provider, config = cert_account
    request = payout()
    world.break_call("alipay_cert", "reset_after")

    with pytest.raises(ProviderUncertain):
        provider.pay_out(config, request)

    assert provider.query_payout(config, request).status is TransferStatus.DONE
    assert provider.pay_out(config, request).status is TransferStatus.DONE
    assert sent_of(world, request) == [1234]


@pytest.mark.parametrize("name", ["姓名不符", "余额不足", "不存在"])
def test_refused_payout_moves_nothing(
    world: World, cert_account: tuple[Any, Any], name: str
) -> None:
    provider, config = cert_account
    request = payout(name=name)

    outcome = provider.pay_out(config, request)

    assert outcome.status is TransferStatus.REFUSED
    assert len(outcome.reason) > 5
    assert provider.query_payout(config, request).status is TransferStatus.UNKNOWN
    assert sent_of(world, request) == []


def test_busy_gateway_says_nothing_of_a_payout(cert_account: tuple[Any, Any]) -> None:
    provider, config = cert_account

    with pytest.raises(ProviderUncertain):
        provider.pay_out(config, payout(name="系统繁忙"))


def test_slow_payout_is_in_the_making_until_it_is_done(cert_account: tuple[Any, Any]) -> None:
    provider, config = cert_account
    request = payout(name="处理中")

    assert provider.pay_out(config, request).status is TransferStatus.PROCESSING
    assert provider.query_payout(config, request).status is TransferStatus.PROCESSING
    assert provider.query_payout(config, request).status is TransferStatus.DONE


def test_payout_that_came_back_is_told_by_the_query(cert_account: tuple[Any, Any]) -> None:
    provider, config = cert_account
    request = payout(name="退回")

    provider.pay_out(config, request)

    came_back = provider.query_payout(config, request)
    assert came_back.status is TransferStatus.RETURNED
    assert "退回" in came_back.reason


def test_refusal_of_a_number_that_was_sent_before_is_not_believed(
    world: World, cert_account: tuple[Any, Any]
) -> None:
    """The gateway refuses a repeat with another name; the money is gone all the same."""
    provider, config = cert_account
    request = payout()
    provider.pay_out(config, request)

    again = provider.pay_out(config, dataclasses.replace(request, name="余额不足"))

    assert again.status is TransferStatus.DONE
    with pytest.raises(ProviderUncertain):
        provider.pay_out(config, dataclasses.replace(request, amount=Amount(100)))
    assert sent_of(world, request) == [1234]


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": Amount(0)},
        {"amount": Amount(123_450)},
        {"amount": Amount(-100)},
        {"account_kind": "bank"},
        {"account": ""},
        {"name": ""},
    ],
)
def test_what_cannot_be_sent_is_refused_before_it_leaves(
    cert_account: tuple[Any, Any], changes: dict[str, Any]
) -> None:
    provider, config = cert_account

    with pytest.raises(ProviderRefused):
        provider.pay_out(config, payout(**changes))


def test_public_key_mode_pays_nobody_out(world: World) -> None:
    provider = make_case("alipay").provider()
    config = provider.config_from_form(world.credentials("alipay"))

    with pytest.raises(ProviderRefused) as caught:
        provider.pay_out(config, payout())  # type: ignore[attr-defined]

    assert caught.value.code == paying_out.NEEDS_CERTIFICATE


def test_signed_answers_about_another_payout_are_not_believed() -> None:
    config, request = make_case("alipay").config(), payout()
    good = {
        "code": "10000",
        "out_biz_no": request.payout_no,
        "trans_amount": "12.34",
        "status": "SUCCESS",
        "order_id": "O1",
    }

    def ask(**changes: str) -> Any:
        body = reply(paying_out.QUERY, {**good, **changes})
        return paying_out.parse_payout_query(config, request, body)

    assert ask().status is TransferStatus.DONE
    for odd in ({"out_biz_no": "W2"}, {"trans_amount": "12.35"}, {"status": "MAYBE"}):
        with pytest.raises(ProviderUncertain):
            ask(**odd)
    body = reply(paying_out.TRANSFER, {**good, "out_biz_no": "W2"})
    with pytest.raises(ProviderUncertain):
        paying_out.parse_payout(config, request, body)


def test_request_for_a_frozen_payment_says_so() -> None:
    config = make_case("alipay").config()
    request = dataclasses.replace(make_request("P1", method="qr"), will_split=True)

    assert wire.describe_payment(config, request)["extend_params"] == {"royalty_freeze": "true"}
    plain = wire.describe_payment(config, make_request("P1", method="qr"))
    assert "extend_params" not in plain
