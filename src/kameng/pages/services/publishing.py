"""Publication: a strict check, a revision on record, a pointer moved, the site's version grown.

Locks: the page row, then the site row (through its version). Publishing what is published already
is refused, so that two clicks make one revision.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from kameng.core import clock
from kameng.core.audit import SYSTEM, Actor, record
from kameng.core.scope import platform_scope
from kameng.pages.content import Content, Fault, check_content
from kameng.pages.errors import (
    DraftMoved,
    NothingToPublish,
    NotPublishable,
    PageNotFound,
    TimeInvalid,
)
from kameng.pages.models import (
    MANY_KINDS,
    Page,
    Publication,
    PublicationState,
    Revision,
    RevisionReason,
)
from kameng.pages.selectors import current_content
from kameng.pages.services.drafting import add_revision, lock_page
from kameng.tenancy.selectors import SiteView, site_scope
from kameng.tenancy.services import bump_catalogue_version

AHEAD_MOST: Final = timedelta(days=366)
DUE_BATCH: Final = 100


def publish_page(
    page_id: int, *, base_version: int, actor: Actor, site: SiteView, note: str = ""
) -> Revision:
    """Show the draft to everybody. Raises `NotPublishable`, `DraftMoved`, `NothingToPublish`."""
    with transaction.atomic():
        page = lock_page(page_id)
        content = _publishable(page, base_version, site)
        revision = add_revision(
            page, content=content, reason=RevisionReason.PUBLISHED, actor=actor, note=note
        )
        _point(page, revision, actor=actor)
    return revision


def schedule_publication(
    page_id: int, *, base_version: int, publish_at: datetime, actor: Actor, site: SiteView
) -> Publication:
    """Publish the draft as it is now at a later time; an earlier plan for the page is dropped.

    The draft stays, so that work can go on. Raises like `publish_page`, and `TimeInvalid`.
    """
    now = clock.now()
    if not now < publish_at <= now + AHEAD_MOST:
        raise TimeInvalid
    with transaction.atomic():
        page = lock_page(page_id)
        content = _publishable(page, base_version, site)
        _cancel(page_id)
        revision = add_revision(page, content=content, reason=RevisionReason.TIMED, actor=actor)
        planned: Publication = Publication.objects.create(
            site_id=page.site_id,
            page=page,
            revision=revision,
            publish_at=publish_at,
            created_by=actor.name[:100],
        )
        record(
            "page.publication.planned",
            actor=actor,
            site_id=page.site_id,
            subject=("page", page.id),
            detail={"at": publish_at.isoformat(), "revision": revision.number},
        )
    return planned


def cancel_publication(page_id: int, *, actor: Actor) -> bool:
    """Drop the timed publication of a page; tell whether there was one."""
    with transaction.atomic():
        page = lock_page(page_id)
        is_dropped = _cancel(page_id)
        if is_dropped:
            record(
                "page.publication.cancelled",
                actor=actor,
                site_id=page.site_id,
                subject=("page", page.id),
            )
    return is_dropped


def publish_due() -> int:
    """Publish what is due on every site; return how many. Safe to run twice at once."""
    with platform_scope("timed publications of every site"):
        due = list(
            Publication.unscoped.filter(state=PublicationState.WAITING, publish_at__lte=clock.now())
            .order_by("publish_at")
            .values_list("id", "site_id", "page_id")[:DUE_BATCH]
        )
    return sum(_publish_planned(*row) for row in due)


def _publish_planned(publication_id: int, site_id: int, page_id: int) -> bool:
    with site_scope(site_id), transaction.atomic():
        page = lock_page(page_id)
        taken = (
            Publication.in_site()
            .filter(id=publication_id, state=PublicationState.WAITING)
            .update(state=PublicationState.DONE)
        )
        if not taken:
            return False
        planned = Publication.in_site().select_related("revision").get(id=publication_id)
        if page.draft == planned.revision.content:
            page.draft = None  # nobody went on working: the page is as published
        _point(page, planned.revision, actor=SYSTEM, keeps_draft=page.draft is not None)
    return True


def withdraw_page(page_id: int, *, actor: Actor) -> None:
    """Take a landing or custom page off; its last content stays as the draft."""
    with transaction.atomic():
        page = lock_page(page_id)
        if page.kind not in MANY_KINDS:
            raise PageNotFound
        if page.revision_id is None:
            raise NothingToPublish
        if page.draft is None:
            published = Revision.in_site().get(id=page.revision_id)
            page.draft = published.content
        page.revision = None
        page.draft_version += 1
        page.save(update_fields=["draft", "draft_version", "revision"])
        _cancel(page_id)
        bump_catalogue_version(page.site_id)
        record("page.withdrawn", actor=actor, site_id=page.site_id, subject=("page", page.id))


def list_faults(page: Page, *, site: SiteView) -> list[Fault]:
    """Return what keeps a page from being published."""
    return list(check_content(current_content(page, site=site), kind=page.kind))


def _publishable(page: Page, base_version: int, site: SiteView) -> Content:
    if page.draft_version != base_version:
        raise DraftMoved(who=page.draft_by)
    if page.draft is None and page.revision_id is not None:
        raise NothingToPublish
    faults = list_faults(page, site=site)
    if faults:
        name, message = faults[0].section_name, faults[0].message
        raise NotPublishable(faults=faults, first=f"{name}：{message}" if name else message)
    return current_content(page, site=site)


def _point(page: Page, revision: Revision, *, actor: Actor, keeps_draft: bool = False) -> None:
    values: dict[str, Any] = {"revision": revision}
    if not keeps_draft:
        values |= {"draft": None, "draft_version": page.draft_version + 1}
    for name, value in values.items():
        setattr(page, name, value)
    page.save(update_fields=list(values))
    bump_catalogue_version(page.site_id)
    record(
        "page.published",
        actor=actor,
        site_id=page.site_id,
        subject=("page", page.id),
        detail={"revision": revision.number, "title": page.title},
    )


def _cancel(page_id: int) -> bool:
    waiting = Publication.in_site().filter(page_id=page_id, state=PublicationState.WAITING)
    return bool(waiting.update(state=PublicationState.CANCELLED))
