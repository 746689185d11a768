"""What only some gateways can do, each a protocol of its own, asked for with `isinstance`.

Owns the words of bills, splits and payouts. As in `port.py`: an unknown outcome is never told as a
failure, and everything that is repeated carries our own number.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol, runtime_checkable

from kameng.payments.providers.port import Provider
from kameng.pricing.money import Amount


class BillNotReady(Exception):
    """The gateway has not made the bill of that day yet: ask again later."""

    code = "bill_not_ready"


class LineKind(StrEnum):
    """What a line of a bill is about; OTHER is kept and shown, never guessed at."""

    PAYMENT = "payment"
    REFUND = "refund"
    SPLIT = "split"
    SPLIT_RETURN = "split_return"
    PAYOUT = "payout"
    PAYOUT_RETURN = "payout_return"  # a payout that had gone out came back
    DISPUTE = "dispute"
    SETTLEMENT = "settlement"  # the gateway paid its owner out
    FEE = "fee"
    # The gateway put an earlier day right, in or out of the merchant's account: a person looks.
    CORRECTION_IN = "correction_in"
    CORRECTION_OUT = "correction_out"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillLine:
    """One line of a gateway's bill, in our units.

    `amount` is positive: what was paid, refunded, handed over; `fee_amount` is what the gateway
    kept for it, negative where it gave a fee back. `own_no` is our number of the thing (payment_no,
    refund_no, split_no, payout_no), `payment_no` the payment it belongs to, `external_no` the
    gateway's number. Empty where the bill names none. `text` is the line as it stood, bounded.
    """

    kind: LineKind
    own_no: str
    payment_no: str
    external_no: str
    amount: Amount
    fee_amount: Amount
    happened_at: dt.datetime
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """A gateway's bill of one day (Beijing time): its lines and the digest of what was fetched.

    `raw` is the file as it came (for the evidence), `unread_lines` those that could not be read.
    One of an account tells what moved beside payments and refunds and is silent about those.
    """

    day: dt.date
    lines: Sequence[BillLine]
    unread_lines: Sequence[str]
    raw: bytes
    raw_digest: str
    is_account: bool = False


@runtime_checkable
class BillSource(Protocol):
    """A gateway whose bills can be fetched."""

    def fetch_bill(self, config: Any, day: dt.date) -> Bill:
        """Fetch and read the bill of a day. Calls out.

        Raises BillNotReady, ProviderUncertain or ProviderRefused. A day without anything is an
        empty bill.
        """
        ...


class TransferStatus(StrEnum):
    """What became of a split, its return, or a payout. UNKNOWN: ask again, with the same number.

    RETURNED: a payout went out and came back, perhaps days after it was DONE.
    """

    DONE = "done"
    PROCESSING = "processing"
    REFUSED = "refused"
    RETURNED = "returned"
    UNKNOWN = "unknown"


# The reasons of WeChat that more than its words hang on: its receiver has not confirmed a payout
# yet, or has not done so in time.
WAITS_FOR_RECEIVER: Final = "WAIT_USER_CONFIRM"
NOT_CONFIRMED: Final = "OVERDUE_CLOSE"


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferOutcome:
    """The outcome of a split or payout; `reason` is for the operator and holds no secret.

    `confirmation` is one: what the receiver's app needs to show a payout that waits for them.
    """

    status: TransferStatus
    external_no: str = ""
    reason: str = ""
    confirmation: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Who gets a share, as the gateway knows them. `name` proves the account where it is given.

    `account_kind` is a word of the gateway (`Splitter.receiver_kinds`): merchant, openid, user id.
    """

    account_kind: str
    account: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRequest:
    """Hand `amount` of a payment over to a receiver; `split_no` is ours and unique.

    `is_last` ends the payment's splitting: what is left of it is freed to the main merchant.
    """

    split_no: str
    payment_no: str
    external_no: str
    receiver: Receiver
    amount: Amount
    reason: str
    is_last: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitReturnRequest:
    """Take a share back for a refund; `return_no` is ours and unique."""

    return_no: str
    split_no: str
    payment_no: str
    external_no: str
    receiver: Receiver
    amount: Amount
    reason: str


