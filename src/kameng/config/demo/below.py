"""The demo's child site: opened by a sub-site, with terms of its own and the sales of a day.

Everything goes through the services that the console uses.
"""

import secrets

from kameng.accounts.models import User
from kameng.accounts.services.opening import Opening, open_child_site
from kameng.accounts.services.registering import register_customer
from kameng.catalog.models import DeliveryKind
from kameng.catalog.selectors import get_catalogue
from kameng.catalog.services.marking import RuleTarget, RuleTerms, save_rule
from kameng.config.demo.shops import Shop
from kameng.core.audit import Actor
from kameng.core.scope import platform_scope
from kameng.inventory.selectors import forget_stock, stock_of
from kameng.ledger.services import adjust_wallet
from kameng.orders.errors import NotEnoughMoney, OutOfStock
from kameng.orders.models import Order, RefundTo
from kameng.orders.services.placing import Buyer, Wish, place_order
from kameng.orders.services.refunding import RefundWish, refund_order
from kameng.pricing.markups import Ending, MarkupKind
from kameng.pricing.money import ZERO
from kameng.risk.services import assess_checkout
from kameng.tenancy.children import ChildTerms, set_terms
from kameng.tenancy.models import Plan, Site
from kameng.tenancy.selectors import SiteView, branch_host, site_scope
from kameng.tenancy.services import bump_catalogue_version, change_settings

SLUG = "lulu"
YUAN = 10_000
BUYERS = (
    ("xiaoning@example.com", "小宁"),
    ("azhe@example.com", "阿哲"),
    ("momo@example.com", "沫沫"),
)
SALES = 14
MOST = 3  # child sites on the plan of the sub-site
FIRST_YUAN, PART_YUAN = 400, 1


def open_below(upline: Shop, *, main: Shop, password: str) -> None:
    """Open a child below a sub-site and let it sell and give a little back."""
    _allow(upline, main)
    with site_scope(upline.site_id):
        usual = ChildTerms(markup_bps=60, minimum_amount=300)
        set_terms(site_id=upline.site_id, terms=usual, actor=upline.owner)
    opening = Opening(
        slug=SLUG,
        name="露露点卡",
        host=branch_host(SLUG),
        plan_id=None,
        owner_login=SLUG,
        owner_name="陆露",
        owner_password=password,
    )
    opened = open_child_site(opening, upline_id=upline.site_id, actor=upline.owner)
    user = User.objects.get(login=SLUG)
    _live(opened, owner=Actor(kind="user", actor_id=user.id, name=user.display_name))


def _allow(upline: Shop, main: Shop) -> None:
    with platform_scope("the demo allows child sites"):
        change_settings(
            site_id=main.site_id, changes={"child_sites_allowed": True}, actor=main.owner
        )
        plan_ids = Site.objects.filter(id=upline.site_id).values("plan_id")
        Plan.objects.filter(id__in=plan_ids).update(child_sites_most=MOST)
        bump_catalogue_version(upline.site_id)


def _live(opened: Site, *, owner: Actor) -> None:
    with site_scope(opened.id):
        change_settings(
            site_id=opened.id,
            changes={
                "palette": "teal",
                "slogan": "露露的小店，客服在线到凌晨",
                "contact_text": "客服微信 lulu-demo，每天 12:00–02:00",
                "licence_no": "演示营业执照 91000000DEMO0006X",
            },
            actor=owner,
        )
        terms = RuleTerms(
            kind=MarkupKind.RATE, rate_bps=300, amount=ZERO, ending=Ending.FEN, cap_bps=10_500
        )
        save_rule(RuleTarget(), terms=terms, actor=owner)
    with site_scope(opened.id) as view:
        buyers = [_greet(login, name, view=view, owner=owner) for login, name in BUYERS]
        _sell(view, buyers)
        sold = Order.objects.order_by("-total_amount").first()
        if sold is not None and sold.total_amount > 2 * PART_YUAN * YUAN:
            wish = RefundWish(
                amount=PART_YUAN * YUAN,
                refund_to=RefundTo.WALLET,
                reason="发晚了，退一点运气钱",
                idempotency_key=secrets.token_hex(8),
            )
            refund_order(order_id=sold.id, wish=wish, actor=owner)


def _greet(login: str, name: str, *, view: SiteView, owner: Actor) -> Buyer:
    made = register_customer(login_text=login, password=secrets.token_hex(8), nickname=name)
    adjust_wallet(
        site_id=view.site_id,
        customer_id=made.id,
        amount=FIRST_YUAN * YUAN,
        reason="线下转账充值",
        actor=owner,
    )
    return Buyer(customer_id=made.id, contact="", ip="10.8.0.6", actor=f"customer:{made.id}")


def _sell(view: SiteView, buyers: list[Buyer]) -> None:
    """Sell what is delivered by itself and costs little, one after the other."""
    forget_stock()
    hot = [
        product
        for product in get_catalogue(view).list_hot()
        if product.delivery_kind == DeliveryKind.CARD
    ]
    stock = stock_of([each.id for product in hot for each in product.variants])
    variants = [
        each for product in hot for each in product.variants[:1] if stock[each.id].is_available
    ]
    for number in range(SALES if variants else 0):
        buyer = buyers[number % len(buyers)]
        wish = Wish(
            variant_id=variants[number % len(variants)].id,
            quantity=1,
            answers={},
            shown_amount=None,
            idempotency_key=secrets.token_hex(12),
            choice=None,
        )
        clearance = assess_checkout(site_id=view.site_id, actor=buyer.actor, ip=buyer.ip)
        try:
            place_order(view=view, buyer=buyer, wish=wish, clearance=clearance)
        except (OutOfStock, NotEnoughMoney):
            continue
