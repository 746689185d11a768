"""Registering, signing in and out, a forgotten password. Every attempt is counted first.

Sign-in and the forgotten password answer alike for known and unknown accounts.
"""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from kameng.accounts.permits import SignInPermit
from kameng.accounts.services.registering import register_customer
from kameng.accounts.services.sessions import SignedIn
from kameng.accounts.services.signing import open_session_of_customer, sign_in_customer
from kameng.accounts.services.signing import sign_out as end_session
from kameng.core.errors import Refusal, TooMany
from kameng.risk.services import admit_registration, admit_sign_in, remember_sign_in
from kameng.storefront.errors import PhoneLookup, TermsNotAccepted
from kameng.storefront.forms import TYPED_CHARS, clean_contact, read_code, read_secret, read_text
from kameng.storefront.frame import answer_personal, keep_private, see_other
from kameng.storefront.resetting import reset_password, send_reset_code
from kameng.web.answers import wants_json
from kameng.web.cookies import give_session, safe_next, session_token, take_session
from kameng.web.flash import flash
from kameng.web.middleware.people import open_when_suspended
from kameng.web.requests import KamengRequest

AGENT_CHARS = 200


@open_when_suspended
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: KamengRequest) -> HttpResponse:
    """Show the form, or open a session and go on."""
    goal = safe_next(request, default=reverse("storefront:account"))
    if request.method != "POST":
        if request.person.is_customer:
            return keep_private(see_other(goal))
        return _form(request, "sign_in", goal=goal)
    typed = read_text(request.POST, "login", limit=TYPED_CHARS)
    try:
        permit = _admit(request, typed)
        signed_in = sign_in_customer(
            permit,
            password=read_secret(request.POST, "password"),
            previous_token=session_token(request),
        )
    except Refusal as refusal:
        return _form(request, "sign_in", goal=goal, refusal=refusal, login=typed)
    remember_sign_in(permit)
    return _enter(request, signed_in, goal=goal)


@require_http_methods(["GET", "HEAD", "POST"])
def register(request: KamengRequest) -> HttpResponse:
    """Show the form, or make a customer of this site and sign them in."""
    goal = safe_next(request, default=reverse("storefront:account"))
    if request.method != "POST":
        if request.person.is_customer:
            return keep_private(see_other(goal))
        return _form(request, "register", goal=goal)
    typed = read_text(request.POST, "login", limit=TYPED_CHARS)
    nickname = read_text(request.POST, "nickname", limit=TYPED_CHARS)
    is_agreed = request.POST.get("agree") == "1"
    try:
        if not is_agreed:
            raise TermsNotAccepted
        admit_registration(ip=request.client_ip)
        customer = register_customer(
            login_text=typed, password=read_secret(request.POST, "password"), nickname=nickname
        )
        permit = _admit(request, typed)
        signed_in = open_session_of_customer(
            permit, customer=customer, previous_token=session_token(request)
        )
    except Refusal as refusal:
        kept = {"login": typed, "nickname": nickname, "is_agreed": is_agreed}
        return _form(request, "register", goal=goal, refusal=refusal, **kept)
    remember_sign_in(permit)
    flash(request, _("注册成功，已为您登录"))
    return _enter(request, signed_in, goal=goal)


@open_when_suspended
@require_POST
def sign_out(request: KamengRequest) -> HttpResponse:
    """End the session of this browser."""
    end_session(session_token(request))
    flash(request, _("已退出登录"))
    response = keep_private(see_other(reverse("storefront:home")))
    take_session(response)
    return response


@open_when_suspended
@require_http_methods(["GET", "HEAD", "POST"])
def forgot(request: KamengRequest) -> HttpResponse:
    """Ask for an e-mail, then for the code sent to it and a new password."""
    if request.method != "POST":
        return answer_personal(request, "storefront/forgot.html")
    typed = read_text(request.POST, "login", limit=TYPED_CHARS)
    is_sent = request.POST.get("step") == "code"
    try:
        contact = clean_contact(typed, is_required=True)
        if "@" not in contact:
            is_sent = False
            raise PhoneLookup
        if is_sent:
            reset_password(
                contact=contact,
                code=read_code(request.POST),
                new_password=read_secret(request.POST, "password"),
                ip=request.client_ip,
            )
            flash(request, _("新密码已设置，请登录"))
            return keep_private(see_other(reverse("storefront:sign_in")))
        send_reset_code(request.site, contact=contact, ip=request.client_ip)
    except Refusal as refusal:
        if wants_json(request):
            raise
        is_sent = is_sent or isinstance(refusal, TooMany)  # the code sent before may still be used
        context = {"login": typed, "is_sent": is_sent, "problem": refusal.text()}
        return answer_personal(request, "storefront/forgot.html", context, status=refusal.status)
    return answer_personal(request, "storefront/forgot.html", {"login": contact, "is_sent": True})


def _admit(request: KamengRequest, typed: str) -> SignInPermit:
    return admit_sign_in(
        site_id=request.site.site_id,
        login=typed,
        ip=request.client_ip,
        agent=request.headers.get("User-Agent", "")[:AGENT_CHARS],
    )


def _enter(request: KamengRequest, signed_in: SignedIn, *, goal: str) -> HttpResponse:
    response = keep_private(see_other(goal))
    give_session(request, response, signed_in)
    return response


def _form(
    request: KamengRequest,
    name: str,
    *,
    goal: str,
    refusal: Refusal | None = None,
    **kept: Any,
) -> HttpResponse:
    """Render a form again with what was typed, but never a password."""
    if refusal is not None and wants_json(request):
        raise refusal
    is_home = goal == reverse("storefront:account")
    context = {
        **kept,
        "problem": refusal.text() if refusal is not None else "",
        "next_query": "" if is_home else urlencode({"next": goal}),
        "tab": "me",
    }
    status = refusal.status if refusal is not None else 200
    return answer_personal(
        request, f"storefront/{name}.html", {**context, "goal": goal}, status=status
    )
