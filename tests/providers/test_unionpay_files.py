"""UnionPay's reconciliation files: what a line says, what is kept unread, what is refused."""

import base64
import dataclasses
import datetime as dt
import hashlib
import zlib
from typing import Any

import pytest

from kameng.payments.providers.abilities import LineKind
from kameng.payments.providers.port import (
    ProviderUncertain,
)
from kameng.payments.providers.unionpay import files
from kameng.pricing.money import Amount
from kameng_simulator.moves import BillRow, Correction
from kameng_simulator.unionpay_files import render_files

NUMBER = "260101000000000001"
DAY = dt.date(2026, 1, 1)


def row(**changes: Any) -> BillRow:
    values = {
        "kind": "payment",
        "own_no": NUMBER,
        "external_no": "442601012000000000001",
        "trade_no": "442601012000000000001",
        "out_trade_no": NUMBER,
        "subject": "月卡",
        "method": "unionpay",
        "amount_fen": 1234,
        "fee_fen": 7,
        "paid_fen": 1234,
        "happened_at": dt.datetime(2025, 12, 31, 15, 30, tzinfo=dt.UTC).timestamp(),
    }
    return BillRow(**{**values, **changes})


def content(*rows: BillRow) -> str:
    return render_files(rows, mer_id="777290012345678", settle_date="0101", year=2026)[1]


def test_a_days_files_are_read_into_lines() -> None:
    noon = dt.datetime(2026, 1, 1, 4, tzinfo=dt.UTC)
    back = row(
        kind="refund",
        own_no="260101000000000077",
        external_no="45",
        amount_fen=234,
        fee_fen=-1,
        happened_at=noon.timestamp(),
    )

    bill = files.read_bill(DAY, content(row(), back))

    first, second = bill.lines
    assert (first.kind, first.own_no, first.payment_no) == (LineKind.PAYMENT, NUMBER, NUMBER)
    assert (first.amount, first.fee_amount) == (Amount(123_400), Amount(700))
    assert first.external_no == "442601012000000000001"
    # 23:30 of New Year's Eve in Beijing belongs to the first settlement day of the year.
    assert first.happened_at == dt.datetime(2025, 12, 31, 15, 30, tzinfo=dt.UTC)
    assert (second.kind, second.own_no) == (LineKind.REFUND, "260101000000000077")
    assert (second.payment_no, second.external_no) == (NUMBER, "45")
    assert (second.amount, second.fee_amount) == (Amount(23_400), Amount(-100))
    assert second.happened_at == noon
    assert bill.unread_lines == []
    assert bill.raw_digest == hashlib.sha256(bill.raw).hexdigest()


def pack(name: str, text: bytes) -> str:
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return base64.b64encode(zlib.compress(packed.getvalue())).decode()


def test_a_line_that_cannot_be_read_is_kept() -> None:
    genuine = files._unzip(zlib.decompress(base64.b64decode(content(row()))))[0][1].rstrip()
    odd_fee = genuine.replace(b"D000000000007", b"X000000000007")
    text = b"\r\n".join([genuine, b"short", odd_fee, genuine[:60] + b"\xff" * 130, b""])

    bill = files.read_bill(DAY, pack("INN26010188ZM_777290012345678", text))

    assert [line.own_no for line in bill.lines] == [NUMBER]
    assert len(bill.unread_lines) == 3
    assert bill.unread_lines[0] == "short"
    assert any("X000000000007" in line for line in bill.unread_lines)


def correction(**changes: str) -> bytes:
    """Return a record of the file of corrections; fields by place, `f15` is the net sum."""
    widths = (*files.ZME_WIDTHS, 15, 15, 1, 12, 2, 135)
    values = {"f0": "E23", "f4": "0101120000", "f6": "000000001234", "f14": "D000000000007"}
    values |= changes
    fields = (values.get(f"f{i}", "").ljust(width) for i, width in enumerate(widths))
    return " ".join(fields).encode("gbk")


@pytest.mark.parametrize(
    ("net", "kind"),
    [("D000000001241", LineKind.CORRECTION_OUT), ("C000000001241", LineKind.CORRECTION_IN)],
)
def test_a_correction_tells_what_it_moves_and_which_way(net: str, kind: LineKind) -> None:
    text = b"\r\n".join([correction(f15=net), correction(f15=net, f3="000002")])

    bill = files.read_bill(DAY, pack("INN26010188ZME_777290012345678", text))

    first, second = bill.lines
    assert (first.kind, first.own_no, first.external_no) == (kind, "", "")
    assert (first.amount, first.fee_amount) == (Amount(124_100), Amount(0))
    assert first.text.startswith("E23")
    assert first.happened_at == dt.datetime(2026, 1, 1, 4, tzinfo=dt.UTC)
    assert second.text != first.text
    assert bill.unread_lines == []


@pytest.mark.parametrize("net", ["", "X000000001241", "D00000000xxxx", "D000000000000"])
def test_a_correction_without_a_net_sum_is_kept_unread(net: str) -> None:
    bill = files.read_bill(DAY, pack("INN26010188ZME_777290012345678", correction(f15=net)))

    assert list(bill.lines) == []
    assert len(bill.unread_lines) == 1


def test_the_simulators_corrections_are_read() -> None:
    at = dt.datetime(2026, 1, 1, 4, tzinfo=dt.UTC)
    wrong = Correction(
        id=7, is_in=False, own_no=NUMBER, amount_fen=1241, happened_at=at.timestamp()
    )
    right = dataclasses.replace(wrong, id=8, is_in=True, amount_fen=5)
    told = [(each, "000123", "1231233000") for each in (wrong, right)]
    packed = render_files([row()], told, mer_id="777290012345678", settle_date="0101", year=2026)[1]

    bill = files.read_bill(DAY, packed)

    assert [(line.kind, line.amount) for line in bill.lines] == [
        (LineKind.PAYMENT, Amount(123_400)),
        (LineKind.CORRECTION_OUT, Amount(124_100)),
        (LineKind.CORRECTION_IN, Amount(500)),
    ]
    assert bill.lines[1].happened_at == at
    assert "000123 1231233000" in bill.lines[1].text
    assert bill.unread_lines == []
    text = dict(files._unzip(bill.raw))["ZME"].split(b"\r\n")[0]
    # The places that the client reads, and behind them six more up to the documented width.
    widths = (*files.ZME_WIDTHS, 15, 15, 1, 12, 2, 135)
    assert len(text) == sum(widths) + len(widths) - 1
    assert files.cut_record(text, widths)[15] == "D000000001241"


def test_a_file_that_is_none_is_uncertain() -> None:
    good_one = content(row())
    bomb = base64.b64encode(zlib.compress(b"0" * (files.MAX_ZIP_BYTES + 1))).decode()
    for bad in ("", "x", "eA==", good_one[:-40], base64.b64encode(zlib.compress(b"x")).decode()):
        with pytest.raises(ProviderUncertain):
            files.read_bill(DAY, bad)
    with pytest.raises(ProviderUncertain) as caught:
        files.read_bill(DAY, bomb)
    assert caught.value.code == "bill_too_large"


def test_the_simulators_records_have_the_documented_width() -> None:
    text = files._unzip(zlib.decompress(base64.b64decode(content(row()))))[0][1]

    assert len(text.rstrip(b"\r\n")) == sum(files.ZM_WIDTHS) + 98 + len(files.ZM_WIDTHS)
    assert len(files.cut_record(text.rstrip(b"\r\n"), files.ZM_WIDTHS)) == 41
