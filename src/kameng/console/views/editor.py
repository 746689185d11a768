"""The page editor: its screen, the frame it shows, and the calls it makes, in JSON.

A call that saves answers 200 with the new `version`, 400 with a `message` (and `faults`), or 409
with the `content` and `version` that stand, so that the editor can bring both together.
"""

from dataclasses import asdict
from typing import Any, Final

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from kameng.catalog.selectors import get_catalogue
from kameng.console.design_words import ICONS, builder_words, page_title, page_url
from kameng.console.shop_standing import find_standing
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core import clock
from kameng.pages.advice import list_notes
from kameng.pages.content import (
    SECTIONS_MOST,
    Content,
    Fault,
    check_content,
    root_fields,
    tidy,
)
from kameng.pages.drawing import draw_content, draw_section, make_world
from kameng.pages.errors import (
    ContentInvalid,
    DraftMoved,
    NotPublishable,
    SectionNotFound,
    TimeInvalid,
)
from kameng.pages.fields import TARGETS, field_json, parse_moment
from kameng.pages.models import MANY_KINDS, Page, PageKind
from kameng.pages.registry import (
    GROUPS,
    Section,
    all_sections,
    find_section,
    preview_section,
)
from kameng.pages.selectors import (
    current_content,
    find_publication,
    get_design,
    get_page,
    list_pages,
)
from kameng.pages.services.drafting import overrule_draft, replace_draft, save_draft
from kameng.pages.services.previewing import make_preview_link, revoke_preview_links
from kameng.pages.services.publishing import (
    cancel_publication,
    publish_page,
    schedule_publication,
)
from kameng.pages.shelf import category_names, cover_url
from kameng.tenancy.addresses import site_url
from kameng.tenancy.selectors import SiteView
from kameng.web.builtin import find_built_in
from kameng.web.csp import allow_framing, allow_own_frames
from kameng.web.forms import find_text, find_whole, read_json
from kameng.web.shop import draw_for_nobody

DRAFT_BYTES: Final = 300_000
FOUND_MOST: Final = 20
NOTE_CHARS: Final = 120
ID_DIGITS: Final = 19
BUILT_IN: Final[dict[int, str]] = {
    PageKind.CATEGORY: "after",
    PageKind.PRODUCT: "before",
    PageKind.HELP: "before",
}
"""Where the built-in part stands to the sections, as the templates of the storefront have it."""
CHOOSE_TEXTS: Final[dict[int, Promise]] = {
    PageKind.CATEGORY: gettext_lazy("换一个分类看"),
    PageKind.PRODUCT: gettext_lazy("换一个商品看"),
}


@console_page("design.edit")
@require_safe
def editor(request: ConsoleRequest, site: SiteView, page_id: int) -> HttpResponse:
    """Show the editor of a page."""
    page = get_page(page_id)
    response = show(
        request,
        "console/design/editor.html",
        {
            "page": page,
            "title": page_title(page),
            "boot": {**_boot(page, site), "standing": _standing(request, site)},
            "words": builder_words(),
        },
    )
    allow_own_frames(response)
    return response


def _standing(request: ConsoleRequest, site: SiteView) -> dict[str, Any] | None:
    found = find_standing(site, can=lambda name: request.person.can(name, site.site_id))
    return None if found is None else asdict(found)


def _boot(page: Page, site: SiteView) -> dict[str, Any]:
    """Return everything that the editor starts with."""
    content = current_content(page, site=site)
    waiting = find_publication(page.id)
    catalogue = get_catalogue(site)
    return {
        "page": {
            "id": page.id,
            "kind": page.kind,
            "title": page_title(page),
            "url": page_url(page),
        },
        "content": content,
        "version": page.draft_version,
        "is_changed": page.draft is not None,
        "is_published": page.revision_id is not None,
        "built_in": BUILT_IN.get(page.kind, ""),
        "publish_at": waiting.publish_at.isoformat() if waiting else None,
        "faults": [_fault_json(fault) for fault in check_content(content, kind=page.kind)],
        "notes": [_fault_json(note) for note in list_notes(content, kind=page.kind)],
        "sections_most": SECTIONS_MOST,
        "sections": [_section_json(section, page.kind) for section in all_sections().values()],
        "groups": [[key, str(label)] for key, label in GROUPS.items()],
        "root_fields": [field_json(field) for field in root_fields(page.kind)],
        "icons": ICONS,
        "pages": [
            {"id": row.id, "title": row.title} for row in list_pages() if row.kind in MANY_KINDS
        ],
        "categories": [
            {"id": each.id, "name": each.name, "count": each.product_count}
            for each in catalogue.categories
        ],
        "goals": [goal for goal in TARGETS if goal != "open" or site.is_main],
        "tags": sorted({tag for product in catalogue.products for tag in product.tags})[:200],
    }


