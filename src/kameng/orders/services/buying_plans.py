"""Ordering a plan: the order, what it is to do, and the address held meanwhile, in one transaction.

A plan is sold on the main site only, one piece an order. Whose shop is prolonged is proved by the
caller (`links.opens_site`). What is done once it is paid: `opening`.
"""

import datetime as dt
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from kameng.accounts.services.opening import clean_shop_name
from kameng.accounts.services.staff import prepare_user
from kameng.catalog.selectors import PlanOffer, PurchaseQuote, list_plan_offers, quote_plan
from kameng.core import clock
from kameng.core.audit import Actor
from kameng.core.scope import require_site_id
from kameng.orders import errors
from kameng.orders.links import contact_digest
from kameng.orders.models import FreeOpening, Order, OrderState, PurchaseAct, SitePurchase
from kameng.orders.rules import plain_contact
from kameng.orders.services.closing import cancel_order
from kameng.orders.services.placing import (
    Buyer,
    PlacedOrder,
    Wish,
    place_order,
    replay_order,
)
from kameng.risk.services import Clearance
from kameng.tenancy.errors import PlanNotSold, SlugTaken
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import SiteView, branch_host, find_site_id_now
from kameng.tenancy.terms import check_prolongable, hold_slug

LATE = dt.timedelta(minutes=30)  # a payment that comes after its time still finds the address held


