"""Every event and who hears it, on one page.

SAME_TRANSACTION: what must be true together; each handler takes a few milliseconds.
AFTER_COMMIT: consumers that read the event log in batches, each with a position of its own; at
least once, idempotent, set-based. Events published from SQL (orders.paid, orders.closed) reach the
second column only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kameng.accounts.events import ApprovalGiven, OfferMoved, SecurityChanged
from kameng.core.events import BatchHandler, Event
from kameng.insight import handlers as insight
from kameng.messaging import handlers as messaging
from kameng.orders import handlers as orders
from kameng.orders.events import (
    OrderClosed,
    OrderDelivered,
    OrderPaid,
    OrderRefundAsked,
    OrderRefunded,
    OrderRestAsked,
    SiteOpened,
)
from kameng.pages import handlers as pages
from kameng.payments import handlers as payments
from kameng.payments.events import (
    DisputeClosed,
    DisputeOpened,
    GatewayRefundDone,
    GatewayRefundRefused,
    PaymentConfirmed,
    PrepaidRaised,
)
from kameng.settlement import handlers as settlement
from kameng.settlement.events import WithdrawalPaid, WithdrawalReleased, WithdrawalReturned
from kameng.tenancy.events import (
    CertificateFailed,
    DomainLost,
    DomainWentAway,
    DomainWentLive,
    StandingChanged,
)

SAME_TRANSACTION: Mapping[type[Event], tuple[Any, ...]] = {
    ApprovalGiven: (payments.carry_out, orders.carry_out),
    PaymentConfirmed: (orders.settle_payment,),
    GatewayRefundDone: (orders.finish_refund, payments.finish_top_up_return),
    GatewayRefundRefused: (orders.refuse_refund, payments.refuse_top_up_return),
    OrderRefundAsked: (settlement.return_share,),
    SiteOpened: (pages.dress_site,),
    DisputeOpened: (settlement.hold_margin,),
    DisputeClosed: (settlement.settle_margin,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A reader of the event log: its permanent name, what it reads, what it does."""

    name: str
    events: tuple[type[Event], ...]
    handler: BatchHandler


AFTER_COMMIT: tuple[Consumer, ...] = (
    Consumer(
        name="orders.notify_buyers",
        events=(OrderPaid, OrderDelivered, OrderClosed, OrderRefunded, OrderRestAsked),
        handler=orders.notify_buyers,
    ),
    Consumer(name="orders.open_sites", events=(OrderPaid,), handler=orders.open_sites),
    Consumer(name="orders.count_sales", events=(OrderPaid,), handler=orders.count_sales),
    Consumer(name="pages.note_sales", events=(OrderPaid,), handler=pages.note_sales),
    Consumer(
        name="orders.deliver_prepaid", events=(PrepaidRaised,), handler=orders.deliver_prepaid
    ),
    Consumer(
        name="settlement.plan_shares",
        events=(OrderPaid, OrderDelivered),
        handler=settlement.plan_shares,
    ),
    Consumer(
        name="messaging.tell_staff",
        events=(SecurityChanged,),
        handler=messaging.tell_staff,
    ),
    Consumer(
        name="insight.mark_orders",
        events=(OrderPaid, OrderDelivered, OrderRefundAsked, OrderRefunded),
        handler=insight.mark_orders,
    ),
    Consumer(
        name="settlement.tell_operators",
        events=(WithdrawalPaid, WithdrawalReleased, WithdrawalReturned),
        handler=settlement.tell_operators,
    ),
    Consumer(
        name="messaging.tell_domain_news",
        events=(DomainWentLive, DomainWentAway, DomainLost, CertificateFailed),
        handler=messaging.tell_domain_news,
    ),
    Consumer(
        name="messaging.tell_standing",
        events=(StandingChanged, OfferMoved),
        handler=messaging.tell_standing,
    ),
)
