"""Who gets what of a sale, and who gives back what of a refund.

Owns the split of one paid sum into the main site's, the selling site's and the gateway's part, and
of a sale on a child site into its upline's part too.
Promises that the parts are never below zero and always add up to the sum, and that partial
refunds of any sizes in any order give back exactly the parts of the sale, no unit more or less.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kameng.pricing.money import (
    BPS,
    FEN,
    ZERO,
    Amount,
    MoneyInvalid,
    Rounding,
    check_amount,
    divide,
)

MAX_FEE_BPS: Final = 5_000


class FeeBearer(StrEnum):
    """Who bears the fee of the gateway."""

    SITE = "site"
    MAIN = "main"
    BUYER = "buyer"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeTerms:
    """The rate of the gateway and who bears it."""

    rate_bps: int
    bearer: FeeBearer = FeeBearer.SITE

    def __post_init__(self) -> None:
        if not 0 <= self.rate_bps <= MAX_FEE_BPS:
            raise MoneyInvalid("fee_rate_range")


NO_FEE: Final = FeeTerms(rate_bps=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleParts:
    """A paid sum by who gets it: main site (wholesale), selling site (margin), gateway (fee).

    And the upline of a child site: what it asked above its own wholesale price.
    """

    main_amount: Amount
    site_amount: Amount
    fee_amount: Amount
    upline_amount: Amount = ZERO

    @property
    def total_amount(self) -> Amount:
        """The paid sum that the parts make up."""
        return Amount(self.main_amount + self.upline_amount + self.site_amount + self.fee_amount)


def fee_of(total: Amount, *, rate_bps: int) -> Amount:
    """Return what a gateway keeps of a paid sum: the rate, half a fen rounded up, in whole fen."""
    if not 0 <= rate_bps <= MAX_FEE_BPS:
        raise MoneyInvalid("fee_rate_range")
    fen = divide(check_amount(total) * rate_bps, by=BPS * FEN, rounding=Rounding.HALF_UP)
    return Amount(min(fen * FEN, total))


def surcharge_of(goods: Amount, *, rate_bps: int) -> Amount:
    """Return what a buyer adds so that the goods' sum is whole after the fee, in whole fen."""
    if not 0 <= rate_bps <= MAX_FEE_BPS:
        raise MoneyInvalid("fee_rate_range")
    fen = divide(check_amount(goods) * rate_bps, by=(BPS - rate_bps) * FEN, rounding=Rounding.UP)
    return check_amount(fen * FEN)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeTerms:
    """What a gateway is asked for: the goods' rest and the surcharge on it; and what it keeps."""

    amount: Amount
    surcharge_amount: Amount
    fee_amount: Amount


def charge_terms(rest: Amount, *, rate_bps: int, by_buyer: bool) -> ChargeTerms:
    """Return the terms of a payment of `rest`: the one place where a surcharge is rounded.

    The fee is the gateway's rate on all that is paid there, the surcharge included, and never
    above the surcharge of a buyer who bears it.
    """
    surcharge = surcharge_of(rest, rate_bps=rate_bps) if by_buyer else ZERO
    amount = Amount(rest + surcharge)
    return ChargeTerms(
        amount=amount,
        surcharge_amount=surcharge,
        fee_amount=fee_of(amount, rate_bps=rate_bps),
    )


def is_wallet_part(part: int, *, total_amount: int) -> bool:
    """Tell whether a wallet may pay so much beside a gateway: whole fen, something left to pay."""
    return 0 < part < total_amount and part % FEN == 0


