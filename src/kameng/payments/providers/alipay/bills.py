"""Alipay's bills: a zip with GBK CSV files, read with bounds and checked against its own totals.

Pure. The bill of trades (`trade`) tells payments, refunds and their fees; the account's bill
(`signcustomer`) tells what else moved: shares, transfers, withdrawals. Nothing is written to disk,
so that a name in an archive is never a path; what unpacks to too much is refused before it does.
"""

import csv
import datetime as dt
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from kameng.payments.providers.abilities import Bill, BillLine, LineKind
from kameng.payments.providers.alipay.wire import read_time
from kameng.payments.providers.decoding import bound_text
from kameng.payments.providers.port import ProviderUncertain
from kameng.pricing.money import ZERO, Amount, parse_fen_yuan

MAX_ENTRIES: Final = 8
MAX_UNPACKED: Final = 128 * 1024 * 1024
MAX_TEXT: Final = 400
MAX_UNREAD: Final = 200
TRADE: Final = "trade"
ACCOUNT: Final = "signcustomer"
SUMMARY_MARK: Final = "汇总"

_TRADE_TOTAL = re.compile(r"#交易合计：([0-9]+)笔，商家实收共(-?[0-9.]+)元")
_REFUND_TOTAL = re.compile(r"#退款合计：([0-9]+)笔，商家实收退款共(-?[0-9.]+)元")
_INCOME_TOTAL = re.compile(r"#收入合计：([0-9]+)笔，共(-?[0-9.]+)元")
_OUTGO_TOTAL = re.compile(r"#支出合计：([0-9]+)笔，共(-?[0-9.]+)元")

# What an entry of the account is about, by words of its 业务类型; the first that fits.
_ACCOUNT_KINDS: Final = (
    (("退分账", "分账退回", "分账退款"), LineKind.SPLIT_RETURN),
    (("分账",), LineKind.SPLIT),
    (("退费",), LineKind.FEE),
    (("收费", "服务费"), LineKind.FEE),
    (("提现",), LineKind.SETTLEMENT),
    (("转账",), LineKind.PAYOUT),
    (("拒付", "冻结扣款"), LineKind.DISPUTE),
)
_RETURN_MARKS: Final = ("退回", "退款", "退票")
# These are told by the bill of trades already.
_OF_TRADES: Final = ("在线支付", "交易付款", "交易退款")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One CSV file: its rows by the names of its columns, and its remark lines."""

    rows: Sequence[Mapping[str, str]]
    remarks: Sequence[str]


def make_bill(day: dt.date, archives: Mapping[str, bytes]) -> Bill:
    """Read the archives of a day by their kind; raise ProviderUncertain when they are damaged."""
    unread: list[str] = []
    lines: list[BillLine] = []
    trades: set[str] = set()
    if TRADE in archives:
        lines += _read_trades(_open_sheet(archives[TRADE]), unread)
        trades = {line.external_no for line in lines} | {line.payment_no for line in lines}
    if ACCOUNT in archives:
        lines += _read_entries(_open_sheet(archives[ACCOUNT]), unread, trades=trades - {""})
    raw = _bundle(archives)
    return Bill(
        day=day,
        lines=lines,
        unread_lines=unread[:MAX_UNREAD],
        raw=raw,
        raw_digest=hashlib.sha256(raw).hexdigest(),
    )


def _bundle(archives: Mapping[str, bytes]) -> bytes:
    """Return the archives as they came, in one whose bytes depend on them alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as bundle:
        for name in sorted(archives):
            bundle.writestr(zipfile.ZipInfo(f"{name}.zip"), archives[name])
    return buffer.getvalue()


