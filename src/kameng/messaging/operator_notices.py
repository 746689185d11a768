"""Notices to the operators of sites: at the top of their back office, until somebody saw them.

Each once by its key. Written inside the transaction of who knows, or by a consumer of events.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kameng.core import clock
from kameng.core.audit import Actor
from kameng.core.scope import platform_scope
from kameng.messaging.models import OperatorNotice

SHOWN: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeDraft:
    """One notice to a site; `kind` names its sentence (`console.operator_news`)."""

    site_id: int
    kind: str
    dedupe_key: str  # at most 64 characters
    values: dict[str, Any] = field(default_factory=dict)


def post_notices(drafts: Sequence[NoticeDraft]) -> None:
    """Post notices to any sites, in one statement; one that is there already is left alone."""
    rows = [
        OperatorNotice(
            site_id=draft.site_id,
            kind=draft.kind,
            dedupe_key=draft.dedupe_key,
            values=draft.values,
        )
        for draft in sorted(drafts, key=lambda each: (each.site_id, each.dedupe_key))
    ]
    with platform_scope("notices to operators"):
        OperatorNotice.unscoped.bulk_create(rows, ignore_conflicts=True)


def list_notices() -> list[OperatorNotice]:
    """Return what nobody of the site in force has seen yet, newest first, at most `SHOWN`."""
    return list(OperatorNotice.objects.filter(seen_at__isnull=True).order_by("-id")[:SHOWN])


def see_notice(notice_id: int, *, actor: Actor) -> None:
    """Take a notice of the site in force off the page; the same again changes nothing."""
    OperatorNotice.objects.filter(id=notice_id, seen_at__isnull=True).update(
        seen_at=clock.now(), seen_by=actor.name[:100]
    )
