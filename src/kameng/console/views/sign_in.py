"""Signing in and out of the back office, and the choice of a language.

One answer for every kind of wrong; tries are counted by `risk` before a password is looked at.
"""

from urllib.parse import urlencode

from django.http import HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from kameng.accounts.errors import SecondStepNeeded
from kameng.accounts.people import StaffPerson
from kameng.accounts.selectors import open_request
from kameng.accounts.services.sessions import SignedIn
from kameng.accounts.services.signing import sign_in_staff
from kameng.accounts.services.signing import sign_out as end_session
from kameng.console.forms.people import SignInForm
from kameng.console.second_factor_rule import find_due
from kameng.console.views.frame import ConsoleRequest, find_working_site, home_slug
from kameng.core.errors import Refusal
from kameng.risk.services import admit_sign_in, remember_sign_in
from kameng.web.cookies import choose_language as keep_language
from kameng.web.cookies import (
    device_token,
    give_device,
    give_session,
    give_step,
    safe_next,
    session_token,
    take_session,
    take_step_cookie,
)


def sign_in(request: ConsoleRequest) -> HttpResponse:
    """Show the form, or open a session and go on to where the person wanted to be."""
    goal = find_goal(request)
    if request.method != "POST":
        if isinstance(request.person, StaffPerson):
            return HttpResponseRedirect(goal)
        return show_form(request, SignInForm(), goal=goal)
    form = SignInForm(request.POST)
    if not form.is_valid():
        return show_form(request, form, goal=goal, status=400)
    try:
        signed_in = _try(request, form)
    except SecondStepNeeded as needed:
        response = HttpResponseRedirect(f"{reverse('console:second_step')}?{_next(goal)}")
        give_step(request, response, needed.step_token)
        return response
    except Refusal as refusal:
        return show_form(request, form, goal=goal, status=refusal.status, fault=refusal.text())
    return let_in(request, signed_in, goal=goal)


def let_in(request: ConsoleRequest, signed_in: SignedIn, *, goal: str) -> HttpResponse:
    """Give the browser its session and go on; by way of the set-up for who is due to do it."""
    response = HttpResponseRedirect(_first_goal(request, signed_in, goal=goal))
    give_session(request, response, signed_in)
    give_device(request, response, signed_in)
    take_step_cookie(response)
    return response


def _first_goal(request: ConsoleRequest, signed_in: SignedIn, *, goal: str) -> str:
    opened = open_request(request.site.site_id, token=signed_in.token)
    if opened is None or not isinstance(opened.person, StaffPerson):
        return goal
    request.person = opened.person
    slug = home_slug(request)
    if find_due(request, find_working_site(request, slug)) is None:
        return goal
    return f"{reverse('console:account', args=[slug])}?setup=1&{_next(goal)}"


def _next(goal: str) -> str:
    return urlencode({"next": goal})


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
        previous_token=session_token(request),
        device_token=device_token(request),
    )
    remember_sign_in(permit, is_staff=True)
    return signed_in


def show_form(
    request: ConsoleRequest, form: SignInForm, *, goal: str, status: int = 200, fault: str = ""
) -> HttpResponse:
    """Show the page of signing in."""
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
    end_session(session_token(request))
    response = HttpResponseRedirect(reverse("console:sign_in"))
    take_session(response)
    return response


def choose_language(request: ConsoleRequest) -> HttpResponse:
    """Keep the language that a person chose in a cookie."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    return keep_language(request, default=reverse("console:enter"))


def find_goal(request: ConsoleRequest) -> str:
    """Return where to go on: an address of this face or of opening a shop, else its first page."""
    home = reverse("console:enter")
    goal = safe_next(request, default=home)
    return goal if goal.startswith((home, reverse("storefront:plans"))) else home
