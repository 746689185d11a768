"""The audit finds damage in mixed, surcharged and prepaid sales, and none in a sound shop."""

import pytest
from django.db import connection

from kameng.config import audit
from kameng.payments.services.prepaying import adjust_prepaid, book_prepaid
from kameng.tenancy.models import SettlementWay, Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import (
    STAFF,
    Shop,
    connect_gateway,
    make_buyers,
    notify,
    open_shop,
    order,
    payment_of,
    refund,
)
from tests.config.sales_damage import SALE_BREAKS
from tests.config.test_audit import as_owner


@pytest.fixture
def shop(db: None, main_site: Site, site_a: Site, site_b: Site) -> Shop:
    """Site A sold mixed and surcharged, one part refunded; site B prepays, one order waits."""
    plain = open_shop(main_site, site_a, keys=12)
    dear = Shop(
        site=site_a, variant=plain.variant, choice=connect_gateway(main_site, by_buyer=True)
    )
    (mei,) = make_buyers(site_a, 1, amount=10**6)
    paid = [order(plain, customer=mei, wallet_part=20_000), order(dear)]
    for each in paid:
        notify(plain, payment_of(plain, each))
    order(plain, customer=mei, wallet_part=30_000)
    refund(dear, paid[1], key="r")
    Site.objects.filter(id=site_b.id).update(settlement_way=SettlementWay.PREPAID)
    own = Shop(site=site_b, variant=plain.variant, choice=connect_gateway(site_b))
    with site_scope(site_b.id):
        book_prepaid(
            site_id=site_b.id, amount=500_000, reason="转账", idempotency_key="k", actor=STAFF
        )
    sold, waiting = order(own), order(own)
    notify(own, payment_of(own, sold))
    with site_scope(site_b.id):
        adjust_prepaid(site_id=site_b.id, amount=-390_000, reason="x", actor=STAFF)
    notify(own, payment_of(own, waiting))
    return own


def test_a_sound_shop_has_no_breach(shop: Shop) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from orders_order where awaits_prepaid")
        assert audit.find_breaches() == []


@pytest.mark.parametrize(("name", "damage"), SALE_BREAKS)
def test_damage_is_found_under_its_name(name: str, damage: str, shop: Shop) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(damage)
        assert cursor.rowcount

    found = audit.find_breaches()

    assert name in {line.partition(":")[0] for line in found}, found
