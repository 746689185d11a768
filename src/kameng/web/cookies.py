"""The cookies of a browser: its session and its language. Secure where the browser speaks TLS."""

import re

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import rotate_token
from django.utils.http import url_has_allowed_host_and_scheme

from kameng.accounts.services.sessions import SignedIn

ODD = re.compile(r"[\x00-\x20\x7f\\\ud800-\udfff]")
GOAL_MAX = 2000
TOKEN_MAX = 64
DEVICE_COOKIE = "kameng_device"
STEP_COOKIE = "kameng_step"
STEP_SECONDS = 600
DEVICE_SECONDS = 180 * 24 * 3600
LANGUAGE_SECONDS = 365 * 24 * 3600


def session_token(request: HttpRequest) -> str:
    """Return the session token that a browser sent, or an empty text."""
    return request.COOKIES.get(settings.SESSION_COOKIE, "")


def give_session(request: HttpRequest, response: HttpResponse, signed_in: SignedIn) -> None:
    """Give the browser its session, out of reach of scripts; forms begin anew (CSRF)."""
    response.set_cookie(
        settings.SESSION_COOKIE,
        signed_in.token,
        max_age=signed_in.seconds,
        httponly=True,
        samesite="Lax",
        secure=is_secure(request),
    )
    rotate_token(request)


def device_token(request: HttpRequest) -> str:
    """Return the token by which a browser of staff is known, or an empty text."""
    return request.COOKIES.get(DEVICE_COOKIE, "")[:TOKEN_MAX]


def give_device(request: HttpRequest, response: HttpResponse, signed_in: SignedIn) -> None:
    """Give a browser of staff the cookie by which it is known again; for the back office alone."""
    if signed_in.device_token:
        response.set_cookie(
            DEVICE_COOKIE,
            signed_in.device_token,
            max_age=DEVICE_SECONDS,
            path="/console/",
            httponly=True,
            samesite="Strict",
            secure=is_secure(request),
        )


def step_token(request: HttpRequest) -> str:
    """Return the token of the second step that this browser is in, or an empty text."""
    return request.COOKIES.get(STEP_COOKIE, "")[:TOKEN_MAX]


def give_step(request: HttpRequest, response: HttpResponse, token: str) -> None:
    """Give a browser the token of its second step, for as long as the step is open."""
    response.set_cookie(
        STEP_COOKIE,
        token,
        max_age=STEP_SECONDS,
        path="/console/",
        httponly=True,
        samesite="Strict",
        secure=is_secure(request),
    )


def take_step_cookie(response: HttpResponse) -> None:
    """Take the token of a second step away."""
    response.delete_cookie(STEP_COOKIE, path="/console/")


def take_session(response: HttpResponse) -> None:
    """Take the session cookie away."""
    response.delete_cookie(settings.SESSION_COOKIE)


def safe_next(request: HttpRequest, *, default: str = "/") -> str:
    """Return where to go on: an address of this host from `next`, else `default`."""
    goal = request.POST.get("next", "") or request.GET.get("next", "")
    if len(goal) > GOAL_MAX or ODD.search(goal) or not goal.startswith("/"):
        return default
    return goal if url_has_allowed_host_and_scheme(goal, allowed_hosts=None) else default


def choose_language(request: HttpRequest, *, default: str = "/") -> HttpResponse:
    """Keep the language of the form's button in a cookie and go back to the page."""
    response = HttpResponseRedirect(safe_next(request, default=default))
    language = request.POST.get("language", "")
    if language in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            language,
            max_age=LANGUAGE_SECONDS,
            samesite="Lax",
            secure=is_secure(request),
        )
    return response


def is_secure(request: HttpRequest) -> bool:
    """Tell whether a cookie may be kept to TLS: the browser speaks it, or is said to."""
    return request.is_secure() or bool(settings.CSRF_COOKIE_SECURE)
