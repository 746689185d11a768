"""Pages and files that hardly ever change: help, terms, privacy, what machines ask for."""

from typing import Any, Final

from django.http import HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.html import escape
from django.views.decorators.http import require_GET, require_POST, require_safe

from kameng.accounts.services.passes import redeem_pass
from kameng.core import clock
from kameng.pages.heading import get_heading
from kameng.pages.looks import banner_colours
from kameng.pages.models import PageKind
from kameng.pages.selectors import get_design
from kameng.storefront.frame import answer_shared, keep_private, see_other
from kameng.storefront.views.pages import answer_around, find_around
from kameng.tenancy.models import LicenceKind
from kameng.web.away import PASS_COOKIE, PASS_SECONDS, is_inside, make_pass
from kameng.web.cookies import choose_language, is_secure
from kameng.web.middleware.people import open_when_suspended
from kameng.web.requests import KamengRequest

DAY: Final = "public, max-age=86400"


@open_when_suspended
@require_safe
def help_page(request: KamengRequest) -> HttpResponse:
    """Show how to buy, find orders again and reach the operator."""
    content = find_around(request.site, PageKind.HELP)
    return answer_around(request, "storefront/help.html", key="help", content=content, build=dict)


@open_when_suspended
@require_safe
def terms(request: KamengRequest) -> HttpResponse:
    """Show the terms."""
    return answer_shared(request, "storefront/terms.html", key="terms", build=dict)


@open_when_suspended
@require_safe
def privacy(request: KamengRequest) -> HttpResponse:
    """Show what is collected and why."""
    return answer_shared(request, "storefront/privacy.html", key="privacy", build=dict)


@open_when_suspended
@require_safe
def legal(request: KamengRequest) -> HttpResponse:
    """Show who runs the shop, as the main site verified it."""
    view = request.site

    def build() -> dict[str, Any]:
        facts = view.settings.legal_facts
        kind = int(facts.get("kind", 0))
        return {"facts": facts, "kind": LicenceKind(kind).label if facts else ""}

    return answer_shared(request, "storefront/legal.html", key="legal", build=build)


@open_when_suspended
@require_GET
def inside(request: KamengRequest, token: str) -> HttpResponse:
    """Give a browser that comes from the back office the pass to a shop that is being prepared.

    Uses the link up; the browser that used it may follow it again.
    """
    site_id = request.site.site_id
    response = keep_private(see_other(reverse("storefront:home")))
    if is_inside(request, request.site):
        return response
    redeem_pass(token)
    response.set_cookie(
        PASS_COOKIE,
        make_pass(site_id),
        max_age=PASS_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=is_secure(request),
    )
    return response


@open_when_suspended
@require_POST
def language(request: KamengRequest) -> HttpResponse:
    """Keep the chosen language and go back to the page."""
    return choose_language(request)


@open_when_suspended
@require_safe
def robots(request: KamengRequest) -> HttpResponse:
    """Keep machines out of what is one person's."""
    closed = ("/o/", "/pay/", "/account/", "/checkout/", "/lookup/", "/console/")
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in closed), ""]
    return _kept(HttpResponse("\n".join(lines), content_type="text/plain; charset=utf-8"))


@open_when_suspended
@require_safe
def favicon(request: KamengRequest) -> HttpResponse:
    """Draw the shop's mark: the first character of its name in its colours."""
    start, end = banner_colours(get_design(request.site).look["root"])
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><defs>'
        f'<linearGradient id="g" x2="1" y2="1"><stop stop-color="{start}"/>'
        f'<stop offset="1" stop-color="{end}"/></linearGradient></defs>'
        '<rect width="64" height="64" rx="18" fill="url(#g)"/>'
        '<text x="32" y="44" font-size="34" font-weight="700" fill="#fff" text-anchor="middle" '
        'font-family="PingFang SC,Microsoft YaHei,Noto Sans CJK SC,sans-serif">'
        f"{escape(request.site.name[:1])}</text></svg>"
    )
    return _kept(HttpResponse(svg, content_type="image/svg+xml"))


@open_when_suspended
@require_safe
def manifest(request: KamengRequest) -> HttpResponse:
    """Describe the shop to a phone that puts it on its home screen."""
    site = request.site
    design = get_design(site)
    own = get_heading(site, design.look, now=clock.now()).favicon_url
    drawn = {"src": reverse("storefront:favicon"), "sizes": "any", "type": "image/svg+xml"}
    icon = {"src": own, "sizes": "any", "type": "image/webp"} if own else drawn
    answer = JsonResponse(
        {
            "name": site.name,
            "short_name": site.name[:12],
            "start_url": reverse("storefront:home"),
            "display": "standalone",
            "theme_color": banner_colours(design.look["root"])[0],
            "background_color": "#ffffff",
            "icons": [icon],
        },
        json_dumps_params={"ensure_ascii": False},
        content_type="application/manifest+json",
    )
    return _kept(answer)


def _kept(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = DAY
    return response
