"""Plain functions that make one thing each, straight into the tables, with sensible values.

They open the scope that they need. Pass what the test is about; everything else has a default.
"""

import datetime as dt
import itertools
from collections.abc import Sequence

from django.contrib.auth.hashers import make_password

from kameng.accounts.models import Customer, Role, SiteRole, User
from kameng.catalog.models import Category, DeliveryKind, Product, Variant
from kameng.core import clock
from kameng.core.crypto import binding, blind_digest, encrypt_text
from kameng.core.database import fetch
from kameng.inventory.models import CardBatch, CardKey
from kameng.ledger.accounts import AccountKind, Code, Reference, account_id, wallet_of
from kameng.tenancy.models import Domain, Plan, Site, SiteKind
from kameng.tenancy.selectors import site_scope

PASSWORD = "correct horse battery"
PLANS = {"普及版": 1000, "专业版": 500}
_numbers = itertools.count(1)


def next_number() -> int:
    """Return a number that no other call in this process has had."""
    return next(_numbers)


def make_plan(name: str = "普及版", *, markup_bps: int = 1000, minimum_amount: int = 0) -> Plan:
    """Return the plan of this name, made when missing."""
    values = {"wholesale_markup_bps": markup_bps, "wholesale_minimum_amount": minimum_amount}
    return Plan.objects.get_or_create(name=name, defaults=values)[0]


def make_main_site(*, host: str = "main.localhost", name: str = "星河主站") -> Site:
    """Make the main site with its host and the usual plans."""
    for position, (plan, markup_bps) in enumerate(PLANS.items()):
        Plan.objects.create(name=plan, wholesale_markup_bps=markup_bps, position=position)
    site = Site.objects.create(kind=SiteKind.MAIN, slug="main", name=name)
    Domain.objects.create(site=site, host=host, is_primary=True)
    return site


def make_sub_site(
    *, slug: str = "", name: str = "", host: str = "", plan: Plan | None = None
) -> Site:
    """Make a sub-site of the main site, which must exist."""
    number = next_number()
    slug = slug or f"branch-{number}"
    site = Site.objects.create(
        kind=SiteKind.BRANCH,
        parent=Site.objects.get(kind=SiteKind.MAIN),
        plan=plan or make_plan(),
        slug=slug,
        name=name or f"分站{number}",
    )
    Domain.objects.create(site=site, host=host or f"{slug}.localhost", is_primary=True)
    return site


def make_customer(
    site: Site, *, login: str = "", nickname: str = "买家", password: str = PASSWORD
) -> Customer:
    """Make a customer of a site who can sign in with `login` (an e-mail) and `password`."""
    login = login or f"buyer{next_number()}@example.com"
    digest = blind_digest(login.encode(), domain=f"login:{site.id}")
    with site_scope(site.id):
        return Customer.objects.create(
            site_id=site.id,
            login_digest=digest,
            login_cipher=encrypt_text(login, binding(site.id, "customer", digest.hex())),
            login_kind="email" if "@" in login else "phone",
            login_hint=f"{login[:1]}***",
            nickname=nickname,
            password=make_password(password),
        )


def make_staff(
    *, login: str = "", name: str = "员工", password: str = PASSWORD, is_platform: bool = False
) -> User:
    """Make a staff user; without `is_platform` it may do nothing until it has a role."""
    return User.objects.create(
        login=login or f"staff{next_number()}",
        display_name=name,
        password=make_password(password),
        is_platform=is_platform,
    )


def make_role(user: User, site: Site, role: Role = Role.OWNER) -> SiteRole:
    """Give a user a role on a site."""
    with site_scope(site.id):
        return SiteRole.objects.create(site_id=site.id, user=user, role=role)


def make_category(site: Site, *, name: str = "", icon: str = "category") -> Category:
    """Make a shelf of the site that owns the goods."""
    with site_scope(site.id):
        return Category.objects.create(
            site_id=site.id, name=name or f"分类{next_number()}", icon=icon
        )


def make_product(
    site: Site, *, category: Category | None = None, title: str = "", **fields: object
) -> Product:
    """Make a product with automatic delivery; `fields` are columns of `Product`."""
    number = next_number()
    values: dict[str, object] = {"delivery_kind": DeliveryKind.CARD, "code": f"P{number:05d}"}
    category = category or make_category(site)
    with site_scope(site.id):
        return Product.objects.create(
            site_id=site.id,
            category=category,
            title=title or f"测试商品{number}",
            **{**values, **fields},
        )


def make_variant(
    product: Product, *, name: str = "", cost_amount: int = 90_000, list_amount: int = 100_000
) -> Variant:
    """Make a variant that costs 9 yuan and lists at 10."""
    with site_scope(product.site_id):
        return Variant.objects.create(
            site_id=product.site_id,
            product=product,
            name=name or f"规格{next_number()}",
            cost_amount=cost_amount,
            list_amount=list_amount,
        )


def make_card_keys(variant: Variant, keys: Sequence[str] | int = 10) -> list[CardKey]:
    """Put unsold keys into stock, as the import does: encrypted, with their digests."""
    texts = [f"KEY-{next_number():08d}" for _ in range(keys)] if isinstance(keys, int) else keys
    site_id = variant.site_id
    with site_scope(site_id):
        batch = CardBatch.objects.create(
            site_id=site_id, variant_id=variant.id, label="测试批次", key_count=len(texts)
        )
        made = []
        for text in texts:
            (key_id,) = fetch("select nextval('inventory_cardkey_id_seq')")[0]
            made.append(
                CardKey(
                    id=key_id,
                    site_id=site_id,
                    variant_id=variant.id,
                    batch_id=batch.id,
                    secret=encrypt_text(text, binding(site_id, "card_key", key_id)),
                    digest=blind_digest(text.encode(), domain=f"card_key:{site_id}"),
                )
            )
        return CardKey.objects.bulk_create(made)


def fund_wallet(customer: Customer, amount: int) -> None:
    """Put money (1/10000 yuan) into a customer's wallet as an opening balance."""
    with site_scope(customer.site_id):
        fetch(
            "select ledger_apply(array[%s]::bigint[], array[%s]::bigint[], array[%s]::bigint[],"
            " array[%s]::bigint[], array[%s]::smallint[], array[%s]::smallint[],"
            " array[%s]::bigint[])",
            (
                customer.site_id,
                account_id(AccountKind.ADJUSTMENTS, customer.site_id),
                wallet_of(customer.id),
                amount,
                Code.OPENING,
                Reference.ADJUSTMENT,
                customer.id,
            ),
        )


def soon(seconds: int = 900) -> dt.datetime:
    """Return a moment in the near future."""
    return clock.now() + dt.timedelta(seconds=seconds)


def make_child(
    upline: Site, *, slug: str = "", host: str = "", terms: tuple[int, int] | None = None
) -> Site:
    """Make a child site below a sub-site; `terms` are a rate and a least amount of its own."""
    number = next_number()
    slug = slug or f"child-{number}"
    site = Site.objects.create(
        kind=SiteKind.BRANCH,
        parent_id=upline.parent_id,
        upline=upline,
        plan_id=upline.plan_id,
        slug=slug,
        name=f"下级{number}",
        child_markup_bps=terms[0] if terms else None,
        child_minimum_amount=terms[1] if terms else None,
    )
    Domain.objects.create(site=site, host=host or f"{slug}.localhost", is_primary=True)
    return site
