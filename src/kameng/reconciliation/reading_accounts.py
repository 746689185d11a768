"""Files of a merchant's account that people export: WeChat's fund and share bills, Alipay's ledger.

They tell what a bill of trades does not: shares, their returns, transfers, withdrawals. Payments,
refunds and their fees stand in them too and are left to the bill of trades, as when bills are
fetched. Pure. Promises that a row is taken for a share or a payout only when its words and the way
its money went agree; else it is kept as something else.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from kameng.core.tabular import Row
from kameng.payments.providers.abilities import LineKind

NOISE: Final = re.compile(r"[\s`¥￥,'\t（）()]")
# What a column may be called, in order of preference; the heading without brackets and blanks.
NAMES: Final[dict[str, tuple[str, ...]]] = {
    "own": (
        *("商户分账/回退单号", "商户分账单号", "商户回退单号"),
        *("业务凭证号", "商户订单号", "商户单号"),
    ),
    "external": (
        *("微信分账/回退单号", "微信分账单号", "微信回退单号"),
        *("微信支付业务单号", "业务流水号", "账务流水号"),
    ),
    "base": ("业务基础订单号",),
    "shared": ("分账金额元", "分账金额"),
    "moved": ("收支金额元", "收支金额"),
    "income": ("收入金额+元", "收入金额元", "收入金额"),
    "outgo": ("支出金额-元", "支出金额元", "支出金额"),
    "side": ("收支类型",),
    "kind": ("业务类型",),
    "what": ("业务名称",),
    "time": ("记账时间", "分账时间", "发生时间", "入账时间"),
    "state": ("处理状态",),
}
IN, OUT = 1, -1
# By words of its business, the first that fits: what it is, and which way its money must have gone.
KINDS: Final[tuple[tuple[tuple[str, ...], LineKind, int], ...]] = (
    (("分账回退", "退分账", "分账退回", "分账退款"), LineKind.SPLIT_RETURN, IN),
    (("分账",), LineKind.SPLIT, OUT),
    (("提现",), LineKind.SETTLEMENT, OUT),
    (("转账退", "付款退", "退票"), LineKind.PAYOUT_RETURN, IN),
    (("转账", "企业付款", "付款到零钱"), LineKind.PAYOUT, OUT),
    (("拒付", "冻结扣款"), LineKind.DISPUTE, OUT),
)
OF_TRADES: Final = (*("交易", "退款", "在线支付", "手续费", "收费", "服务费", "退费"),)
SIDES: Final = {"收入": IN, "支出": OUT}
DONE_WORDS: Final = ("成功", "完成")
SHARE_WORDS: Final = {"分账": OUT, "分账回退": IN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row as it stands: its kind, its numbers, the text of its amount and time."""

    kind: LineKind
    own_no: str
    base_no: str
    external_no: str
    amount: str
    time: str


def find_columns(header: Sequence[str]) -> dict[str, int] | None:
    """Return which column of an account's file holds what; None when it is none."""
    heads = {NOISE.sub("", head): number for number, head in reversed(list(enumerate(header)))}
    found: dict[str, int] = {}
    for field, names in NAMES.items():
        number = next((heads[name] for name in names if name in heads), None)
        if number is not None:
            found[field] = number
    is_named = "kind" in found and {"own", "external"} & found.keys()
    moves = "shared" in found or {"moved", "side"} <= found.keys()
    return found if is_named and (moves or {"income", "outgo"} <= found.keys()) else None


def read_entry(row: Row, columns: dict[str, int]) -> Entry | None:
    """Return what a row tells; None for what a bill of trades tells, or what has not happened."""

    def cell(field: str) -> str:
        number = columns.get(field)
        text = row.cells[number] if number is not None and number < len(row.cells) else ""
        return text.strip(" `'\t")

    words = f"{cell('kind')} {cell('what')}".strip()
    state = cell("state")
    if state and not any(word in state for word in DONE_WORDS):
        return None
    amount, way = _moved(cell, words)
    kind = kind_of(words, way=way)
    if kind is None:
        return None
    own_no, base_no = cell("own"), cell("base")
    return Entry(
        kind=kind,
        own_no="" if own_no == base_no or not own_no.isascii() else own_no,
        base_no=base_no,
        external_no=cell("external"),
        amount=amount,
        time=cell("time"),
    )


def _moved(cell: Callable[[str], str], words: str) -> tuple[str, int]:
    """Return the text of what moved, and whether it came in or went out; 0 is unknown."""
    if shared := cell("shared"):
        return shared, next((way for word, way in SHARE_WORDS.items() if words == word), 0)
    if moved := cell("moved"):
        return moved, SIDES.get(cell("side"), 0)
    income, outgo = cell("income"), cell("outgo")
    if _is_naught(income):
        return outgo, OUT
    return income, IN if _is_naught(outgo) else 0


def _is_naught(text: str) -> bool:
    return not text.strip("+-0. ")


def kind_of(words: str, *, way: int) -> LineKind | None:
    """Return what a row is by its words; None for what the bill of trades tells."""
    for marks, kind, must in KINDS:
        if any(mark in words for mark in marks):
            return kind if way == must else LineKind.OTHER
    if any(mark in words for mark in OF_TRADES):
        return None
    return LineKind.OTHER
