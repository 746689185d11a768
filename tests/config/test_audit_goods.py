"""The audit finds own goods that went astray, and none in a sound shop."""

import pytest
from django.db import connection

from kameng.config import audit
from kameng.tenancy.models import SettlementWay, Site
from tests.concurrency.shop import Shop, make_buyers, order
from tests.damage import as_owner
from tests.orders.test_own_goods import open_own_shop
from tests.own_goods import PRICE

OWN = "(select max(id) from orders_order)"
OF_GOODS = [
    ("I43", "update catalog_product set delivery_kind = 4 where site_id = %(site)s"),
    ("I43", f"update orders_order set site_id = %(other)s where id = {OWN}"),
    ("I43", f"update orders_order set main_site_id = %(other)s where id = {OWN}"),
    ("I43", f"update orders_order set wholesale_amount = 99999 where id = {OWN}"),
    ("I43", f"update orders_order set unit_amount = 49999 where id = {OWN}"),
    ("I43", "update catalog_variant set site_id = %(other)s where id = %(variant)s"),
    ("I43", "update catalog_category set site_id = %(other)s where site_id = %(site)s"),
    ("I43", "update inventory_cardkey set site_id = %(other)s where variant_id = %(variant)s"),
]


@pytest.fixture
def shop(db: None, main_site: Site, site_a: Site, site_b: Site) -> Shop:
    """Site A sold two pieces of its own goods."""
    own = open_own_shop(main_site, site_a, way=SettlementWay.CLAIM)
    (mei,) = make_buyers(site_a, 1, amount=2 * PRICE)
    order(own, customer=mei, by_wallet=True, quantity=2)
    return own


def test_a_sound_shop_has_no_breach(shop: Shop) -> None:
    assert audit.find_breaches() == []


@pytest.mark.parametrize(("name", "damage"), OF_GOODS)
def test_damage_is_found_under_its_name(name: str, damage: str, shop: Shop, site_b: Site) -> None:
    params = {"other": site_b.id, "site": shop.site.id, "variant": shop.variant.id}
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(damage, {key: params[key] for key in params if f"%({key})s" in damage})
        assert cursor.rowcount

    found = audit.find_breaches()

    assert name in {line.partition(":")[0] for line in found}, found
