"""The express way: a few hot posts and callbacks are served on the event loop, the rest by threads.

The same request object, the same checks in the same order and the same functions as behind the
middleware; only the queries differ, which are shared with those who ask at the same moment
(`core.lanes`). Whatever is not plain takes the ordinary way from its beginning: an act of the
express way either answers, or has changed nothing that the ordinary way would do twice.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qsl

import structlog
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, QueryDict
from django.middleware.csrf import CsrfViewMiddleware
from django.utils import translation
from django.utils.datastructures import MultiValueDict

from kameng.accounts.people import GUEST
from kameng.accounts.selectors import open_buyer
from kameng.core.errors import Refusal
from kameng.tenancy.models import SiteState
from kameng.tenancy.selectors import peek_site_id, peek_stamped_view
from kameng.web import logs
from kameng.web.answers import find_answer, wants_json
from kameng.web.middleware.requests import (
    begin_request,
    find_misshape,
    finish_request,
    has_broken_text,
    language_of,
)
from kameng.web.requests import KamengRequest

HOST_MAX = 300
log = structlog.get_logger("kameng.web")
Act = Callable[[KamengRequest], Awaitable[HttpResponse | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What the express way serves: the act, its name in figures, and how its sender is checked.

    `is_form` asks for the CSRF pair and for clean text; a callback carries its own proof instead.
    An act that `compares_stamp` gets, for who has no session, the site as this process keeps it
    with its stamp; its statement finds out whether that is still the site (sql/versions.sql).
    """

    view_name: str
    act: Act
    is_form: bool
    is_open_when_suspended: bool = False
    compares_stamp: bool = False


async def serve(environ: dict[str, Any], route: Route) -> HttpResponse | None:
    """Answer a request of the express way; None sends it the ordinary way, nothing done."""
    started_ns = time.perf_counter_ns()
    request = cast(KamengRequest, WSGIRequest(environ))
    begin_request(request)
    # Of this request alone: each is a task, and a task has a context of its own.
    logs.request_id.set(request.request_id)
    translation.activate(language_of(request))
    if find_misshape(request):
        return None
    try:
        response = await _serve(request, route)
    except Refusal as refusal:
        if not wants_json(request):
            return None  # the page that explains needs queries
        response = find_answer(request, refusal)
    except Exception as fault:  # the ordinary way answers it, or fails in its own well-kept way
        log.warning("express.left", view=route.view_name, fault=type(fault).__name__)
        return None
    if response is not None:
        request.resolver_match = SimpleNamespace(view_name=route.view_name)  # type: ignore[assignment]
        finish_request(request, response, time.perf_counter_ns() - started_ns)
    return response


async def _serve(request: KamengRequest, route: Route) -> HttpResponse | None:
    host = request.META.get("HTTP_HOST", "")
    site_id = peek_site_id(host) if 0 < len(host) <= HOST_MAX else None
    if site_id is None:
        return None
    if not await _open(request, site_id, route):
        return None
    is_away = request.site.state != SiteState.OPEN or request.site.is_preparing
    if is_away and not route.is_open_when_suspended:
        return None
    if request.META.get("QUERY_STRING"):
        read_query(request)
        if has_broken_text(request.GET):
            return None
    if route.is_form and not _is_own_form(request):
        return None
    return await route.act(request)


async def _open(request: KamengRequest, site_id: int, route: Route) -> bool:
    """Set the site and the person of a request; False where the ordinary way must."""
    token = request.COOKIES.get(settings.SESSION_COOKIE, "")
    kept = peek_stamped_view(site_id) if route.compares_stamp and not token else None
    request.site_id = site_id
    if kept is not None:
        request.stamp, request.site = kept
        request.person = GUEST
        return True
    opened = await open_buyer(site_id, token=token)
    if opened is None:
        return False
    request.stamp, request.site, request.person = "", opened.site, opened.person
    return True


def _is_own_form(request: HttpRequest) -> bool:
    """Tell whether a form is whole and comes from our own page: Django's own check."""
    if request.content_type != "application/x-www-form-urlencoded":
        return False
    read_form(request)
    _csrf.process_request(request)
    if _csrf.process_view(request, _no_view, (), {}) is not None:
        return False
    return not has_broken_text(request.POST)


def read_form(request: HttpRequest) -> None:
    """Read a small form as Django does, at half the cost. Raises what `request.POST` raises."""
    form = _read_pairs(request.body.decode("utf-8", "replace"))
    request._post, request._files = form, MultiValueDict()  # type: ignore[attr-defined]


def read_query(request: HttpRequest) -> None:
    """Read the query as Django does, at half the cost. Raises what `request.GET` raises."""
    raw = request.META["QUERY_STRING"].encode("latin-1").decode("utf-8", "replace")
    request.__dict__["GET"] = _read_pairs(raw)


def _read_pairs(text: str) -> QueryDict:
    pairs = parse_qsl(
        text, keep_blank_values=True, max_num_fields=settings.DATA_UPLOAD_MAX_NUMBER_FIELDS
    )
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    read = QueryDict(mutable=True)
    dict.update(read, values)  # a QueryDict is a dict of lists
    read._mutable = False
    return read


def _no_view(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(status=404)  # stands where Django's check wants a view to look at


_csrf = CsrfViewMiddleware(_no_view)
