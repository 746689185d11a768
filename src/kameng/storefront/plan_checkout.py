"""The cash desk of plans: what is offered, what it costs, how it is paid, who lets it through."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.utils.translation import gettext as _

from kameng.accounts.people import CustomerPerson
from kameng.catalog.selectors import PlanOffer, list_plan_offers
from kameng.catalog.services.plan_goods import name_term
from kameng.orders.links import contact_digest
from kameng.orders.services.buying_plans import Checkout, get_offer
from kameng.orders.services.placing import Buyer, Wish
from kameng.payments.selectors import PayChoice
from kameng.pricing.money import Amount, MoneyInvalid, parse_fen_yuan
from kameng.risk.services import assess_checkout
from kameng.storefront.errors import ConsentMissing, FormInvalid, KeyMissing
from kameng.storefront.forms import (
    TYPED_CHARS,
    clean_contact,
    is_key,
    read_number,
    read_text,
)
from kameng.storefront.paychoices import (
    Offer,
    due_of,
    list_pay_options,
    open_purse,
    read_part,
    read_pay_choice,
)
from kameng.tenancy.models import Plan
from kameng.web.requests import KamengRequest

MONTH_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One length of time of a plan, as it is sold."""

    offer: PlanOffer
    length: str
    month_amount: Amount | None  # what a month of it costs, where it is longer than one


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One line of what a plan holds, or says that it lacks, so that plans compare by line."""

    text: str
    is_in: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCard:
    """One plan with its terms and what it holds."""

    plan: Plan
    terms: Sequence[Term]
    limits: Sequence[Limit]


def plan_cards(offers: Sequence[PlanOffer] | None = None) -> list[PlanCard]:
    """Return the plans on sale, each with all its terms."""
    rows = list_plan_offers() if offers is None else offers
    return [
        PlanCard(
            plan=plan,
            terms=[_term(each) for each in members],
            limits=list_limits(plan),
        )
        for plan, members in (
            (group[0].plan, group)
            for _key, group in (
                (key, list(members)) for key, members in groupby(rows, lambda each: each.plan.id)
            )
        )
    ]


def _term(offer: PlanOffer) -> Term:
    month = None
    if offer.days is not None and offer.days > MONTH_DAYS and not offer.is_free:
        fen = 100
        month = Amount(offer.amount * MONTH_DAYS // offer.days // fen * fen)
    return Term(offer=offer, length=name_offer(offer), month_amount=month)


def list_limits(plan: Plan) -> list[Limit]:
    """Return what a plan holds, line by line in one order for all plans."""
    return [
        Limit(text=_("全部商品和价格，开店就有"), is_in=True),
        Limit(
            text=_counted(
                plan.domains_most, _("自有域名不限"), _("%(n)s 个自有域名"), _("不能绑自有域名")
            ),
            is_in=plan.domains_most != 0,
        ),
        Limit(
            text=_counted(plan.staff_most, _("员工不限"), _("%(n)s 名员工"), _("只有站长一人")),
            is_in=plan.staff_most != 0,
        ),
        Limit(
            text=_counted(
                plan.own_goods_most, _("自营商品不限"), _("%(n)s 个自营商品"), _("不卖自营商品")
            ),
            is_in=plan.own_goods_most != 0,
        ),
        Limit(
            text=_counted(
                plan.child_sites_most, _("下级分站不限"), _("%(n)s 个下级分站"), _("不开下级分站")
            ),
            is_in=plan.child_sites_most != 0,
        ),
        Limit(
            text=_("到期后宽限 %(n)s 天") % {"n": plan.grace_days}
            if plan.grace_days
            else _("到期当天停业"),
            is_in=plan.grace_days != 0,
        ),
    ]


def _counted(most: int | None, free: str, some: str, none: str) -> str:
    if most is None:
        return free
    return some % {"n": most} if most else none


def cash_desk(request: KamengRequest, offer: PlanOffer, *, key: str) -> dict[str, Any]:
    """Return what the pay part of a page shows for one offer."""
    total = int(offer.amount)
    if offer.is_free:
        return _free_desk(offer, key=key)
    data = request.POST
    purse = open_purse(request, total, is_ticked=data.get("use_wallet") == "1")
    part = purse.offer if purse is not None else None
    chosen = read_text(data, "pay", limit=20)
    options = list_pay_options(request, total, Offer(chosen=chosen, seed=key, purse=purse))
    return {
        "offer": offer,
        "length": name_offer(offer),
        "limits": list_limits(offer.plan),
        "total_amount": total,
        "pay_options": options,
        "part_offer": part,
        "due_amount": due_of(options, part, total_amount=total),
        "idempotency_key": key,
    }


def _free_desk(offer: PlanOffer, *, key: str) -> dict[str, Any]:
    return {
        "offer": offer,
        "length": name_offer(offer),
        "limits": list_limits(offer.plan),
        "total_amount": 0,
        "due_amount": 0,
        "is_free": True,
        "idempotency_key": key,
    }


def name_offer(offer: PlanOffer) -> str:
    """Return for how long an offer is, as a trial where it costs nothing and ends."""
    if offer.is_free and offer.days is not None:
        return _("试用 %(length)s") % {"length": name_term(offer.days)}
    return name_term(offer.days)


def read_plan_checkout(
    request: KamengRequest, *, contact_raw: str, is_agreed: bool
) -> tuple[Checkout, str]:
    """Judge who buys and how it is paid, and let it through the risk rules; with the contact.

    Raises what is wrong: `KeyMissing`, `ContactInvalid`, `ConsentMissing`, `PayMissing` ….
    """
    view, person = request.site, request.person
    key = read_text(request.POST, "idempotency_key", limit=TYPED_CHARS)
    if not is_key(key):
        raise KeyMissing
    customer_id = person.customer_id if isinstance(person, CustomerPerson) else None
    contact = clean_contact(contact_raw, is_required=True)
    if not is_agreed:
        raise ConsentMissing
    offer = get_offer(read_number(request.POST, "variant", label=_("套餐")))
    part, choice = _read_pay(request, offer, key=key)
    digest = contact_digest(view.site_id, contact)
    actor = f"guest:{digest.hex()}" if customer_id is None else f"customer:{customer_id}"
    checkout = Checkout(
        view=view,
        buyer=Buyer(
            customer_id=customer_id,
            contact=contact,
            ip=request.client_ip,
            actor=actor,
            digest=digest,
        ),
        wish=Wish(
            variant_id=offer.variant_id,
            quantity=1,
            answers={},
            shown_amount=_shown(request),
            idempotency_key=key,
            choice=choice,
            wallet_part=part,
        ),
        clearance=assess_checkout(site_id=view.site_id, actor=actor, ip=request.client_ip),
    )
    return checkout, contact


def _read_pay(
    request: KamengRequest, offer: PlanOffer, *, key: str
) -> tuple[int, PayChoice | None]:
    """Return the wallet's part and how the rest is paid; nothing of either for what is free."""
    if offer.is_free:
        return 0, None
    part = read_part(request, request.POST)
    choice = read_pay_choice(
        request,
        read_text(request.POST, "pay", limit=20),
        amount=max(int(offer.amount) - part, 0),
        seed=key,
    )
    return part, choice


def _shown(request: KamengRequest) -> int:
    try:
        return int(parse_fen_yuan(read_text(request.POST, "shown_total", limit=20)))
    except MoneyInvalid:
        raise FormInvalid(label=_("应付金额")) from None
