"""The figures of a period, and what follows from them by division. Pure.

Each has one text in `definitions`. Money in 1/10000 yuan, rates in basis points; a rate of nothing
is None, never zero.
"""

from dataclasses import dataclass, fields
from typing import Final

BPS: Final = 10_000
FEN: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was counted. `revenue_amount` is before, the rest of the money after refunds."""

    order_count: int = 0
    piece_count: int = 0
    revenue_amount: int = 0
    refunded_amount: int = 0
    refund_count: int = 0
    delivered_count: int = 0
    margin_amount: int = 0
    income_amount: int = 0
    below_amount: int = 0  # what a site got of its child sites' sales
    placed_count: int = 0
    visitor_count: int = 0
    product_count: int = 0
    checkout_count: int = 0
    buyer_count: int = 0
    guest_count: int = 0  # of the buyers
    new_count: int = 0  # of the buyers: never paid before
    repeat_count: int = 0  # of the buyers: two orders and more
    buyer_day_count: int = 0  # buyers of each day, added up
    cost_amount: int = 0

    def __add__(self, other: "Facts") -> "Facts":
        return Facts(
            **{
                each.name: getattr(self, each.name) + getattr(other, each.name)
                for each in fields(Facts)
            }
        )

    @property
    def net_amount(self) -> int:
        """Return what buyers paid, refunds taken off."""
        return self.revenue_amount - self.refunded_amount

    @property
    def average_amount(self) -> int | None:
        """Return the net amount an order, in whole fen."""
        return _share_of_money(self.net_amount, self.order_count)

    @property
    def arpu_amount(self) -> int | None:
        """Return the net amount a buyer, in whole fen."""
        return _share_of_money(self.net_amount, self.buyer_count)

    @property
    def conversion_bps(self) -> int | None:
        """Return the buyers of each day among its visitors."""
        return rate_bps(self.buyer_day_count, self.visitor_count)

    @property
    def repeat_bps(self) -> int | None:
        """Return the share of buyers with two orders and more."""
        return rate_bps(self.repeat_count, self.buyer_count)

    @property
    def refund_bps(self) -> int | None:
        """Return the share of what was paid that went back."""
        return rate_bps(self.refunded_amount, self.revenue_amount)

    @property
    def returning_count(self) -> int:
        """Return how many buyers had paid before the period."""
        return self.buyer_count - self.new_count

    @property
    def profit_amount(self) -> int:
        """Return what the main site earns: its income less the present cost of what went out."""
        return whole_fen(self.income_amount - self.cost_amount)

    @property
    def children_amount(self) -> int:
        """Return what child sites brought."""
        return whole_fen(self.below_amount)

    @property
    def earned_amount(self) -> int:
        """Return what a sub-site earns before the cost of its own goods, child sites included."""
        return self.margin_amount + self.below_amount

    @property
    def kept_amount(self) -> int:
        """Return what a sub-site keeps: what it earns less the present cost of its own goods."""
        return whole_fen(self.earned_amount - self.cost_amount)


def rate_bps(part: int, whole: int) -> int | None:
    """Return a share in basis points; None of nothing."""
    return part * BPS // whole if whole > 0 else None


def change_bps(now: int, *, before: int) -> int | None:
    """Return how much `now` differs from `before` in basis points; None when nothing was before."""
    if before <= 0:
        return None
    return (now - before) * BPS // before


def whole_fen(amount: int) -> int:
    """Leave out what is below a fen: a headline figure needs no more."""
    return amount - amount % FEN


def _share_of_money(amount: int, count: int) -> int | None:
    return whole_fen(amount // count) if count > 0 else None
