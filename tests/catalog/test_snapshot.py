"""What a site shows and at which prices: rules, overrides, versions, and what a read costs."""

import threading
import time
from collections.abc import Iterator
from unittest import mock

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from kameng.catalog import selectors
from kameng.catalog.caching import SnapshotCache
from kameng.catalog.errors import QuantityInvalid, VariantNotFound
from kameng.catalog.selectors import forget_catalogues, get_catalogue, quote_purchase
from kameng.catalog.services.listing import set_listed, set_pinned, set_weight
from kameng.catalog.services.marking import RuleTarget, RuleTerms, save_rule
from kameng.catalog.snapshot import Catalogue
from kameng.core.audit import SYSTEM
from kameng.core.scope import platform_scope
from kameng.pricing.markups import Ending, MarkupKind
from kameng.pricing.money import Amount
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, site_scope
from kameng.tenancy.terms import set_term_by_hand
from tests.factories import make_category, make_plan, make_product, make_variant
from tests.yardstick import count_yards

RATE_10 = RuleTerms(kind=MarkupKind.RATE, rate_bps=1000)
RATE_20 = RuleTerms(kind=MarkupKind.RATE, rate_bps=2000)
RATE_30 = RuleTerms(kind=MarkupKind.RATE, rate_bps=3000, ending=Ending.END_9)


@pytest.fixture(autouse=True)
def _fresh_snapshots() -> Iterator[None]:
    forget_catalogues()
    yield
    forget_catalogues()


def catalogue_of(site: Site) -> Catalogue:
    return get_catalogue(get_site_view(site.id))


def price_of(site: Site, variant_id: int) -> int:
    found = catalogue_of(site).find_variant(variant_id)
    assert found is not None
    return found[1].unit.price_amount


def test_each_site_sells_the_main_sites_goods_at_its_own_price(
    main_site: Site, site_a: Site, site_b: Site
) -> None:
    variant = make_variant(make_product(main_site), cost_amount=90_000, list_amount=100_000)
    with site_scope(site_a.id):
        save_rule(RuleTarget(), terms=RATE_10, actor=SYSTEM)

    # The plan takes 10 % on the cost: 9.90 is the floor; site A adds 10 % to it, B has no rule.
    assert price_of(main_site, variant.id) == 100_000
    assert price_of(site_a, variant.id) == 108_900
    assert price_of(site_b, variant.id) == 100_000
    found = catalogue_of(site_a).find_variant(variant.id)
    assert found is not None
    assert found[1].unit.wholesale_amount == 99_000
    assert found[1].unit.cost_amount == 90_000


def test_the_most_specific_rule_decides(main_site: Site, site_a: Site) -> None:
    category = make_category(main_site)
    product = make_product(main_site, category=category)
    by_variant = make_variant(product)
    by_product = make_variant(product)
    by_category = make_variant(make_product(main_site, category=category))
    by_site = make_variant(make_product(main_site))
    fixed = RuleTerms(kind=MarkupKind.FIXED, amount=Amount(150_000))
    amount = RuleTerms(kind=MarkupKind.AMOUNT, amount=Amount(5_000))

    with site_scope(site_a.id):
        save_rule(RuleTarget(), terms=RATE_10, actor=SYSTEM)
        save_rule(RuleTarget(category_id=category.id), terms=RATE_30, actor=SYSTEM)
        save_rule(RuleTarget(product_id=product.id), terms=amount, actor=SYSTEM)
        save_rule(RuleTarget(variant_id=by_variant.id), terms=fixed, actor=SYSTEM)

    assert price_of(site_a, by_site.id) == 108_900
    assert price_of(site_a, by_category.id) == 129_000  # 9.90 × 1.3 = 12.87, raised to .9
    assert price_of(site_a, by_product.id) == 104_000
    assert price_of(site_a, by_variant.id) == 150_000


def test_no_rule_sells_under_what_the_site_pays(main_site: Site, site_a: Site) -> None:
    variant = make_variant(make_product(main_site), cost_amount=90_000, list_amount=95_000)
    cheap = RuleTerms(kind=MarkupKind.FIXED, amount=Amount(10_000))
    with site_scope(site_a.id):
        save_rule(RuleTarget(variant_id=variant.id), terms=cheap, actor=SYSTEM)

    assert price_of(site_a, variant.id) == 99_000


def test_a_saved_rule_is_seen_by_the_next_read(main_site: Site, site_a: Site) -> None:
    variant = make_variant(make_product(main_site))
    before = price_of(site_a, variant.id)
    with site_scope(site_a.id):
        save_rule(RuleTarget(), terms=RATE_10, actor=SYSTEM)
        first = price_of(site_a, variant.id)
        save_rule(RuleTarget(), terms=RATE_20, actor=SYSTEM)

    assert (before, first, price_of(site_a, variant.id)) == (100_000, 108_900, 118_800)


