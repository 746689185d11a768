"""The history of a page: every content on record, beside what stands, and back to one of them."""

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from kameng.console.answers import done
from kameng.console.design_words import page_title
from kameng.console.views.editor import draw_page
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.pages.comparing import compare
from kameng.pages.content import tidy
from kameng.pages.selectors import current_content, get_page, get_revision, list_revisions
from kameng.pages.services.drafting import restore_revision
from kameng.tenancy.selectors import SiteView
from kameng.web.csp import allow_framing, allow_own_frames
from kameng.web.forms import find_whole


@console_page("design.edit")
@require_safe
def history(request: ConsoleRequest, site: SiteView, page_id: int) -> HttpResponse:
    """List the revisions; show the chosen one beside what stands, with what differs in words."""
    page = get_page(page_id)
    revisions = list_revisions(page_id)
    numbers = [revision.number for revision in revisions]
    named = find_whole(request, "number")
    chosen = named if named in numbers else (numbers or [0])[0]
    changes = []
    if chosen:
        then = tidy(get_revision(page_id, number=chosen).content, kind=page.kind)
        changes = compare(then, current_content(page, site=site))
    context = {
        "page": page,
        "title": page_title(page),
        "revisions": revisions,
        "chosen": chosen,
        "changes": changes,
    }
    response = show(request, "console/design/history.html", context)
    allow_own_frames(response)
    return response


@console_page("design.edit")
@require_safe
def revision_frame(
    request: ConsoleRequest, site: SiteView, page_id: int, number: int
) -> HttpResponse:
    """Show a revision as the page it was."""
    page = get_page(page_id)
    content = tidy(get_revision(page_id, number=number).content, kind=page.kind)
    response = HttpResponse(draw_page(page.kind, content, site))
    allow_framing(response)
    return response


@console_page("design.edit")
@require_POST
def restore(request: ConsoleRequest, site: SiteView, page_id: int, number: int) -> HttpResponse:
    """Make a revision the draft."""
    restore_revision(page_id, number=number, actor=actor_of(request), site=site)
    editor = reverse("console:edit_page", args=(site.slug, page_id))
    return done(request, _("已恢复为草稿，检查后点“发布”。"), to=editor)
