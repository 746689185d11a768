"""Drafts: saved by compare-and-set on their version, so that two editors never lose each other.

Locks: one page row (`lock_page`), last before nothing else; see docs/locking.md.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import F, Max

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import require_site_id
from kameng.pages.content import Content, check_content, tidy
from kameng.pages.errors import (
    ContentInvalid,
    DraftMoved,
    PageNotFound,
    PageStillPublished,
    SlugInvalid,
    SlugTaken,
    TooManyPages,
)
from kameng.pages.models import (
    MANY_KINDS,
    Page,
    PageKind,
    PreviewLink,
    Publication,
    Revision,
    RevisionReason,
)
from kameng.pages.selectors import current_content, get_revision
from kameng.tenancy.selectors import SiteView
from kameng.tenancy.services import lock_site

PAGES_MOST: Final = 100  # landing and custom pages of one site
SLUG: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPage:
    """A landing or custom page to be made."""

    kind: int
    slug: str
    title: str


def open_page(kind: int, *, category_id: int = 0) -> Page:
    """Return the row of a page of which a site has one, made at the first call.

    Two that come at once get the same row.
    """
    if kind in MANY_KINDS:
        raise PageNotFound
    page, _made = Page.objects.get_or_create(
        site_id=require_site_id(),
        kind=kind,
        category_id=category_id,
        slug="",
        defaults={"title": str(PageKind(kind).label)},
    )
    opened: Page = page
    return opened


def create_page(new: NewPage, *, content: Content | None = None, actor: Actor) -> Page:
    """Make a landing or custom page with a draft. Locks the site.

    Raises `SlugInvalid`, `SlugTaken`, `TooManyPages`.
    """
    if new.kind not in MANY_KINDS or not SLUG.fullmatch(new.slug):
        raise SlugInvalid
    site_id = require_site_id()
    try:
        with transaction.atomic():
            lock_site(site_id)  # or pages made at one moment would pass the limit together
            if Page.in_site().filter(kind__in=MANY_KINDS).count() >= PAGES_MOST:
                raise TooManyPages(most=PAGES_MOST)
            if Page.in_site().filter(kind__in=MANY_KINDS, slug=new.slug).exists():
                raise SlugTaken
            page: Page = Page.objects.create(
                site_id=site_id,
                kind=new.kind,
                slug=new.slug,
                title=new.title[:60],
                draft=content or {"root": {}, "sections": []},
                draft_version=1,
                draft_by=actor.name[:100],
                draft_at=clock.now(),
            )
            record("page.created", actor=actor, site_id=site_id, subject=("page", page.id))
    except IntegrityError as fault:
        raise SlugTaken from fault
    return page


def save_draft(page_id: int, *, content: Any, base_version: int, actor: Actor) -> int:
    """Keep a draft made from version `base_version`; return the new version.

    Raises `DraftMoved` (nothing is changed) when somebody saved meanwhile, `ContentInvalid`. Not
    audited: autosaves are many, and publication is.
    """
    tidied = _tidied(page_id, content)
    changed = (
        Page.in_site()
        .filter(id=page_id, draft_version=base_version)
        .update(
            draft=tidied,
            draft_version=F("draft_version") + 1,
            draft_by=actor.name[:100],
            draft_at=clock.now(),
        )
    )
    if not changed:
        raise DraftMoved(who=_who(page_id))
    return base_version + 1


def overrule_draft(page_id: int, *, content: Any, base_version: int, actor: Actor) -> int:
    """Keep a draft over the one that stands, which goes on record; return the new version.

    What a person decides who was told of both. `base_version` is that of the one that stands:
    raises `DraftMoved` when it is another by now, `ContentInvalid`. Locks the page.
    """
    tidied = _tidied(page_id, content)
    with transaction.atomic():
        page = lock_page(page_id)
        if page.draft_version != base_version:
            raise DraftMoved(who=page.draft_by)
        if page.draft is not None:
            add_revision(page, content=page.draft, reason=RevisionReason.REPLACED, actor=actor)
        page.draft = tidied
        page.draft_version += 1
        page.draft_by, page.draft_at = actor.name[:100], clock.now()
        page.save(update_fields=["draft", "draft_version", "draft_by", "draft_at"])
        record(
            "page.draft.replaced",
            actor=actor,
            site_id=page.site_id,
            subject=("page", page.id),
            detail={"is_thrown_away": False},
        )
    return base_version + 1


def _tidied(page_id: int, content: Any) -> Content:
    kind = Page.in_site().filter(id=page_id).values_list("kind", flat=True).first()
    if kind is None:
        raise PageNotFound
    try:
        tidied = tidy(content, kind=kind)
    except ValueError as fault:
        raise ContentInvalid from fault
    # What is incomplete may stand in a draft; what no template can draw may not.
    if any(fault.is_fatal for fault in check_content(tidied, kind=kind)):
        raise ContentInvalid
    return tidied


def replace_draft(page_id: int, *, content: Content | None, actor: Actor, site: SiteView) -> Page:
    """Put another draft in place of the one that stands, which goes on record. Locks the page.

    `content` None throws the draft away: what is published stands again.
    """
    with transaction.atomic():
        page = lock_page(page_id)
        if page.draft is not None:
            add_revision(
                page,
                content=current_content(page, site=site),
                reason=RevisionReason.REPLACED,
                actor=actor,
            )
        page.draft = content
        page.draft_version += 1
        page.draft_by, page.draft_at = actor.name[:100], clock.now()
        page.save(update_fields=["draft", "draft_version", "draft_by", "draft_at"])
        record(
            "page.draft.replaced",
            actor=actor,
            site_id=page.site_id,
            subject=("page", page.id),
            detail={"is_thrown_away": content is None},
        )
    return page


def restore_revision(page_id: int, *, number: int, actor: Actor, site: SiteView) -> Page:
    """Make an earlier revision the draft; nothing is published by it. Raises `RevisionNotFound`."""
    revision = get_revision(page_id, number=number)
    kind = Page.in_site().values_list("kind", flat=True).get(id=page_id)
    return replace_draft(page_id, content=tidy(revision.content, kind=kind), actor=actor, site=site)


def lock_page(page_id: int) -> Page:
    """Lock one page, in a transaction; taken by publication, replacement and decoration."""
    page: Page | None = Page.in_site().select_for_update(of=("self",)).filter(id=page_id).first()
    if page is None:
        raise PageNotFound
    return page


def add_revision(
    page: Page, *, content: Content, reason: RevisionReason, actor: Actor, note: str = ""
) -> Revision:
    """Put a content on record. Call with the page locked: its number is the next."""
    last = Revision.in_site().filter(page_id=page.id).aggregate(last=Max("number"))["last"] or 0
    revision: Revision = Revision.objects.create(
        site_id=page.site_id,
        page=page,
        number=last + 1,
        reason=reason,
        content=content,
        note=note[:120],
        created_by=actor.name[:100],
    )
    return revision


def _who(page_id: int) -> str:
    return str(Page.in_site().filter(id=page_id).values_list("draft_by", flat=True).get())


def remove_page(page_id: int, *, actor: Actor) -> None:
    """Remove a landing or custom page that is not published, with its history. Locks the page.

    Raises `PageStillPublished`.
    """
    with transaction.atomic():
        page = lock_page(page_id)
        if page.kind not in MANY_KINDS:
            raise PageNotFound
        if page.revision_id is not None:
            raise PageStillPublished
        record("page.removed", actor=actor, site_id=page.site_id, subject=("page", page.slug))
        PreviewLink.in_site().filter(page_id=page_id).delete()
        Publication.in_site().filter(page_id=page_id).delete()
        Revision.in_site().filter(page_id=page_id).delete()
        Page.in_site().filter(id=page_id).delete()
