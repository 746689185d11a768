"""Secrets of an order shown to staff: in clear, on record, and not as the buyer's own look."""

import pytest

from kameng.catalog.selectors import forget_catalogues
from kameng.core.audit import Actor, list_entries
from kameng.core.scope import platform_scope
from kameng.orders.errors import OrderNotFound
from kameng.orders.models import Order
from kameng.orders.services.showing import reveal_contact, reveal_goods
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import notify, open_shop, order, payment_of

LIN = Actor(kind="user", actor_id=1, name="Lin", ip="192.0.2.1")


def test_each_look_is_on_record(main_site: Site, site_a: Site) -> None:
    forget_catalogues()
    shop = open_shop(main_site, site_a)
    placed = order(shop, contact="guest@example.com")
    notify(shop, payment_of(shop, placed))

    with site_scope(site_a.id):
        goods = reveal_goods(order_id=placed.order_id, actor=LIN)
        contact = reveal_contact(order_id=placed.order_id, actor=LIN)

        assert Order.objects.get(id=placed.order_id).revealed_at is None
    assert goods[0].text.startswith("KEY-")
    assert contact == "guest@example.com"
    with platform_scope("a test reads the audit log"):
        entries = list(list_entries(site_id=site_a.id)[:2])
    assert [(each.action, each.subject_id, each.actor_name) for each in entries] == [
        ("order.contact_revealed", placed.order_no, "Lin"),
        ("order.goods_revealed", placed.order_no, "Lin"),
    ]


def test_another_sites_order_is_not_shown(main_site: Site, site_a: Site, site_b: Site) -> None:
    forget_catalogues()
    placed = order(open_shop(main_site, site_a))

    with site_scope(site_b.id), pytest.raises(OrderNotFound):
        reveal_goods(order_id=placed.order_id, actor=LIN)
