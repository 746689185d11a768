"""Plans on sale on the main site, and people who buy them: for tests of opening and terms."""

import itertools
from dataclasses import dataclass

from kameng.accounts.models import Customer
from kameng.catalog.models import DeliveryKind, Variant
from kameng.core.scope import platform_scope
from kameng.orders.models import Order, SitePurchase
from kameng.orders.services.buying_plans import Checkout, NewShop, order_shop, order_term
from kameng.orders.services.opening import carry_out
from kameng.orders.services.placing import Buyer, PlacedOrder, Wish
from kameng.payments.models import Payment
from kameng.payments.selectors import PayChoice
from kameng.risk import services as risk
from kameng.tenancy.models import Plan, Site, SiteTerm
from kameng.tenancy.selectors import site_scope
from tests.factories import fund_wallet, make_customer, make_product, next_number

YUAN = 10_000
PASSWORD = "a-shop-of-my-own"
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanShop:
    """The main site with two plans on sale: 30 days for ¥30 and 365 for ¥1460 (¥4 a day)."""

    main: Site
    basic: Plan
    pro: Plan
    month: Variant
    year: Variant


def open_plan_shop(main: Site) -> PlanShop:
    """Put the plans that the main site's factory made on sale."""
    basic, pro = Plan.objects.get(name="普及版"), Plan.objects.get(name="专业版")
    product = make_product(
        main, title="开分站", delivery_kind=DeliveryKind.SITE_PLAN, max_quantity=1
    )
    return PlanShop(
        main=main,
        basic=basic,
        pro=pro,
        month=sell_plan(product, plan=basic, days=30, amount=30 * YUAN),
        year=sell_plan(product, plan=pro, days=365, amount=1460 * YUAN),
    )


def sell_plan(product: object, *, plan: Plan, days: int | None, amount: int) -> Variant:
    """Put one plan for so many days on sale."""
    site_id = product.site_id  # type: ignore[attr-defined]
    with site_scope(site_id):
        return Variant.objects.create(
            site_id=site_id,
            product=product,
            name=f"{plan.name} {days}",
            cost_amount=0,
            list_amount=amount,
            plan=plan,
            term_days=days,
        )


def rich_buyer(shop: PlanShop, *, amount: int = 10_000 * YUAN) -> Customer:
    """Make a customer of the main site with money in the wallet."""
    customer = make_customer(shop.main)
    fund_wallet(customer, amount)
    return customer


def checkout_of(
    shop: PlanShop,
    variant: Variant,
    *,
    customer: Customer | None = None,
    choice: PayChoice | None = None,
    key: str = "",
) -> Checkout:
    """Return a checkout by wallet, or by a gateway; without the limits on rates."""
    number = next(_numbers)
    actor = f"customer:{customer.id}" if customer else f"guest:{number}"
    buyer = Buyer(
        customer_id=customer.id if customer else None,
        contact="" if customer else f"guest{number}@example.com",
        ip=f"12.0.{number // 256}.{number % 256}",
        actor=actor,
    )
    wish = Wish(
        variant_id=variant.id,
        quantity=1,
        answers={},
        shown_amount=variant.list_amount,
        idempotency_key=key or f"plan-{number}",
        choice=choice,
    )
    risk.forget_windows()
    with site_scope(shop.main.id) as view:
        clearance = risk.assess_checkout(site_id=view.site_id, actor=buyer.actor, ip=buyer.ip)
    return Checkout(view=view, buyer=buyer, wish=wish, clearance=clearance)


def new_shop(slug: str = "", **changes: object) -> NewShop:
    """Return a shop to be opened for a new owner."""
    slug = slug or f"shop-{next_number()}"
    values: dict[str, object] = {
        "slug": slug,
        "name": "小北的店",
        "owner_login": f"{slug}@example.com",
        "owner_password": PASSWORD,
    }
    return NewShop(**{**values, **changes})  # type: ignore[arg-type]


def buy_shop(
    shop: PlanShop, wished: NewShop | None = None, *, variant: Variant | None = None
) -> tuple[PlacedOrder, Site]:
    """Buy and open a shop from a wallet; return its order and the shop."""
    placed = place_shop(shop, wished or new_shop(), variant=variant)
    done = fulfil(shop, placed)
    with platform_scope("a test looks at the new shop"):
        return placed, Site.objects.get(id=done.target_id)


def place_shop(
    shop: PlanShop,
    wished: NewShop,
    *,
    variant: Variant | None = None,
    customer: Customer | None = None,
    key: str = "",
) -> PlacedOrder:
    """Order a shop and pay it from a wallet; it is not opened yet."""
    checkout = checkout_of(
        shop, variant or shop.month, customer=customer or rich_buyer(shop), key=key
    )
    with site_scope(shop.main.id):
        return order_shop(checkout, shop=wished)


def place_term(shop: PlanShop, site: Site, *, variant: Variant | None = None) -> PlacedOrder:
    """Order more time for a shop and pay it from a wallet; it is not given yet."""
    checkout = checkout_of(shop, variant or shop.month, customer=rich_buyer(shop))
    site.refresh_from_db()
    with site_scope(shop.main.id):
        return order_term(checkout, site=site, user_id=1)


def fulfil(shop: PlanShop, placed: PlacedOrder) -> SitePurchase:
    """Do what a paid order was bought for."""
    with site_scope(shop.main.id):
        return carry_out(placed.order_id)


def terms_of(site: Site) -> list[SiteTerm]:
    """Return the terms of a site, the oldest first."""
    with platform_scope("a test looks at terms"):
        return list(SiteTerm.unscoped.filter(site_id=site.id).order_by("id"))


def order_of(shop: PlanShop, placed: PlacedOrder) -> Order:
    """Return the order as it stands now."""
    with site_scope(shop.main.id):
        return Order.objects.get(id=placed.order_id)


def payment_of(shop: PlanShop, placed: PlacedOrder) -> Payment:
    """Return the newest payment of an order."""
    with site_scope(shop.main.id):
        return Payment.objects.filter(subject_id=placed.order_id, purpose=1).latest("id")
