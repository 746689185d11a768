"""Acts of consequence ask who it is again when the session is no longer young.

Who has a second factor shows it: a passkey, a code of the app, or one from paper. Others give the
password.
A stolen or forgotten session alone must not make staff, move balances, open shops or lead payments
to another account. Confirming is counted and audited, and a new session takes the place of the
old one.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from kameng.accounts.selectors import get_user, has_passkey_for, is_session_young
from kameng.accounts.services.sessions import renew_session
from kameng.accounts.services.signing import (
    check_staff_password,
    confirm_by_code,
    confirm_by_passkey,
    sign_in_staff,
)
from kameng.console.answers import see_other
from kameng.console.errors import PasswordNeeded
from kameng.console.forms.people import CodeForm, ConfirmForm
from kameng.console.views.frame import ConsoleRequest, View, actor_of, show
from kameng.console.views.second_step import place_of, read_proof
from kameng.core.errors import Refusal
from kameng.core.scope import open_scope
from kameng.risk.services import (
    admit_second_step,
    admit_sign_in,
    pardon_second_step,
    remember_sign_in,
)
from kameng.tenancy.selectors import SiteView, scope_of
from kameng.web.answers import answer_refusal, wants_json
from kameng.web.cookies import device_token, give_device, give_session, session_token

Carried = list[tuple[str, str]]

YOUNG_SECONDS = 1800
FIELD, CODE, PASSKEY = "confirm_password", "confirm_code", "passkey"
ANSWERS = frozenset({FIELD, CODE, PASSKEY})
NOT_CARRIED = ANSWERS | {"passkey_step", "csrfmiddlewaretoken"}


def confirmed(view: View) -> View:
    """Guard the posts of a view; what was sent is kept while the password is asked for."""

    @wraps(view)
    def opened(request: ConsoleRequest, site: SiteView, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST" or _is_young(request):
            return view(request, site, **kwargs)
        carried = [
            (name, value)
            for name, values in request.POST.lists()
            if name not in NOT_CARRIED
            for value in values
        ]
        return _confirm(request, lambda: view(request, site, **kwargs), carried=carried)

    return opened


def confirmed_page(view: View) -> View:
    """Guard a whole page whose form holds secrets: nothing of it is written into another page."""

    @wraps(view)
    def opened(request: ConsoleRequest, site: SiteView, **kwargs: Any) -> HttpResponseBase:
        if _is_young(request):
            return view(request, site, **kwargs)
        return _confirm(request, lambda: see_other(request.get_full_path()), carried=None)

    return opened


def _is_young(request: ConsoleRequest) -> bool:
    with open_scope(scope_of(request.site)):  # sessions belong to the host's site
        return is_session_young(session_token(request), seconds=YOUNG_SECONDS)


def _confirm(
    request: ConsoleRequest, act: Callable[[], HttpResponseBase], *, carried: Carried | None
) -> HttpResponseBase:
    answer = request.POST if ANSWERS & request.POST.keys() else None
    form = CodeForm(answer) if _has_second(request) else ConfirmForm(answer)
    if not form.is_valid():
        return _ask(request, form, carried=carried)
    session = HttpResponse()
    try:
        _prove_again(request, session, form=form)
    except Refusal as refusal:
        return _ask(request, form, carried=carried, refusal=refusal)
    try:
        response = act()
    except Refusal as refusal:
        response = answer_refusal(request, refusal)
    response.cookies.update(session.cookies)
    return response


def _has_second(request: ConsoleRequest) -> bool:
    return bool(getattr(request.person, "has_second_factor", False))


def _prove_again(
    request: ConsoleRequest, response: HttpResponse, *, form: CodeForm | ConfirmForm
) -> None:
    """Take a new session for the old one; forms drawn from here on carry its CSRF token."""
    if isinstance(form, ConfirmForm):
        sign_in_again(request, response, password=form.cleaned_data[FIELD])
        return
    user_id, token = int(request.person.user_id or 0), session_token(request)
    admit_second_step(user_id, ip=request.client_ip)
    with open_scope(scope_of(request.site)):
        if request.POST.get(PASSKEY):
            signed_in = confirm_by_passkey(
                user_id, proof=read_proof(request), token=token, actor=actor_of(request)
            )
        else:
            signed_in = confirm_by_code(
                user_id, code=form.cleaned_data[CODE], token=token, actor=actor_of(request)
            )
    pardon_second_step(user_id)
    give_session(request, response, signed_in)


def sign_in_again(request: ConsoleRequest, response: HttpResponse, *, password: str) -> None:
    """Take a new session for the old one by the password; forms from here on carry its token."""
    user = get_user(int(request.person.user_id or 0))
    with open_scope(scope_of(request.site)):
        permit = admit_sign_in(
            site_id=request.site.site_id,
            login=user.login,
            ip=request.client_ip,
            agent=request.headers.get("User-Agent", ""),
            is_staff=True,
        )
        if _has_second(request):  # a password alone makes no session young: it stays as it was
            check_staff_password(permit, password=password)
            signed_in = renew_session(session_token(request))
        else:
            signed_in = sign_in_staff(
                permit,
                password=password,
                previous_token=session_token(request),
                device_token=device_token(request),
            )
        remember_sign_in(permit, is_staff=True)
    give_session(request, response, signed_in)
    give_device(request, response, signed_in)


def _ask(
    request: ConsoleRequest,
    form: CodeForm | ConfirmForm,
    *,
    carried: Carried | None,
    refusal: Refusal | None = None,
) -> HttpResponse:
    if wants_json(request):
        raise refusal or PasswordNeeded
    context = {
        "form": form,
        "is_second": isinstance(form, CodeForm),
        "has_passkey": isinstance(form, CodeForm)
        and has_passkey_for(int(request.person.user_id or 0), rp_id=place_of(request).rp_id),
        "carried": carried or [],
        "is_act": carried is not None,
        "is_lost": request.method == "POST" and carried is None and not form.is_bound,
        "fault": refusal.text() if refusal is not None else "",
    }
    status = (refusal or PasswordNeeded()).status
    response = show(request, "console/confirm.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response
