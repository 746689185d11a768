"""The shop that is measured: a program beside the stack; prints what clients need as JSON.

A main site and eight sub-sites on a plan, forty card-key products, customers with money and open
sessions. Made by the product's own services where they matter for what is measured.
"""

import argparse
import datetime as dt
import json
import sys

from kameng.config.launch.home import find_home
from kameng.config.launch.session import database_session

GATEWAY_KEY = "c2f1aa5b7e4d0c8e9f1c276f13527aa5"
GATEWAY_PID = "1001"


def build(*, customers: int, products: int, keys: int, sites: int) -> dict[str, object]:
    """Make the shop; return hosts, variants, sessions and the gateway."""
    from kameng.core.audit import SYSTEM
    from kameng.tenancy.models import Site
    from kameng.tenancy.services import PlanDraft, add_domain, create_site, save_plan
    from kameng.tenancy.settings import SiteSettings

    plan = save_plan(PlanDraft(name="测量", markup_bps=500, minimum_amount=0), actor=SYSTEM)
    hosts = []
    for number in range(sites + 1):
        slug = f"site-{number}"
        site = create_site(
            slug=slug,
            name=f"测量站{number}",
            plan=plan,
            settings=SiteSettings(reserve_share_bps=10_000, open_orders_limit=100),
            actor=SYSTEM,
        )
        add_domain(site_id=site.id, host=f"{slug}.localhost", is_primary=True, actor=SYSTEM)
        hosts.append((site.id, f"{slug}.localhost"))
    main = Site.objects.get(kind=1)
    variants = _goods(main.id, products=products, keys=keys)
    gateway_id = _gateway(main.id)
    branches = hosts[1:] or hosts
    sessions = []
    for index in range(customers):
        site_id, host = branches[index % len(branches)]
        sessions.append((host, *_customer(site_id, index)))
    return {
        "hosts": [host for _site, host in branches],
        "variants": variants,
        "sessions": sessions,
        "gateway_id": gateway_id,
        "gateway_key": GATEWAY_KEY,
        "gateway_pid": GATEWAY_PID,
    }


def _goods(main_id: int, *, products: int, keys: int) -> list[tuple[int, int]]:
    """Return (product, variant) pairs, each stocked with keys."""
    from kameng.catalog.models import Category, DeliveryKind, Product, Variant
    from kameng.tenancy.selectors import site_scope

    made = []
    with site_scope(main_id):
        category = Category.objects.create(
            site_id=main_id, name="游戏点卡", icon="device-gamepad-2"
        )
        for number in range(products):
            product = Product.objects.create(
                site_id=main_id,
                category=category,
                code=f"B{number:05d}",
                title=f"测量用游戏点卡 {number} 号 自动充值",
                description="付款后自动发货。\n" * 20,
                delivery_kind=DeliveryKind.CARD,
            )
            variant = Variant.objects.create(
                site_id=main_id,
                product=product,
                name="100元",
                cost_amount=90_000,
                list_amount=100_000,
            )
            made.append((product.id, variant.id))
    for _product, variant_id in made:
        stock(main_id, variant_id, keys)
    return made


def stock(main_id: int, variant_id: int, keys: int) -> None:
    """Put unsold keys of a variant into stock, encrypted as the import does."""
    from kameng.core.crypto import binding, blind_digest, encrypt_text
    from kameng.core.database import fetch
    from kameng.inventory.models import CardBatch, CardKey
    from kameng.tenancy.selectors import site_scope

    with site_scope(main_id):
        batch = CardBatch.objects.create(
            site_id=main_id, variant_id=variant_id, label="测量", key_count=keys
        )
        for start in range(0, keys, 5000):
            count = min(5000, keys - start)
            ids = [
                row[0]
                for row in fetch(
                    "select nextval('inventory_cardkey_id_seq') from generate_series(1, %s)",
                    (count,),
                )
            ]
            CardKey.objects.bulk_create(
                CardKey(
                    id=key_id,
                    site_id=main_id,
                    variant_id=variant_id,
                    batch_id=batch.id,
                    secret=encrypt_text(
                        f"BENCH-{key_id:010d}", binding(main_id, "card_key", key_id)
                    ),
                    digest=blind_digest(
                        f"BENCH-{key_id:010d}".encode(), domain=f"card_key:{main_id}"
                    ),
                )
                for key_id in ids
            )


