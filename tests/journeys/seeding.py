"""A compact shop for the journeys, made by the program's own services in a process of its own.

`python -m tests.journeys.seeding seed <simulator>` makes it and prints what the tests must know as
one line of JSON; the other words do to the running shop what only time does.
"""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import django
import httpx

from kameng.config.launch.home import find_home
from kameng.config.launch.session import database_session

PASSWORD = "kameng-journey-2026"
KEY_COUNT = 60
PLAIN_TEXT = "付款后自动发货，卡密长期有效，请在官方充值页面使用。"

# code, shelf, title, face values in yuan, delivery, keys of each
GOODS = (
    ("J001", "游戏点卡", "王者荣耀点券 全区通用", (10, 30, 50), "card", KEY_COUNT),
    ("J002", "游戏点卡", "原神 创世结晶兑换码", (6, 30), "card", KEY_COUNT),
    ("J003", "游戏点卡", "完美世界一卡通", (15, 30), "card", 0),
    ("J004", "游戏点卡", "梦幻西游 点数卡", (15,), "card", 3),
    ("J005", "视频会员", "视频会员 黄金月卡", (25, 68), "card", KEY_COUNT),
    ("J006", "视频会员", "音乐会员 豪华年卡", (158,), "card", KEY_COUNT),
    ("J007", "话费充值", "话费充值 全国通用", (30, 50, 100), "top_up", None),
    ("J008", "人工服务", "店铺 Logo 设计", (199,), "service", None),
    ("J009", "软件激活", "办公软件 一年激活码", (99,), "card", KEY_COUNT),
)
ICONS = {
    "游戏点卡": "device-gamepad-2",
    "视频会员": "video",
    "话费充值": "device-mobile",
    "人工服务": "tool",
    "软件激活": "package",
}


def seed(simulator: str) -> dict[str, Any]:
    """Open the main site and two sub-sites with people, goods, keys and gateways."""
    from django.conf import settings

    settings.ALLOW_LOOPBACK_GATEWAYS = True
    facts: dict[str, Any] = {"password": PASSWORD, **_open_sites()}
    facts["products"] = _stock(facts["ada"])
    _connect(simulator, facts["ada"])
    _register_mei()
    facts["anran"] = _hire_anran(facts["lin"])
    _settle_at_once(facts["ada"])
    _sell_plans(facts["ada"])
    return facts


def _open_sites() -> dict[str, Any]:
    from kameng.accounts.models import User
    from kameng.accounts.services.opening import Opening, open_main_site, open_sub_site
    from kameng.core.audit import SYSTEM
    from kameng.core.scope import platform_scope
    from kameng.tenancy.services import PlanDraft, save_plan
    from kameng.tenancy.settings import SiteSettings

    with platform_scope("the journeys open their shops"):
        plan = save_plan(
            PlanDraft(name="专业版", markup_bps=100, minimum_amount=100, own_goods_most=20),
            actor=SYSTEM,
        )
        save_plan(PlanDraft(name="普及版", markup_bps=200, minimum_amount=200), actor=SYSTEM)
        for slug, name, login, owner, palette in (
            ("main", "云桥数卡", "ada", "陈安达", "indigo"),
            ("star", "星海点卡", "lin", "林星", "vermilion"),
            ("lemon", "柠檬会员铺", "wei", "魏宁", "teal"),
        ):
            opening = Opening(
                slug=slug,
                name=name,
                host=f"{slug}.localhost",
                plan_id=None if slug == "main" else plan.id,
                owner_login=login,
                owner_name=owner,
                owner_password=PASSWORD,
                settings=SiteSettings(
                    palette=palette,
                    slogan="付款即到账",
                    contact_text="客服 QQ 10000001，每天 9:00–22:00",
                    open_orders_limit=100,
                    two_person_amount=2_000_000,
                    branch_suffix="localhost" if slug == "main" else "",
                ),
            )
            (open_main_site if slug == "main" else open_sub_site)(opening, actor=SYSTEM)
    return {login: User.objects.get(login=login).id for login in ("ada", "lin", "wei")}


