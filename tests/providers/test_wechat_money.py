"""WeChat Pay's shares, payouts and bills: what counts as done, and which bill is believed."""

import dataclasses
import datetime as dt
import gzip
import hashlib
import json
from typing import Any

import pytest

from kameng.payments.providers.abilities import (
    LineKind,
    PayoutRequest,
    Receiver,
    SplitRequest,
    TransferStatus,
)
from kameng.payments.providers.port import ProviderRefused, ProviderUncertain
from kameng.payments.providers.wechat import bills, signing, transfers
from kameng.payments.providers.wechat.config import Config
from kameng.pricing.money import Amount
from tests.providers.cases import make_case
from tests.providers.wechat import FAR, read, reply


@pytest.fixture(scope="module")
def config() -> Config:
    return Config.from_form(make_case("wechat").form)


# --- shares and payouts ------------------------------------------------------------------------

SHOP = Receiver(account_kind="MERCHANT_ID", account="1900000109", name="某某商贸")
SPLIT = SplitRequest(
    split_no="S1",
    payment_no="P1",
    external_no="T1",
    receiver=SHOP,
    amount=Amount(10_000),
    reason="分站货款",
)


def shared(result: str = "SUCCESS", **changes: Any) -> dict[str, Any]:
    share = {"type": "MERCHANT_ID", "account": "1900000109", "amount": 100, "result": result}
    return {
        "transaction_id": "T1",
        "out_order_no": "S1",
        "order_id": "3008",
        "state": "FINISHED",
        "receivers": [{**share, **changes}],
    }


@pytest.mark.parametrize(
    ("result", "status"),
    [
        ("SUCCESS", TransferStatus.DONE),
        ("PENDING", TransferStatus.PROCESSING),
        ("CLOSED", TransferStatus.REFUSED),
    ],
)
def test_a_share_is_done_when_it_arrived(result: str, status: TransferStatus) -> None:
    """A FINISHED order may hold a share that was closed: its own result counts."""
    assert transfers.read_split(SPLIT, read(reply(shared(result)))).status is status


@pytest.mark.parametrize("change", [{"amount": 101}, {"account": "1900000110"}, {"result": "?"}])
def test_another_share_is_no_answer(change: Any) -> None:
    with pytest.raises(ProviderUncertain):
        transfers.read_split(SPLIT, read(reply(shared(**change))))


def test_names_of_receivers_go_encrypted(config: Config) -> None:
    sealed = signing.encrypt_for(FAR.key, "某某商贸")
    content = transfers.build_receiver(config, SHOP, sealed_name=sealed)

    assert "某某商贸" not in json.dumps(content, ensure_ascii=False)
    with pytest.raises(ProviderRefused):
        transfers.build_receiver(config, dataclasses.replace(SHOP, name=""), sealed_name="")


PAYOUT = PayoutRequest(
    payout_no="W1",
    account_kind="openid",
    account="oUser",
    name="",
    amount=Amount(10_000),
    reason="佣金提现",
)


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("ACCEPTED", TransferStatus.PROCESSING),
        ("PROCESSING", TransferStatus.PROCESSING),
        ("WAIT_USER_CONFIRM", TransferStatus.PROCESSING),
        ("TRANSFERING", TransferStatus.PROCESSING),
        ("CANCELING", TransferStatus.PROCESSING),
        ("SUCCESS", TransferStatus.DONE),
        ("FAIL", TransferStatus.REFUSED),
        ("CANCELLED", TransferStatus.REFUSED),
    ],
)
def test_a_payout_is_done_when_its_receiver_took_it(state: str, status: TransferStatus) -> None:
    data = {"out_bill_no": "W1", "transfer_bill_no": "13", "state": state, "package_info": "abc=="}
    outcome = transfers.read_payout(PAYOUT, read(reply(data)))

    assert outcome.status is status
    if state == "WAIT_USER_CONFIRM":
        assert (outcome.reason, outcome.confirmation) == ("WAIT_USER_CONFIRM", "abc==")
        assert "abc==" not in repr(outcome)
    else:
        assert outcome.confirmation == ""


def test_a_payout_names_whom_it_must(config: Config) -> None:
    with pytest.raises(ProviderRefused) as caught:
        transfers.build_payout(
            config, dataclasses.replace(PAYOUT, amount=Amount(20_000_000)), sealed_name=""
        )
    assert caught.value.code == "name_missing"
    content = transfers.build_payout(config, PAYOUT, sealed_name="x")
    assert content["transfer_amount"] == 100
    assert {i["info_type"] for i in content["transfer_scene_report_infos"]} == {
        "岗位类型",
        "报酬说明",
    }
    with pytest.raises(ProviderUncertain):
        transfers.read_payout(PAYOUT, read(reply({"out_bill_no": "W2", "state": "SUCCESS"})))


# --- bills -------------------------------------------------------------------------------------

