"""Which site a request is for: decided by its Host header and by nothing else.

An unknown host is 404, never a default site; what a proxy or a browser says in other headers
(X-Forwarded-Host, Forwarded) is not looked at. The scope of the site is open for the whole request.
"""

from collections.abc import Callable

from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from kameng.core.scope import NO_SCOPE, Scope, open_scope
from kameng.tenancy.selectors import find_site_id

HOST_MAX = 300
HOSTLESS = frozenset({"/healthz", "/metrics"})  # asked by machines that know no host
INTERNAL = "/internal/"  # asked by the proxy
SCOPES_MAX = 20_000


class HostUnknown(Http404):
    """The host of a request leads to no site."""


# The scope of a site as it was last seen, so that the server is told it before the first statement
# and not after. A site's parent never changes; who opens the request checks it all the same.
_scopes: dict[int, Scope] = {}


def remember_scope(scope: Scope) -> None:
    """Keep the scope of a site for its next request in this process."""
    if scope.site_id is None or _scopes.get(scope.site_id) == scope:
        return
    if len(_scopes) >= SCOPES_MAX:
        _scopes.clear()
    _scopes[scope.site_id] = scope


class SiteMiddleware:
    """Set `request.site_id` (None for addresses of machines) and open the site's scope."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve the request in the scope of its site. Raises `HostUnknown`."""
        if request.path_info in HOSTLESS or request.path_info.startswith(INTERNAL):
            request.site_id = None  # type: ignore[attr-defined]
            return self.get_response(request)
        host = request.META.get("HTTP_HOST", "")
        site_id = find_site_id(host) if 0 < len(host) <= HOST_MAX else None
        if site_id is None:
            raise HostUnknown
        request.site_id = site_id  # type: ignore[attr-defined]
        with open_scope(_scopes.get(site_id, NO_SCOPE)):
            return self.get_response(request)
