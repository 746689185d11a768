"""What people write into cells, understood: money, stock and ways of delivery.

Owns the cleaning that a kind reader does before the strict `parse_yuan`, and the words for stock
and delivery. Promises a value or a problem that names the cell's text, never an exception.
"""

import re
import unicodedata
from enum import StrEnum
from typing import Final

from kameng.core.problems import Problem
from kameng.pricing.money import Amount, MoneyInvalid, parse_yuan

MAX_STOCK: Final = 1_000_000_000
_SHOWN_CHARS: Final = 40

_CURRENCY: Final = re.compile(r"人民币|rmb|cny|[¥$]|元整?|块钱?|圆", re.IGNORECASE)
_PER_PIECE: Final = re.compile(r"[/每](张|个|件|份|条|次|月|年|卡|套|枚|点|单)$")
_THOUSANDS: Final = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_RANGE: Final = re.compile(r"[\d.]+[-~到至][\d.]+")
_TOO_FINE: Final = re.compile(r"\d+\.\d{5,}", re.ASCII)
_TOO_LONG: Final = re.compile(r"\d{11,}(\.\d*)?", re.ASCII)
_ON_REQUEST: Final = re.compile(r"面议|议价|电议|待定|询价|咨询|联系|私聊|问客服|另议|时价|浮动")
_NO_VALUE: Final = frozenset(
    ("", "-", "--", "/", "\\", "无", "空", "暂无", "n/a", "null", "none", "#n/a")
)
_COUNT: Final = re.compile(r"([+-]?\d+)(?:\.0*)?(?:张|个|件|份|条|次|套|枚|组|库存)?(?:\+|以上)?")
_PLENTY: Final = frozenset(
    ("充足", "不限", "无限", "有货", "现货", "长期有货", "大量", "很多", "不限量", "足", "有", "∞")
)
_NONE_LEFT: Final = frozenset(
    ("缺货", "无货", "售罄", "断货", "没货", "没有", "卖完", "卖完了", "暂缺", "补货中")
)


class DeliveryWord(StrEnum):
    """How a list of goods says that an article reaches the buyer."""

    AUTOMATIC = "automatic"
    TOP_UP = "top_up"
    MANUAL = "manual"


# In this order: "人工代充" is done by a person, "直充卡密" is filled up, "自动充值" too.
_DELIVERY: Final = (
    (
        re.compile(r"人工|手工|手动|代练|代打|代挂|代办|客服|线下|manual", re.IGNORECASE),
        DeliveryWord.MANUAL,
    ),
    (
        re.compile(r"直充|直冲|代充|代冲|充值|快充|慢充|充到|top.?up", re.IGNORECASE),
        DeliveryWord.TOP_UP,
    ),
    (
        re.compile(
            r"卡密|自动|秒发|卡券|激活码|兑换码|卡号|点卡|auto|card|code|key", re.IGNORECASE
        ),
        DeliveryWord.AUTOMATIC,
    ),
)


def read_money(cell: str) -> tuple[Amount | None, Problem | None]:
    """Read an amount in yuan; neither an amount nor a problem means that the cell is empty."""
    shown = cell[:_SHOWN_CHARS]
    text = _bare(cell)
    if text in _NO_VALUE:
        return None, None
    if _ON_REQUEST.search(text):
        return None, Problem(code="price_on_request", params={"text": shown})
    text = _PER_PIECE.sub("", _CURRENCY.sub("", text)).removeprefix("约").removeprefix("+")
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    if text.startswith("-") and text[1:2].isdecimal():
        return None, Problem(code="money_negative", params={"text": shown})
    if _RANGE.fullmatch(text):
        return None, Problem(code="money_is_a_range", params={"text": shown})
    try:
        return parse_yuan(_plain_decimals(text)), None
    except MoneyInvalid as invalid:
        if _TOO_FINE.fullmatch(text):
            code = "money_precision"
        elif invalid.code == "money_range" or _TOO_LONG.fullmatch(text):
            code = "money_range"
        else:
            code = "money_unclear"
        return None, Problem(code=code, params={"text": shown})


def read_stock(cell: str) -> tuple[int | None, bool, Problem | None]:
    """Read a number of pieces, whether there is no end of them, and what is odd about it."""
    text = _bare(cell).replace(",", "")
    if text in _PLENTY:
        return None, True, None
    if text in _NONE_LEFT:
        return 0, False, None
    if text in _NO_VALUE:
        return None, False, None
    match = _COUNT.fullmatch(text)
    count = int(match[1]) if match and len(match[1]) <= 12 else -1
    if 0 <= count <= MAX_STOCK:
        return count, False, None
    return None, False, Problem(code="stock_unclear", params={"text": cell[:_SHOWN_CHARS]})


def read_delivery(cell: str) -> tuple[DeliveryWord | None, Problem | None]:
    """Read the way of delivery from its usual words."""
    text = _bare(cell)
    if text in _NO_VALUE:
        return None, None
    for pattern, word in _DELIVERY:
        if pattern.search(text):
            return word, None
    return None, Problem(code="delivery_unclear", params={"text": cell[:_SHOWN_CHARS]})


def _bare(cell: str) -> str:
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", cell)).lower()


def _plain_decimals(text: str) -> str:
    """Drop the zeros that a spreadsheet adds, and complete ".5" and "5."."""
    whole, dot, decimals = text.partition(".")
    if not dot or not text.isascii() or not (whole + decimals).isdecimal():
        return text
    decimals = decimals.rstrip("0")
    return f"{whole or '0'}.{decimals}" if decimals else (whole or "0")
