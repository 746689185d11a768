"""What a piece of a sub-site's own goods brings its operator, in figures for the screen."""

from dataclasses import dataclass

from kameng.pricing.money import Amount
from kameng.pricing.own_goods import platform_share


@dataclass(frozen=True, slots=True, kw_only=True)
class Earning:
    """One piece: the price, the platform's share, what is left, what it cost the operator.

    The fee of the gateway is not in it: it depends on how the buyer pays.
    """

    name: str
    price_amount: int
    share_amount: int
    cost_amount: int

    @property
    def rest_amount(self) -> int:
        """What the operator gets."""
        return self.price_amount - self.share_amount

    @property
    def profit_amount(self) -> int:
        """What is left of it after the operator's own cost."""
        return self.rest_amount - self.cost_amount


def own_earning(name: str, *, price: Amount, cost: Amount, share_bps: int) -> Earning:
    """Return what a piece brings at a price."""
    return Earning(
        name=name,
        price_amount=price,
        share_amount=platform_share(price, share_bps=share_bps),
        cost_amount=cost,
    )
