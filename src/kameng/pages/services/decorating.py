"""One-click decoration: a ready-made design becomes the drafts or the published pages of a site.

What stood before is on record, in one row, and comes back whole by `undo_decoration`. Texts and
pictures that the shop wrote itself are not carried over into the design, nor lost: they are in the
history of each page. Locks: the pages in the order of their ids.
"""

from typing import Any

from django.db import transaction

from kameng.core import clock
from kameng.core.audit import Actor, record
from kameng.core.scope import require_site_id
from kameng.pages.content import Content
from kameng.pages.errors import AlreadyUndone, TemplateNotFound
from kameng.pages.models import Decoration, Page, PageKind, Revision, RevisionReason
from kameng.pages.ready_made import get_ready_made
from kameng.pages.selectors import find_last_decoration
from kameng.pages.services.drafting import add_revision, lock_page, open_page
from kameng.tenancy.selectors import SiteView
from kameng.tenancy.services import bump_catalogue_version


def apply_template(key: str, *, site: SiteView, actor: Actor) -> Decoration:
    """Publish a ready-made design on the site, its own name, logo and menu kept.

    Raises `TemplateNotFound`. One transaction: either every page changes or none.
    """
    contents = get_ready_made(key).contents()
    pages = sorted((open_page(kind) for kind in contents), key=lambda page: page.id)
    with transaction.atomic():
        before: dict[str, Any] = {}
        for page in pages:
            locked = lock_page(page.id)
            before[str(page.id)] = {"draft": locked.draft, "revision_id": locked.revision_id}
            _publish(locked, _keep_own(locked, contents[locked.kind]), actor=actor)
        applied: Decoration = Decoration.objects.create(
            site_id=require_site_id(),
            template=key,
            before=before,
            created_by=actor.name[:100],
        )
        bump_catalogue_version(site.site_id)
        record(
            "page.template.applied",
            actor=actor,
            site_id=site.site_id,
            subject=("decoration", applied.id),
            detail={"template": key},
        )
    return applied


def undo_decoration(*, site: SiteView, actor: Actor) -> Decoration:
    """Put back what stood before the last decoration. Raises `AlreadyUndone`."""
    last = find_last_decoration()
    if last is None:
        raise TemplateNotFound
    with transaction.atomic():
        taken = (
            Decoration.in_site()
            .filter(id=last.id, undone_at__isnull=True)
            .update(undone_at=clock.now())
        )
        if not taken:
            raise AlreadyUndone
        for page_id, stood in sorted(last.before.items(), key=lambda item: int(item[0])):
            page = lock_page(int(page_id))
            if page.draft is not None:
                add_revision(page, content=page.draft, reason=RevisionReason.REPLACED, actor=actor)
            page.draft = stood["draft"]
            page.revision_id = stood["revision_id"]
            page.draft_version += 1
            page.draft_by, page.draft_at = actor.name[:100], clock.now()
            page.save(update_fields=["draft", "revision", "draft_version", "draft_by", "draft_at"])
        bump_catalogue_version(site.site_id)
        record(
            "page.template.undone",
            actor=actor,
            site_id=site.site_id,
            subject=("decoration", last.id),
            detail={"template": last.template},
        )
    return last


def _publish(page: Page, content: Content, *, actor: Actor) -> None:
    if page.draft is not None:
        add_revision(page, content=page.draft, reason=RevisionReason.REPLACED, actor=actor)
    page.revision = add_revision(
        page, content=content, reason=RevisionReason.PUBLISHED, actor=actor
    )
    page.draft = None
    page.draft_version += 1
    page.draft_by, page.draft_at = actor.name[:100], clock.now()
    page.save(update_fields=["draft", "revision", "draft_version", "draft_by", "draft_at"])


def _keep_own(page: Page, content: Content) -> Content:
    """Return the design's look with what is the shop's alone: logo, icon, menu."""
    if page.kind != PageKind.LOOK:
        return content
    stood = page.draft
    if stood is None and page.revision_id is not None:
        stood = Revision.in_site().values_list("content", flat=True).get(id=page.revision_id)
    if not stood:
        return content
    own = {
        name: stood["root"][name]
        for name in ("logo", "favicon", "shows_name", "menu")
        if name in stood["root"]
    }
    return {**content, "root": {**content["root"], **own}}
