"""A sub-site with a settled margin, and a gateway that pays out and splits with a memory."""

from collections.abc import Iterator

import pytest

from kameng.payments.providers import registry
from kameng.tenancy.models import Site
from tests.concurrency.conftest import any_db, run_parallel, wrecked_db
from tests.concurrency.shop import Shop, connect_gateway
from tests.factories import make_card_keys, make_product, make_variant
from tests.settlement.fakes import Bank, fresh_bank
from tests.settlement.world import Desk

__all__ = ["any_db", "run_parallel", "wrecked_db"]


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bank]:
    """The gateway's memory; the gateway of the shop is the one with abilities."""
    monkeypatch.setitem(registry.PROVIDERS, "epay", "tests.settlement.fakes.SplittingEpay")
    registry.get_provider.cache_clear()
    yield fresh_bank()
    registry.get_provider.cache_clear()


@pytest.fixture
def shop(bank: Bank, any_db: None, main_site: Site, site_a: Site) -> Shop:
    """Site A sells keys of the main site, through one gateway of the main site."""
    variant = make_variant(make_product(main_site, title="测试点卡"), cost_amount=50_000)
    make_card_keys(variant, 200)
    return Shop(site=site_a, variant=variant, choice=connect_gateway(main_site))


@pytest.fixture
def desk(shop: Shop, main_site: Site) -> Desk:
    """What Lin on site A and Ada and Ben on the main site do about money."""
    return Desk(shop=shop, main=main_site)
