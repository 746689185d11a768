"""Handing a shop over: offered by its owner, looked at and accepted by who was asked."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kameng.accounts.errors import OfferForAnother, OfferGone
from kameng.accounts.models import SiteOffer, User
from kameng.accounts.people import StaffPerson
from kameng.accounts.selectors import get_user, list_staff
from kameng.accounts.services.handing_over import (
    decline_offer,
    find_open_offer,
    find_user_by_login,
    list_offers,
    open_offer,
    withdraw_offer,
)
from kameng.accounts.services.signing import sign_in_staff
from kameng.accounts.services.staff import create_user
from kameng.console.answers import done, run_form, see_other, status_of
from kameng.console.forms.leaving import OfferForm
from kameng.console.forms.people import AcceptForm, JoinForm
from kameng.console.views.confirming import confirmed, sign_in_again
from kameng.console.views.frame import ConsoleRequest, actor_of, console_page, show
from kameng.core.audit import Actor
from kameng.core.errors import Refusal
from kameng.insight.handing_over import read_estate
from kameng.risk.services import admit_sign_in, remember_sign_in
from kameng.settlement.services.handing_over import (
    TakeOver,
    count_open_withdrawals,
    offer_site_to,
    take_over_url,
    take_site_over,
)
from kameng.tenancy.errors import MainSiteStays
from kameng.tenancy.selectors import SiteView
from kameng.web.cookies import give_session, session_token
from kameng.web.flash import flash

LEAVE = "site.leave"


@console_page(LEAVE)
@confirmed
def hand_over(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Offer the shop to another person; the link is shown once, on the answer itself."""
    if site.is_main:
        raise MainSiteStays
    form = OfferForm(request.POST if request.method == "POST" else None)
    if form.is_bound:
        offered = run_form(
            form,
            lambda: offer_site_to(
                form.cleaned_data["receiver"],
                reason=form.cleaned_data["reason"],
                is_by_platform=_is_platform(request),
                actor=actor_of(request),
            ),
        )
        if offered is not None:
            context = {"offer": offered.offer, "link": take_over_url(offered.token)}
            response = show(request, "console/leaving/offered.html", context)
            response["Cache-Control"] = "no-store"
            return response
    context = {
        "form": form,
        "offer": find_open_offer(),
        "rows": list_offers(),
        "estate": read_estate(site),
        "open_withdrawals": count_open_withdrawals(),
    }
    return show(request, "console/leaving/hand_over.html", context, status=status_of(form))


@require_POST
@console_page(LEAVE)
@confirmed
def take_offer_back(request: ConsoleRequest, site: SiteView) -> HttpResponse:
    """Take the offer back."""
    withdraw_offer(actor=actor_of(request))
    return done(
        request, _("已撤回，链接不能再用。"), to=reverse("console:hand_over", args=[site.slug])
    )


def take_over(request: ConsoleRequest, token: str) -> HttpResponse:
    """Show who was offered this host's shop what passes over; sign up, accept or decline."""
    try:
        offer = open_offer(token)
    except OfferGone as refusal:
        return _page(request, {"fault": refusal.text(), "is_gone": True}, status=refusal.status)
    person = request.person
    acts = {"join": _join, "accept": _accept, "decline": _decline}
    if request.method == "POST":
        act = acts.get(request.POST.get("action", ""))
        if act is None:
            return _offer_page(request, offer, {"fault": _("请选择要做什么。")}, status=400)
        return act(request, offer, token)
    context = {}
    if isinstance(person, StaffPerson) and get_user(person.user_id).login != offer.receiver_login:
        context["fault"] = OfferForAnother().text()
    return _offer_page(request, offer, context)


def _join(request: ConsoleRequest, offer: SiteOffer, token: str) -> HttpResponse:
    """Make the account that the offer is for, and sign in."""
    form = JoinForm(request.POST)

    def act() -> User:
        return create_user(
            login_text=offer.receiver_login,
            display_name=form.cleaned_data["display_name"],
            password=form.cleaned_data["password"],
            is_platform=False,
            actor=Actor(kind="guest", ip=request.client_ip),
        )

    if run_form(form, act) is None:
        return _offer_page(request, offer, {"join_form": form}, status=status_of(form))
    permit = admit_sign_in(
        site_id=request.site.site_id,
        login=offer.receiver_login,
        ip=request.client_ip,
        agent=request.headers.get("User-Agent", ""),
        is_staff=True,
    )
    signed_in = sign_in_staff(
        permit, password=form.cleaned_data["password"], previous_token=session_token(request)
    )
    remember_sign_in(permit, is_staff=True)
    response = see_other(reverse("console:take_over", args=[token]))
    give_session(request, response, signed_in)
    return response


def _accept(request: ConsoleRequest, offer: SiteOffer, token: str) -> HttpResponse:
    """Take the shop over: with the password, whoever sits at this browser."""
    person, form = request.person, AcceptForm(request.POST)
    if not isinstance(person, StaffPerson):
        return see_other(_sign_in_url(token))
    session = HttpResponse()

    def act() -> bool:
        user = get_user(person.user_id)
        if user.login != offer.receiver_login:
            raise OfferForAnother
        sign_in_again(request, session, password=form.cleaned_data["password"])
        wish = TakeOver(token=token, user=user, keeps_manager=form.cleaned_data["keeps_manager"])
        take_site_over(wish, actor=actor_of(request))
        return True

    taken = run_form(form, act)
    response: HttpResponse
    if taken is None:
        response = _offer_page(request, offer, {"form": form}, status=status_of(form))
    else:
        flash(request, _("您现在是站长。请先填写收款账户和主体信息，检查员工名单。"))
        response = see_other(reverse("console:overview", args=[request.site.slug]))
    response.cookies.update(session.cookies)
    return response


def _decline(request: ConsoleRequest, offer: SiteOffer, token: str) -> HttpResponse:
    try:
        decline_offer(token, actor=actor_of(request))
    except Refusal as refusal:
        return _offer_page(request, offer, {"fault": refusal.text()}, status=refusal.status)
    return _page(request, {"is_declined": True})


def _offer_page(
    request: ConsoleRequest, offer: SiteOffer, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    person = request.person
    user = get_user(person.user_id) if isinstance(person, StaffPerson) else None
    known = find_user_by_login(offer.receiver_login)
    values = {
        "offer": offer,
        "estate": read_estate(request.site),
        "open_withdrawals": count_open_withdrawals(),
        "staff_count": len(list_staff()),
        "is_receiver": user is not None and user.login == offer.receiver_login,
        "is_other": user is not None and user.login != offer.receiver_login,
        "has_account": known is not None,
        "sign_in_url": _sign_in_url(request.path.rstrip("/").rpartition("/")[2]),
        "form": AcceptForm(),
        "join_form": JoinForm(),
    } | context
    return _page(request, values, status=status)


def _page(request: ConsoleRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    values = {
        "site_name": request.site.name,
        "palette": request.site.settings.palette,
        "site": request.site,
    } | context
    response = render(request, "console/leaving/take_over.html", values, status=status)
    response["Cache-Control"] = "no-store"
    return response


def _sign_in_url(token: str) -> str:
    return f"{reverse('console:sign_in')}?next={reverse('console:take_over', args=[token])}"


def _is_platform(request: ConsoleRequest) -> bool:
    person = request.person
    return isinstance(person, StaffPerson) and person.is_platform
