"""The demo's shops: plans, sites, hosts, staff, mark-up rules, what each hides and pins.

Everything goes through the services that the console uses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kameng.accounts.models import Role, User
from kameng.accounts.services.opening import Opening, open_main_site, open_sub_site
from kameng.accounts.services.staff import create_user, grant_role
from kameng.catalog.models import Product
from kameng.catalog.selectors import get_catalogue
from kameng.catalog.services.listing import set_listed, set_pinned
from kameng.catalog.services.marking import RuleTarget, RuleTerms, save_rule
from kameng.catalog.snapshot import Catalogue, ProductView
from kameng.core.audit import SYSTEM, Actor
from kameng.core.scope import platform_scope
from kameng.inventory.selectors import Stock, forget_stock, stock_of
from kameng.orders.services.settling import switch_settlement
from kameng.pricing.markups import Ending, MarkupKind
from kameng.pricing.money import ZERO, Amount, parse_yuan
from kameng.tenancy.licensing import LegalDetails, submit_licence, verify_licence
from kameng.tenancy.models import Plan, SettlementWay
from kameng.tenancy.selectors import site_scope
from kameng.tenancy.services import PlanDraft, add_domain, change_settings, save_plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """One site of the demo with the people who act for it and how its buyers behave."""

    site_id: int
    slug: str
    name: str
    host: str
    owner: Actor
    service: Actor  # who delivers by hand and repairs
    plan: Mapping[str, Any]  # its entry in sites.json


def open_shops(entry: Mapping[str, Any]) -> list[Shop]:
    """Open the plans and the sites of sites.json, the main site first."""
    with platform_scope("the demo opens its shops"):
        plans = {
            row["name"]: save_plan(
                PlanDraft(**{key: value for key, value in row.items() if key != "offers"}),
                actor=SYSTEM,
            )
            for row in entry["plans"]
        }
        opened = [
            _open_shop(site, plans=plans, password=entry["password"]) for site in entry["sites"]
        ]
    for shop in list_own_takers(opened):
        with site_scope(shop.site_id):
            switch_settlement(
                site_id=shop.site_id,
                way=SettlementWay.PREPAID,
                reason="分站有自己的商户号，货款自收，预存进货",
                actor=opened[0].owner,
            )
    _show_licences(opened)
    return opened


def _show_licences(shops: Sequence[Shop]) -> None:
    """Have who runs the shops handed in; the main site verified all but the last."""
    handed_in = []
    for shop in shops:
        if "legal" in shop.plan:
            with site_scope(shop.site_id):
                details = LegalDetails(**shop.plan["legal"])
                handed_in.append(submit_licence(details, actor=shop.owner))
    with platform_scope("the demo's main site verifies who runs the shops"):
        for licence in handed_in[:-1]:
            verify_licence(licence.id, actor=shops[0].owner)


def list_own_takers(shops: Sequence[Shop]) -> list[Shop]:
    """Return the sub-sites whose operators take the buyers' money by gateways of their own."""
    return [shop for shop in shops[1:] if "gateways" in shop.plan]


def _open_shop(site: Mapping[str, Any], *, plans: Mapping[str, Plan], password: str) -> Shop:
    opening = Opening(
        slug=site["slug"],
        name=site["name"],
        host=site["hosts"][0],
        plan_id=plans[site["plan"]].id if site["plan"] else None,
        owner_login=site["owner"]["login"],
        owner_name=site["owner"]["name"],
        owner_password=password,
    )
    opened = (open_sub_site if site["plan"] else open_main_site)(opening, actor=SYSTEM)
    user = User.objects.get(login=site["owner"]["login"])
    owner = Actor(kind="user", actor_id=user.id, name=user.display_name)
    for host in site["hosts"][1:]:
        add_domain(site_id=opened.id, host=host, is_primary=False, actor=owner)
    change_settings(site_id=opened.id, changes=site["settings"], actor=owner)
    service = owner
    for row in site["staff"]:
        service = _hire(row, site_id=opened.id, password=password, owner=owner)
    return Shop(
        site_id=opened.id,
        slug=site["slug"],
        name=site["name"],
        host=site["hosts"][0],
        owner=owner,
        service=service,
        plan=site,
    )


def _hire(row: Mapping[str, str], *, site_id: int, password: str, owner: Actor) -> Actor:
    user = create_user(
        login_text=row["login"],
        display_name=row["name"],
        password=password,
        is_platform=False,
        actor=owner,
    )
    with site_scope(site_id):
        grant_role(user_id=user.id, role=Role(row["role"]), actor=owner)
    return Actor(kind="user", actor_id=user.id, name=user.display_name)


def dress_shops(shops: Sequence[Shop]) -> None:
    """Give each site its mark-up rules and hide goods; the goods must be there."""
    for shop in shops:
        with site_scope(shop.site_id):
            _dress(shop)


def _dress(shop: Shop) -> None:
    products = dict(Product.objects.values_list("code", "id"))
    shelves = dict(Product.objects.values_list("category__name", "category_id").distinct())
    for rule in shop.plan["rules"]:
        target = RuleTarget(
            category_id=shelves[rule["category"]] if "category" in rule else None,
            product_id=products[rule["product"]] if "product" in rule else None,
        )
        save_rule(target, terms=_terms(rule), actor=shop.owner)
    away = [shelves[name] for name in shop.plan.get("hidden_categories", ())]
    hidden = {products[code] for code in shop.plan["hidden"]}
    hidden |= set(Product.objects.filter(category_id__in=away).values_list("id", flat=True))
    if hidden:
        set_listed(sorted(hidden), is_listed=False, actor=shop.owner)


def pin_goods(shops: Sequence[Shop]) -> None:
    """Pin on each site what it would show first; call when the history has sold what it sold."""
    forget_stock()
    for shop in shops:
        with site_scope(shop.site_id) as view:
            _pin(shop, get_catalogue(view))


def _pin(shop: Shop, catalogue: Catalogue) -> None:
    """Pin what the plan names; where that is sold out, what sells best beside it."""
    by_code = {product.code: product for product in catalogue.products}
    wanted = [by_code[code] for code in shop.plan["pinned"]]
    stock = stock_of([variant.id for each in catalogue.products for variant in each.variants])
    spare = [each for each in catalogue.hot if _is_in_stock(each, stock) and each not in wanted]
    pinned = []
    for product in wanted:
        if not _is_in_stock(product, stock):
            beside = [each for each in spare if each.category_id == product.category_id]
            product = (beside or spare)[0]
            spare.remove(product)
        pinned.append(product.id)
    inherited = [each.id for each in catalogue.list_pinned() if each.id not in pinned]
    if inherited:  # the main site's choice
        set_pinned(inherited, is_pinned=False, actor=shop.owner)
    set_pinned(pinned, is_pinned=True, actor=shop.owner)


def _is_in_stock(product: ProductView, stock: Mapping[int, Stock]) -> bool:
    return any(stock[variant.id].is_available for variant in product.variants)


def _terms(rule: Mapping[str, Any]) -> RuleTerms:
    amount: Amount = parse_yuan(rule["amount"]) if "amount" in rule else ZERO
    return RuleTerms(
        kind=MarkupKind(rule["kind"]),
        rate_bps=rule.get("rate_bps", 0),
        amount=amount,
        ending=Ending(rule.get("ending", "fen")),
    )
