"""When what happened in the demo's history: noted while it is told, written into rows at the end.

Each process of the telling has its own; they are put together at the end.
"""

import datetime as dt
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class OrderMoments:
    """The moments of one order; None where it did not happen (yet)."""

    placed_at: dt.datetime
    paid_at: dt.datetime | None = None
    delivered_at: dt.datetime | None = None
    closed_at: dt.datetime | None = None
    refunded_at: dt.datetime | None = None
    repaired_at: dt.datetime | None = None


@dataclass(slots=True)
class Diary:
    """Everything that has to be dated."""

    orders: dict[int, OrderMoments] = field(default_factory=dict)
    customers: dict[int, dt.datetime] = field(default_factory=dict)
    top_ups: dict[int, dt.datetime] = field(default_factory=dict)
    imports: dict[int, dt.datetime] = field(default_factory=dict)
    prepaid: dict[int, dt.datetime] = field(default_factory=dict)
    switches: dict[int, dt.datetime] = field(default_factory=dict)

    def add(self, other: "Diary") -> None:
        """Take over what another one says."""
        self.orders |= other.orders
        self.customers |= other.customers
        self.top_ups |= other.top_ups
        self.imports |= other.imports
        self.prepaid |= other.prepaid
        self.switches |= other.switches

    def note_order(
        self, order_id: int, *, placed_at: dt.datetime, paid_at: dt.datetime | None
    ) -> None:
        """Note an order, and once more when it is paid."""
        self.orders[order_id] = OrderMoments(placed_at=placed_at, paid_at=paid_at)

    def note_closed(self, order_id: int, *, at: dt.datetime) -> None:
        """Note that an unpaid order was given up."""
        self.orders[order_id].closed_at = at

    def note_delivered(self, order_id: int, *, at: dt.datetime) -> None:
        """Note a delivery by hand."""
        self.orders[order_id].delivered_at = at

    def note_refund(self, order_id: int, *, at: dt.datetime) -> None:
        """Note a refund."""
        self.orders[order_id].refunded_at = at

    def note_repair(self, order_id: int, *, at: dt.datetime) -> None:
        """Note a repair: a swapped key, a remark, goods sent again."""
        self.orders[order_id].repaired_at = at

    def note_customer(self, customer_id: int, *, joined_at: dt.datetime) -> None:
        """Note when a customer came."""
        self.customers[customer_id] = joined_at

    def note_top_up(self, top_up_id: int, *, at: dt.datetime) -> None:
        """Note when a wallet was topped up."""
        self.top_ups[top_up_id] = at

    def note_import(self, job_id: int, *, at: dt.datetime) -> None:
        """Note when keys or goods were brought in."""
        self.imports[job_id] = at

    def note_prepaid(self, paid_in_id: int, *, at: dt.datetime) -> None:
        """Note when an operator paid wholesale in ahead."""
        self.prepaid[paid_in_id] = at

    def note_switch(self, site_id: int, *, at: dt.datetime) -> None:
        """Note since when a site is settled another way."""
        self.switches[site_id] = at
