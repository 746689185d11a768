"""Signing in and out of the back office, and the choice of a language.

One answer for every kind of wrong; tries are counted by `risk` before a password is looked at.
"""

from django.conf import settings
from django.http import HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme

from kameng.accounts.people import StaffPerson
from kameng.accounts.services.sessions import SignedIn
from kameng.accounts.services.signing import sign_in_staff
from kameng.accounts.services.signing import sign_out as end_session
from kameng.console.forms.people import SignInForm
from kameng.console.views.frame import ConsoleRequest
from kameng.core.errors import Refusal
from kameng.risk.services import admit_sign_in, forget_sign_ins

LANGUAGE_SECONDS = 365 * 24 * 3600


def sign_in(request: ConsoleRequest) -> HttpResponse:
    """Show the form, or open a session and go on to where the person wanted to be."""
    goal = safe_next(request)
    if request.method != "POST":
        if isinstance(request.person, StaffPerson):
            return HttpResponseRedirect(goal)
        return _show_form(request, SignInForm(), goal=goal)
    form = SignInForm(request.POST)
    if not form.is_valid():
        return _show_form(request, form, goal=goal, status=400)
    try:
        signed_in = _try(request, form)
    except Refusal as refusal:
        return _show_form(request, form, goal=goal, status=refusal.status, fault=refusal.text())
    response = HttpResponseRedirect(goal)
    set_session_cookie(response, signed_in)
    return response


def _try(request: ConsoleRequest, form: SignInForm) -> SignedIn:
    permit = admit_sign_in(
        site_id=request.site.site_id,
        login=form.cleaned_data["login"],
        ip=request.client_ip,
        agent=request.headers.get("User-Agent", ""),
        is_staff=True,
    )
    signed_in = sign_in_staff(
        permit,
        password=form.cleaned_data["password"],
        previous_token=request.COOKIES.get(settings.SESSION_COOKIE, ""),
    )
    forget_sign_ins(permit, is_staff=True)
    return signed_in


def _show_form(
    request: ConsoleRequest, form: SignInForm, *, goal: str, status: int = 200, fault: str = ""
) -> HttpResponse:
    context = {
        "form": form,
        "next": goal,
        "fault": fault,
        "site_name": request.site.name,
        "palette": request.site.settings.palette,
    }
    return render(request, "console/sign_in.html", context, status=status)


def sign_out(request: ConsoleRequest) -> HttpResponse:
    """End the session of this browser."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    end_session(request.COOKIES.get(settings.SESSION_COOKIE, ""))
    response = HttpResponseRedirect(reverse("console:sign_in"))
    response.delete_cookie(settings.SESSION_COOKIE)
    return response


def choose_language(request: ConsoleRequest) -> HttpResponse:
    """Keep the language that a person chose in a cookie."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    response = HttpResponseRedirect(safe_next(request))
    language = request.POST.get("language", "")
    if translation.check_for_language(language) and language in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            language,
            max_age=LANGUAGE_SECONDS,
            samesite="Lax",
            secure=settings.CSRF_COOKIE_SECURE,
        )
    return response


def set_session_cookie(response: HttpResponse, signed_in: SignedIn) -> None:
    """Give the browser its session, out of reach of scripts and of other sites."""
    response.set_cookie(
        settings.SESSION_COOKIE,
        signed_in.token,
        max_age=signed_in.seconds,
        httponly=True,
        samesite="Lax",
        secure=settings.CSRF_COOKIE_SECURE,
    )


def safe_next(request: ConsoleRequest) -> str:
    """Return where to go on: an address of this face on this host, else its first page."""
    home = reverse("console:enter")
    goal = request.POST.get("next", "") or request.GET.get("next", "")
    is_safe = url_has_allowed_host_and_scheme(goal, allowed_hosts=None)
    return goal if is_safe and goal.startswith(home) and "\\" not in goal else home