TRADES = """\ufeff交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,\
用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,\
退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注
`2026-01-01 10:00:00,`wx0123456789abcdef,`1900000001,`0,`,`42001,`P1,\
`oUser,`NATIVE,`SUCCESS,`OTHERS,`CNY,`12.34,`0.00,`0,`0,`0.00,`0.00,`,`,`月卡,年卡,`,`0.07000,`0.60%,`12.34,`0.00,`
`2026-01-01 11:00:00,`wx0123456789abcdef,`1900000001,`0,`,`42001,`P1,\
`oUser,`NATIVE,`REFUND,`OTHERS,`CNY,`0.00,`0.00,`5031,`R1,`5.00,`0.00,`ORIGINAL,`SUCCESS,`月卡,年卡,`,`-0.03000,`0.60%,`0.00,`5.00,`
总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额
`2,`12.34,`5.00,`0.00,`0.04000,`12.34,`5.00
"""
FUNDS = """记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额（元）,\
账户结余（元）,资金变更提交申请人,备注,业务凭证号
`2026-01-01 10:00:00,`42001,`F1,`交易,`交易,`收入,`12.34,`12.34,`system,`,`P1
`2026-01-01 10:00:00,`42001,`F2,`交易,`扣除交易手续费,`支出,`0.07,`12.27,`system,`,`P1
`2026-01-01 10:05:00,`3008,`F3,`分账,`分账,`支出,`1.00,`11.27,`system,`,`S1
`2026-01-01 10:06:00,`3009,`F4,`分账回退,`分账回退,`收入,`0.50,`11.77,`system,`,`B1
`2026-01-01 23:00:00,`9001,`F5,`提现,`提现,`支出,`10.00,`1.77,`owner,`,`
`2026-01-01 23:10:00,`9002,`F6,`其他,`调账,`支出,`0.01,`1.76,`owner,`,`
资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额
`6,`2,`12.84,`4,`11.08
"""


def test_a_trade_bill_is_read_to_the_line() -> None:
    lines, unread = bills.read_trades(TRADES.encode())

    assert unread == []
    payment, refund = lines
    assert (payment.kind, payment.own_no, payment.external_no) == (LineKind.PAYMENT, "P1", "42001")
    assert (payment.amount, payment.fee_amount) == (123_400, 700)
    assert payment.happened_at == dt.datetime(2026, 1, 1, 2, 0, tzinfo=dt.UTC)
    assert (refund.kind, refund.own_no, refund.payment_no) == (LineKind.REFUND, "R1", "P1")
    assert (refund.external_no, refund.amount, refund.fee_amount) == ("5031", 50_000, -300)


def test_a_fund_bill_tells_the_rest() -> None:
    lines, unread = bills.read_funds(FUNDS.encode())

    assert unread == []
    assert [(line.kind, line.own_no, line.amount) for line in lines] == [
        (LineKind.SPLIT, "S1", 10_000),
        (LineKind.SPLIT_RETURN, "B1", 5_000),
        (LineKind.SETTLEMENT, "", 100_000),
        (LineKind.OTHER, "", 100),
    ]


@pytest.mark.parametrize(
    ("name", "way", "kind"),
    [
        ("商家转账", "支出", LineKind.PAYOUT),
        ("转账退回", "收入", LineKind.PAYOUT_RETURN),
        ("转账", "收入", LineKind.OTHER),
    ],
)
def test_a_transfer_is_told_by_the_way_its_money_went(name: str, way: str, kind: LineKind) -> None:
    head = FUNDS.splitlines()[0]
    sums = ("1", "5.00", "0", "0.00") if way == "收入" else ("0", "0.00", "1", "5.00")
    text = (
        f"{head}\n`2026-01-01 10:00:00,`1330,`F1,`{name},`转账,`{way},`5.00,`5.00,`system,`,`W1\n"
        f"资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\n`1,`{',`'.join(sums)}\n"
    )

    lines, unread = bills.read_funds(text.encode())

    assert unread == []
    assert [(line.kind, line.own_no, line.amount) for line in lines] == [(kind, "W1", 50_000)]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("`2,`12.34,`5.00", "`3,`12.34,`5.00", "bad_bill_count"),
        ("`0.04000,`12.34,`5.00", "`0.04000,`12.35,`5.00", "bad_bill_sum"),
        ("`0.04000,`12.34,`5.00", "`0.05000,`12.34,`5.00", "bad_bill_sum"),
        ("`5.00\n", "`5.01\n", "bad_bill_sum"),
        ("总交易单数", "单数", "bad_bill"),
    ],
)
def test_a_bill_whose_sums_do_not_fit_is_not_believed(old: str, new: str, code: str) -> None:
    assert old in TRADES
    with pytest.raises(ProviderUncertain) as caught:
        bills.read_trades(TRADES.replace(old, new).encode())
    assert caught.value.code == code


def test_a_row_that_cannot_be_read_is_kept() -> None:
    odd = TRADES.replace("`REFUND,", "`DANCED,")
    lines, unread = bills.read_trades(odd.encode())

    assert [line.own_no for line in lines] == ["P1"]
    assert len(unread) == 1
    assert "DANCED" in unread[0]


def test_a_bill_is_unpacked_and_held_to_its_digest() -> None:
    plain = TRADES.encode()
    place = bills.BillPlace(url="x", hash_value=hashlib.sha1(plain).hexdigest().upper())

    assert bills.unpack(plain, place) == plain
    assert bills.unpack(gzip.compress(plain), place) == plain
    for odd in (plain[:-1], gzip.compress(plain)[:-9], gzip.compress(plain + b"x"), b"\x1f\x8bxx"):
        with pytest.raises(ProviderUncertain):
            bills.unpack(odd, place)


def test_a_bill_is_fetched_from_the_platform_alone(config: Config) -> None:
    def place(url: str, kind: str = "SHA1") -> Any:
        answer = read(reply({"download_url": url, "hash_type": kind, "hash_value": "x"}))
        return bills.read_place(config, answer)

    assert place("http://127.0.0.1:9/v3/billdownload/file?token=x").hash_value == "x"
    assert place("https://api.mch.weixin.qq.com/v3/billdownload/file?token=x")
    for url in (
        "https://evil.example/x",
        "http://api.mch.weixin.qq.com/x",
        "https://mch.weixin.qq.com.evil.example/",
    ):
        with pytest.raises(ProviderUncertain):
            place(url)
    with pytest.raises(ProviderUncertain):
        place("http://127.0.0.1:9/x", "MD5")
    assert bills.read_place(config, read(reply({"code": "NO_STATEMENT_EXIST"}, status=400))) is None