def most_wallet_part(held: int, *, total_amount: int) -> Amount:
    """Return what a wallet can pay of an order beside a gateway: whole fen, zero when it covers."""
    return Amount(held // FEN * FEN if 0 < held < total_amount else 0)


def split_sale(
    total: Amount,
    *,
    wholesale_amount: Amount,
    upline_amount: Amount = ZERO,
    fee_amount: Amount = ZERO,
    bearer: FeeBearer = FeeBearer.SITE,
) -> SaleParts:
    """Split a paid sum into wholesale, margin and fee; raise MoneyInvalid when it is too small.

    `wholesale_amount` is the main site's, `upline_amount` beside it what an upline asked of its
    child: the last to be touched by a fee, when nothing else of the sale is left to cover it.

    A fee that the selling site bears is taken from its margin; what the margin cannot cover falls
    on the main site, so that an operator never owes money for having sold. With the buyer as
    bearer the total already holds the surcharge, and what differs from it by rounding is margin.
    """
    check_amount(total)
    if not 0 <= wholesale_amount <= total:
        raise MoneyInvalid("wholesale_range")
    if not 0 <= upline_amount <= total - wholesale_amount:
        raise MoneyInvalid("upline_range")
    if not 0 <= fee_amount <= total:
        raise MoneyInvalid("fee_range")
    margin = total - wholesale_amount - upline_amount
    first_on_main = min(fee_amount, wholesale_amount) if bearer is FeeBearer.MAIN else ZERO
    by_site = min(fee_amount - first_on_main, margin)
    by_main = min(fee_amount - by_site, wholesale_amount)
    by_upline = fee_amount - by_site - by_main
    return SaleParts(
        main_amount=Amount(wholesale_amount - by_main),
        site_amount=Amount(margin - by_site),
        fee_amount=fee_amount,
        upline_amount=Amount(upline_amount - by_upline),
    )


def refund_parts(parts: SaleParts, *, refunded_amount: Amount, refund_amount: Amount) -> SaleParts:
    """Return who gives back what of a refund, after so much has been refunded already.

    Raise MoneyInvalid unless the refund is above zero and within what is left. The answer depends
    on the two sums only, never on how many refunds made up the first one.
    """
    total = parts.total_amount
    if not 0 <= refunded_amount <= total:
        raise MoneyInvalid("refunded_range")
    if not 0 < refund_amount <= total - refunded_amount:
        raise MoneyInvalid("refund_range")
    whole = (parts.fee_amount, parts.main_amount, parts.upline_amount, parts.site_amount)
    before = share_of_refund(whole, refunded_amount=refunded_amount)
    after = share_of_refund(whole, refunded_amount=Amount(refunded_amount + refund_amount))
    fee, main, upline, site = (Amount(new - old) for new, old in zip(after, before, strict=True))
    return SaleParts(main_amount=main, site_amount=site, fee_amount=fee, upline_amount=upline)


def surcharge_back(surcharge_amount: int, *, refunded_amount: int, total_amount: int) -> Amount:
    """Return how much of the surcharge has been given back once so much of the goods is.

    In proportion, down to the fen; all of it with the last fen of the goods. Depends on the sums
    only, never on how many refunds there were.
    """
    if not 0 <= refunded_amount <= total_amount:
        raise MoneyInvalid("refunded_range")
    if refunded_amount == total_amount:
        return Amount(surcharge_amount)
    return Amount(surcharge_amount * refunded_amount // total_amount // FEN * FEN)


def prepaid_share(
    *, total_amount: int, wholesale_amount: int, fee_amount: int, refunded_amount: int
) -> SaleParts:
    """Return who has given back what of a prepaid sale once so much is refunded.

    There the operator took the whole, less its own gateway's fee, and paid the wholesale price from
    its balance: so `main_amount` is the wholesale price's share, and `site_amount` the rest of what
    the operator's takings give back, below zero where a sale did not cover its own fee.
    """
    fee, takings = share_of_refund(
        (Amount(fee_amount), Amount(total_amount - fee_amount)),
        refunded_amount=Amount(refunded_amount),
    )
    main = wholesale_amount * refunded_amount // total_amount
    return SaleParts(main_amount=Amount(main), site_amount=Amount(takings - main), fee_amount=fee)


def share_of_refund(parts: Sequence[Amount], *, refunded_amount: Amount) -> list[Amount]:
    """Return how much of each part has been given back once so much is refunded in all.

    Each part in turn takes the floor of its share of what the parts before it left over. Both that
    share and the rest can only grow with the refunded sum, which floors taken side by side do not
    promise: there a later refund could take a unit back from a part.
    """
    shares: list[Amount] = []
    left, whole = int(refunded_amount), sum(map(int, parts))
    if not 0 <= left <= whole:
        raise MoneyInvalid("refunded_range")
    for part in parts:
        share = left * part // whole if whole else 0
        shares.append(Amount(share))
        left -= share
        whole -= part
    return shares
