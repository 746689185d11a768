"""Facts that this app publishes, all from Python. `subject_id` is a domain claim, or the site."""

from dataclasses import dataclass
from typing import ClassVar

from kameng.core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainWentLive(Event):
    """A site's own domain leads to it, with a certificate where there is TLS."""

    KIND: ClassVar[str] = "tenancy.domain_live"
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainWentAway(Event):
    """A live domain has led elsewhere for a while: links use the platform's address again."""

    KIND: ClassVar[str] = "tenancy.domain_away"
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainLost(Event):
    """A site's domain no longer leads to it: another proved it, or it was away for too long."""

    KIND: ClassVar[str] = "tenancy.domain_lost"
    host: str
    was_taken: bool  # another site proved it


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFailed(Event):
    """A live domain shows no good certificate any more, or one that ends soon."""

    KIND: ClassVar[str] = "tenancy.certificate_failed"
    host: str
    fault: str  # of core.certificates.Shown; `ends_soon` besides


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingChanged(Event):
    """The main site began or ended a suspension or a closing of a sub-site.

    `what` is one of suspended, resumed, closing, closing_ended, closed, reopened.
    """

    KIND: ClassVar[str] = "tenancy.standing_changed"
    what: str
    reason: str = ""
