"""The port that every payment gateway fills, and what travels through it.

Owns the words: an instruction for the buyer's browser, a notice read from a callback or a query, a
refund and its outcome. What only some gateways can do (bills, splits, payouts, payers known by an
id) is a protocol of its own in `abilities.py`. Promises that an unknown outcome is never told as a
failure: `ProviderUncertain` says "ask again", `ProviderRefused` says "nothing happened".
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, Protocol, TypeVar

from django.utils.functional import Promise

from kameng.pricing.money import Amount

Device = Literal["pc", "mobile", "wechat", "alipay"]
InstructionKind = Literal["redirect", "form", "qr", "jsapi"]
DEVICES: Final[tuple[Device, ...]] = ("pc", "mobile", "wechat", "alipay")
Text = str | Promise


class PaidStatus(StrEnum):
    """What the gateway says of a payment.

    NOT_FOUND is no failure: a gateway may know nothing of a payment until the buyer opens it.
    CLOSED may also follow a whole refund: it never takes back an earlier PAID.
    """

    PAID = "paid"
    PENDING = "pending"
    CLOSED = "closed"
    NOT_FOUND = "not_found"


class RefundStatus(StrEnum):
    """What became of a refund. UNKNOWN: ask again or repeat it with the same `refund_no`."""

    DONE = "done"
    PROCESSING = "processing"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayMethod:
    """One way to pay that a gateway offers, as `PayRequest.method` names it.

    `devices` are those on which it works; one that `needs_payer_id` is told who pays by the
    gateway's own id of that person (abilities.PayerFinder).
    """

    code: str
    label: Text
    devices: tuple[Device, ...] = DEVICES
    needs_payer_id: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a gateway's form in the console. A `secret` is never shown again.

    `names_account` says that another value is another merchant account. One that `is_optional` may
    stay empty. What lies in a file of one of the kinds that `accept` lists (".pfx,.p12") may be
    uploaded instead of pasted: bytes that are no PEM text are handed on in base64.
    """

    name: str
    label: Text
    help: Text = ""
    secret: bool = False
    names_account: bool = False
    multiline: bool = False
    is_optional: bool = False
    default: str = ""
    choices: tuple[tuple[str, Text], ...] = ()
    accept: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PayRequest:
    """A payment to open. `amount` is in whole fen; `subject` is shown to the buyer.

    `payer_id` is the gateway's own id of who pays, where the method needs it. A payment that
    `will_split` is held for a split at the gateway (abilities.Splitter). `opened_at` is when we
    opened it: some gateways know a payment by that second too (abilities.TimeKeeper).
    """

    payment_no: str
    amount: Amount
    subject: str
    notify_url: str
    return_url: str
    client_ip: str
    device: Device
    expires_at: dt.datetime
    method: str
    payer_id: str = ""
    will_split: bool = False
    opened_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PayInstruction:
    """Where the buyer goes: a redirect, a form to post, or a text to show as a QR code.

    `jsapi`: `fields` are what the page inside WeChat hands to its payment bridge. `leads_to` are
    further origins that a posted form is redirected to: browsers send it nowhere else.
    """

    kind: InstructionKind
    url: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    qr_text: str = ""
    leads_to: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackRequest:
    """A callback as it came over the wire: `query` without the question mark, both raw bytes."""

    method: str
    query: bytes = b""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What a verified callback or a query said.

    `amount` is what the gateway received, zero when it named none; the caller compares it with its
    own. `raw_digest` is the SHA-256 of the bytes it was read from. `nonce` is what the gateway uses
    once for each sending of a callback, where it does: a second one is a replay.
    """

    payment_no: str
    external_no: str
    amount: Amount
    status: PaidStatus
    paid_at: dt.datetime | None
    payer: str
    raw_digest: str
    nonce: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundNotice:
    """What a verified callback said of a refund of ours, named by `refund_no`."""

    refund_no: str
    external_no: str
    status: RefundStatus
    amount: Amount
    raw_digest: str
    nonce: str = ""


class DisputeStatus(StrEnum):
    """What became of a payment that its payer disputes at the gateway or the bank."""

    OPENED = "opened"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeNotice:
    """What a verified callback said of a dispute. `amount` is what is held back or was lost.

    `dispute_no` is the gateway's number of it; `payment_no` ours, `external_no` its own of the
    payment (one of the two may be empty). `answer_by`: until when the shop may object.
    """

    dispute_no: str
    payment_no: str
    external_no: str
    status: DisputeStatus
    amount: Amount
    reason: str
    answer_by: dt.datetime | None
    raw_digest: str
    nonce: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherNotice:
    """A verified callback of a kind that moves nothing here: it is acknowledged, no more."""

    kind: str
    raw_digest: str


Notice = Confirmation | RefundNotice | DisputeNotice | OtherNotice


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """A refund of `amount` out of `total_amount`; repeat it only with the same `refund_no`.

    Without `payment_no` the gateway's own number alone says which payment: ours was paid twice.
    `notify_url` is where a gateway that tells of refunds by a callback sends it. `opened_at` is
    when the payment was opened, `asked_at` when the refund was recorded: both stay the same.
    """

    refund_no: str
    payment_no: str
    external_no: str
    amount: Amount
    total_amount: Amount
    reason: str
    notify_url: str = ""
    opened_at: dt.datetime | None = None
    asked_at: dt.datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOutcome:
    """What became of a refund; `reason` is for the operator and holds no secret."""

    status: RefundStatus
    external_no: str = ""
    reason: str = ""


class ConfigInvalid(Exception):
    """A gateway's form that cannot be taken: `problems` maps a field to a sentence."""

    code = "config_invalid"

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(self.code)
        self.problems = dict(problems)