def _sell_plans(ada: int) -> None:
    from kameng.catalog.services.plan_goods import put_plan_on_sale
    from kameng.core.audit import Actor
    from kameng.pricing.money import parse_yuan
    from kameng.tenancy.models import Plan
    from kameng.tenancy.selectors import site_scope

    actor = Actor(kind="user", actor_id=ada, name="陈安达")
    with site_scope(_main_site_id()):
        for name, days, yuan in (
            ("普及版", 30, "39"),
            ("专业版", 30, "99"),
            ("专业版", 365, "969"),
        ):
            put_plan_on_sale(
                Plan.objects.get(name=name), days=days, amount=parse_yuan(yuan), actor=actor
            )


def _main_site_id() -> int:
    from kameng.tenancy.models import Site

    return int(Site.objects.get(slug="main").id)


def _stock(ada: int) -> dict[str, Any]:
    from kameng.catalog.drafts import CategoryDraft
    from kameng.catalog.services.editing import create_category
    from kameng.core.audit import Actor
    from kameng.tenancy.selectors import site_scope

    actor = Actor(kind="user", actor_id=ada, name="陈安达")
    with site_scope(_main_site_id()):
        shelves = {
            name: create_category(
                CategoryDraft(name=name, icon=icon, position=position), actor=actor
            ).id
            for position, (name, icon) in enumerate(ICONS.items())
        }
        return {row[0]: _make_goods(row, shelves=shelves, actor=actor) for row in GOODS}


def _make_goods(row: tuple[Any, ...], *, shelves: Mapping[str, int], actor: Any) -> dict[str, Any]:
    from kameng.catalog.drafts import ProductDraft, VariantDraft
    from kameng.catalog.inputs import InputField, InputKind
    from kameng.catalog.models import DeliveryKind, Variant
    from kameng.catalog.services.editing import create_product
    from kameng.pricing.money import parse_yuan

    code, shelf, title, faces, delivery, keys = row
    kinds = {
        "card": DeliveryKind.CARD,
        "top_up": DeliveryKind.TOP_UP,
        "service": DeliveryKind.MANUAL,
    }
    fields = {
        "top_up": (InputField(name="account", label="手机号", kind=InputKind.PHONE),),
        "service": (
            InputField(name="shop", label="店铺名称", help_text="会出现在 Logo 上"),
            InputField(
                name="style", label="风格", kind=InputKind.CHOICE, choices=("简洁", "国风", "可爱")
            ),
            InputField(
                name="handle",
                label="店铺账号",
                pattern="[A-Za-z0-9._-]{3,30}",
                is_required=False,
            ),
        ),
    }.get(delivery, ())
    draft = ProductDraft(
        category_id=shelves[shelf],
        code=code,
        title=title,
        delivery_kind=kinds[delivery],
        summary=PLAIN_TEXT[:20],
        description=PLAIN_TEXT,
        tutorial="打开官方充值页面，输入卡号和密码。",
        input_fields=fields,
        max_quantity=10,
    )
    variants = [
        VariantDraft(
            name=f"{face}元",
            cost_amount=parse_yuan(f"{face * 0.9:.2f}"),
            list_amount=parse_yuan(f"{face}.00"),
            position=position,
        )
        for position, face in enumerate(faces)
    ]
    product = create_product(draft, variants=variants, is_listed=True, actor=actor)
    made = list(Variant.objects.filter(product_id=product.id).order_by("position"))
    for variant in made if keys else ():
        _bring_keys(variant.id, f"{code}-{variant.position}", count=keys, actor=actor)
    return {"id": product.id, "title": title, "variants": [variant.id for variant in made]}


def _bring_keys(variant_id: int, stem: str, *, count: int, actor: Any) -> None:
    from kameng.inventory.services.importing import (
        KeyImport,
        confirm_key_import,
        start_key_paste,
    )
    from kameng.pricing.money import parse_yuan

    text = "\n".join(f"{stem}-{number:06d}----P{number * 7919:010d}" for number in range(count))
    wanted = KeyImport(variant_id=variant_id, label="开业备货", cost_amount=parse_yuan("9.00"))
    job = start_key_paste(text, wanted=wanted, actor=actor)
    confirm_key_import(job.id, actor=actor)