def test_another_plan_moves_the_floor_at_once(main_site: Site, site_a: Site) -> None:
    variant = make_variant(make_product(main_site))
    with site_scope(site_a.id):
        save_rule(RuleTarget(), terms=RATE_10, actor=SYSTEM)
    assert price_of(site_a, variant.id) == 108_900

    plan = make_plan("专业版", markup_bps=500)
    with platform_scope("the owner moves a site to another plan"):
        set_term_by_hand(site_id=site_a.id, plan=plan, ends_at=None, reason="x", actor=SYSTEM)

    assert price_of(site_a, variant.id) == 104_000  # 9.45 × 1.1 = 10.395, up to the fen


def test_hiding_on_one_site_hides_nowhere_else(main_site: Site, site_a: Site, site_b: Site) -> None:
    product = make_product(main_site)
    make_variant(product)
    with site_scope(site_a.id):
        assert set_listed([product.id], is_listed=False, actor=SYSTEM) == 1

    assert catalogue_of(site_a).find_product(product.id) is None
    assert catalogue_of(site_b).find_product(product.id) is not None
    assert catalogue_of(main_site).find_product(product.id) is not None


def test_unlisting_by_the_owner_hides_everywhere(main_site: Site, site_a: Site) -> None:
    product = make_product(main_site)
    make_variant(product)
    assert catalogue_of(site_a).find_product(product.id) is not None

    with site_scope(main_site.id):
        set_listed([product.id], is_listed=False, actor=SYSTEM)

    assert catalogue_of(site_a).find_product(product.id) is None
    assert catalogue_of(main_site).find_product(product.id) is None


def test_pinned_then_heavy_then_sold_then_new(main_site: Site, site_a: Site) -> None:
    plain, sold, heavy, pinned = (
        make_product(main_site, sold_count=count) for count in (0, 9, 0, 0)
    )
    for product in (plain, sold, heavy, pinned):
        make_variant(product)
    with site_scope(site_a.id):
        set_pinned([pinned.id], is_pinned=True, actor=SYSTEM)
        set_weight([heavy.id], weight=5, actor=SYSTEM)

    catalogue = catalogue_of(site_a)

    order = [product.id for product in catalogue.products]
    assert order == [pinned.id, heavy.id, sold.id, plain.id]
    assert [product.id for product in catalogue.list_pinned()] == [pinned.id]
    assert catalogue.list_hot(2)[0].id == sold.id
    assert [product.id for product in catalogue_of(main_site).list_pinned()] == []


def test_unlisted_shelves_and_products_without_variants_are_not_shown(main_site: Site) -> None:
    shelf = make_category(main_site)
    shown = make_product(main_site, category=shelf)
    make_variant(shown)
    make_product(main_site, category=shelf)
    hidden_shelf = make_category(main_site)
    make_variant(make_product(main_site, category=hidden_shelf))
    with site_scope(main_site.id):
        type(hidden_shelf).objects.filter(id=hidden_shelf.id).update(is_listed=False)

    catalogue = catalogue_of(main_site)

    assert [product.id for product in catalogue.products] == [shown.id]
    assert [(each.id, each.product_count) for each in catalogue.categories] == [(shelf.id, 1)]
    assert catalogue.by_category(shelf.id) == catalogue.products
    assert catalogue.by_category(hidden_shelf.id) == ()


def test_search_finds_by_initials_and_only_what_the_site_lists(
    main_site: Site, site_a: Site
) -> None:
    game = make_product(main_site, title="王者荣耀点券 60")
    other = make_product(main_site, title="腾讯视频会员 月卡")
    for product in (game, other):
        make_variant(product)

    assert [each.id for each in catalogue_of(site_a).search("wzry")] == [game.id]
    assert [each.id for each in catalogue_of(site_a).suggest("视频")] == [other.id]
    with site_scope(site_a.id):
        set_listed([game.id], is_listed=False, actor=SYSTEM)

    assert catalogue_of(site_a).search("wzry") == []
    assert [each.id for each in catalogue_of(main_site).search("wzry")] == [game.id]
    assert catalogue_of(site_a).search("  ") == []


def test_a_quote_multiplies_and_keeps_the_bounds(main_site: Site, site_a: Site) -> None:
    product = make_product(main_site, min_quantity=2, max_quantity=5)
    variant = make_variant(product)
    catalogue = catalogue_of(site_a)

    purchase = quote_purchase(catalogue, variant_id=variant.id, quantity=3)

    assert purchase.quote.total_amount == 300_000
    assert purchase.quote.parts.main_amount == 297_000
    assert purchase.quote.parts.site_amount == 3_000
    for quantity in (0, 1, 6, -1, True, 2**31):
        with pytest.raises(QuantityInvalid):
            quote_purchase(catalogue, variant_id=variant.id, quantity=quantity)
    with pytest.raises(VariantNotFound):
        quote_purchase(catalogue, variant_id=variant.id + 1, quantity=2)


