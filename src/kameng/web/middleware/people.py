"""Who sends the request and for which shop: both in one query.

Sets `request.site` and `request.person`, opens the site's exact scope, puts its time zone in
force, and keeps the storefront of a suspended site closed while its back office stays open.
"""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from kameng.accounts.people import GUEST
from kameng.accounts.selectors import open_request
from kameng.core.scope import open_scope
from kameng.tenancy.middleware import HostUnknown, remember_scope
from kameng.tenancy.models import SiteState
from kameng.tenancy.selectors import forget_hosts, scope_of
from kameng.web.answers import answer
from kameng.web.away import answer_away, refusal_of
from kameng.web.middleware.requests import SMALL_BODY

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
        """Close the storefront of a site that is not open, or is still being prepared."""
        site = getattr(request, "site", None)
        if site is None or (site.state == SiteState.OPEN and not site.is_preparing):
            return None
        match = request.resolver_match
        if match is not None and OPEN_APPS & set(match.app_names):
            return None
        if getattr(view, "is_open_when_suspended", False):
            return None
        refusal = refusal_of(request, site)
        return None if refusal is None else answer_away(request, site, refusal)


def _length(request: HttpRequest) -> int:
    return int(request.META.get("CONTENT_LENGTH") or 0)
