"""Facts that this app publishes."""

from dataclasses import dataclass
from typing import ClassVar

from kameng.core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentConfirmed(Event):
    """A payment was proved. `subject_id` is the payment; `paid_for` the order or top-up."""

    KIND: ClassVar[str] = "payments.confirmed"
    purpose: int
    paid_for: int
    amount: int
    fee_amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRefundDone(Event):
    """The gateway gave money back. `subject_id` is the gateway refund."""

    KIND: ClassVar[str] = "payments.refund_done"
    purpose: int
    paid_for: int
    refund_no: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayRefundRefused(Event):
    """The gateway refused to give money back; a person must decide."""

    KIND: ClassVar[str] = "payments.refund_refused"
    purpose: int
    paid_for: int
    refund_no: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeOpened(Event):
    """A payer disputes a payment. `subject_id` is the dispute; `paid_for` the order or top-up."""

    KIND: ClassVar[str] = "payments.dispute_opened"
    payment_id: int
    purpose: int
    paid_for: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeClosed(Event):
    """A dispute was won, or lost with `lost_amount`; once. `subject_id` is the dispute."""

    KIND: ClassVar[str] = "payments.dispute_closed"
    payment_id: int
    purpose: int
    paid_for: int
    lost_amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepaidRaised(Event):
    """A prepaid balance or its credit line has grown. `subject_id` is the sub-site."""

    KIND: ClassVar[str] = "payments.prepaid_raised"
    amount: int
