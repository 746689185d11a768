"""The last place of a plan goes to one of those who list at once; own keys are sold once each."""

from collections.abc import Callable
from typing import Any

import pytest

from kameng.catalog import errors
from kameng.catalog.drafts import ProductDraft, VariantDraft
from kameng.catalog.models import Category, Product
from kameng.catalog.services import own_goods
from kameng.catalog.services.editing import create_product
from kameng.catalog.services.listing import set_listed
from kameng.core.audit import SYSTEM
from kameng.orders.errors import OutOfStock
from kameng.pricing.money import Amount
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.concurrency.shop import Shop, connect_gateway, count, make_buyers, of_kind, order
from tests.factories import make_category
from tests.own_goods import PRICE, allow_own_goods, make_own_variant

TOGETHER = 12
MOST = 3
LISTED = "select count(*) from catalog_product where site_id = %s and is_listed"


def _draft(category: Category, number: int) -> ProductDraft:
    return ProductDraft(
        category_id=category.id, code=f"C{number}", title="自营会员", delivery_kind=2
    )


def _create(site: Site, category: Category, number: int) -> Product:
    variant = VariantDraft(name="月卡", cost_amount=Amount(0), list_amount=Amount(PRICE))
    with site_scope(site.id):
        return create_product(
            _draft(category, number), variants=[variant], is_listed=True, actor=SYSTEM
        )


@pytest.fixture
def shelf(main_site: Site, site_a: Site) -> Category:
    """A shelf of site A, whose plan lets it sell three products, two of them sold already."""
    allow_own_goods(site_a, most=MOST)
    category = make_category(site_a)
    for number in range(100, 102):
        _create(site_a, category, number)
    return category


def test_the_last_place_goes_to_one_of_those_who_create_at_once(
    run_parallel: Callable[..., Any], site_a: Site, shelf: Category
) -> None:
    outcomes = run_parallel(TOGETHER, lambda n: _create(site_a, shelf, n))

    assert len(of_kind(outcomes, Product)) == 1
    assert len(of_kind(outcomes, errors.OwnGoodsFull)) == TOGETHER - 1
    assert count(LISTED, site_a.id) == MOST


def test_without_the_lock_more_are_on_sale_than_the_plan_says(
    run_parallel: Callable[..., Any],
    wrecked_db: None,
    site_a: Site,
    shelf: Category,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The control: without the line before it, several count the same free place."""
    monkeypatch.setattr(own_goods, "lock_own_goods", lambda _site_id: None)

    def one_round(number: int) -> bool:
        outcomes = run_parallel(
            TOGETHER, lambda n: _create(site_a, shelf, 1_000 + number * TOGETHER + n)
        )
        return len(of_kind(outcomes, Product)) > 1

    assert any(one_round(number) for number in range(10))


def test_the_last_place_goes_to_one_of_those_who_list_at_once(
    run_parallel: Callable[..., Any], site_a: Site, shelf: Category
) -> None:
    spare = [
        make_own_variant(site_a, category=shelf, keys=0, is_listed=False) for _ in range(TOGETHER)
    ]

    def act(number: int) -> int:
        with site_scope(site_a.id):
            return set_listed([spare[number].product_id], is_listed=True, actor=SYSTEM)

    outcomes = run_parallel(TOGETHER, act)

    assert outcomes.count(1) == 1
    assert len(of_kind(outcomes, errors.OwnGoodsFull)) == TOGETHER - 1
    assert count(LISTED, site_a.id) == MOST


def test_own_keys_are_sold_once_each(
    run_parallel: Callable[..., Any], main_site: Site, site_a: Site
) -> None:
    allow_own_goods(site_a)
    shop = Shop(
        site=site_a, variant=make_own_variant(site_a, keys=5), choice=connect_gateway(main_site)
    )
    buyers = make_buyers(site_a, TOGETHER, amount=PRICE)

    outcomes = run_parallel(TOGETHER, lambda n: order(shop, customer=buyers[n], by_wallet=True))

    assert len(of_kind(outcomes, OutOfStock)) == TOGETHER - 5
    assert count("select count(distinct order_id) from inventory_cardkey where state = 2") == 5
