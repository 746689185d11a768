"""WeChat Pay's trade bill and fund bill of a day. Pure.

Every value stands behind a backtick, the last row sums up. Promises that a bill whose digest or
whose sums do not fit is not believed at all, and that a row which cannot be read is kept and shown.
"""

import datetime as dt
import hashlib
import hmac
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from kameng.payments.providers.abilities import BillLine, LineKind
from kameng.payments.providers.decoding import is_number
from kameng.payments.providers.port import ProviderUncertain
from kameng.payments.providers.wechat.config import Config
from kameng.payments.providers.wechat.wire import BEIJING, Answer, is_same_host
from kameng.pricing.money import SCALE, ZERO, Amount, Rounding, check_signed, divide

MAX_BYTES: Final = 96 * 1024 * 1024
TEXT_LIMIT: Final = 500
TRADE_SUMMARY: Final = "总交易单数"
FUND_SUMMARY: Final = "资金流水总笔数"

_MONEY = re.compile(r"(-?)([0-9]{1,10})(?:\.([0-9]{1,8}))?", re.ASCII)
_TIME = "%Y-%m-%d %H:%M:%S"
# These stand in the trade bill, with their fees.
_TOLD_BY_TRADES = frozenset({"交易", "退款", "扣除交易手续费", "退还交易手续费"})
_FUND_KINDS = {
    "分账": LineKind.SPLIT,
    "分账回退": LineKind.SPLIT_RETURN,
    "提现": LineKind.SETTLEMENT,
    "转账": LineKind.PAYOUT,
    "商家转账": LineKind.PAYOUT,
    "企业付款": LineKind.PAYOUT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BillPlace:
    """Where a bill lies, and the digest that its plain bytes must have."""

    url: str
    hash_value: str


def bill_target(kind: str, day: dt.date) -> str:
    """Return path and query that ask where the bill of a day lies; `kind`: trade or fundflow."""
    more = "bill_type=ALL" if kind == "trade" else "account_type=BASIC"
    return f"/v3/bill/{kind}bill?bill_date={day.isoformat()}&{more}&tar_type=GZIP"


def read_place(config: Config, answer: Answer) -> BillPlace | None:
    """Return where the bill lies; None for a day without anything.

    Raise ProviderRefused, or ProviderUncertain for an address that is not the platform's.
    """
    if answer.code == "NO_STATEMENT_EXIST":
        return None
    if answer.code:
        raise answer.refuse()
    url, hash_type = str(answer.data.get("download_url", "")), answer.data.get("hash_type")
    if hash_type != "SHA1" or not _is_platforms(url, config.gateway_url):
        raise ProviderUncertain("bad_bill_address")
    return BillPlace(url=url, hash_value=str(answer.data.get("hash_value", "")))


def _is_platforms(url: str, base: str) -> bool:
    if is_same_host(url, base):
        return True
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "https" and host.endswith(".mch.weixin.qq.com")


def unpack(body: bytes, place: BillPlace) -> bytes:
    """Return the bill's plain bytes, unpacked and checked; raise ProviderUncertain."""
    plain = body
    if body[:2] == b"\x1f\x8b":
        unpacker = zlib.decompressobj(wbits=31)
        try:
            plain = unpacker.decompress(body, MAX_BYTES)
        except zlib.error:
            raise ProviderUncertain("bad_bill") from None
        if not unpacker.eof:
            raise ProviderUncertain("bad_bill")
    digest = hashlib.sha1(plain, usedforsecurity=False).hexdigest()
    if not hmac.compare_digest(
        digest, place.hash_value.lower().encode("ascii", "replace").decode()
    ):
        raise ProviderUncertain("bad_bill_digest")
    return plain


@dataclass(slots=True)
class _Table:
    """The rows of a bill by column, the rows that do not fit, and the sums at its end."""

    rows: list[tuple[dict[str, str], str]]
    unread: list[str]
    sums: dict[str, str]


def read_trades(plain: bytes) -> tuple[list[BillLine], list[str]]:
    """Return the lines of a trade bill and the rows that could not be read.

    Raise ProviderUncertain when the sums at its end do not fit the lines.
    """
    table = _read_table(plain, summary=TRADE_SUMMARY)
    lines: list[BillLine] = []
    for row, text in table.rows:
        try:
            lines.append(_read_trade(row, text))
        except (ValueError, KeyError):
            table.unread.append(text)
    _compare(len(lines) + len(table.unread), table.sums, TRADE_SUMMARY)
    if not table.unread:
        paid = sum(line.amount for line in lines if line.kind is LineKind.PAYMENT)
        back = sum(line.amount for line in lines if line.kind is LineKind.REFUND)
        fees = sum(line.fee_amount for line in lines)
        _compare_money(paid, table.sums, "订单总金额")
        _compare_money(back, table.sums, "申请退款总金额")
        _compare_money(fees, table.sums, "手续费总金额")
    return lines, table.unread


def _read_trade(row: Mapping[str, str], text: str) -> BillLine:
    is_refund = row["交易状态"] in {"REFUND", "REVOKED"}
    if not is_refund and row["交易状态"] != "SUCCESS":
        raise ValueError("state")
    amount = _read_money(row["申请退款金额" if is_refund else "订单金额"])
    own_no = row["商户退款单号" if is_refund else "商户订单号"]
    if amount < 0 or not is_number(row["商户订单号"]) or not is_number(own_no):
        raise ValueError("row")
    return BillLine(
        kind=LineKind.REFUND if is_refund else LineKind.PAYMENT,
        own_no=own_no,
        payment_no=row["商户订单号"],
        external_no=row["微信退款单号" if is_refund else "微信订单号"],
        amount=amount,
        fee_amount=_read_money(row["手续费"]),
        happened_at=_read_time(row["交易时间"]),
        text=text[:TEXT_LIMIT],
    )


def read_funds(plain: bytes) -> tuple[list[BillLine], list[str]]:
    """Return what a fund bill tells beyond payments, refunds and their fees; see `read_trades`."""
    table = _read_table(plain, summary=FUND_SUMMARY)
    lines: list[BillLine] = []
    count, totals = 0, {"收入": 0, "支出": 0}
    for row, text in table.rows:
        try:
            line, way = _read_fund(row, text), row["收支类型"]
            totals[way] += line.amount
        except (ValueError, KeyError):
            table.unread.append(text)
            continue
        count += 1
        if row["业务类型"] not in _TOLD_BY_TRADES:
            lines.append(line)
    _compare(count + len(table.unread), table.sums, FUND_SUMMARY)
    if not table.unread:
        _compare_money(totals["收入"], table.sums, "收入金额")
        _compare_money(totals["支出"], table.sums, "支出金额")
    return lines, table.unread


def _read_fund(row: Mapping[str, str], text: str) -> BillLine:
    column = "收支金额（元）" if "收支金额（元）" in row else "收支金额(元)"
    amount, own_no = _read_money(row[column]), row["业务凭证号"]
    if amount < 0:
        raise ValueError("amount")
    kind = _FUND_KINDS.get(row["业务类型"]) or _FUND_KINDS.get(row["业务名称"], LineKind.OTHER)
    if (
        kind is LineKind.PAYOUT and row["收支类型"] == "收入"
    ):  # it went out and came back, or neither
        is_return = "退" in row["业务类型"] + row["业务名称"]
        kind = LineKind.PAYOUT_RETURN if is_return else LineKind.OTHER
    return BillLine(
        kind=kind,
        own_no=own_no if is_number(own_no) else "",
        payment_no="",
        external_no=row["微信支付业务单号"],
        amount=amount,
        fee_amount=ZERO,
        happened_at=_read_time(row["记账时间"]),
        text=text[:TEXT_LIMIT],
    )


def _read_table(plain: bytes, *, summary: str) -> _Table:
    try:
        rows = _split_rows(plain.decode("utf-8-sig"))
        names, _first = next(rows)
    except (UnicodeDecodeError, StopIteration):
        raise ProviderUncertain("bad_bill") from None
    if len(set(names)) != len(names):
        raise ProviderUncertain("bad_bill")
    table = _Table(rows=[], unread=[], sums={})
    for values, text in rows:
        if values[0] == summary:
            sums = next(rows, ([], ""))[0]
            if len(sums) != len(values):
                break
            table.sums = dict(zip(values, sums, strict=True))
            return table
        if len(values) == len(names):
            table.rows.append((dict(zip(names, values, strict=True)), text))
        else:
            table.unread.append(text[:TEXT_LIMIT])
    raise ProviderUncertain("bad_bill")  # cut off: the sums are its last row


def _split_rows(text: str) -> Iterator[tuple[list[str], str]]:
    for line in text.splitlines():
        if not line.strip():
            continue
        # A name of goods may hold a comma; a value begins behind comma and backtick.
        is_marked = line.startswith("`")
        values = line.removeprefix("`").split(",`" if is_marked else ",")
        yield [value.strip() for value in values], line


def _compare(count: int, sums: Mapping[str, str], name: str) -> None:
    if sums.get(name) != str(count):
        raise ProviderUncertain("bad_bill_count")


def _compare_money(total: int, sums: Mapping[str, str], name: str) -> None:
    try:
        said = _read_money(sums.get(name, ""))
    except ValueError:
        raise ProviderUncertain("bad_bill") from None
    if said != total:
        raise ProviderUncertain("bad_bill_sum")


def _read_money(text: str) -> Amount:
    match = _MONEY.fullmatch(text)
    if match is None:
        raise ValueError("money")
    decimals = (match[3] or "").ljust(8, "0")
    # Fees stand with five decimals; the parts below our unit are nought but for rates.
    units = int(match[2]) * SCALE + divide(int(decimals), by=10_000, rounding=Rounding.HALF_UP)
    return check_signed(-units if match[1] else units)


def _read_time(text: str) -> dt.datetime:
    return dt.datetime.strptime(text, _TIME).replace(tzinfo=BEIJING).astimezone(dt.UTC)
