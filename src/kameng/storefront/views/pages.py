"""Pages that operators make: the home page, landing pages, the look's style sheet, pictures."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Final

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from kameng.catalog.selectors import get_catalogue
from kameng.core import clock
from kameng.pages.content import Content
from kameng.pages.drawing import draw_content
from kameng.pages.errors import PageNotFound
from kameng.pages.fields import find_plain_url, is_safe_url
from kameng.pages.looks import find_sheet
from kameng.pages.models import MANY_KINDS, PageKind
from kameng.pages.selectors import current_content, find_picture_data, get_design
from kameng.pages.services.previewing import open_preview
from kameng.storefront.frame import answer_personal, answer_shared, keep_private
from kameng.tenancy.selectors import SiteView
from kameng.web.builtin import BuiltIn, find_built_in, offered_for
from kameng.web.csp import allow_players
from kameng.web.forms import find_text, find_whole
from kameng.web.middleware.people import open_when_suspended
from kameng.web.requests import KamengRequest
from kameng.web.shop import draw_for_nobody

FOR_NOW: Final = "public, max-age=300"
FOR_GOOD: Final = "public, max-age=31536000, immutable"
URL_CHARS: Final = 300
TOKEN_CHARS: Final = 64


def answer_page(
    request: KamengRequest, key: tuple[int, int, str], *, nav: str = "", tab: str = ""
) -> HttpResponse:
    """Answer with a published page of this site. Raises `PageNotFound`."""
    design = get_design(request.site)
    content = design.contents.get(key)
    if content is None:
        raise PageNotFound
    title = "" if key[0] == PageKind.HOME else design.titles.get(key, str(PageKind(key[0]).label))
    return answer_around(
        request,
        "storefront/page.html",
        key=key,
        content=content,
        build=lambda: {
            "page_title": title,
            "is_bare": _is_bare(request.site, content),
            "nav": nav,
            "tab": tab,
        },
    )


def find_around(site: SiteView, kind: int, *, category_id: int = 0) -> Content | None:
    """Return the sections around a built-in page: of this category, else of all; None for none."""
    contents = get_design(site).contents
    return contents.get((kind, category_id, "")) or contents.get((kind, 0, ""))


def answer_around(
    request: KamengRequest,
    template: str,
    *,
    key: Hashable,
    content: Content | None,
    build: Callable[[], Mapping[str, Any]],
) -> HttpResponse:
    """Answer with a page that is the same for everybody, with an operator's sections in it."""

    def values() -> dict[str, Any]:
        now = clock.now()
        drawn = draw_content(content, site=request.site, now=now) if content else ""
        return {**build(), "sections": drawn}

    response = answer_shared(request, template, key=key, build=values)
    if content:
        _allow_films(response, content)
    return response


def _allow_films(response: HttpResponse, content: Content) -> None:
    if any(section["type"] == "video" for section in content["sections"]):
        allow_players(response)


def _is_bare(site: SiteView, content: Content) -> bool:
    """Tell whether a page has nothing to show: no sections, or the home page of an empty shop."""
    return not content["sections"] or not get_catalogue(site).products


@require_safe
def page(request: KamengRequest, slug: str) -> HttpResponse:
    """Show a landing or custom page."""
    design = get_design(request.site)
    for kind in MANY_KINDS:
        if (kind, 0, slug) in design.contents:
            return answer_page(request, (kind, 0, slug))
    raise PageNotFound


@require_safe
def about(request: KamengRequest) -> HttpResponse:
    """Show who runs the shop."""
    return answer_page(request, (PageKind.ABOUT, 0, ""))


@require_safe
def preview(request: KamengRequest, token: str) -> HttpResponse:
    """Show a draft to whoever holds its link, of the category or product named `shown`.

    Raises `PreviewInvalid`.
    """
    shown = open_preview(token[:TOKEN_CHARS])
    content, site = current_content(shown, site=request.site), request.site
    look = content if shown.kind == PageKind.LOOK else None
    sections = get_design(site).contents[PageKind.HOME, 0, ""] if look else content
    built_in = find_built_in(site, shown.kind, shown_id=find_whole(request, "shown") or 0)
    context = {
        **built_in.values,
        "sections": draw_content(sections, site=site, now=clock.now()),
        "page_title": shown.title,
        "is_private": True,
        "preview": _choice_of(site, shown.kind, built_in),
    }
    html = draw_for_nobody(site, built_in.template, context, look=look)
    response = keep_private(HttpResponse(html))
    _allow_films(response, sections)
    return response


def _choice_of(site: SiteView, kind: int, built_in: BuiltIn) -> dict[str, Any]:
    """Return what the line above a preview offers to be shown, with what is shown now."""
    offered = offered_for(site, kind)
    is_extra = built_in.shown_id not in {each for each, _name in offered}
    return {
        "offered": offered,
        "shown_id": built_in.shown_id,
        "shown_name": built_in.shown_name,
        "is_extra": is_extra,
    }


@require_safe
def leaving(request: KamengRequest) -> HttpResponse:
    """Warn before a link of an operator leads to another host."""
    target = find_text(request, "to", limit=URL_CHARS)
    plain = find_plain_url(target) if is_safe_url(target) else None
    if plain is None:
        raise Http404
    return answer_personal(request, "storefront/leaving.html", {"target": plain})


@open_when_suspended
@require_safe
def look(request: KamengRequest, name: str) -> HttpResponse:
    """Serve a style sheet. The address says what it is made from, its query what came out."""
    sheet = find_sheet(name)
    if sheet is None:
        raise Http404
    response = HttpResponse(sheet.css, content_type="text/css; charset=utf-8")
    is_known = request.META.get("QUERY_STRING") == sheet.digest
    response["Cache-Control"] = FOR_GOOD if is_known else FOR_NOW
    return response


@open_when_suspended
@require_safe
def picture(request: KamengRequest, picture_id: int, digest: str, width: int) -> HttpResponse:
    """Serve one size of an uploaded picture."""
    data = find_picture_data(picture_id, digest=digest, width=width)
    if data is None:
        raise Http404
    response = HttpResponse(data, content_type="image/webp")
    response["Cache-Control"] = FOR_GOOD
    return response
