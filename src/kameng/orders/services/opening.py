"""A paid order of a plan does what it was bought for: opens a sub-site, or prolongs one. Once.

One transaction: site, host, owner, term, goods of the order and its state. The order's lock lets
one caller through; `SiteTerm.order_id` is unique besides. What cannot be done is written down on
the purchase, and the order stays in the queue of those that wait for a person.
"""

import datetime as dt

import structlog
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from kameng.accounts.models import Role
from kameng.accounts.selectors import find_staff_user, free_login
from kameng.accounts.services.staff import NewUser, grant_role, insert_user
from kameng.core import clock
from kameng.core.audit import SYSTEM
from kameng.core.errors import Refusal
from kameng.core.events import publish
from kameng.core.scope import platform_scope, require_site_id
from kameng.orders import errors
from kameng.orders.events import SiteOpened
from kameng.orders.models import Note, Order, OrderState, PurchaseAct, SitePurchase
from kameng.orders.rules import State
from kameng.orders.services.delivering import hand_over
from kameng.orders.services.paying import lock_order
from kameng.tenancy.addresses import site_url
from kameng.tenancy.errors import SlugTaken
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import branch_host, get_plan, get_site, site_scope
from kameng.tenancy.services import add_domain, create_site
from kameng.tenancy.settings import SiteSettings
from kameng.tenancy.taking_back import take_term_back
from kameng.tenancy.terms import Bought, begin_term, hold_slug, prolong_term, release_slug

LANGUAGE = "zh-hans"
AT_ONCE = 200
log = structlog.get_logger("kameng.orders")
ENTRANCE = dt.timedelta(days=1)  # for how long the order leads into the back office


def carry_out(order_id: int) -> SitePurchase:
    """Do what a paid order of the main site, whose scope is open, was bought for; once.

    A repeat changes nothing. Returns the purchase: `done_at` tells that it is done, `problem` why
    not. Raises `NotAllowedNow` while the order is not paid. Publishes `SiteOpened` and
    `OrderDelivered`. Locks: order, reservation, site.
    """
    with transaction.atomic():
        order = lock_order(order_id)
        purchase: SitePurchase = SitePurchase.objects.get(order_id=order.id)
        if purchase.done_at is not None:
            return purchase
        if order.state != State.AWAITING_DELIVERY:
            raise errors.NotAllowedNow(state=OrderState(order.state).label)
        try:
            with transaction.atomic():
                _do(order, purchase)
        except Refusal as refusal:
            _leave_to_people(order, purchase, refusal)
    return purchase


def take_time_back(order: Order) -> None:
    """Take back the time that an order gave whose refund makes it whole. Once.

    Call in the transaction of the refund, in the main site's scope, with the order locked. What was
    never carried out gave nothing. Locks the site.
    """
    purchase: SitePurchase | None = SitePurchase.objects.filter(
        order_id=order.id, done_at__isnull=False
    ).first()
    if purchase is None or purchase.target_id is None:
        return
    with platform_scope("a refund takes back the time of a sub-site"):
        take_term_back(purchase.target_id, bought=_bought(order, purchase), order_no=order.order_no)


def move_address(*, order_id: int, slug: str) -> SitePurchase:
    """Give a paid order whose address was lost another one, and carry it out.

    Raises `SlugInvalid`, `SlugTaken`, `NotAllowedNow`.
    """
    with transaction.atomic():
        order = lock_order(order_id)
        purchase = SitePurchase.objects.get(order_id=order.id)
        if order.state != State.AWAITING_DELIVERY or purchase.act != PurchaseAct.OPEN:
            raise errors.NotAllowedNow(state=OrderState(order.state).label)
        hold_slug(slug, holder=purchase.holder, until=clock.now())
        SitePurchase.objects.filter(id=purchase.id).update(slug=slug, problem="")
    done = carry_out(order_id)
    if done.problem:
        raise SlugTaken
    return done


def list_due() -> list[int]:
    """Return the paid orders of the site in force whose purchase is to be carried out."""
    due = SitePurchase.objects.filter(done_at__isnull=True, problem="")
    rows = Order.objects.filter(
        id__in=due.values("order_id"), state=OrderState.AWAITING_DELIVERY
    ).order_by("id")
    return list(rows.values_list("id", flat=True)[:AT_ONCE])


def carry_out_due() -> int:
    """Carry out what is due on the site in force; return how many were tried."""
    due = list_due()
    for order_id in due:
        try:
            carry_out(order_id)
        except Exception:  # one order must not keep all others from their shops
            log.exception("purchase.not_carried_out", order_id=order_id)
    return len(due)


