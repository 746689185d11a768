"""A sub-site's own goods in the demo: a shelf, one product of each way of delivery, a few sales.

Everything goes through the services that the console uses.
"""

import secrets
from collections.abc import Mapping
from typing import Any

from kameng.accounts.models import Customer
from kameng.catalog.drafts import CategoryDraft, ProductDraft, VariantDraft
from kameng.catalog.inputs import InputField, InputKind
from kameng.catalog.models import Category, DeliveryKind, Product, Variant
from kameng.catalog.selectors import get_catalogue
from kameng.catalog.services.editing import create_category, create_product
from kameng.config.demo.history import read_events
from kameng.config.demo.shops import Shop
from kameng.inventory.services.importing import KeyImport, confirm_key_import, start_key_paste
from kameng.ledger.selectors import wallet_amounts
from kameng.orders.services.delivering import deliver_by_hand
from kameng.orders.services.placing import Buyer, PlacedOrder, Wish, place_order
from kameng.pricing.money import Amount, parse_yuan
from kameng.risk.services import assess_checkout
from kameng.tenancy.selectors import get_site_view, site_scope

KEY_COUNT = 60
SALES = (("OWN-GUIDE", 2), ("OWN-GUIDE", 1), ("OWN-COACH", 1), ("OWN-BOOST", 1))
ANSWERS = {"uid": "100482736", "server": "天空岛", "question": "想打深渊，队伍怎么配？"}


def open_own_shelf(shop: Shop) -> None:
    """Make the own goods that sites.json names for a shop, stock them and sell a few."""
    with site_scope(shop.site_id):
        for entry in shop.plan.get("own_goods", ()):
            _make(entry, shop)
        _sell_some(shop)
    read_events()


def _make(entry: Mapping[str, Any], shop: Shop) -> None:
    shelf = Category.objects.filter(name=entry["category"]).first()
    if shelf is None:
        draft = CategoryDraft(name=entry["category"], icon=entry["icon"], position=90)
        shelf = create_category(draft, actor=shop.owner)
    fields = tuple(
        InputField(name=each["name"], label=each["label"], kind=InputKind(each["kind"]))
        for each in entry.get("fields", ())
    )
    product = create_product(
        ProductDraft(
            category_id=shelf.id,
            code=entry["code"],
            title=entry["title"],
            summary=entry["summary"],
            description=entry["description"],
            after_sale=entry["after_sale"],
            delivery_kind=DeliveryKind[entry["delivery"]],
            input_fields=fields,
            tags=tuple(entry["tags"]),
        ),
        variants=[
            VariantDraft(
                name=each["name"],
                cost_amount=parse_yuan(each["cost"]),
                list_amount=parse_yuan(each["price"]),
                position=position,
            )
            for position, each in enumerate(entry["variants"])
        ],
        is_listed=True,
        actor=shop.owner,
    )
    if product.delivery_kind == DeliveryKind.CARD:
        for variant in Variant.objects.filter(product_id=product.id):
            _stock(variant, shop)


def _stock(variant: Variant, shop: Shop) -> None:
    """Bring keys in for one face value, as its operator would paste them."""
    keys = "\n".join(f"XH{variant.id:04d}-{secrets.token_hex(6).upper()}" for _ in range(KEY_COUNT))
    wanted = KeyImport(variant_id=variant.id, label="首批", cost_amount=Amount(variant.cost_amount))
    job = start_key_paste(keys, wanted=wanted, actor=shop.owner)
    confirm_key_import(job.id, actor=shop.owner)


def _sell_some(shop: Shop) -> None:
    """Let customers with money in their wallets buy; what is done by hand, one order waits."""
    newest = list(Customer.objects.order_by("-id")[:200])
    held = wallet_amounts([each.id for each in newest])
    rich = [each for each in newest if held[each.id] >= parse_yuan("60")]
    for customer, (code, quantity) in zip(rich, SALES, strict=False):
        product = Product.objects.get(site_id=shop.site_id, code=code)
        placed = _buy(customer, product, quantity)
        if code == "OWN-COACH":
            deliver_by_hand(
                order_id=placed.order_id,
                content="已约好周六晚 8 点语音连线，配队方案见附带的文字说明。",
                actor=shop.service,
            )


def _buy(customer: Customer, product: Product, quantity: int) -> PlacedOrder:
    view = get_site_view(product.site_id)
    found = get_catalogue(view).products_by_id[product.id]
    actor = f"customer:{customer.id}"
    clearance = assess_checkout(site_id=view.site_id, actor=actor, ip="203.0.113.80")
    return place_order(
        view=view,
        buyer=Buyer(customer_id=customer.id, contact="", ip="203.0.113.80", actor=actor),
        wish=Wish(
            variant_id=found.variants[0].id,
            quantity=quantity,
            answers={each.name: ANSWERS[each.name] for each in found.input_fields},
            shown_amount=None,
            idempotency_key=secrets.token_hex(12),
            choice=None,
        ),
        clearance=clearance,
    )
