"""The day of a shop: figures against the days before, what waits, what to do next."""

import datetime as dt
import re
from collections.abc import Callable

import pytest

from kameng.accounts.models import Role
from kameng.console.views import overview
from kameng.core import clock
from kameng.core.scope import platform_scope
from kameng.insight.attention import Matter
from kameng.orders.models import Order, OrderState
from kameng.payments.models import Gateway
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import Shop, notify, order, payment_of
from tests.console.conftest import Desk
from tests.factories import fund_wallet
from tests.people import Buyer, Staff, make_operator

YUAN = 10_000


def page_of(desk: Desk) -> str:
    response = desk.get()
    assert response.status_code == 200
    return str(response.content.decode())


def test_new_shop_is_told_what_to_do_next(desk: Desk, site_a: Site) -> None:
    page = page_of(desk)

    assert "接下来做什么" in page
    assert re.search(r">0 / \d+<", page)
    assert "都处理好了" not in page, "not the first thing that a new operator has to read"
    assert "这段时间还没有卖出" in page
    assert page.index("接下来做什么") < page.index("主要数字"), "nothing sold: first the steps"
    assert "/design/open/1/#logo" in page
    assert "/settings/#id_contact_text" in page


def test_figures_are_those_of_the_site_alone(
    desk: Desk,
    shop: Shop,
    mei: Buyer,
    desk_of: Callable[..., Desk],
    wei: Staff,
    site_b: Site,
) -> None:
    fund_wallet(mei.customer, 100 * YUAN)
    order(shop, customer=mei.customer, by_wallet=True, quantity=2)

    assert "¥20.00" in page_of(desk)
    assert "¥20.00" not in page_of(desk_of(wei, site_b))


def test_what_waits_stands_with_its_button(desk: Desk, shop: Shop, site_a: Site) -> None:
    placed = order(shop)
    notify(shop, payment_of(shop, placed), amount=5 * YUAN)
    with site_scope(site_a.id):
        Order.objects.filter(id=order(shop).order_id).update(
            state=OrderState.AWAITING_DELIVERY,
            path=[1, 2],
            paid_at=clock.now() - dt.timedelta(hours=1),
        )

    page = page_of(desk)

    assert "1 笔支付金额不符" in page
    assert "1 单付了款没有货" in page
    assert "1 小时" in page.replace("\xa0", " ")
    assert 'href="/console/site-a/orders/queue/"' in page


def test_frozen_gateway_is_the_main_sites_matter(
    desk: Desk, desk_of: Callable[..., Desk], ada: Staff, main_site: Site, shop: Shop
) -> None:
    with platform_scope("a test freezes a gateway"):
        Gateway.unscoped.filter(id=shop.choice.gateway_id).update(is_frozen=True)

    assert "已冻结" in page_of(desk_of(ada, main_site))
    assert "已冻结" not in page_of(desk)


def test_platform_sees_what_all_shops_sell(
    desk: Desk,
    desk_of: Callable[..., Desk],
    ada: Staff,
    main_site: Site,
    shop: Shop,
    mei: Buyer,
) -> None:
    fund_wallet(mei.customer, 100 * YUAN)
    order(shop, customer=mei.customer, by_wallet=True)

    page = page_of(desk_of(ada, main_site))

    assert "/console/main/dashboard/sites/" in page
    assert "¥10.00" in page
    assert "dashboard/sites" not in page_of(desk)


def test_a_role_sees_and_reaches_only_what_it_may(
    desk_of: Callable[..., Desk], shop: Shop, site_a: Site
) -> None:
    placed = order(shop, contact="guest@example.com")
    notify(shop, payment_of(shop, placed))
    with site_scope(site_a.id):
        Order.objects.filter(id=placed.order_id).update(state=OrderState.AWAITING_DELIVERY)
    roles = (Role.GOODS, Role.VIEWER, Role.SERVICE)
    people = {role: make_operator(site_a, login=role.value, name="某", role=role) for role in roles}

    goods, viewer, service = (page_of(desk_of(person, site_a)) for person in people.values())

    assert placed.order_no not in goods
    assert "g***" not in goods
    assert "/orders/" not in goods
    assert placed.order_no in viewer
    assert 'href="/console/site-a/orders/?view=waiting"' in viewer
    assert "/orders/queue/" not in viewer
    assert "/orders/queue/" in service


@pytest.mark.parametrize("has_steps", [True, False])
def test_the_parts_of_the_page_are_closed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, *, has_steps: bool
) -> None:
    """An open division takes in what follows it: seen with matters to do and all steps done."""
    monkeypatch.setattr(
        overview, "list_matters", lambda *_args, **_more: [Matter(code="refund_refused", count=1)]
    )
    if not has_steps:
        monkeypatch.setattr(overview, "list_steps", lambda _site: [])

    page = page_of(desk)

    assert page.count("<div") == page.count("</div>")
    assert page.count("<section") == page.count("</section>")
