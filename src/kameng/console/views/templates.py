"""One-click decoration: the gallery, a design tried on this shop's own goods, applied, undone."""

from typing import Final

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from kameng.console.answers import done
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core import clock
from kameng.pages.drawing import draw_content
from kameng.pages.models import PageKind
from kameng.pages.ready_made import all_designs, get_ready_made
from kameng.pages.selectors import find_last_decoration
from kameng.pages.services.decorating import apply_template, undo_decoration
from kameng.tenancy.selectors import SiteView
from kameng.web.csp import allow_framing, allow_own_frames
from kameng.web.shop import draw_for_nobody

GALLERY: Final = "console:templates"


@console_page("design.edit")
@require_safe
def templates(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Show the designs, each drawn with this shop's own goods."""
    last = find_last_decoration()
    context = {"designs": all_designs().values(), "last": last}
    response = show(request, "console/design/templates.html", context)
    allow_own_frames(response)
    return response


@console_page("design.edit")
@require_safe
def template_frame(request: ConsoleRequest, site: SiteView, key: str) -> HttpResponse:
    """Draw a design as this shop would look in it."""
    contents = get_ready_made(key).contents()
    sections = draw_content(contents[PageKind.HOME], site=site, now=clock.now())
    context = {"sections": sections, "page_title": "", "is_framed": True, "tab": "home"}
    look = contents[PageKind.LOOK]
    response = HttpResponse(draw_for_nobody(site, "storefront/page.html", context, look=look))
    allow_framing(response)
    return response


@console_page("design.edit")
@require_POST
def apply(request: ConsoleRequest, site: SiteView, key: str) -> HttpResponse:
    """Decorate the shop with a design."""
    apply_template(key, site=site, actor=actor_of(request))
    name = get_ready_made(key).name
    text = _("已换上“%(name)s”。不满意可以一键撤销。") % {"name": name}
    return done(request, text, to=reverse(GALLERY, args=(site.slug,)))


@console_page("design.edit")
@require_POST
def undo(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Put back what stood before the last decoration."""
    undo_decoration(site=site, actor=actor_of(request))
    return done(request, _("已恢复原来的装修。"), to=reverse(GALLERY, args=(site.slug,)))