def _open_sheet(archive: bytes) -> Sheet:
    """Return the one sheet of details in an archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive), metadata_encoding="gbk") as bundle:
            entries = [each for each in bundle.infolist() if not each.is_dir()]
            details = [
                each
                for each in entries
                if each.filename.endswith(".csv") and SUMMARY_MARK not in each.filename
            ]
            if len(entries) > MAX_ENTRIES or len(details) != 1:
                raise ProviderUncertain("bad_bill")
            with bundle.open(details[0]) as stream:
                data = stream.read(MAX_UNPACKED + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, ValueError, OSError):
        # RuntimeError: it asks for a password. NotImplementedError: an odd packing.
        raise ProviderUncertain("bad_bill") from None
    if len(data) > MAX_UNPACKED:
        raise ProviderUncertain("bill_too_large")
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        raise ProviderUncertain("bad_bill") from None
    return _read_sheet(text)


def _read_sheet(text: str) -> Sheet:
    remarks: list[str] = []

    def plain(source: str) -> Iterator[str]:
        for line in source.splitlines():
            if line.startswith("#"):
                remarks.append(line.strip())
            elif line.strip():
                yield line

    table = csv.reader(plain(text))
    names: list[str] = []
    rows: list[dict[str, str]] = []
    try:
        for cells in table:
            values = [cell.strip() for cell in cells]
            if not names:
                names = [value.replace("(", "（").replace(")", "）") for value in values]
                continue
            rows.append(dict(zip(names, values, strict=False)))
    except csv.Error:
        raise ProviderUncertain("bad_bill") from None
    return Sheet(rows=rows, remarks=remarks)


def _read_trades(sheet: Sheet, unread: list[str]) -> list[BillLine]:
    lines: list[BillLine] = []
    counts = {LineKind.PAYMENT: 0, LineKind.REFUND: 0}
    sums = {LineKind.PAYMENT: 0, LineKind.REFUND: 0}
    for row in sheet.rows:
        kind = LineKind.REFUND if "退款" in row.get("业务类型", "") else LineKind.PAYMENT
        counts[kind] += 1
        try:
            line = _read_trade(row, kind)
            sums[kind] += _read_signed(row["商家实收（元）"])
        except (ValueError, KeyError):
            unread.append(_print(row))
            continue
        lines.append(line)
    if not unread:
        _check(sheet, _TRADE_TOTAL, counts[LineKind.PAYMENT], sums[LineKind.PAYMENT])
        _check(sheet, _REFUND_TOTAL, counts[LineKind.REFUND], sums[LineKind.REFUND])
    return lines


def _read_trade(row: Mapping[str, str], kind: LineKind) -> BillLine:
    amount, fee = _read_signed(row["订单金额（元）"]), _read_signed(row.get("服务费（元）") or "0")
    payment_no = row["商户订单号"]
    is_refund = kind is LineKind.REFUND
    # A payment's fee is taken (below zero in the bill), a refund's is given back.
    fee_amount = -abs(fee) if is_refund else abs(fee)
    moment = read_time(row.get("完成时间") or row.get("创建时间"))
    if moment is None:
        raise ValueError("no time")
    return BillLine(
        kind=kind,
        own_no=row.get("退款批次号/请求号", "") if is_refund else payment_no,
        payment_no=payment_no,
        external_no=row["支付宝交易号"],
        amount=Amount(abs(amount)),
        fee_amount=Amount(fee_amount),
        happened_at=moment,
        text=_print(row),
    )


def _read_entries(sheet: Sheet, unread: list[str], *, trades: set[str]) -> list[BillLine]:
    lines: list[BillLine] = []
    unread_before = len(unread)
    counts, sums = [0, 0], [0, 0]
    for row in sheet.rows:
        try:
            income = _read_signed(row.get("收入金额（+元）") or "0")
            outgo = _read_signed(row.get("支出金额（-元）") or "0")
            line = _read_entry(row, income=income, outgo=outgo, trades=trades)
        except (ValueError, KeyError):
            unread.append(_print(row))
            continue
        side = 0 if income else 1
        counts[side] += 1
        sums[side] += income or outgo
        if line is not None:
            lines.append(line)
    if len(unread) == unread_before:
        _check(sheet, _INCOME_TOTAL, counts[0], sums[0])
        _check(sheet, _OUTGO_TOTAL, counts[1], sums[1])
    return lines


def _read_entry(
    row: Mapping[str, str], *, income: int, outgo: int, trades: set[str]
) -> BillLine | None:
    """Return what an entry tells; None for what the bill of trades told."""
    words, own_no = row["业务类型"], row.get("商户订单号", "")
    is_of_trade = bool({own_no, row.get("业务流水号", "")} & trades)
    kind = next(
        (kind for marks, kind in _ACCOUNT_KINDS if any(mark in words for mark in marks)),
        LineKind.OTHER,
    )
    if kind is LineKind.PAYOUT and income:
        # What comes in is none of ours that goes out: one that came back, or somebody's transfer.
        is_return = any(mark in words for mark in _RETURN_MARKS)
        kind = LineKind.PAYOUT_RETURN if is_return else LineKind.OTHER
    if any(mark in words for mark in _OF_TRADES) or (kind is LineKind.FEE and is_of_trade):
        return None
    moment = read_time(row.get("发生时间"))
    if moment is None:
        raise ValueError("no time")
    moved = abs(income or outgo)
    base_no = row.get("业务基础订单号") or (own_no if own_no in trades else "")
    is_fee = kind is LineKind.FEE
    return BillLine(
        kind=kind,
        own_no="" if own_no == base_no else own_no,
        payment_no=base_no,
        external_no=row.get("业务流水号") or row.get("账务流水号", ""),
        amount=ZERO if is_fee else Amount(moved),
        fee_amount=Amount((-moved if income else moved) if is_fee else 0),
        happened_at=moment,
        text=_print(row),
    )


def _check(sheet: Sheet, pattern: re.Pattern[str], count: int, total: int) -> None:
    """Refuse a sheet that is not what it says it is: it was cut on its way."""
    for remark in sheet.remarks:
        found = pattern.match(remark.replace(" ", "").replace("\t", ""))
        if found:
            try:
                told = _read_signed(found[2])
            except ValueError:
                raise ProviderUncertain("bad_bill") from None
            if int(found[1]) != count or abs(told) != abs(total):
                raise ProviderUncertain("bill_incomplete")
            return
    raise ProviderUncertain("bill_incomplete")


def _read_signed(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    return sign * parse_fen_yuan(text.lstrip("+-"))


def _print(row: Mapping[str, str]) -> str:
    return bound_text(",".join(row.values()), limit=MAX_TEXT)