class CallbackRejected(Exception):
    """A callback that proves nothing. `code` is for our log; the sender sees one uniform answer."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ProviderUncertain(Exception):
    """The gateway may or may not have acted: query, never repeat blindly."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class ProviderRefused(Exception):
    """The gateway refused clearly: nothing happened. `message` is its own text, bounded."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message


C = TypeVar("C")


class Provider(Protocol[C]):
    """A payment gateway. Stateless: the configuration comes with every call.

    `supports_partial_refund` is false where the protocol has no refund number of its own, because
    a repeated part cannot be told from a second part.
    """

    kind: str
    label: Text
    methods: tuple[PayMethod, ...]
    fields: tuple[Field, ...]
    supports_refund: bool
    supports_partial_refund: bool

    def config_from_form(self, form: Mapping[str, str]) -> C:
        """Read a console form; raises ConfigInvalid."""
        ...

    def config_from_json(self, data: Mapping[str, str]) -> C:
        """Read what `config.to_json()` gave; checks it as the form does."""
        ...

    def create(self, config: C, request: PayRequest) -> PayInstruction:
        """Open a payment. May call out; raises ProviderUncertain or ProviderRefused."""
        ...

    def parse_callback(self, config: C, callback: CallbackRequest) -> Notice:
        """Verify a callback, purely; raises CallbackRejected. An unpaid status is a result.

        A gateway that tells of refunds or disputes at the same address returns their notices.
        """
        ...

    def callback_reply(self, ok: bool) -> tuple[int, bytes, str]:  # noqa: FBT001 - port
        """Return status, body and content type that the gateway expects."""
        ...

    def query(self, config: C, payment_no: str, *, external_no: str = "") -> Confirmation:
        """Ask the gateway; raises ProviderUncertain or ProviderRefused.

        With `external_no` it is asked for its own number, of that very payment of ours.
        """
        ...

    def close(self, config: C, payment_no: str) -> PaidStatus:
        """Stop the payment if the gateway can; return what it is afterwards.

        PENDING: this gateway cannot close, a late payment is possible. PAID: too late.
        """
        ...

    def refund(self, config: C, request: RefundRequest) -> RefundOutcome:
        """Refund; the same `refund_no` again gives the same result.

        Raises ProviderUncertain, or ProviderRefused when the call itself was turned away.
        """
        ...

    def query_refund(self, config: C, request: RefundRequest) -> RefundOutcome:
        """Ask what became of a refund; raises ProviderUncertain, and never ProviderRefused.

        A question that was turned away says nothing of a refund that was asked for before: to
        read it as a refusal would give the money back twice.
        """
        ...

    def check(self, config: C) -> None:
        """Prove the credentials by a real query; raises ProviderRefused or ProviderUncertain."""
        ...
