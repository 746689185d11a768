"""Opening a child site by the link that its upline made: fill in, and it is live, free of charge.

On the main site's host, as all openings, so that who opens a shop is signed in to its back office.
"""

from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from kameng.accounts.people import StaffPerson
from kameng.accounts.services.signing import open_session_of_staff
from kameng.core.errors import Refusal
from kameng.orders.services.buying_plans import NewShop
from kameng.orders.services.opening_invited import InvitedShop, open_invited
from kameng.pages.ready_made import all_designs
from kameng.risk.services import admit_join, admit_link_try, admit_sign_in
from kameng.storefront.errors import ConsentMissing
from kameng.storefront.forms import clean_contact, read_secret
from kameng.storefront.frame import answer_personal, keep_private, see_other
from kameng.storefront.shop_words import say_problem
from kameng.storefront.views.plans import ShopForm, read_shop, require_main
from kameng.tenancy.addresses import site_url
from kameng.tenancy.child_invitations import find_child_invitation
from kameng.tenancy.errors import ChildInvitationNotFound, UplineNotOpen
from kameng.tenancy.models import ChildInvitation, Site, SiteState
from kameng.tenancy.selectors import branch_host, find_address, get_site_view
from kameng.web.cookies import give_session, session_token
from kameng.web.csp import allow_own_frames
from kameng.web.qr import draw_qr
from kameng.web.requests import KamengRequest


@require_http_methods(["GET", "HEAD", "POST"])
def invited(request: KamengRequest, token: str) -> HttpResponse:
    """Show the form of an invitation, open the shop by it, or say which one it opened."""
    require_main(request)
    invitation = find_child_invitation(token)
    if invitation is None:
        admit_link_try(ip=request.client_ip)
        return _answer(request, {"invitation": None}, status=ChildInvitationNotFound.status)
    if invitation.child is not None:
        # Also what a form sent twice gets: the shop that the first one opened.
        return _opened(request, invitation, invitation.child)
    if request.method != "POST":
        rests = get_site_view(invitation.site_id).state != SiteState.OPEN
        return _form(request, invitation, ShopForm(), refusal=UplineNotOpen() if rests else None)
    form = read_shop(request)
    try:
        admit_join(ip=request.client_ip)
        opened = open_invited(token, shop=_read(request, form), ip=request.client_ip)
    except ChildInvitationNotFound:
        return keep_private(see_other(request.path))  # used meanwhile: the page says by whom
    except Refusal as refusal:
        now = find_child_invitation(token)
        if now is not None and now.child is not None:
            # Pressed twice: what refuses the second is the shop that the first one opened.
            return keep_private(see_other(request.path))
        return _form(request, invitation, form, refusal=refusal)
    return _enter(request, opened, login=form.login)


def _read(request: KamengRequest, form: ShopForm) -> NewShop:
    person = request.person
    contact = clean_contact(form.login, is_required=True)
    if not form.is_agreed:
        raise ConsentMissing
    return NewShop(
        slug=form.slug,
        name=form.name,
        template=form.template if form.template in all_designs() else "",
        user_id=person.user_id if isinstance(person, StaffPerson) else None,
        owner_login=contact,
        owner_password=read_secret(request.POST, "password"),
    )


def _enter(request: KamengRequest, opened: InvitedShop, *, login: str) -> HttpResponse:
    """Go on to what was opened, signed in when the account was made with it."""
    response = keep_private(see_other(request.path))
    if isinstance(request.person, StaffPerson):
        return response
    permit = admit_sign_in(
        site_id=request.site.site_id,
        login=login,
        ip=request.client_ip,
        agent=request.headers.get("User-Agent", ""),
        is_staff=True,
    )
    signed_in = open_session_of_staff(
        permit, user_id=opened.owner_id, previous_token=session_token(request)
    )
    give_session(request, response, signed_in)
    return response


def _form(
    request: KamengRequest,
    invitation: ChildInvitation,
    form: ShopForm,
    *,
    refusal: Refusal | None = None,
) -> HttpResponse:
    problem = say_problem(refusal)
    context = {
        "invitation": invitation,
        "is_open": True,
        "upline": invitation.site,
        "form": form,
        "problem": problem.text if problem.field == "" else "",
        "errors": {problem.field: problem.text} if problem.field else {},
        "suggestions": find_address(form.slug).suggestions if problem.field == "slug" else (),
        "suffix": branch_host("x").removeprefix("x"),
        "is_staff": isinstance(request.person, StaffPerson),
        "designs": all_designs().values(),
    }
    status = refusal.status if refusal is not None else 200
    response = _answer(request, context, status=status)
    allow_own_frames(response)
    return response


def _opened(request: KamengRequest, invitation: ChildInvitation, child: Site) -> HttpResponse:
    url = f"{site_url(child.id)}/"
    context: dict[str, Any] = {
        "invitation": invitation,
        "shop": child,
        "shop_url": url,
        "console_url": reverse("console:overview", args=(child.slug,)),
        "qr_svg": draw_qr(url, title=_("店铺二维码")),
    }
    return _answer(request, context)


def _answer(request: KamengRequest, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    values = context | {"tab": "me"}
    response = answer_personal(request, "storefront/invited.html", values, status=status)
    response["X-Robots-Tag"] = "noindex"
    return response
