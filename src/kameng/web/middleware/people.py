"""Who sends the request and for which shop: both in one query.

Sets `request.site` and `request.person`, opens the site's exact scope, puts its time zone in
force, sends visitors on to the shop's primary host, and keeps the storefront of a suspended site
closed while its back office stays open.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponsePermanentRedirect
from django.http.response import HttpResponseBase
from django.utils import timezone

from kameng.accounts.people import GUEST
from kameng.accounts.selectors import open_request
from kameng.core.scope import open_scope
from kameng.tenancy.addresses import host_url
from kameng.tenancy.middleware import HostUnknown, remember_scope
from kameng.tenancy.models import SiteState
from kameng.tenancy.selectors import find_onward_host, forget_hosts, scope_of
from kameng.web.answers import answer
from kameng.web.away import answer_away, refusal_of
from kameng.web.middleware.requests import SMALL_BODY

STAYING = ("/pay/", "/receive/")  # payments and payouts that are under way
OPEN_APPS = frozenset({"console", "openapi"})  # the operator, and gateways with money to report


def open_when_suspended(view: Callable[..., Any]) -> Callable[..., Any]:
    """Keep a view of the storefront open while its site is suspended: bought goods, legal texts."""
    view.is_open_when_suspended = True  # type: ignore[attr-defined]
    return view


class PeopleMiddleware:
    """See the module."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve the request as its person, in the exact scope of its site."""
        site_id: int | None = request.site_id  # type: ignore[attr-defined]
        if site_id is None:
            request.person = GUEST  # type: ignore[attr-defined]
            return self.get_response(request)
        opened = open_request(site_id, token=request.COOKIES.get(settings.SESSION_COOKIE, ""))
        if opened is None:  # the site went since its host was looked up
            forget_hosts()
            raise HostUnknown
        request.site = opened.site  # type: ignore[assignment]
        request.person = opened.person  # type: ignore[attr-defined]
        if not opened.person.is_staff and _length(request) > SMALL_BODY:
            return answer(request, 413)
        scope = scope_of(opened.site)
        remember_scope(scope)
        timezone.activate(opened.site.settings.zone)
        try:
            with open_scope(scope):
                return self.get_response(request)
        finally:
            timezone.deactivate()

    def process_view(
        self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any
    ) -> HttpResponseBase | None:
        """Send visitors of a shop on to its primary host; close one that is not to be seen."""
        site = getattr(request, "site", None)
        if site is None:
            return None
        match = request.resolver_match
        if match is not None and OPEN_APPS & set(match.app_names):
            return None
        if (onward := _send_on(request)) is not None:
            return onward
        if site.state == SiteState.OPEN and not site.is_preparing:
            return None
        if getattr(view, "is_open_when_suspended", False):
            return None
        refusal = refusal_of(request, site)
        return None if refusal is None else answer_away(request, site, refusal)


def _send_on(request: HttpRequest) -> HttpResponse | None:
    """Lead a visitor who opens a page under another host of the shop to its primary one.

    Only pages that are opened: what a page that is open already asks for must not leave its host,
    nor must a payment under way, whose device and way back are known to the host it began on.
    """
    if request.method not in {"GET", "HEAD"} or request.path_info.startswith(STAYING):
        return None
    if request.headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
        return None
    if request.headers.get("Sec-Fetch-Dest", "document") != "document":
        return None
    host = find_onward_host(request.META.get("HTTP_HOST", ""))
    if host is None:
        return None
    # Permanent to search engines, and asked again by browsers: the operator may choose another.
    response = HttpResponsePermanentRedirect(host_url(host) + request.get_full_path())
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _length(request: HttpRequest) -> int:
    return int(request.META.get("CONTENT_LENGTH") or 0)