def test_a_read_costs_seven_queries_cold_and_none_warm(
    main_site: Site, site_a: Site, site_b: Site
) -> None:
    for _ in range(3):
        make_variant(make_product(main_site))
    views = [get_site_view(site.id) for site in (main_site, site_a, site_b)]

    # main: shelves, variants, products, rules. A sub-site: the same goods from memory, then its
    # rules, its plan, whether it has own goods, its overrides.
    for view, budget in zip(views, (4, 4, 4), strict=True):
        with CaptureQueriesContext(connection) as queries:
            get_catalogue(view)
        assert len(queries) == budget
    for view in views:
        with CaptureQueriesContext(connection) as queries:
            get_catalogue(view).search("测试")
        assert len(queries) == 0
    forget_catalogues()
    with CaptureQueriesContext(connection) as queries:
        get_catalogue(views[1])
    assert len(queries) == 7


def test_a_broken_rule_does_not_close_the_shop(main_site: Site, site_a: Site) -> None:
    variant = make_variant(make_product(main_site))
    with site_scope(site_a.id):
        rule = save_rule(RuleTarget(), terms=RATE_10, actor=SYSTEM)
        type(rule).objects.filter(id=rule.id).update(kind="fixed", amount=0)

    assert price_of(site_a, variant.id) == 100_000


def test_threads_that_want_the_same_value_wait_for_one_build() -> None:
    cache: SnapshotCache[str, int] = SnapshotCache(
        weight_limit=10, fresh_seconds=60, weigh=lambda _value: 1
    )
    built: list[int] = []

    def build() -> int:
        time.sleep(0.05)
        built.append(1)
        return len(built)

    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(cache.get("key", build))) for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [1] * 20


def test_an_aged_value_is_served_while_one_thread_builds_the_next() -> None:
    cache: SnapshotCache[str, int] = SnapshotCache(
        weight_limit=10, fresh_seconds=60, weigh=lambda _value: 1
    )
    cache.get("key", lambda: 1)
    entered, leave = threading.Event(), threading.Event()

    def slow() -> int:
        entered.set()
        leave.wait(60)
        return 2

    later = time.monotonic_ns() + 61 * 10**9
    with mock.patch("kameng.catalog.caching.time.monotonic_ns", return_value=later):
        builder = threading.Thread(target=lambda: cache.get("key", slow))
        builder.start()
        assert entered.wait(60)
        assert cache.get("key", lambda: 3) == 1
        leave.set()
        builder.join()
        assert cache.get("key", lambda: 3) == 2


def test_the_weight_of_kept_values_is_bounded() -> None:
    cache: SnapshotCache[int, int] = SnapshotCache(
        weight_limit=3, fresh_seconds=60, weigh=lambda _value: 1
    )
    for key in range(5):
        cache.get(key, lambda: 0)

    assert [cache.get(key, lambda: 1) for key in (4, 3, 2, 0)] == [0, 0, 0, 1]


def test_a_failed_build_is_tried_again_by_the_next() -> None:
    cache: SnapshotCache[str, int] = SnapshotCache(
        weight_limit=3, fresh_seconds=60, weigh=lambda _value: 1
    )

    def fail() -> int:
        raise LookupError

    with pytest.raises(LookupError):
        cache.get("key", fail)
    assert cache.get("key", lambda: 7) == 7


def test_a_thousand_products_are_priced_quickly(main_site: Site, site_a: Site) -> None:
    shelf = make_category(main_site)
    with site_scope(main_site.id):
        model = type(make_product(main_site, category=shelf))
        products = model.objects.bulk_create(
            [
                model(
                    site_id=main_site.id,
                    category=shelf,
                    code=f"M{number}",
                    title=f"商品 {number}",
                    delivery_kind=1,
                )
                for number in range(1000)
            ]
        )
        variant = type(make_variant(products[0]))
        variant.objects.bulk_create(
            [
                variant(
                    site_id=main_site.id,
                    product=product,
                    name=name,
                    cost_amount=90_000,
                    list_amount=100_000,
                )
                for product in products
                for name in ("10元", "20元")
            ]
        )
    view = get_site_view(site_a.id)

    def build() -> None:
        forget_catalogues()
        assert len(selectors.get_catalogue(view).variants_by_id) == 2001

    assert count_yards(build, tries=3) < 150  # it is 15, or 0.06 s
