"""Completing the closing of a site: only when nothing is open and nobody is owed anything."""

from django.db import transaction

from kameng.core.audit import Actor
from kameng.insight.errors import HindrancesLeft
from kameng.insight.hindrances import list_hindrances
from kameng.tenancy.closing import finish_closing, seal_selling
from kameng.tenancy.models import Closing


def complete_closing(*, actor: Actor) -> Closing:
    """Close the site in force for good. Raises `HindrancesLeft`, `ClosingStateWrong`. Audited.

    Takes the selling of the site alone, then looks: an order that began before is seen, one that
    comes later sees the closed site. Locks the site last.
    """
    with transaction.atomic():
        seal_selling()
        if list_hindrances():
            raise HindrancesLeft
        return finish_closing(actor=actor)
