"""Our yuan and the account's currency: whole smallest units, by a rate that is an integer.

Pure. The rate is what one unit of the currency is worth in 1/10000 yuan. Promises that the shop
never asks for less than its price (upwards to the smallest unit), and that what was asked comes
back as the very amount it was asked for, because both travel with the payment.
"""

from dataclasses import dataclass
from typing import Final

from kameng.pricing.money import SCALE, Amount

# Smallest units in one unit of a currency.
MINOR_UNITS: Final = {
    "cny": 100,
    "usd": 100,
    "eur": 100,
    "gbp": 100,
    "hkd": 100,
    "sgd": 100,
    "aud": 100,
    "cad": 100,
    "nzd": 100,
    "chf": 100,
    "myr": 100,
    "thb": 100,
    "jpy": 1,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A payment in both currencies, as it was asked for."""

    amount: Amount
    minor: int
    currency: str
    rate: int


def make_price(amount: Amount, *, currency: str, rate: int) -> Price:
    """Return what is asked for an amount: upwards to the smallest unit."""
    minor = -(-amount * MINOR_UNITS[currency] // rate)
    return Price(amount=amount, minor=minor, currency=currency, rate=rate)


def is_consistent(price: Price) -> bool:
    """Tell whether a price that came back is one that we could have asked."""
    if price.currency not in MINOR_UNITS or price.rate <= 0 or price.amount <= 0:
        return False
    if price.currency == "cny" and price.rate != SCALE:
        return False
    return make_price(price.amount, currency=price.currency, rate=price.rate) == price


def to_amount(minor: int, price: Price) -> Amount:
    """Return what came, in yuan: exactly what was asked if that came, else less or more.

    Another sum than the asked one is never the asked amount, however it is rounded.
    """
    if minor == price.minor:
        return price.amount
    amount = convert(minor, currency=price.currency, rate=price.rate)
    if minor < price.minor:
        return Amount(min(amount, price.amount - 1))
    return Amount(max(amount, price.amount + 1))


def convert(minor: int, *, currency: str, rate: int) -> Amount:
    """Return a sum of smallest units in yuan, downwards."""
    return Amount(minor * rate // MINOR_UNITS[currency])


def refund_minor(amount: int, *, before: int, paid_amount: int, paid_minor: int) -> int:
    """Return the smallest units of a part refund, after parts of `before` in all.

    The parts are cut from one line, so that together they give back every unit, and never more.
    """
    return (before + amount) * paid_minor // paid_amount - before * paid_minor // paid_amount
