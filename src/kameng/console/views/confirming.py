"""Acts of consequence ask for the password again when the session is no longer young.

A stolen or forgotten session alone must not make staff, move balances, open shops or lead payments
to another account. Confirming is signing in again: counted, audited, and a new session takes the
place of the old one.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase

from kameng.accounts.selectors import get_user, is_session_young
from kameng.accounts.services.signing import sign_in_staff
from kameng.console.answers import see_other
from kameng.console.errors import PasswordNeeded
from kameng.console.forms.people import ConfirmForm
from kameng.console.views.frame import ConsoleRequest, View, show
from kameng.core.errors import Refusal
from kameng.core.scope import open_scope
from kameng.risk.services import admit_sign_in, remember_sign_in
from kameng.tenancy.selectors import SiteView, scope_of
from kameng.web.answers import answer_refusal, wants_json
from kameng.web.cookies import give_session, session_token

Carried = list[tuple[str, str]]

YOUNG_SECONDS = 1800
FIELD = "confirm_password"
NOT_CARRIED = frozenset({FIELD, "csrfmiddlewaretoken"})


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
    form = ConfirmForm(request.POST if FIELD in request.POST else None)
    if not form.is_valid():
        return _ask(request, form, carried=carried)
    session = HttpResponse()
    try:
        sign_in_again(request, session, password=form.cleaned_data[FIELD])
    except Refusal as refusal:
        return _ask(request, form, carried=carried, refusal=refusal)
    try:
        response = act()
    except Refusal as refusal:
        response = answer_refusal(request, refusal)
    response.cookies.update(session.cookies)
    return response


def sign_in_again(request: ConsoleRequest, response: HttpResponse, *, password: str) -> None:
    """Take a new session for the old one; forms drawn from here on carry its CSRF token."""
    user = get_user(int(request.person.user_id or 0))
    with open_scope(scope_of(request.site)):
        permit = admit_sign_in(
            site_id=request.site.site_id,
            login=user.login,
            ip=request.client_ip,
            agent=request.headers.get("User-Agent", ""),
            is_staff=True,
        )
        signed_in = sign_in_staff(permit, password=password, previous_token=session_token(request))
        remember_sign_in(permit, is_staff=True)
    give_session(request, response, signed_in)


def _ask(
    request: ConsoleRequest,
    form: ConfirmForm,
    *,
    carried: Carried | None,
    refusal: Refusal | None = None,
) -> HttpResponse:
    if wants_json(request):
        raise refusal or PasswordNeeded
    context = {
        "form": form,
        "carried": carried or [],
        "is_act": carried is not None,
        "is_lost": request.method == "POST" and carried is None and not form.is_bound,
        "fault": refusal.text() if refusal is not None else "",
    }
    status = (refusal or PasswordNeeded()).status
    response = show(request, "console/confirm.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response