def _section_json(section: Section, kind: int) -> dict[str, Any]:
    return {
        "type": section.type,
        "version": section.version,
        "name": str(section.name),
        "icon": section.icon,
        "group": section.group,
        "hint": str(section.hint),
        "fields": [field_json(field) for field in section.all_fields],
        "is_single": section.is_single,
        "stands_here": section.stands_on(kind),
    }


def _fault_json(fault: Fault) -> dict[str, str]:
    return {
        "section_id": fault.section_id,
        "section": fault.section_name,
        "path": fault.path,
        "message": fault.message,
    }


@console_page("design.edit")
@require_safe
def frame(request: ConsoleRequest, site: SiteView, page_id: int) -> HttpResponse:
    """Show the draft as the editor frames it: the real page, its parts marked.

    `shown` names the category or product that a page of many is shown of; `still` shows the page
    to be looked at alone, beside a version of it.
    """
    page = get_page(page_id)
    content = current_content(page, site=site)
    shown_id = find_whole(request, "shown") or 0
    is_still = "still" in request.GET
    html = draw_page(page.kind, content, site, shown_id=shown_id, is_editing=not is_still)
    response = HttpResponse(html)
    allow_framing(response)
    return response


def draw_page(
    kind: int, content: Content, site: SiteView, *, shown_id: int = 0, is_editing: bool = False
) -> str:
    """Return a page of the shop with this content in it; a look is shown around the home page.

    The built-in part stands where buyers see it and does nothing, nor does the rest of a page that
    is not edited.
    """
    shown, look = content, None
    if kind == PageKind.LOOK:
        shown, look = get_design(site).contents[PageKind.HOME, 0, ""], content
    is_marked = is_editing and kind != PageKind.LOOK
    sections = draw_content(shown, site=site, now=clock.now(), is_editing=is_marked)
    built_in = find_built_in(site, kind, shown_id=shown_id)
    context = {
        "page_title": "",
        "tab": "home",
        **built_in.values,
        "sections": sections,
        "is_framed": True,
        "is_editing": is_editing,
        "is_still": not is_editing,
        "shown_id": built_in.shown_id,
        "choose_text": CHOOSE_TEXTS.get(kind) if built_in.shown_id else None,
    }
    return draw_for_nobody(
        site, built_in.template, context, look=look, is_editing=is_editing and bool(look)
    )


@console_page("design.edit")
@require_POST
def draft(request: ConsoleRequest, site: SiteView, page_id: int) -> HttpResponse:
    """Save a draft; answer with the markup of the sections named in `draw`, and what is wrong.

    `tidied` has the sections that are not kept as they were sent. `overrules` says that a person
    chose this draft over the one that stands, which then goes on record.
    """
    values = read_json(request, limit=DRAFT_BYTES)
    page = get_page(page_id)
    save = overrule_draft if values.get("overrules") is True else save_draft
    try:
        version = save(
            page_id,
            content=values.get("content"),
            base_version=_whole(values.get("version")),
            actor=actor_of(request),
        )
    except DraftMoved as moved:
        return _moved(page_id, moved, site)
    content = tidy(values["content"], kind=page.kind)
    sent = values["content"]["sections"]
    kept = zip(content["sections"], sent, strict=True)
    return JsonResponse(
        {
            "version": version,
            "faults": [_fault_json(fault) for fault in check_content(content, kind=page.kind)],
            "notes": [_fault_json(note) for note in list_notes(content, kind=page.kind)],
            "drawn": _draw(content, values.get("draw"), site),
            "tidied": {each["id"]: each for each, was in kept if each != was},
        }
    )


def _draw(content: Content, named: object, site: SiteView) -> dict[str, str]:
    names = named if isinstance(named, list) else ()
    wanted = {name for name in names if isinstance(name, str)}
    shown = [section for section in content["sections"] if section["id"] in wanted]
    if not shown:
        return {}
    part = {"root": {}, "sections": shown}
    world = make_world(part, site=site, now=clock.now(), is_editing=True)
    return {section["id"]: draw_section(section, world) for section in shown}


def _moved(page_id: int, moved: DraftMoved, site: SiteView) -> HttpResponse:
    page = get_page(page_id)
    return JsonResponse(
        {
            "code": moved.code,
            "message": moved.text(),
            "version": page.draft_version,
            "content": current_content(page, site=site),
        },
        status=409,
    )


