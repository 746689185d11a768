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
