"""Facts that this app publishes."""

from dataclasses import dataclass
from typing import ClassVar

from kameng.core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGiven(Event):
    """A second person approved an act; who knows its kind carries it out, in this transaction.

    `subject_id` is the approval; `about_id` what the act is about.
    """

    KIND: ClassVar[str] = "accounts.approval_given"
    kind: str
    about_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityChanged(Event):
    """Something about how a member of staff signs in changed; they are told by mail.

    `subject_id` is the user; `what` one of device_new, password, totp_on, totp_off, passkey_on,
    passkey_off, codes_new, code_used, reset.
    """

    KIND: ClassVar[str] = "accounts.security_changed"
    what: str
    ip: str = ""
    agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferMoved(Event):
    """The main site offers a shop to another person, or that offer ended without a new owner.

    `subject_id` is the offer; `what` one of offered, offer_withdrawn, offer_declined.
    """

    KIND: ClassVar[str] = "accounts.offer_moved"
    what: str
    to: str
    reason: str = ""
