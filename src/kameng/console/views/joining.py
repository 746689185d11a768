"""The page behind an invitation: who is invited makes an account, or takes the role with theirs.

A link that is wrong, used, withdrawn or expired says so and nothing else.
"""

from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from kameng.accounts.errors import InvitationNotFound, SecondStepNeeded
from kameng.accounts.models import Invitation, User
from kameng.accounts.people import StaffPerson
from kameng.accounts.permits import SignInPermit
from kameng.accounts.selectors import EMAIL, find_invitation
from kameng.accounts.services.joining import accept_invitation, join_by_invitation
from kameng.accounts.services.signing import check_staff_password, sign_in_staff
from kameng.console.answers import done, run_form, status_of
from kameng.console.forms.people import SignInForm
from kameng.console.forms.staff import JoinForm
from kameng.console.views.frame import ConsoleRequest, actor_of
from kameng.console.views.invitations import role_label
from kameng.console.views.sign_in import let_in
from kameng.core.audit import Actor
from kameng.core.errors import Refusal
from kameng.risk.services import admit_join, admit_sign_in, remember_sign_in
from kameng.web.cookies import device_token, give_step, session_token


def join(request: ConsoleRequest, token: str) -> HttpResponse:
    """Show an invitation, and let the person join as they wish."""
    invitation = find_invitation(token)
    if invitation is None:
        return _show(request, None, {}, status=InvitationNotFound.status)
    if request.method != "POST":
        return _show(request, invitation, {})
    acts = {"mine": _join_as_oneself, "existing": _join_by_password}
    act = acts.get(request.POST.get("action", ""), _join_anew)
    return act(request, invitation, token)


def _join_as_oneself(request: ConsoleRequest, invitation: Invitation, token: str) -> HttpResponse:
    if not isinstance(request.person, StaffPerson):
        return _show(request, invitation, {})
    try:
        accept_invitation(token, user_id=request.person.user_id, actor=actor_of(request))
    except Refusal as refusal:
        return _show(request, invitation, {"fault": refusal.text()}, status=refusal.status)
    text = _("欢迎加入 %(site)s。") % {"site": request.site.name}
    return done(request, text, to=reverse("console:enter"))


def _join_by_password(request: ConsoleRequest, invitation: Invitation, token: str) -> HttpResponse:
    """Take the role with an account that exists; its second factor is asked for as ever."""
    form = SignInForm(request.POST)
    password = request.POST.get("password", "")

    def act() -> tuple[SignInPermit, User]:
        permit = admit_sign_in(
            site_id=request.site.site_id,
            login=form.cleaned_data["login"],
            ip=request.client_ip,
            agent=request.headers.get("User-Agent", ""),
            is_staff=True,
        )
        user = check_staff_password(permit, password=password)
        actor = Actor(kind="user", actor_id=user.id, name=user.display_name, ip=request.client_ip)
        accept_invitation(token, user_id=user.id, actor=actor)
        return permit, user

    joined = run_form(form, act)
    if joined is None:
        context = {"sign_in": form, "is_existing": True}
        return _show(request, invitation, context, status=status_of(form))
    return _enter(request, joined[0], password=password)


def _join_anew(request: ConsoleRequest, invitation: Invitation, token: str) -> HttpResponse:
    form = JoinForm(request.POST)
    password = request.POST.get("password", "")

    def act() -> SignInPermit:
        admit_join(ip=request.client_ip)
        user = join_by_invitation(
            token,
            login_text=form.cleaned_data["login"],
            display_name=form.cleaned_data["display_name"],
            password=password,
            ip=request.client_ip,
        )
        return SignInPermit(
            site_id=request.site.site_id,
            login=user.login,
            ip=request.client_ip,
            agent=request.headers.get("User-Agent", ""),
        )

    permit = run_form(form, act)
    if permit is None:
        return _show(request, invitation, {"form": form}, status=status_of(form))
    return _enter(request, permit, password=password)


def _enter(request: ConsoleRequest, permit: SignInPermit, *, password: str) -> HttpResponse:
    goal = reverse("console:enter")
    try:
        signed_in = sign_in_staff(
            permit,
            password=password,
            previous_token=session_token(request),
            device_token=device_token(request),
        )
    except SecondStepNeeded as needed:
        response = HttpResponseRedirect(reverse("console:second_step"))
        give_step(request, response, needed.step_token)
        return response
    remember_sign_in(permit, is_staff=True)
    return let_in(request, signed_in, goal=goal)


def _show(
    request: ConsoleRequest,
    invitation: Invitation | None,
    context: dict[str, Any],
    *,
    status: int = 200,
) -> HttpResponse:
    values: dict[str, Any] = {
        "invitation": invitation,
        "site_name": request.site.name,
        "palette": request.site.settings.palette,
        "me": request.person if isinstance(request.person, StaffPerson) else None,
    }
    if invitation is not None:
        login = invitation.login if EMAIL.fullmatch(invitation.login) else ""
        values |= {
            "role": role_label(invitation),
            "form": JoinForm(initial={"login": login, "display_name": invitation.name}),
            "sign_in": SignInForm(initial={"login": login}),
        }
    response = render(request, "console/join.html", values | context, status=status)
    response["Cache-Control"] = "no-store"
    return response
