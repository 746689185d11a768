"""What a sub-site's own goods cost it: the platform's share of what the buyer pays.

Owns the rounding of that share. Promises that the share is never above the price, so that an
operator never owes money for having sold, that a dearer piece never has a smaller share, and that a
rate above zero never takes nothing from a price.
"""

from kameng.pricing.money import (
    BPS,
    ZERO,
    Amount,
    MoneyInvalid,
    Rounding,
    apply_bps,
    check_amount,
)
from kameng.pricing.quote import UnitQuote
from kameng.pricing.trace import TraceStep


def platform_share(price: Amount, *, share_bps: int) -> Amount:
    """Return the platform's part of one piece: the rate, up to the next 1/10000 yuan.

    The only place where it is rounded: an order's share is that of a piece times the pieces.
    """
    if not 0 <= share_bps <= BPS:
        raise MoneyInvalid("share_range")
    return apply_bps(check_amount(price), rate_bps=share_bps, rounding=Rounding.UP)


def quote_own_unit(*, cost_amount: Amount, list_amount: Amount, share_bps: int) -> UnitQuote:
    """Quote one piece of a sub-site's own goods: sold at the price that its operator wrote.

    Mark-up rules do not apply, since there is nothing bought in to mark up. What the site owes the
    main site is the share, which is therefore the floor. Raise MoneyInvalid beyond the bounds.
    """
    price = check_amount(list_amount)
    share = platform_share(price, share_bps=share_bps)
    return UnitQuote(
        price_amount=price,
        wholesale_amount=share,
        cost_amount=check_amount(cost_amount),
        list_amount=price,
        rule_id=None,
        trace=(
            TraceStep(
                code="own_price",
                params={"list_amount": price},
                before_amount=ZERO,
                after_amount=price,
            ),
            TraceStep(
                code="platform_share",
                params={"rate_bps": share_bps, "share_amount": share},
                before_amount=price,
                after_amount=price,
            ),
        ),
    )
