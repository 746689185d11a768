"""UnionPay's reconciliation files: a zip, deflated, in base64, with one record a line.

Pure. A settlement day runs from 23:00 of the day before to 23:00 in Beijing, so that a bill holds
payments of two calendar days. Promises to unpack nothing larger than its bounds, and to keep and
show what it cannot read. Layout: 全渠道平台接入接口规范 part 3, 6.1 (ZM: the day's transactions)
and 6.2 (ZME: its corrections after disputes); GBK, fields of fixed width, one space between.
"""

import base64
import binascii
import datetime as dt
import hashlib
import io
import re
import zipfile
import zlib
from typing import Final

from kameng.payments.providers.abilities import Bill, BillLine, LineKind
from kameng.payments.providers.decoding import bound_text
from kameng.payments.providers.port import ProviderUncertain
from kameng.payments.providers.unionpay.wire import BEIJING, CANCEL, PAY, REFUND
from kameng.pricing.money import Amount, from_fen

MAX_ZIP_BYTES: Final = 32 * 1024 * 1024
MAX_TEXT_BYTES: Final = 128 * 1024 * 1024
MAX_FILES: Final = 50

ZM_WIDTHS: Final = (
    *(3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2, 6),
    *(2, 4, 32, 1, 21, 15, 1, 15, 32, 13, 13, 8, 32, 13, 13, 12, 2, 1, 32),
)
ZME_WIDTHS: Final = (3, 11, 11, 6, 10, 19, 12, 4, 2, 2, 6, 10, 4, 12, 13, 13)
# Places in a record, counted from zero.
_MOVED_AT, _AMOUNT, _QUERY_ID, _ORDER_ID = 4, 6, 9, 11
_FEE, _TYPE, _OWN_PAYMENT = 15, 19, 40
_NET = 15  # of a correction: C is credited to the merchant, D is debited
_NAME = re.compile(r"INN\d{8}(ZME?)_")
_KINDS = {PAY: LineKind.PAYMENT, REFUND: LineKind.REFUND, CANCEL: LineKind.REFUND}


def read_bill(day: dt.date, content: str) -> Bill:
    """Read what `fileContent` holds; raise ProviderUncertain when it is no such file."""
    try:
        packed = zlib.decompressobj()
        raw = packed.decompress(base64.b64decode(content, validate=True), MAX_ZIP_BYTES)
        if packed.unconsumed_tail:
            raise ProviderUncertain("bill_too_large")
        texts = _unzip(raw)
    except (binascii.Error, zlib.error, zipfile.BadZipFile, ValueError, NotImplementedError):
        raise ProviderUncertain("bad_bill") from None
    lines: list[BillLine] = []
    unread: list[str] = []
    for kind, text in texts:
        for row in text.splitlines():
            if row.strip():
                try:
                    lines.append((_read_line if kind == "ZM" else _read_correction)(row, day))
                except (ValueError, IndexError, UnicodeDecodeError):
                    unread.append(bound_text(row.decode("gbk", errors="replace"), limit=400))
    return Bill(
        day=day,
        lines=lines,
        unread_lines=unread,
        raw=raw,
        raw_digest=hashlib.sha256(raw).hexdigest(),
    )


def make_empty_bill(day: dt.date) -> Bill:
    """Return the bill of a day on which nothing happened."""
    digest = hashlib.sha256(b"").hexdigest()
    return Bill(day=day, lines=(), unread_lines=(), raw=b"", raw_digest=digest)


def _unzip(raw: bytes) -> list[tuple[str, bytes]]:
    """Return the transaction files, each with its kind (ZM or ZME)."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        found = [(_NAME.search(each.filename), each) for each in archive.infolist()]
        wanted = [(match[1], each) for match, each in found if match]
        size = sum(each.file_size for _kind, each in wanted)
        if len(found) > MAX_FILES or size > MAX_TEXT_BYTES:
            raise ProviderUncertain("bill_too_large")
        # A member cannot give more than it announced: zipfile stops there and checks its sum.
        return [(kind, archive.read(each)) for kind, each in wanted]


def cut_record(row: bytes, widths: tuple[int, ...]) -> list[str]:
    """Cut a record into its fields, by bytes of GBK; raise ValueError when it is none.

    Blanks that were cut off at its end are put back.
    """
    fields: list[str] = []
    start = 0
    row = row.ljust(sum(widths) + len(widths))
    for width in widths:
        part = row[start : start + width]
        if row[start + width : start + width + 1] != b" ":
            raise ValueError("no record")
        fields.append(part.decode("gbk").strip())
        start += width + 1
    return fields


def _read_line(row: bytes, day: dt.date) -> BillLine:
    fields = cut_record(row, ZM_WIDTHS)
    kind = _KINDS.get(fields[_TYPE], LineKind.OTHER)
    own_no = fields[_ORDER_ID]
    return BillLine(
        kind=kind,
        own_no=own_no,
        payment_no=own_no if kind is LineKind.PAYMENT else fields[_OWN_PAYMENT],
        external_no=fields[_QUERY_ID],
        amount=from_fen(int(fields[_AMOUNT])),
        fee_amount=_read_fee(fields[_FEE]),
        happened_at=_read_moment(fields[_MOVED_AT], day),
        text=_show(row),
    )


def _read_correction(row: bytes, day: dt.date) -> BillLine:
    """Read a correction (差错): what it moves, in or out. A person looks at each.

    It names the payment by card and trace number only, so none of ours: its own words stand in the
    text. What moved is the net sum, the fee in it.
    """
    net = cut_record(row, ZME_WIDTHS)
    side, fen = net[_NET][:1], int(net[_NET][1:])
    if side not in {"C", "D"} or fen <= 0:
        raise ValueError("no net sum")
    return BillLine(
        kind=LineKind.CORRECTION_IN if side == "C" else LineKind.CORRECTION_OUT,
        own_no="",
        payment_no="",
        external_no="",
        amount=from_fen(fen),
        fee_amount=Amount(0),
        happened_at=_read_moment(net[_MOVED_AT], day),
        text=_show(row),
    )


def _read_fee(text: str) -> Amount:
    """Read D000000000012 (kept by UnionPay) or C000000000012 (given back)."""
    if not text:
        return Amount(0)
    if text[0] not in "DC":
        raise ValueError("no fee")
    fen = int(text[1:])
    return from_fen(fen if text[0] == "D" else -fen)


def _read_moment(text: str, day: dt.date) -> dt.datetime:
    """Read MMDDhhmmss; the year is the one that lies nearest to the bill's day."""
    moments = [
        dt.datetime.strptime(f"{year}{text}", "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
        for year in (day.year - 1, day.year, day.year + 1)
        if text[:4] != "0229" or _is_leap(year)
    ]
    return min(moments, key=lambda each: abs(each.date() - day)).astimezone(dt.UTC)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _show(row: bytes) -> str:
    return bound_text(row.decode("gbk", errors="replace"), limit=800)