@console_page("design.edit")
@require_POST
def publish(request: ConsoleRequest, site: SiteView, page_id: int) -> HttpResponse:
    """Show the draft to everybody."""
    values = read_json(request)
    note = values.get("note")
    try:
        publish_page(
            page_id,
            base_version=_whole(values.get("version")),
            actor=actor_of(request),
            site=site,
            note=note[:NOTE_CHARS] if isinstance(note, str) else "",
        )
    except NotPublishable as refused:
        return _faulty(refused)
    except DraftMoved as moved:
        return _moved(page_id, moved, site)
    return JsonResponse({"version": get_page(page_id).draft_version})


@console_page("design.edit")
@require_POST
def schedule(request: ConsoleRequest, site: SiteView, page_id: int) -> HttpResponse:
    """Publish the draft as it is now at a later time, given with its offset."""
    values = read_json(request)
    moment = parse_moment(str(values.get("publish_at")))
    if moment is None:
        raise TimeInvalid
    try:
        planned = schedule_publication(
            page_id,
            base_version=_whole(values.get("version")),
            publish_at=moment,
            actor=actor_of(request),
            site=site,
        )
    except NotPublishable as refused:
        return _faulty(refused)
    except DraftMoved as moved:
        return _moved(page_id, moved, site)
    return JsonResponse({"publish_at": planned.publish_at.isoformat()})


@console_page("design.edit")
@require_POST
def unschedule(request: ConsoleRequest, site: SiteView, page_id: int) -> HttpResponse:
    """Drop the timed publication."""
    return JsonResponse({"is_dropped": cancel_publication(page_id, actor=actor_of(request))})


@console_page("design.edit")
@require_POST
def discard(request: ConsoleRequest, site: SiteView, page_id: int) -> HttpResponse:
    """Throw the draft away (it stays in the history); answer with what stands now."""
    page = replace_draft(page_id, content=None, actor=actor_of(request), site=site)
    content = current_content(get_page(page_id), site=site)
    return JsonResponse({"version": page.draft_version, "content": content})


@console_page("design.edit")
@require_POST
def share(request: ConsoleRequest, site: SiteView, page_id: int) -> HttpResponse:
    """Make a link that shows the draft to whoever holds it, for some days."""
    token = make_preview_link(page_id, actor=actor_of(request))
    host = "" if site.site_id == request.site.site_id else site_url(site.site_id)
    path = reverse("storefront:preview", args=(token,))
    return JsonResponse({"url": (host or request.build_absolute_uri("/").rstrip("/")) + path})


@console_page("design.edit")
@require_POST
def unshare(request: ConsoleRequest, site: SiteView, page_id: int) -> HttpResponse:
    """Make every preview link of the page useless."""
    return JsonResponse({"count": revoke_preview_links(page_id, actor=actor_of(request))})


@console_page("design.edit")
@require_safe
def section_frame(request: ConsoleRequest, site: SiteView, kind: str) -> HttpResponse:
    """Draw a section at its best, in the shop's look and with its goods: the palette shows it."""
    section = find_section(kind)
    if section is None:
        raise SectionNotFound
    page_kind = PageKind.HOME if section.stands_on(PageKind.HOME) else min(section.kinds)
    content = {"root": {}, "sections": [preview_section(section)]}
    shown = tidy(content, kind=page_kind)
    context = {"sections": draw_content(shown, site=site, now=clock.now(), is_editing=True)}
    response = HttpResponse(draw_for_nobody(site, "console/design/section.html", context))
    allow_framing(response)
    return response


@console_page("design.edit")
@require_safe
def goods_picker(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Offer goods while someone types, or tell of those whose ids are given."""
    catalogue = get_catalogue(site)
    text = find_text(request, "q", limit=60)
    ids = [
        int(each)
        for each in request.GET.get("ids", "").split(",")
        if each.isdecimal() and len(each) < ID_DIGITS
    ][:60]
    if ids:
        found = [catalogue.find_product(each) for each in ids]
    else:
        found = list(catalogue.search(text)) if text else list(catalogue.list_hot(FOUND_MOST))
    names = category_names(catalogue.categories)
    items = [
        {
            "id": product.id,
            "title": product.title,
            "price_amount": product.lowest_amount,
            "image_url": cover_url(product, category_name=names.get(product.category_id, "")),
        }
        for product in found[: FOUND_MOST if not ids else None]
        if product is not None
    ]
    return JsonResponse({"items": items})


def _faulty(refused: NotPublishable) -> HttpResponse:
    faults = [_fault_json(fault) for fault in refused.faults if isinstance(fault, Fault)]
    body = {"code": refused.code, "message": refused.text(), "faults": faults}
    return JsonResponse(body, status=400)


def _whole(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ContentInvalid
    return value
