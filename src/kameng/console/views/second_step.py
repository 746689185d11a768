"""The second step of signing in, and signing in by a passkey alone.

Between the right password and the right code there is no session: a cookie names the step.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_POST

from kameng.accounts.errors import PasskeyWrong, StepOver
from kameng.accounts.models import User
from kameng.accounts.passkeys import Place
from kameng.accounts.people import StaffPerson
from kameng.accounts.permits import SignInPermit
from kameng.accounts.selectors import has_passkey_for, view_factors
from kameng.accounts.services.passkeys import Asked, ask_for_passkey, begin_passkey
from kameng.accounts.services.sessions import SignedIn
from kameng.accounts.services.signing import (
    Browser,
    PasskeyProof,
    find_step_user,
    finish_by_code,
    finish_by_passkey,
    sign_in_by_passkey,
)
from kameng.accounts.services.steps import CONFIRM, SIGN_IN
from kameng.console.errors import SignInNeeded
from kameng.console.forms.people import SignInForm
from kameng.console.views.frame import ConsoleRequest
from kameng.console.views.sign_in import find_goal, let_in, show_form
from kameng.core.errors import Refusal
from kameng.core.scope import open_scope
from kameng.risk.services import admit_passkey, admit_second_step, pardon_second_step
from kameng.tenancy.selectors import scope_of
from kameng.web.cookies import device_token, session_token, step_token
from kameng.web.flash import flash
from kameng.web.forms import read_choice, read_text

ANSWER_MAX = 16_384
CODE_MAX = 40
PURPOSES = ("sign_in", "second", "confirm", "register")


def place_of(request: ConsoleRequest) -> Place:
    """Return where passkeys of this request live: the host as the browser sees it."""
    host = request.get_host()
    rp_id = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return Place(rp_id=rp_id, origin=f"{request.scheme}://{host}", name=request.site.name)


def read_answer(request: ConsoleRequest) -> Mapping[str, Any]:
    """Return what a browser answered for a passkey; raise `PasskeyWrong` for anything odd."""
    text = request.POST.get("passkey", "")
    try:
        answer = json.loads(text) if len(text) <= ANSWER_MAX else None
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise PasskeyWrong
    return answer


def read_proof(request: ConsoleRequest) -> PasskeyProof:
    """Return the proof that a form carries. Raises `PasskeyWrong`."""
    return PasskeyProof(
        step_token=read_text(request, "passkey_step", limit=64),
        place=place_of(request),
        answer=read_answer(request),
    )


def second_step(request: ConsoleRequest) -> HttpResponse:
    """Ask for the second factor of who has given the password, and let them in."""
    try:
        user = find_step_user(step_token(request))
    except StepOver as over:
        if request.method == "POST":
            flash(request, over.text(), "error")
        return HttpResponseRedirect(reverse("console:sign_in"))
    if request.method != "POST":
        return _show(request, user)
    try:
        signed_in = _finish(request, user)
    except Refusal as refusal:
        return _show(request, user, refusal=refusal)
    return let_in(request, signed_in, goal=find_goal(request))


def _finish(request: ConsoleRequest, user: User) -> SignedIn:
    admit_second_step(user.id, ip=request.client_ip)
    permit = SignInPermit(
        site_id=request.site.site_id,
        login=user.login,
        ip=request.client_ip,
        agent=request.headers.get("User-Agent", ""),
    )
    days = request.site.settings.remember_device_days
    browser = Browser(
        previous_token=session_token(request),
        device_token=device_token(request),
        trust_days=days if request.POST.get("remember") == "1" else 0,
    )
    token = step_token(request)
    if request.POST.get("passkey"):
        signed_in = finish_by_passkey(
            permit, step_token=token, proof=read_proof(request), browser=browser
        )
    else:
        code = read_text(request, "code", limit=CODE_MAX)
        signed_in = finish_by_code(permit, step_token=token, code=code, browser=browser)
    pardon_second_step(user.id)
    return signed_in


def _show(request: ConsoleRequest, user: User, *, refusal: Refusal | None = None) -> HttpResponse:
    context = {
        "next": find_goal(request),
        "fault": refusal.text() if refusal is not None else "",
        "factors": view_factors(user.id),
        "has_passkey": has_passkey_for(user.id, rp_id=place_of(request).rp_id),
        "remember_days": request.site.settings.remember_device_days,
        "is_remembered": request.POST.get("remember") == "1",
        "site_name": request.site.name,
        "palette": request.site.settings.palette,
    }
    status = refusal.status if refusal is not None else 200
    response = render(request, "console/second_step.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


@require_POST
def begin(request: ConsoleRequest) -> HttpResponse:
    """Ask a browser for a passkey, or for a new one: the options of WebAuthn as JSON."""
    purpose = read_choice(request, "purpose", choices=PURPOSES)
    admit_passkey(site_id=request.site.site_id, ip=request.client_ip)
    with open_scope(scope_of(request.site)):  # steps belong to the host's site, as sessions do
        asked = ASKERS[purpose](request)
    response = JsonResponse({"step": asked.step_token, "options": asked.options})
    response["Cache-Control"] = "no-store"
    return response


def _ask_anyone(request: ConsoleRequest) -> Asked:
    return ask_for_passkey(SIGN_IN, place=place_of(request), user_id=None)


def _ask_second(request: ConsoleRequest) -> Asked:
    user = find_step_user(step_token(request))
    return ask_for_passkey(CONFIRM, place=place_of(request), user_id=user.id)


def _ask_again(request: ConsoleRequest) -> Asked:
    return ask_for_passkey(CONFIRM, place=place_of(request), user_id=_own_id(request))


def _ask_new(request: ConsoleRequest) -> Asked:
    return begin_passkey(_own_id(request), place=place_of(request))


def _own_id(request: ConsoleRequest) -> int:
    if not isinstance(request.person, StaffPerson):
        raise SignInNeeded
    return request.person.user_id


ASKERS: dict[str, Callable[[ConsoleRequest], Asked]] = {
    "sign_in": _ask_anyone,
    "second": _ask_second,
    "confirm": _ask_again,
    "register": _ask_new,
}


@require_POST
def passkey_sign_in(request: ConsoleRequest) -> HttpResponse:
    """Let in who proves to be there by a passkey; nothing is typed."""
    goal = find_goal(request)
    try:
        permit = admit_passkey(
            site_id=request.site.site_id,
            ip=request.client_ip,
            agent=request.headers.get("User-Agent", ""),
        )
        browser = Browser(previous_token=session_token(request), device_token=device_token(request))
        signed_in = sign_in_by_passkey(permit, proof=read_proof(request), browser=browser)
    except Refusal as refusal:
        return show_form(
            request, SignInForm(), goal=goal, status=refusal.status, fault=refusal.text()
        )
    return let_in(request, signed_in, goal=goal)