@runtime_checkable
class Splitter(Protocol):
    """A gateway that divides a payment between merchants (分账)."""

    receiver_kinds: Sequence[tuple[str, Any]]  # (code, label)
    max_split_bps: int  # the largest part of a payment that may be handed over

    def add_receiver(self, config: Any, receiver: Receiver) -> None:
        """Make a receiver known to the gateway; a known one is no fault. Calls out.

        Raises ProviderRefused with the gateway's own reason, or ProviderUncertain.
        """
        ...

    def remove_receiver(self, config: Any, receiver: Receiver) -> None:
        """Forget a receiver; an unknown one is no fault. Raises as `add_receiver`."""
        ...

    def split(self, config: Any, request: SplitRequest) -> TransferOutcome:
        """Ask for a split; the same `split_no` again gives the same result."""
        ...

    def query_split(self, config: Any, request: SplitRequest) -> TransferOutcome:
        """Ask what became of a split. Raises ProviderUncertain, never ProviderRefused."""
        ...

    def finish_split(self, config: Any, request: SplitRequest) -> TransferOutcome:
        """End the splitting of a payment without a (further) share: the rest is freed.

        `split_no` is the number of the ending; receiver and amount say nothing.
        """
        ...

    def return_split(self, config: Any, request: SplitReturnRequest) -> TransferOutcome:
        """Take a share back; the same `return_no` again gives the same result."""
        ...

    def query_split_return(self, config: Any, request: SplitReturnRequest) -> TransferOutcome:
        """Ask what became of a return. Raises ProviderUncertain, never ProviderRefused."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutRequest:
    """Send `amount` to a person's account at the gateway; `payout_no` is ours and unique."""

    payout_no: str
    account_kind: str
    account: str
    name: str
    amount: Amount
    reason: str


@runtime_checkable
class PayoutSender(Protocol):
    """A gateway that sends money to a person's account there (转账)."""

    payout_account_kinds: Sequence[tuple[str, Any]]  # (code, label)
    may_come_back: bool  # a query may say RETURNED of what it said DONE of before

    def can_pay_out(self, config: Any) -> bool:
        """Tell whether this very account may: some must be set up in a certain way."""
        ...

    def pay_out(self, config: Any, request: PayoutRequest) -> TransferOutcome:
        """Send money; the same `payout_no` again moves none. Calls out.

        Raises ProviderUncertain, or ProviderRefused when the call itself was turned away.
        """
        ...

    def query_payout(self, config: Any, request: PayoutRequest) -> TransferOutcome:
        """Ask what became of a payout. Raises ProviderUncertain, never ProviderRefused."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceRequest:
    """What a shop answers to a dispute; `evidence_no` is ours and unique.

    `document` is a PDF of facts. Nothing of it names a card key or the buyer's address in clear.
    """

    evidence_no: str
    dispute_no: str
    product: str
    delivered_at: dt.datetime | None
    text: str
    document: bytes


@runtime_checkable
class EvidenceTaker(Protocol):
    """A gateway that takes the answer to a dispute by its API, once for each dispute."""

    def submit_evidence(self, config: Any, request: EvidenceRequest) -> TransferOutcome:
        """Hand the evidence in; the same `evidence_no` again hands nothing in twice. Calls out.

        `external_no` is the gateway's number of the document. Raises ProviderUncertain.
        """
        ...


@runtime_checkable
class ReceiverConfirmed(Protocol):
    """A gateway that pays out only what its receiver confirms in the gateway's own app."""

    def confirm_fields(self, config: Any, confirmation: str) -> Mapping[str, str]:
        """Return what a page inside the app hands to its bridge; secret as the confirmation is."""
        ...


@runtime_checkable
class PayerFinder(Protocol):
    """A gateway that must know who pays: the browser is sent there once and comes back."""

    def authorize_url(self, config: Any, *, return_url: str, state: str) -> str:
        """Return where the browser goes; it comes back to `return_url` with `code` and `state`."""
        ...

    def read_payer_id(self, config: Any, code: str) -> str:
        """Return the payer's id for the code. Raises ProviderRefused or ProviderUncertain."""
        ...


@runtime_checkable
class KeyFetcher(Protocol):
    """A gateway whose keys change and can be fetched."""

    def fetch_keys(self, config: Any) -> bool:
        """Fetch the gateway's keys, because a callback named one that is not known.

        True when a new one came. Calls out at a bounded rate, whatever comes in; never raises.
        """
        ...


@runtime_checkable
class TimeKeeper(Protocol):
    """A gateway that knows a payment by its number and the second at which it was opened."""

    def at(self, opened_at: dt.datetime) -> Provider[Any]:
        """Return the provider as it asks about payments that were opened at that moment."""
        ...


def at_moment(provider: Provider[Any], opened_at: dt.datetime) -> Provider[Any]:
    """Return the provider to ask about a payment that was opened at a moment.

    Always ask through it: only some gateways need the moment.
    """
    return provider.at(opened_at) if isinstance(provider, TimeKeeper) else provider
