"""Facts that this app publishes. From SQL in the statement of the change, except where noted."""

from dataclasses import dataclass
from typing import ClassVar

from kameng.core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPaid(Event):
    """The order is paid; `delivered` tells whether its goods went out in the same moment."""

    KIND: ClassVar[str] = "orders.paid"
    customer_id: int | None
    product_id: int
    quantity: int
    main_site_id: int
    delivered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDelivered(Event):
    """Goods were delivered after the payment: by hand, or a late one. Published from Python."""

    KIND: ClassVar[str] = "orders.delivered"
    customer_id: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderClosed(Event):
    """An unpaid order was cancelled (state 4) or ran out of time (state 5)."""

    KIND: ClassVar[str] = "orders.closed"
    customer_id: int | None
    state: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefunded(Event):
    """Money of an order reached the buyer. Published from Python."""

    KIND: ClassVar[str] = "orders.refunded"
    customer_id: int | None
    refund_id: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefundAsked(Event):
    """A refund was decided and the sale reversed; the buyer has no money yet. From Python."""

    KIND: ClassVar[str] = "orders.refund_asked"
    refund_id: int
    refund_no: str
    is_to_source: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOpened(Event):
    """A paid order opened the sub-site that `site_id` names; it is still to be dressed.

    `template` is the ready-made design that its buyer chose, or empty. Published from Python in the
    scope of the new site.
    """

    KIND: ClassVar[str] = "orders.site_opened"
    template: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRestAsked(Event):
    """The order was paid short and its buyer is asked for the rest until a moment. From Python."""

    KIND: ClassVar[str] = "orders.rest_asked"
    customer_id: int | None
    amount: int
    expires_at: str
