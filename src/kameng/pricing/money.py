"""Amounts of money as integers: one unit is a ten-thousandth of a yuan.

Owns parsing, printing, rounding and splitting; nothing else in the program turns text into money
or money into text. Promises that no float and no decimal takes part, that a split adds up to the
whole, and that an amount outside the bounds is refused instead of carried on.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NewType

Amount = NewType("Amount", int)
"""A sum of money in units of 1/10000 yuan."""

SCALE: Final = 10_000
"""Units in one yuan."""
FEN: Final = 100
"""Units in one fen, the smallest sum that a buyer can pay."""
BPS: Final = 10_000
"""Basis points in the whole: 10000 bps = 100 %."""
MAX_AMOUNT: Final = Amount(10**13)
"""The largest magnitude of one amount: a thousand million yuan."""
MAX_RATE_BPS: Final = 1_000_000
"""The largest rate: a hundredfold."""
ZERO: Final = Amount(0)

_YUAN = re.compile(r"([0-9]{1,10})(?:\.([0-9]{1,4}))?")


class MoneyInvalid(ValueError):
    """A text or number that is no amount; `code` says why: format, precision, range or split."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Rounding(StrEnum):
    """Which way a part of a unit goes; for sums below zero the magnitude is what is rounded."""

    DOWN = "down"
    HALF_UP = "half_up"
    UP = "up"


def check_amount(value: int) -> Amount:
    """Return the integer as an amount that is not below zero; raise MoneyInvalid otherwise."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise MoneyInvalid("money_format")
    if not 0 <= value <= MAX_AMOUNT:
        raise MoneyInvalid("money_range")
    return Amount(value)


def check_signed(value: int) -> Amount:
    """Return the integer as an amount of either sign; raise MoneyInvalid beyond the bounds."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise MoneyInvalid("money_format")
    if abs(value) > MAX_AMOUNT:
        raise MoneyInvalid("money_range")
    return Amount(value)


def parse_yuan(text: str) -> Amount:
    """Read yuan with at most four decimals, ASCII digits only; raise MoneyInvalid otherwise.

    A sign, a space, an exponent, a thousands separator and full-width digits are all refused:
    the edge that wants to be kind to people cleans the text first and says so.
    """
    return _parse(text, decimal_count=4)


def parse_fen_yuan(text: str) -> Amount:
    """Read yuan with at most two decimals, as gateways write them; raise MoneyInvalid otherwise."""
    return _parse(text, decimal_count=2)


def format_yuan(amount: Amount) -> str:
    """Print yuan with two decimals, or with four when a part below one fen exists."""
    sign = "-" if amount < 0 else ""
    yuan, rest = divmod(abs(amount), SCALE)
    if rest % FEN:
        return f"{sign}{yuan}.{rest:04d}"
    return f"{sign}{yuan}.{rest // FEN:02d}"


def to_fen(amount: Amount) -> int:
    """Return whole fen; raise MoneyInvalid when a part below one fen would be lost."""
    fen, rest = divmod(amount, FEN)
    if rest:
        raise MoneyInvalid("money_precision")
    return fen


def from_fen(fen: int) -> Amount:
    """Return the amount of so many fen; raise MoneyInvalid beyond the bounds."""
    return check_signed(fen * FEN)


def round_to_fen(amount: Amount, *, rounding: Rounding = Rounding.HALF_UP) -> Amount:
    """Round to whole fen: the one place where what a buyer pays loses its part below a fen."""
    return check_signed(divide(amount, by=FEN, rounding=rounding) * FEN)


def apply_bps(amount: Amount, *, rate_bps: int, rounding: Rounding) -> Amount:
    """Return the given basis points of an amount, rounded to one unit; raise beyond the bounds."""
    if not 0 <= rate_bps <= MAX_RATE_BPS:
        raise MoneyInvalid("rate_range")
    return check_signed(divide(amount * rate_bps, by=BPS, rounding=rounding))


def multiply(amount: Amount, *, quantity: int) -> Amount:
    """Return the amount of so many pieces; raise MoneyInvalid below one or beyond the bounds."""
    if isinstance(quantity, bool) or not isinstance(quantity, int) or quantity < 1:
        raise MoneyInvalid("quantity_range")
    return check_signed(amount * quantity)


def split(total: Amount, *, weights: Sequence[int]) -> list[Amount]:
    """Split a total by weights so that the parts add up to it exactly.

    Units left over go to the largest remainders, the earlier part first when they are equal, so
    the same input always gives the same parts. Raise MoneyInvalid when no weight is above zero.
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise MoneyInvalid("split_weights")
    magnitude = abs(check_signed(total))
    sign = -1 if total < 0 else 1
    shares = [divmod(magnitude * weight, whole) for weight in weights]
    parts = [share for share, _ in shares]
    left_over = magnitude - sum(parts)
    by_remainder = sorted(range(len(shares)), key=lambda index: (-shares[index][1], index))
    for index in by_remainder[:left_over]:
        parts[index] += 1
    return [Amount(sign * part) for part in parts]


def divide(dividend: int, *, by: int, rounding: Rounding) -> int:
    """Divide by a positive integer and round the magnitude of the result as named."""
    quotient, rest = divmod(abs(dividend), by)
    if (rounding is Rounding.UP and rest) or (rounding is Rounding.HALF_UP and 2 * rest >= by):
        quotient += 1
    return -quotient if dividend < 0 else quotient


def _parse(text: str, *, decimal_count: int) -> Amount:
    match = _YUAN.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise MoneyInvalid("money_format")
    yuan, decimals = match[1], match[2] or ""
    if len(decimals) > decimal_count:
        raise MoneyInvalid("money_precision")
    return check_amount(int(yuan) * SCALE + int(decimals.ljust(4, "0")))
