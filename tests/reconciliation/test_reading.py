"""Exported bills with guessed columns: what is clear is read, what is not is kept as such."""

import datetime as dt

import pytest

from kameng.payments.providers.abilities import LineKind
from kameng.reconciliation.errors import BillUnreadable
from kameng.reconciliation.reading import read_bill_file
from tests.reconciliation.conftest import YUAN

DAY = dt.date(2026, 11, 19)


def test_an_export_of_epay_is_read() -> None:
    bill = read_bill_file(
        "订单号,商户订单号,商品名称,订单金额,手续费,支付时间,状态\n"
        "2026111900001,260101000000000001,点卡,10.00,0.06,2026-11-19 08:01:02,已支付\n"
        "2026111900002,260101000000000002,点卡,20.00,,2026-11-19 08:02:02,未支付\n"
        "2026111900003,260101000000000003,点卡,5.00,,2026-11-19 09:00:00,已退款\n".encode(
            "gb18030"
        ),
        day=DAY,
        filename="bill.csv",
    )

    first, second = bill.lines
    assert (first.own_no, first.external_no) == ("260101000000000001", "2026111900001")
    assert (first.kind, first.amount, first.fee_amount) == (LineKind.PAYMENT, 10 * YUAN, 600)
    assert first.happened_at == dt.datetime(2026, 11, 19, 0, 1, 2, tzinfo=dt.UTC)
    assert (second.kind, second.own_no) == (LineKind.PAYMENT, "260101000000000003")
    assert list(bill.unread_lines) == []


def test_backticks_signs_and_summaries_of_wechat_style_files_are_understood() -> None:
    bill = read_bill_file(
        "交易时间,商户订单号,微信订单号,交易状态,应结订单金额,手续费\n"
        "`2026-11-19 08:01:02,`A1,`W1,`SUCCESS,`10.00,`0.06\n"
        "总计,1,,,10.00,0.06\n".encode(),
        day=DAY,
        filename="bill.csv",
    )

    assert [each.own_no for each in bill.lines] == ["A1"]
    assert bill.lines[0].fee_amount == 600
    assert list(bill.unread_lines) == []


def test_a_line_that_is_not_clear_is_kept_and_never_guessed() -> None:
    bill = read_bill_file(
        "商户订单号,金额,时间\nA1,1e3,2026-11-19 08:00:00\nA2,5.00,gestern\n,5.00,\nA3,5.00,\n"
        "".encode(),
        day=DAY,
        filename="bill.csv",
    )

    assert [each.own_no for each in bill.lines] == ["A3"]
    assert list(bill.unread_lines) == ["A1,1e3,2026-11-19 08:00:00", "A2,5.00,gestern", ",5.00"]


@pytest.mark.parametrize("data", [b"", b"%PDF-1.4 nothing", "名称,备注\na,b\n".encode()])
def test_a_file_that_is_no_bill_is_refused(data: bytes) -> None:
    with pytest.raises(BillUnreadable):
        read_bill_file(data, day=DAY, filename="bill.csv")


FUNDS = (
    "记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额（元）,账户结余（元）,"
    "资金变更提交申请人,备注,业务凭证号\n"
    "`2026-11-19 08:00:00,`W1,`F1,`交易,`交易,`收入,`10.00,`10.00,`system,`,`260101000000000001\n"
    "`2026-11-19 08:00:00,`W1,`F2,`扣除交易手续费,`扣除交易手续费,`支出,`0.06,`9.94,`system,`,`1\n"
    "`2026-11-19 09:00:00,`W2,`F3,`分账,`分账,`支出,`2.00,`7.94,`system,`,`260101000000000002\n"
    "`2026-11-19 10:00:00,`W3,`F4,`分账回退,`分账回退,`收入,`1.00,`8.94,`s,`,`260101000000000003\n"
    "`2026-11-19 11:00:00,`W4,`F5,`商家转账,`转账,`支出,`5.00,`3.94,`system,`,`260101000000000004\n"
    "`2026-11-19 12:00:00,`W5,`F6,`转账退回,`转账,`收入,`5.00,`8.94,`system,`,`260101000000000005\n"
    "`2026-11-19 13:00:00,`W6,`F7,`基本账户提现,`提现,`支出,`8.00,`0.94,`system,`,`\n"
    "资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额\n"
    "`7,`3,`16.00,`4,`15.06\n"
)


