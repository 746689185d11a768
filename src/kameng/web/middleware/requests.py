"""The outermost layer: what every request must be, and what every answer carries.

Bounds and shape before anything is parsed; the request's id, client address, language and nonce;
security headers, figures, the log of slow requests. Knows no site and no person.
"""

import os
import re
import secrets
import time
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, QueryDict
from django.http.response import HttpResponseBase
from django.utils import translation

from kameng.web import logs, metrics
from kameng.web.answers import answer, find_answer
from kameng.web.csp import protect
from kameng.web.flash import write_flashes
from kameng.web.requests import find_client_ip, is_trusted

SLOW_NS = 500_000_000
PATH_MAX, QUERY_MAX = 1000, 8000
METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})
REFERENCE = re.compile(r"[A-Za-z0-9-]{8,64}")
DIGITS = re.compile(r"[0-9]{1,12}")
ZERO = re.compile("[\x00\ud800-\udfff]")
BROKEN = re.compile("[\x00\ufffd\ud800-\udfff]")
SMALL_BODY = 262_144
FORM_BODY = 2_500_000  # pasted card keys
CONSOLE = "/console/"
LANGUAGES = frozenset(code for code, _name in settings.LANGUAGES)
log = structlog.get_logger("kameng.web")


class RequestMiddleware:
    """See the module."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        logs.configure()
        metrics.configure()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve a request, or refuse it before it is parsed."""
        started_ns = time.perf_counter_ns()
        begin_request(request)
        logs.request_id.set(request.request_id)  # type: ignore[attr-defined]
        translation.activate(language_of(request))
        status = find_misshape(request)
        response = answer(request, status) if status else self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed):
            response = _explain_method(request, response)
        finish_request(request, response, time.perf_counter_ns() - started_ns)
        return response

    def process_view(
        self, request: HttpRequest, view: Any, _args: Any, _kwargs: Any
    ) -> HttpResponseBase | None:
        """Refuse NUL bytes and broken UTF-8 in query and form before any view reads them."""
        try:
            if request.META.get("QUERY_STRING") and has_broken_text(request.GET):
                return answer(request, 400)
        except UnicodeEncodeError:  # a server that passes raw characters on, against PEP 3333
            return answer(request, 400)
        # A callback is verified over its raw bytes and read by its own parser.
        if request.method != "POST" or getattr(view, "csrf_exempt", False):
            return None
        # What an operator pastes may hold the sign of an earlier program's bad decoding: the
        # import explains that line and takes the others.
        pattern = ZERO if request.path_info.startswith(CONSOLE) else BROKEN
        return answer(request, 400) if has_broken_text(request.POST, pattern=pattern) else None

    def process_exception(self, request: HttpRequest, fault: Exception) -> HttpResponseBase | None:
        """Turn what a view refuses into its answer; what is not foreseen goes on to Django."""
        return find_answer(request, fault)


def begin_request(request: HttpRequest) -> None:
    """Set what every request carries: its id, nonce, client address."""
    meta = request.META
    request.client_ip = find_client_ip(meta)  # type: ignore[attr-defined]
    request.request_id = os.urandom(8).hex()  # type: ignore[attr-defined]
    request.nonce = secrets.token_urlsafe(12)  # type: ignore[attr-defined]
    request.new_flashes = []  # type: ignore[attr-defined]
    if settings.TRUSTED_PROXIES and is_trusted(meta.get("REMOTE_ADDR", "")):
        _believe_proxy(request)


def language_of(request: HttpRequest) -> str:
    """Return the language in which a request is answered."""
    language = request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")
    return language if language in LANGUAGES else settings.LANGUAGE_CODE


def finish_request(request: HttpRequest, response: HttpResponseBase, taken_ns: int) -> None:
    """Write what every answer carries, count it, and log a slow one."""
    write_flashes(request, response)
    protect(response, nonce=request.nonce, is_secure=request.is_secure())  # type: ignore[attr-defined]
    match = request.resolver_match
    view = match.view_name if match else ""
    metrics.record_request(
        view=view,
        method=(request.method or "") if request.method in METHODS else "other",
        status=response.status_code,
        taken_ns=taken_ns,
    )
    if taken_ns > SLOW_NS:
        log.warning(
            "request_slow",
            view=view,
            method=request.method,
            status=response.status_code,
            milliseconds=taken_ns // 1_000_000,
        )


def find_misshape(request: HttpRequest) -> int:
    """Return the status that refuses a request by its outside, or 0."""
    meta = request.META
    path = request.path_info
    if request.method not in METHODS:
        return 405
    if len(path) > PATH_MAX or len(meta.get("QUERY_STRING", "")) > QUERY_MAX:
        return 414
    if "\x00" in path or "\ufffd" in path:
        return 400
    length = meta.get("CONTENT_LENGTH") or "0"
    if length == "0":
        # Without a length nothing would be read, and the sender would believe it was.
        return 411 if "chunked" in meta.get("HTTP_TRANSFER_ENCODING", "").lower() else 0
    if not DIGITS.fullmatch(length):
        return 400
    return 413 if int(length) > body_limit(path, meta.get("CONTENT_TYPE", "")) else 0


def body_limit(path: str, content_type: str) -> int:
    """Return how many bytes a request may carry: files and pasted keys in the console only."""
    if not path.startswith(CONSOLE):
        return SMALL_BODY
    if content_type.startswith("multipart/form-data"):
        return int(settings.UPLOAD_LIMIT_BYTES)
    return FORM_BODY


def has_broken_text(values: QueryDict, *, pattern: re.Pattern[str] | None = None) -> bool:
    """Tell whether a name or value holds a NUL, a lone surrogate, or stands for broken UTF-8."""
    search = (pattern or BROKEN).search
    return any(search(text) for name, items in values.lists() for text in (name, *items))


def _explain_method(request: HttpRequest, refused: HttpResponseNotAllowed) -> HttpResponse:
    """Return a page in place of Django's empty answer, for which browsers show a fault."""
    response = answer(request, refused.status_code)
    response.headers["Allow"] = refused.headers["Allow"]
    return response


def _believe_proxy(request: HttpRequest) -> None:
    """Take over what a proxy of ours says: that the browser speaks TLS, and its request's id."""
    if request.META.get("HTTP_X_FORWARDED_PROTO", "") == "https":
        request.environ["wsgi.url_scheme"] = "https"  # type: ignore[attr-defined]
    reference = request.META.get("HTTP_X_REQUEST_ID", "")
    if REFERENCE.fullmatch(reference):
        request.request_id = reference  # type: ignore[attr-defined]