def _do(order: Order, purchase: SitePurchase) -> None:
    bought = _bought(order, purchase)
    if purchase.act == PurchaseAct.OPEN:
        site = _open_site(purchase, bought)
    else:
        with platform_scope("a paid order prolongs a sub-site"):
            site = get_site(purchase.target_id or 0)
            prolong_term(site.id, bought=bought, actor=SYSTEM)
    with override(LANGUAGE):
        hand_over(order, content=_goods_of(purchase, site), by=SYSTEM.name)
    purchase.target_id, purchase.problem, purchase.done_at = site.id, "", clock.now()
    purchase.owner_password = ""
    purchase.save(
        update_fields=[
            "target_id",
            "problem",
            "done_at",
            "owner_password",
            "owner_login",
            "user_id",
        ]
    )


def _bought(order: Order, purchase: SitePurchase) -> Bought:
    return Bought(
        order_id=order.id,
        plan_id=purchase.plan_id,
        days=purchase.term_days,
        paid_amount=order.total_amount,
    )


def _open_site(purchase: SitePurchase, bought: Bought) -> Site:
    hold_slug(purchase.slug, holder=purchase.holder, until=clock.now())  # lost when someone has it
    with platform_scope("a paid order opens a sub-site"):
        site = create_site(
            slug=purchase.slug,
            name=purchase.name,
            plan=get_plan(purchase.plan_id),
            settings=SiteSettings(),
            actor=SYSTEM,
        )
        add_domain(site_id=site.id, host=branch_host(purchase.slug), is_primary=True, actor=SYSTEM)
        begin_term(site.id, bought=bought, actor=SYSTEM)
        if purchase.user_id is None:
            purchase.owner_login = free_login(purchase.owner_login, slug=purchase.slug)
            new = NewUser(
                login=purchase.owner_login,
                display_name=purchase.owner_name,
                encoded=purchase.owner_password,
            )
            purchase.user_id = insert_user(new, actor=SYSTEM).id
    with site_scope(site.id):
        grant_role(user_id=purchase.user_id, role=Role.OWNER, actor=SYSTEM)
        publish(SiteOpened(site_id=site.id, subject_id=site.id, template=purchase.template))
    release_slug(purchase.slug, holder=purchase.holder)
    return site


def _goods_of(purchase: SitePurchase, site: Site) -> str:
    """Return what the buyer gets: the addresses and the login; never a password."""
    url = site_url(site.id)
    lines = [_("店铺网址：%(url)s") % {"url": f"{url}/"}]
    lines.append(_("后台网址：%(url)s") % {"url": f"{url}/console/"})
    user = find_staff_user(purchase.user_id) if purchase.user_id is not None else None
    if user is not None and purchase.act == PurchaseAct.OPEN:
        lines.append(_("登录名：%(login)s（密码是您下单时设置的）") % {"login": user.login})
    return "\n".join(lines)


def _leave_to_people(order: Order, purchase: SitePurchase, refusal: Refusal) -> None:
    fresh = SitePurchase.objects.get(id=purchase.id)  # what the undone try set is forgotten
    SitePurchase.objects.filter(id=fresh.id).update(problem=refusal.code)
    purchase.problem, purchase.done_at = refusal.code, None
    Note.objects.create(
        site_id=require_site_id(),
        order_id=order.id,
        kind="plan_problem",
        text=refusal.code[:400],
        actor_name=SYSTEM.name,
    )


def take_entrance(order_id: int) -> int | None:
    """Use the one way into the new shop's back office that its order opens, within a day.

    Returns the owner made by the order, once; None when it was used, is over, or the owner had an
    account before or has signed in since: who has the link of an order passes by no password that
    its owner uses, nor by a second factor. One compare-and-set.
    """
    user_id: int | None = (
        SitePurchase.objects.filter(order_id=order_id).values_list("user_id", flat=True).first()
    )
    user = find_staff_user(user_id) if user_id is not None else None
    if user is None or user.last_signed_in_at is not None:
        return None
    rows = SitePurchase.objects.filter(
        order_id=order_id,
        act=PurchaseAct.OPEN,
        entered_at__isnull=True,
        done_at__gt=clock.now() - ENTRANCE,
        user_id__isnull=False,
    ).exclude(owner_login="")
    return user.id if rows.update(entered_at=clock.now()) else None
