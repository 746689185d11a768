"""Bills that people export from a gateway's own pages: CSV or XLSX with columns to be guessed.

A file of the merchant's account (shares, transfers) is known by its heading: `reading_accounts`.

Promises that a line that cannot be understood is kept as such, never left out and never guessed at.
"""

import datetime as dt
import hashlib
import re

from kameng.core.tabular import PROBLEM_TEXT, Row, Table, TableUnreadable, read_table
from kameng.payments.providers.abilities import Bill, BillLine, LineKind
from kameng.pricing.money import Amount, MoneyInvalid, parse_yuan
from kameng.reconciliation import errors
from kameng.reconciliation.reading_accounts import find_columns, read_entry
from kameng.reconciliation.rules import BEIJING

OWN = "own"
NAMES: dict[str, tuple[str, ...]] = {
    OWN: (
        "商户订单号",
        "商家订单号",
        "商户单号",
        "商户退款单号",
        "支付单号",
        "out_trade_no",
        "订单号",
    ),
    "external": (
        "平台订单号",
        "系统订单号",
        "交易流水号",
        "交易号",
        "流水号",
        "transaction_id",
        "trade_no",
        "订单号",
    ),
    "amount": (
        "订单金额",
        "交易金额",
        "支付金额",
        "实付金额",
        "实收金额",
        "total_amount",
        "amount",
        "money",
        "金额",
    ),
    "fee": ("手续费", "服务费", "fee"),
    "time": (
        "支付时间",
        "完成时间",
        "交易时间",
        "付款时间",
        "endtime",
        "paid_at",
        "创建时间",
        "时间",
        "time",
    ),
    "kind": ("业务类型", "交易类型", "类型", "type"),
    "state": ("交易状态", "订单状态", "支付状态", "状态", "status"),
}
REFUND_WORDS = ("退款", "refund")
UNPAID_WORDS = ("未支付", "待支付", "未付款", "已关闭", "关闭", "失败", "unpaid", "closed", "wait")
TIMES = (
    "%Y-%m-%d %H:%M:%S",
    "%Y/%m/%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y%m%d%H%M%S",
)
NOISE = re.compile(r"[\s`¥￥元,'\t]")
NUMBER_NOISE = re.compile(r"[\s`'\t]")
SUMS_BEGIN = "总笔数"
SUMMARY_WORDS = ("合计", "总计", "汇总", "总笔数")


def read_bill_file(data: bytes, *, day: dt.date, filename: str) -> Bill:
    """Read an exported bill; raises `BillUnreadable` when it is no table of payments at all."""
    try:
        table = read_table(data, filename=filename)
    except TableUnreadable as fault:
        raise errors.BillUnreadable(why=fault.problem.text(PROBLEM_TEXT)) from None
    account = find_columns(table.header)
    columns = account or guess_columns(table)
    if account is None and ("amount" not in columns or not {OWN, "external"} & set(columns)):
        raise errors.BillWithoutColumns
    lines: list[BillLine] = []
    unread: list[str] = []
    for row in table.rows:
        if row.line_no <= table.header_line_no or not any(row.cells):
            continue
        text = ",".join(row.cells)[:1000]
        if any(text.lstrip("#`").startswith(word) for word in SUMMARY_WORDS):
            continue
        if account is not None and text.startswith("#"):
            continue
        if account is not None and SUMS_BEGIN in row.cells[0]:
            break  # from here on the file sums itself up under a heading of its own
        read = _read if account is None else _read_account
        line = read(row, columns, day=day, text=text)
        if line is None:
            unread.append(text)
        elif line is not _SKIPPED:
            lines.append(line)
    return Bill(
        day=day,
        lines=lines,
        unread_lines=unread,
        raw=data,
        raw_digest=hashlib.sha256(data).hexdigest(),
        is_account=account is not None,
    )


def guess_columns(table: Table) -> dict[str, int]:
    """Return which column holds what, by the words of the heading; each column once."""
    heads = [NOISE.sub("", head).lower() for head in table.header]
    found: dict[str, int] = {}
    for is_exact in (True, False):
        for field, names in NAMES.items():
            for name in names:
                if field in found:
                    break
                for number, head in enumerate(heads):
                    fits = head == name if is_exact else name in head
                    if fits and number not in found.values():
                        found[field] = number
                        break
    return found


_SKIPPED = BillLine(
    kind=LineKind.OTHER,
    own_no="",
    payment_no="",
    external_no="",
    amount=Amount(0),
    fee_amount=Amount(0),
    happened_at=dt.datetime(2000, 1, 1, tzinfo=dt.UTC),
    text="",
)


def _read(row: Row, columns: dict[str, int], *, day: dt.date, text: str) -> BillLine | None:
    """Return the line, `_SKIPPED` for an attempt that nobody paid, None for what is not clear."""

    def cell(field: str) -> str:
        number = columns.get(field)
        return row.cells[number] if number is not None and number < len(row.cells) else ""

    state = cell("state").lower()
    if any(word in state for word in UNPAID_WORDS):
        return _SKIPPED
    try:
        amount = _amount(cell("amount"))
        fee = _amount(cell("fee")) if cell("fee") else 0
    except MoneyInvalid:
        return None
    own_no, external_no = (NUMBER_NOISE.sub("", cell(field)) for field in (OWN, "external"))
    when = _moment(cell("time"), day=day)
    if when is None or amount == 0 or not (own_no or external_no):
        return None
    # The state of a payment that went back says so too; the money came all the same.
    is_refund = amount < 0 or any(word in cell("kind").lower() for word in REFUND_WORDS)
    return BillLine(
        kind=LineKind.REFUND if is_refund else LineKind.PAYMENT,
        own_no=own_no,
        payment_no="" if is_refund else own_no,
        external_no=external_no,
        amount=Amount(abs(amount)),
        fee_amount=Amount(fee),
        happened_at=when,
        text=text,
    )


def _read_account(row: Row, columns: dict[str, int], *, day: dt.date, text: str) -> BillLine | None:
    """Return the line of an account's file; `_SKIPPED` for what the bill of trades tells."""
    entry = read_entry(row, columns)
    if entry is None:
        return _SKIPPED
    try:
        amount = abs(_amount(entry.amount))
    except MoneyInvalid:
        return None
    when = _moment(entry.time, day=day)
    if when is None or amount == 0 or not (entry.own_no or entry.external_no):
        return None
    return BillLine(
        kind=entry.kind,
        own_no=NUMBER_NOISE.sub("", entry.own_no),
        payment_no=NUMBER_NOISE.sub("", entry.base_no),
        external_no=NUMBER_NOISE.sub("", entry.external_no),
        amount=Amount(amount),
        fee_amount=Amount(0),
        happened_at=when,
        text=text,
    )


def _amount(text: str) -> int:
    clean = NOISE.sub("", text)
    sign = -1 if clean.startswith("-") else 1
    return sign * parse_yuan(clean.lstrip("+-"))


def _moment(text: str, *, day: dt.date) -> dt.datetime | None:
    """Return a Beijing time; without one, noon of the day. None for what is no time."""
    clean = text.strip(" `\t'")
    if not clean:
        return dt.datetime.combine(day, dt.time(12), tzinfo=BEIJING)
    for form in TIMES:
        try:
            return dt.datetime.strptime(clean, form).replace(tzinfo=BEIJING)
        except ValueError:
            continue
    return None