def _gateway(main_id: int) -> int:
    from kameng.core.audit import SYSTEM
    from kameng.payments.models import Gateway
    from kameng.payments.services.gateways import GatewayTerms, create_gateway
    from kameng.tenancy.selectors import site_scope

    with site_scope(main_id):
        gateway = create_gateway(
            kind="epay",
            form={
                "gateway_url": "https://pay.example.com/",
                "pid": GATEWAY_PID,
                "key": GATEWAY_KEY,
                "opening": "page",
            },
            terms=GatewayTerms(
                name="支付宝", method="alipay", fee_bps=60, min_amount=0, max_amount=10**10
            ),
            actor=SYSTEM,
        )
        Gateway.objects.filter(id=gateway.id).update(is_enabled=True)
    return int(gateway.id)


def _customer(site_id: int, index: int) -> tuple[int, str]:
    """Return a customer with money and the token of an open session."""
    from kameng.accounts.models import Customer, Session
    from kameng.core import clock
    from kameng.core.crypto import binding, blind_digest, encrypt_text
    from kameng.core.ids import new_token, token_digest
    from kameng.ledger.accounts import AccountKind, Code, Reference, account_id, wallet_of
    from kameng.ledger.services import Posting, post_transfers
    from kameng.tenancy.selectors import site_scope

    login = f"bench{index}@example.com"
    token = new_token()
    with site_scope(site_id):
        digest = blind_digest(login.encode(), domain=f"login:{site_id}")
        customer = Customer.objects.create(
            site_id=site_id,
            login_digest=digest,
            login_cipher=encrypt_text(login, binding(site_id, "customer", digest.hex())),
            login_kind="email",
            login_hint="b***",
            nickname=f"买家{index}",
            password="!",
        )
        Session.objects.create(
            site_id=site_id,
            token_digest=token_digest(token),
            customer=customer,
            expires_at=clock.now() + dt.timedelta(days=1),
        )
        post_transfers(
            [
                Posting(
                    site_id=site_id,
                    debit=account_id(AccountKind.ADJUSTMENTS, site_id),
                    credit=wallet_of(customer.id),
                    amount=10**9,
                    code=Code.OPENING,
                    reference_kind=Reference.ADJUSTMENT,
                    reference_id=customer.id,
                )
            ]
        )
    return customer.id, token


def main() -> None:
    """Build what the arguments say and print it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, default=1000)
    parser.add_argument("--products", type=int, default=40)
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--sites", type=int, default=8)
    parser.add_argument("--hot", type=int, default=0, help="only add hot products of so many keys")
    parser.add_argument("--hot-keys", type=int, default=50)
    wanted = parser.parse_args()
    with database_session(find_home()):
        import django

        django.setup()
        from kameng.core.scope import platform_scope

        with platform_scope("build the shop that is measured"):
            text = _run(wanted)
        json.dump(text, sys.stdout)


def _run(wanted: argparse.Namespace) -> object:
    from kameng.tenancy.models import Site
    from kameng.tenancy.services import bump_catalogue_version

    if not wanted.hot:
        return build(
            customers=wanted.customers,
            products=wanted.products,
            keys=wanted.keys,
            sites=wanted.sites,
        )
    main_id = Site.objects.get(kind=1).id
    made = _hot(main_id, wanted.hot, wanted.hot_keys)
    bump_catalogue_version(main_id)
    return made


def _hot(main_id: int, count: int, keys: int) -> list[tuple[int, int]]:
    from kameng.catalog.models import Category, DeliveryKind, Product, Variant
    from kameng.tenancy.selectors import site_scope

    made = []
    with site_scope(main_id):
        category = Category.objects.get(name="游戏点卡")
        for number in range(count):
            product = Product.objects.create(
                site_id=main_id,
                category=category,
                code=f"HOT{number}",
                title=f"热门 {number}",
                delivery_kind=DeliveryKind.CARD,
            )
            variant = Variant.objects.create(
                site_id=main_id, product=product, name="1", cost_amount=90_000, list_amount=100_000
            )
            made.append((product.id, variant.id))
    for _product, variant_id in made:
        stock(main_id, variant_id, keys)
    return made


if __name__ == "__main__":
    main()