def _connect(simulator: str, ada: int) -> None:
    from kameng.core.audit import Actor
    from kameng.payments.services.gateways import (
        GatewayTerms,
        create_gateway,
        switch_gateway,
        test_gateway,
    )
    from kameng.tenancy.selectors import site_scope

    actor = Actor(kind="user", actor_id=ada, name="陈安达")
    accounts = httpx.get(f"{simulator}/credentials", timeout=60).json()
    rows = (
        ("epay", "epay", "微信支付", "wxpay"),
        ("alipay", "alipay_cert", "支付宝", "qr"),  # by certificates it can pay out too
        ("alipay", "alipay", "支付宝网页", "page"),
        ("alipay", "alipay", "支付宝手机", "wap"),  # the same way on phones
    )
    page_id: int | None = None
    with site_scope(_main_site_id()):
        for position, (kind, account, name, method) in enumerate(rows):
            terms = GatewayTerms(
                name=name,
                method=method,
                fee_bps=60,
                min_amount=100,
                max_amount=500_000_000,
                position=position,
                way_id=page_id if method == "wap" else None,
            )
            form = {**accounts[account], **({"opening": "page"} if kind == "epay" else {})}
            gateway = create_gateway(kind=kind, form=form, terms=terms, actor=actor)
            page_id = gateway.id if method == "page" else page_id
            test_gateway(gateway_id=gateway.id, actor=actor)
            switch_gateway(gateway_id=gateway.id, is_enabled=True, actor=actor)
        _connect_sick(accounts["epay"], actor=actor)


def _connect_sick(account: Mapping[str, str], *, actor: Any) -> None:
    """Add a way whose first account was proved once and has been given another key since."""
    from kameng.core import clock
    from kameng.payments.models import Gateway
    from kameng.payments.services.gateways import (
        GatewayTerms,
        create_gateway,
        switch_gateway,
        test_gateway,
    )

    def terms(name: str, **more: Any) -> GatewayTerms:
        values = {"method": "qqpay", "fee_bps": 60, "min_amount": 100, "max_amount": 500_000_000}
        return GatewayTerms(**{**values, "name": name, "position": 9, **more})

    sick = create_gateway(
        kind="epay",
        form={**account, "key": "Vn7Rt5Wp2Yb6Hd9Fj4Lm1Gs0TcZx8Kq3", "opening": "api"},
        terms=terms("QQ 钱包", label="一号商户"),
        actor=actor,
    )
    Gateway.objects.filter(id=sick.id).update(is_enabled=True, checked_at=clock.now())
    well = create_gateway(
        kind="epay",
        form={**account, "opening": "page"},
        terms=terms("QQ 钱包二号", label="二号商户", way_id=sick.id, weight=0),
        actor=actor,
    )
    test_gateway(gateway_id=well.id, actor=actor)
    switch_gateway(gateway_id=well.id, is_enabled=True, actor=actor)


def _register_mei() -> None:
    from kameng.accounts.services.registering import register_customer
    from kameng.core.audit import SYSTEM
    from kameng.ledger.services import adjust_wallet
    from kameng.pricing.money import parse_yuan
    from kameng.tenancy.models import Site
    from kameng.tenancy.selectors import site_scope

    site_id = Site.objects.get(slug="star").id
    with site_scope(site_id):
        mei = register_customer(login_text="mei@example.com", password=PASSWORD, nickname="小梅")
        adjust_wallet(
            site_id=site_id,
            customer_id=mei.id,
            amount=parse_yuan("500.00"),
            reason="开业赠送",
            actor=SYSTEM,
        )


def _hire_anran(lin: int) -> int:
    """Give star somebody who keeps its money beside its owner: two persons to decide."""
    from kameng.accounts.models import Role
    from kameng.accounts.services.staff import create_user, grant_role
    from kameng.core.audit import Actor
    from kameng.core.scope import platform_scope
    from kameng.tenancy.models import Site
    from kameng.tenancy.selectors import site_scope

    actor = Actor(kind="user", actor_id=lin, name="林星")
    with platform_scope("the journeys hire somebody"):
        user = create_user(
            login_text="anran",
            display_name="安然",
            password=PASSWORD,
            is_platform=False,
            actor=actor,
        )
    with site_scope(Site.objects.get(slug="star").id):
        grant_role(user_id=user.id, role=Role.FINANCE, actor=actor)
    return int(user.id)


def _settle_at_once(ada: int) -> None:
    """Let lemon's margin be settled with the delivery, and its payout accounts usable at once."""
    from kameng.core.audit import Actor
    from kameng.settlement.services.terms import TermsWish, change_terms
    from kameng.tenancy.models import Site
    from kameng.tenancy.selectors import site_scope

    wish = TermsWish(
        hold_hours=0,
        minimum_amount=10_000,
        maximum_amount=500_000_000,
        day_limit_amount=1_000_000_000,
        month_limit_amount=10_000_000_000,
        fee_bps=0,
        fee_minimum_amount=0,
        tax_bps=0,
        withholds_tax=False,
        second_amount=100_000_000,
        large_amount=200_000_000,
        cooling_hours=0,
    )
    actor = Actor(kind="user", actor_id=ada, name="陈安达")
    with site_scope(_main_site_id()):
        change_terms(site_id=Site.objects.get(slug="lemon").id, wish=wish, actor=actor)


