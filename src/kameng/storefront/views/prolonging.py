"""More time, or another plan, for a shop that stands: by a link from its back office, paid here."""

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from kameng.accounts.selectors import find_staff_user
from kameng.catalog.selectors import PlanOffer, list_plan_offers
from kameng.catalog.services.plan_goods import name_term
from kameng.core import clock
from kameng.core.errors import Refusal
from kameng.core.ids import new_token
from kameng.orders.errors import KeyReused, PlanLinkOver
from kameng.orders.links import opens_site
from kameng.orders.services.buying_plans import get_offer, order_term
from kameng.storefront.forms import CONTACT_CHARS, TYPED_CHARS, read_text
from kameng.storefront.frame import answer_personal
from kameng.storefront.plan_checkout import cash_desk, plan_cards, read_plan_checkout
from kameng.storefront.shop_words import say_problem
from kameng.storefront.views.plans import lead_on, require_main
from kameng.tenancy.errors import PlanNotSold
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site
from kameng.tenancy.terms import check_prolongable, preview_term
from kameng.web.forms import parse_whole
from kameng.web.requests import KamengRequest

LINK_CHARS: Final = 120
PARTS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whose shop is prolonged, by whom, as the link says and proves."""

    site: Site
    user_id: int
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One offer with what it would make of the shop's time."""

    offer: PlanOffer
    length: str
    is_same: bool
    ends_at: dt.datetime | None
    carried_days: int


@require_http_methods(["GET", "HEAD", "POST"])
def prolong(request: KamengRequest) -> HttpResponse:
    """Show what may be bought for the shop, then how to pay for it; or order it."""
    require_main(request)
    wanted = read_link(request)
    if request.method == "POST":
        try:
            checkout, _contact = read_plan_checkout(
                request,
                contact_raw=request.POST.get("contact", "")[:TYPED_CHARS],
                is_agreed=request.POST.get("agree") == "1",
            )
            placed = order_term(checkout, site=wanted.site, user_id=wanted.user_id)
        except Refusal as refusal:
            return _desk(request, wanted, refusal=refusal)
        return lead_on(request, placed)
    if "variant" in request.GET:
        return _desk(request, wanted)
    return _choose(request, wanted)


def read_link(request: KamengRequest) -> Wanted:
    """Return what the link says; raise `PlanLinkOver` for one that is old or was not made here."""
    link = (request.POST.get("k") or request.GET.get("k") or "")[:LINK_CHARS]
    parts = link.split(".", PARTS - 1)
    numbers = [parse_whole(each, low=1, high=2**53) for each in parts[: PARTS - 1]]
    if len(parts) != PARTS or None in numbers:
        raise PlanLinkOver
    site_id, user_id, until = (each or 0 for each in numbers)
    if until < clock.now().timestamp() or not opens_site(
        parts[-1], site_id=site_id, user_id=user_id, until=until
    ):
        raise PlanLinkOver
    return Wanted(site=get_site(site_id), user_id=user_id, link=link)


def _choose(request: KamengRequest, wanted: Wanted) -> HttpResponse:
    choices = list_choices(wanted.site)
    cards = [
        (card, [each for each in choices if each.offer.plan.id == card.plan.id])
        for card in plan_cards([each.offer for each in choices])
    ]
    cards.sort(key=lambda pair: pair[0].plan.id != wanted.site.plan_id)  # its own plan first
    context = {"wanted": wanted, "site_now": wanted.site, "cards": cards, "tab": "me"}
    return answer_personal(request, "storefront/prolong.html", context)


def list_choices(site: Site) -> list[Choice]:
    """Return what may be bought for a site; nothing that would be refused."""
    found = []
    for offer in list_plan_offers():
        if offer.is_free:
            continue  # for new shops only
        try:
            check_prolongable(site, plan_id=offer.plan.id, days=offer.days)
        except Refusal:
            continue
        found.append(_choice(site, offer))
    return found


def _choice(site: Site, offer: PlanOffer) -> Choice:
    term = preview_term(site, plan_id=offer.plan.id, days=offer.days, paid_amount=int(offer.amount))
    return Choice(
        offer=offer,
        length=name_term(offer.days),
        is_same=offer.plan.id == site.plan_id,
        ends_at=term.ends_at,
        carried_days=term.carried_days,
    )


def _desk(
    request: KamengRequest, wanted: Wanted, *, refusal: Refusal | None = None
) -> HttpResponse:
    data = request.POST if request.method == "POST" else request.GET
    variant = parse_whole(data.get("variant", ""), low=1, high=2**62) or 0
    offer = get_offer(variant)
    if offer.is_free:
        raise PlanNotSold
    check_prolongable(wanted.site, plan_id=offer.plan.id, days=offer.days)
    key = read_text(request.POST, "idempotency_key", limit=TYPED_CHARS)
    if not key or isinstance(refusal, KeyReused):
        key = new_token()
    problem = say_problem(refusal)
    user = find_staff_user(wanted.user_id)
    contact = read_text(request.POST, "contact", limit=CONTACT_CHARS)
    context: dict[str, Any] = {
        **cash_desk(request, offer, key=key),
        "wanted": wanted,
        "choice": _choice(wanted.site, offer),
        "contact": contact or (user.login if user is not None else ""),
        "problem": problem.text if problem.field not in {"login", "agree"} else "",
        "errors": {problem.field: problem.text} if problem.field else {},
        "is_agreed": request.POST.get("agree") == "1",
        "title": _("续期"),
        "tab": "me",
    }
    status = refusal.status if refusal is not None else 200
    return answer_personal(request, "storefront/prolong_pay.html", context, status=status)