@dataclass(frozen=True, slots=True, kw_only=True)
class NewShop:
    """What is to be opened: its name and address, its design, and who is to own it.

    `user_id` names a member of staff who is signed in; otherwise login and password make one.
    """

    slug: str
    name: str
    template: str = ""
    user_id: int | None = None
    owner_login: str = ""
    owner_password: str = ""

    def __repr__(self) -> str:
        return f"NewShop(slug={self.slug!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """Who buys on which site, for what price, let through by `risk`; as `place_order` takes it."""

    view: SiteView
    buyer: Buyer
    wish: Wish
    clearance: Clearance


def get_offer(variant_id: int) -> PlanOffer:
    """Return what is sold of plans under this number on the main site; raise `PlanNotSold`."""
    found = next((each for each in list_plan_offers() if each.variant_id == variant_id), None)
    if found is None:
        raise PlanNotSold
    return found


def order_shop(checkout: Checkout, *, shop: NewShop) -> PlacedOrder:
    """Order a shop. The address is held until the order's time is over; the same key replays.

    Raises `SlugInvalid`, `SlugTaken`, `NicknameInvalid`, `StaffLoginInvalid`, `StaffLoginTaken`, a
    refusal of the password, `PlanNotSold`, `FreeOnce`, and as `place_order`. Locks: reservation,
    then order, then who opens for nothing.
    """
    known = _replay(checkout, act=PurchaseAct.OPEN, slug=shop.slug)
    if known is not None:
        return known
    offer = get_offer(checkout.wish.variant_id)
    if offer.is_free:  # said before the login is found taken, by the person's first shop
        keys = _free_keys(checkout, user_id=shop.user_id)
        if FreeOpening.objects.filter(key_digest__in=keys).exists():
            raise errors.FreeOnce
    purchase = SitePurchase(
        act=PurchaseAct.OPEN,
        slug=shop.slug,
        name=clean_shop_name(shop.name),
        template=shop.template[:40],
        holder=checkout.buyer.actor[:80],
        **_owner_columns(shop),
    )
    if find_site_id_now(branch_host(shop.slug)) is not None:
        raise SlugTaken
    _leave_earlier(purchase)
    return _place(checkout, purchase, offer=offer)


def order_term(checkout: Checkout, *, site: Site, user_id: int) -> PlacedOrder:
    """Order more time, or another plan, for a sub-site; its order prolongs it once it is paid.

    Raises `PlanNotSold`, `NothingToProlong`, `SiteClosed`, and as `place_order`.
    """
    known = _replay(checkout, act=None, target_id=site.id)
    if known is not None:
        return known
    offer = get_offer(checkout.wish.variant_id)
    if offer.is_free:
        raise PlanNotSold  # for new shops only: after a trial one pays
    check_prolongable(site, plan_id=offer.plan.id, days=offer.days)
    act = PurchaseAct.PROLONG if offer.plan.id == site.plan_id else PurchaseAct.CHANGE
    purchase = SitePurchase(
        act=act,
        target_id=site.id,
        name=site.name,
        user_id=user_id,
        holder=checkout.buyer.actor[:80],
    )
    return _place(checkout, purchase, offer=offer)


def _place(checkout: Checkout, purchase: SitePurchase, *, offer: PlanOffer) -> PlacedOrder:
    quoted: PurchaseQuote = quote_plan(checkout.view, variant_id=offer.variant_id)
    purchase.site_id = require_site_id()
    purchase.plan_id, purchase.term_days = offer.plan.id, offer.days
    seconds = checkout.view.settings.order_hold_seconds
    with transaction.atomic():
        if purchase.act == PurchaseAct.OPEN:
            until = clock.now() + dt.timedelta(seconds=seconds) + LATE
            hold_slug(purchase.slug, holder=purchase.holder, until=until)
        placed = place_order(
            view=checkout.view,
            buyer=checkout.buyer,
            wish=checkout.wish,
            clearance=checkout.clearance,
            quoted=quoted,
        )
        if placed.is_repeat:  # the same request at the same moment came first
            _check_same(placed.order_id, purchase)
        else:
            purchase.order_id = placed.order_id
            purchase.save(force_insert=True)
            if offer.is_free:
                _claim_free(checkout, purchase)
    return placed


def _claim_free(checkout: Checkout, purchase: SitePurchase) -> None:
    """Let a person open for nothing once: the unique keys decide, in one order for all."""
    rows = [
        FreeOpening(site_id=purchase.site_id, key_digest=each, order_id=purchase.order_id)
        for each in _free_keys(checkout, user_id=purchase.user_id)
    ]
    try:
        with transaction.atomic():
            FreeOpening.objects.bulk_create(rows)
    except IntegrityError as fault:
        raise errors.FreeOnce from fault


def _free_keys(checkout: Checkout, *, user_id: int | None) -> list[bytes]:
    """Return by what a person is known who opens for nothing, ascending."""
    buyer = checkout.buyer
    names = {plain_contact(buyer.contact)} if buyer.contact else set()
    if buyer.customer_id is not None:
        names.add(f"customer:{buyer.customer_id}")
    if user_id is not None:
        names.add(f"user:{user_id}")
    return sorted(contact_digest(checkout.view.site_id, name) for name in names)


def _replay(checkout: Checkout, **wanted: object) -> PlacedOrder | None:
    """Return the answer that this very request got before; raise `KeyReused` for another content.

    Before anything is judged: by now the address and the login are taken, by this order itself.
    """
    wish = checkout.wish
    placed = replay_order(checkout.view, buyer=checkout.buyer, key=wish.idempotency_key)
    if placed is None:
        return None
    bought = Order.objects.values_list("variant_id", flat=True).get(id=placed.order_id)
    purchase = SitePurchase.objects.filter(order_id=placed.order_id).first()
    same = {name: value for name, value in wanted.items() if value is not None}
    if (
        purchase is None
        or bought != wish.variant_id
        or any(getattr(purchase, name) != value for name, value in same.items())
    ):
        raise errors.KeyReused
    return placed


def _check_same(order_id: int, purchase: SitePurchase) -> None:
    found = SitePurchase.objects.filter(order_id=order_id).first()
    if found is None or (found.act, found.slug, found.target_id or purchase.target_id) != (
        purchase.act,
        purchase.slug,
        purchase.target_id or found.target_id,
    ):
        raise errors.KeyReused


def _leave_earlier(purchase: SitePurchase) -> None:
    """Cancel an unpaid order of this buyer for this address: the new one takes its place."""
    mine = SitePurchase.objects.filter(
        slug=purchase.slug, holder=purchase.holder, done_at__isnull=True
    )
    ids = list(mine.values_list("order_id", flat=True))
    for order in Order.objects.filter(id__in=ids, state=OrderState.AWAITING_PAYMENT):
        try:
            cancel_order(order=order, actor=Actor(kind="buyer", name="buyer"))
        except errors.NotAllowedNow:
            continue  # paid or given up meanwhile: it keeps what it has


def _owner_columns(shop: NewShop) -> dict[str, object]:
    """Check and hash before the transaction."""
    if shop.user_id is not None:
        return {"user_id": shop.user_id}
    owner = prepare_user(login_text=shop.owner_login, password=shop.owner_password)
    return {
        "owner_login": owner.login,
        "owner_name": owner.display_name,
        "owner_password": owner.encoded,
    }
