"""Reactions of messaging to events of the apps below. Reached through `config.wiring` only."""

from collections.abc import Sequence

from kameng.core.events import LoggedEvent
from kameng.messaging.domain_notices import send_domain_news
from kameng.messaging.notices import send_security_notices
from kameng.messaging.standing_notices import send_standing_news


def tell_staff(events: Sequence[LoggedEvent]) -> None:
    """After commit: tell members of staff by mail what changed about how they sign in."""
    send_security_notices(events)


def tell_domain_news(events: Sequence[LoggedEvent]) -> None:
    """After commit: tell a site's owners, and the platform's of a certificate, by e-mail."""
    send_domain_news(events)


def tell_standing(events: Sequence[LoggedEvent]) -> None:
    """After commit: tell owners what the main site did with their shop, by mail and notice."""
    send_standing_news(events)