def make_due(order_no: str) -> bool:
    """Let the time to pay of an order be over; the sweep finds it within seconds."""
    from kameng.core.scope import platform_scope
    from kameng.orders.models import Order

    with platform_scope("a journey lets time pass"):
        rows = Order.unscoped.filter(order_no=order_no)
        return bool(rows.update(expires_at="2020-01-01T00:00:00Z"))


def audit() -> list[str]:
    """Return every invariant that is broken, in words."""
    from kameng.config.audit import find_breaches

    return list(find_breaches())


def claim(slug: str, host: str) -> list[dict[str, str]]:
    """Claim a domain and its twin for a site; return hosts and tokens. The worker does the rest."""
    from kameng.core.audit import SYSTEM
    from kameng.tenancy.claiming import claim_hosts
    from kameng.tenancy.selectors import find_site_by_slug, site_scope

    site = find_site_by_slug(slug)
    assert site is not None
    with site_scope(site.id):
        claims = claim_hosts(host, with_twin=True, wants_primary=True, actor=SYSTEM)
        return [{"host": each.host, "token": each.token} for each in claims]


def release(slug: str) -> int:
    """Give up every domain of a site, so that its shop is found under its first host again."""
    from kameng.core.audit import SYSTEM
    from kameng.tenancy.claiming import remove_claim
    from kameng.tenancy.models import ClaimState, DomainClaim
    from kameng.tenancy.selectors import find_site_by_slug, site_scope

    site = find_site_by_slug(slug)
    assert site is not None
    with site_scope(site.id):
        claims = DomainClaim.objects.exclude(state=ClaimState.RELEASED)
        return sum(1 for each in list(claims) if remove_claim(each.id, actor=SYSTEM))


def tell_domains() -> dict[str, dict[str, Any]]:
    """Return every claimed domain by host."""
    from kameng.core.scope import platform_scope
    from kameng.tenancy.models import DomainClaim

    with platform_scope("look at the domains of the journeys"):
        return {
            row.host: {
                "state": row.state,
                "fault": row.certificate_fault,
                "ends_at": str(row.certificate_ends_at or ""),
            }
            for row in DomainClaim.unscoped.all()
        }


def tell_last_ip() -> str:
    """Return the address that the audit log keeps of the newest act of a person."""
    from kameng.core.models import AuditEntry
    from kameng.core.scope import platform_scope

    with platform_scope("look at the audit log"):
        return str(AuditEntry.objects.exclude(ip="").order_by("-id").values_list("ip")[0][0])


def allow_children(slug: str, most: str) -> bool:
    """Let the platform offer child sites, and the plan of one sub-site hold so many."""
    from kameng.core.audit import SYSTEM
    from kameng.core.scope import platform_scope
    from kameng.tenancy.models import Plan, Site
    from kameng.tenancy.services import change_settings

    with platform_scope("the journeys allow child sites"):
        changes: dict[str, object] = {"child_sites_allowed": True}
        change_settings(site_id=_main_site_id(), changes=changes, actor=SYSTEM)
        plan_id = Site.objects.values_list("plan_id", flat=True).get(slug=slug)
        return bool(Plan.objects.filter(id=plan_id).update(child_sites_most=int(most)))


def forget_tries() -> int:
    """Forget who tried to sign in how often: the journeys are many people on one line."""
    from kameng.risk.models import Throttle

    return int(Throttle.objects.all().delete()[0])


ACTS: Mapping[str, Callable[..., Any]] = {
    "seed": seed,
    "make-due": make_due,
    "audit": audit,
    "forget-tries": forget_tries,
    "allow-children": allow_children,
    "claim": claim,
    "release": release,
    "tell-domains": tell_domains,
    "tell-last-ip": tell_last_ip,
}


def main(word: str, *arguments: str) -> None:
    """Do one act and print its answer as one line of JSON."""
    with database_session(find_home()):
        django.setup()
        answer = ACTS[word](*arguments)
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