def test_shares_and_transfers_of_a_wechat_fund_bill_are_recognised() -> None:
    bill = read_bill_file(FUNDS.encode("utf-8-sig"), day=DAY, filename="fund.csv")

    assert bill.is_account
    assert [(each.kind, each.own_no, each.external_no, each.amount) for each in bill.lines] == [
        (LineKind.SPLIT, "260101000000000002", "W2", 2 * YUAN),
        (LineKind.SPLIT_RETURN, "260101000000000003", "W3", YUAN),
        (LineKind.PAYOUT, "260101000000000004", "W4", 5 * YUAN),
        (LineKind.PAYOUT_RETURN, "260101000000000005", "W5", 5 * YUAN),
        (LineKind.SETTLEMENT, "", "W6", 8 * YUAN),
    ]
    assert bill.lines[0].happened_at == dt.datetime(2026, 11, 19, 1, tzinfo=dt.UTC)
    assert list(bill.unread_lines) == []


def test_a_wechat_bill_of_shares_is_read_by_the_share_not_the_order() -> None:
    bill = read_bill_file(
        "分账时间,分账发起方,分账方,微信订单号,微信分账/回退单号,分账明细单号,商户分账/回退单号,"
        "订单金额,分账接收方,分账金额,业务类型,处理状态,分账描述,备注\n"
        "`2026-11-19 09:00:00,`1,`1,`W1,`P1,`D1,`S1,`100.00,`2,`7.00,`分账,`处理成功,`,`\n"
        "`2026-11-19 09:10:00,`1,`1,`W1,`P2,`D2,`S2,`100.00,`2,`6.00,`分账回退,`处理成功,`,`\n"
        "`2026-11-19 09:20:00,`1,`1,`W1,`P3,`D3,`S3,`9.00,`2,`5.00,`分账,`处理失败,`,`\n".encode(),
        day=DAY,
        filename="share.csv",
    )

    assert [(each.kind, each.own_no, each.amount) for each in bill.lines] == [
        (LineKind.SPLIT, "S1", 7 * YUAN),
        (LineKind.SPLIT_RETURN, "S2", 6 * YUAN),
    ]


def test_shares_and_transfers_of_an_alipay_ledger_are_recognised() -> None:
    bill = read_bill_file(
        "#支付宝账务明细查询\n"
        "账务流水号,业务流水号,商户订单号,商品名称,发生时间,对方账号,收入金额（+元）,支出金额（-元）,"
        "账户余额（元）,交易渠道,业务类型,备注,业务描述,业务账单来源,业务基础订单号,业务订单号\n"
        "L1,T1,P1,点卡,2026-11-19 08:00:00,a,10.00,,10.00,支付宝,在线支付,,,,P1,\n"
        "L2,T1,P1,点卡,2026-11-19 08:00:00,a,,-0.06,9.94,支付宝,收费,,,,P1,\n"
        "L3,T3,S1,,2026-11-19 09:00:00,b,,-2.00,7.94,支付宝,分账,,,,P1,\n"
        "L4,T4,S2,,2026-11-19 10:00:00,b,1.00,,8.94,支付宝,退分账,,,,P1,\n"
        "L5,T5,W1,,2026-11-19 11:00:00,c,,-5.00,3.94,支付宝,转账,,,,,\n"
        "L7,T5,W1,,2026-11-19 11:30:00,c,5.00,,8.94,支付宝,转账退回,,,,,\n"
        "L8,T8,,,2026-11-19 11:40:00,d,5.00,,13.94,支付宝,转账,,,,,\n"
        "L6,T6,X1,,gestern,c,,-5.00,3.94,支付宝,转账,,,,,\n"
        "#支出合计：3笔，共-7.06元\n".encode("gb18030"),
        day=DAY,
        filename="ledger.csv",
    )

    assert bill.is_account
    assert [
        (each.kind, each.own_no, each.payment_no, each.external_no, each.amount)
        for each in bill.lines
    ] == [
        (LineKind.SPLIT, "S1", "P1", "T3", 2 * YUAN),
        (LineKind.SPLIT_RETURN, "S2", "P1", "T4", YUAN),
        (LineKind.PAYOUT, "W1", "", "T5", 5 * YUAN),
        (LineKind.PAYOUT_RETURN, "W1", "", "T5", 5 * YUAN),
        (LineKind.OTHER, "", "", "T8", 5 * YUAN),  # somebody sent money: nothing came back
    ]
    assert [text[:2] for text in bill.unread_lines] == ["L6"]


def test_a_bill_of_trades_is_none_of_an_account() -> None:
    bill = read_bill_file(
        "商户订单号,业务类型,订单金额,支付时间\nA1,交易,10.00,2026-11-19 08:00:00\n".encode(),
        day=DAY,
        filename="bill.csv",
    )

    assert not bill.is_account
    assert [each.kind for each in bill.lines] == [LineKind.PAYMENT]
