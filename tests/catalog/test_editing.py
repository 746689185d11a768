"""Edits of goods: who may, what is checked, that each is audited and seen at once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError

from kameng.catalog import errors
from kameng.catalog.drafts import CategoryDraft, ProductDraft, VariantDraft
from kameng.catalog.inputs import InputField, InputKind
from kameng.catalog.models import Category, Listing, PriceRule, Product, Variant
from kameng.catalog.selectors import (
    GoodsFilter,
    get_goods,
    list_categories,
    list_goods,
    list_rules,
)
from kameng.catalog.services.editing import (
    PriceChange,
    add_variant,
    change_prices,
    create_category,
    create_product,
    delete_category,
    move_products,
    update_category,
    update_product,
    update_variant,
)
from kameng.catalog.services.listing import set_listed, set_pinned, set_weight
from kameng.catalog.services.marking import RuleTarget, RuleTerms, save_rule
from kameng.catalog.services.sales import add_sales
from kameng.core.audit import SYSTEM
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.pricing.markups import MarkupKind
from kameng.pricing.money import Amount
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests.factories import make_category, make_product, make_variant

VARIANT = VariantDraft(name="月卡", cost_amount=Amount(90_000), list_amount=Amount(100_000))


def draft_for(category: Category, **changes: Any) -> ProductDraft:
    draft = ProductDraft(category_id=category.id, code="KM-1", title="会员", delivery_kind=1)
    return replace(draft, **changes)


def version_of(site: Site) -> int:
    version: int = Site.objects.values_list("catalogue_version", flat=True).get(id=site.id)
    return version


def audited(action: str) -> list[AuditEntry]:
    with platform_scope("a test reads the audit log"):
        return list(AuditEntry.objects.filter(action=action).order_by("id"))


def test_a_product_is_made_with_its_variants_and_audited(main_site: Site) -> None:
    shelf = make_category(main_site)
    before = version_of(main_site)

    with site_scope(main_site.id):
        product = create_product(
            draft_for(shelf, title="  视频  会员 ", tags=("热门", "热门")),
            variants=[VARIANT, replace(VARIANT, name="年卡")],
            is_listed=True,
            actor=SYSTEM,
        )
        row = get_goods(product.id)

    assert product.title == "视频 会员"
    assert product.tags == ["热门"]
    assert [each.variant.name for each in row.variants] == ["月卡", "年卡"]
    assert version_of(main_site) == before + 1
    assert [entry.subject_id for entry in audited("product.created")] == [str(product.id)]


@pytest.mark.parametrize(
    "changes",
    [
        {"code": ""},
        {"code": "有空格 的"},
        {"code": "x" * 41},
        {"title": ""},
        {"title": "x" * 81},
        {"title": "a\x00b"},
        {"title": "a\ud800b"},
        {"delivery_kind": 9},
        {"min_quantity": 0},
        {"min_quantity": 6, "max_quantity": 5},
        {"max_quantity": 1001},
        {"max_quantity": True},
        {"weight": 10_001},
        {"tags": tuple("abcdefg")},
        {"input_fields": (InputField(name="Bad", label="a"),)},
        {"input_fields": (InputField(name="a", label="a", pattern="(a+)+"),)},
        {"input_fields": (InputField(name="a", label="a", kind=InputKind.CHOICE),)},
        {"input_fields": (InputField(name="a", label="a"), InputField(name="a", label="b"))},
    ],
)
def test_a_bad_field_is_refused_and_nothing_is_made(
    main_site: Site, changes: dict[str, Any]
) -> None:
    shelf = make_category(main_site)

    with site_scope(main_site.id), pytest.raises(errors.FieldInvalid):
        create_product(
            draft_for(shelf, **changes), variants=[VARIANT], is_listed=True, actor=SYSTEM
        )

    with site_scope(main_site.id):
        assert Product.objects.count() == 0


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"list_amount": 0}, errors.FieldInvalid),
        ({"list_amount": -1}, errors.FieldInvalid),
        ({"list_amount": 10_000_000_001}, errors.FieldInvalid),
        ({"cost_amount": -1}, errors.FieldInvalid),
        ({"cost_amount": 100_001}, errors.PriceBelowCost),
        ({"name": ""}, errors.FieldInvalid),
        ({"face_amount": 0}, errors.FieldInvalid),
    ],
)
def test_a_variant_that_makes_no_sense_is_refused(
    main_site: Site, changes: dict[str, Any], refusal: type[Exception]
) -> None:
    product = make_product(main_site)

    with site_scope(main_site.id):
        with pytest.raises(refusal):
            add_variant(product.id, draft=replace(VARIANT, **changes), actor=SYSTEM)
        assert Variant.objects.count() == 0


def test_codes_and_names_are_given_once(main_site: Site) -> None:
    shelf = make_category(main_site, name="游戏")
    with site_scope(main_site.id):
        product = create_product(draft_for(shelf), variants=[VARIANT], is_listed=True, actor=SYSTEM)
        with pytest.raises(errors.CodeTaken):
            create_product(draft_for(shelf), variants=[], is_listed=True, actor=SYSTEM)
        with pytest.raises(errors.NameTaken):
            add_variant(product.id, draft=VARIANT, actor=SYSTEM)
        with pytest.raises(errors.NameTaken):
            create_category(CategoryDraft(name="游戏"), actor=SYSTEM)


def test_a_shelf_is_deleted_only_when_empty_with_the_rules_on_it(
    main_site: Site, site_a: Site
) -> None:
    shelf, other = make_category(main_site), make_category(main_site)
    product = make_product(main_site, category=shelf)
    terms = RuleTerms(kind=MarkupKind.RATE, rate_bps=100)
    with site_scope(site_a.id):
        save_rule(RuleTarget(category_id=shelf.id), terms=terms, actor=SYSTEM)

    with site_scope(main_site.id):
        with pytest.raises(errors.CategoryInUse):
            delete_category(shelf.id, actor=SYSTEM)
        assert move_products([product.id], category_id=other.id, actor=SYSTEM) == 1
        delete_category(shelf.id, actor=SYSTEM)
        assert [row.category.id for row in list_categories()] == [other.id]
    with site_scope(site_a.id):
        assert list_rules() == []


def test_prices_change_together_or_not_at_all(main_site: Site) -> None:
    first, second = (make_variant(make_product(main_site)) for _ in range(2))
    good = PriceChange(variant_id=first.id, cost_amount=Amount(50_000), list_amount=Amount(60_000))
    loss = PriceChange(variant_id=second.id, cost_amount=Amount(50_000), list_amount=Amount(40_000))

    with site_scope(main_site.id):
        with pytest.raises(errors.PriceBelowCost):
            change_prices([good, loss], actor=SYSTEM)
        first.refresh_from_db()
        assert first.list_amount == 100_000
        assert change_prices([good], actor=SYSTEM) == 1
        first.refresh_from_db()

    assert (first.cost_amount, first.list_amount) == (50_000, 60_000)
    (entry,) = audited("prices.changed")
    assert entry.detail["changes"][0]["before"]["list_amount"] == 100_000
    assert entry.detail["changes"][0]["after"]["list_amount"] == 60_000


def _as_main(site: Site) -> dict[str, Callable[[], object]]:
    """Every edit of the main site's goods, ready to be tried from a sub-site."""
    shelf = make_category(site)
    product = make_product(site, category=shelf)
    variant = make_variant(product)
    price = PriceChange(variant_id=variant.id, cost_amount=Amount(1), list_amount=Amount(1))
    return {
        "create category": lambda: create_category(CategoryDraft(name="x"), actor=SYSTEM),
        "update category": lambda: update_category(
            shelf.id, draft=CategoryDraft(name="x"), actor=SYSTEM
        ),
        "delete category": lambda: delete_category(shelf.id, actor=SYSTEM),
        "create product": lambda: create_product(
            draft_for(shelf), variants=[VARIANT], is_listed=True, actor=SYSTEM
        ),
        "update product": lambda: update_product(product.id, draft=draft_for(shelf), actor=SYSTEM),
        "move product": lambda: move_products([product.id], category_id=shelf.id, actor=SYSTEM),
        "add variant": lambda: add_variant(product.id, draft=VARIANT, actor=SYSTEM),
        "update variant": lambda: update_variant(variant.id, draft=VARIANT, actor=SYSTEM),
        "change prices": lambda: change_prices([price], actor=SYSTEM),
    }


def test_a_sub_site_changes_nothing_of_the_main_site(main_site: Site, site_a: Site) -> None:
    edits = _as_main(main_site)
    with site_scope(main_site.id):
        before = (
            list(Product.objects.order_by("id").values()),
            list(Variant.objects.order_by("id").values()),
            list(Category.objects.order_by("id").values()),
        )
    version = version_of(main_site)

    for edit in edits.values():
        with site_scope(site_a.id), pytest.raises(errors.NotOwner):
            edit()

    with site_scope(main_site.id):
        after = (
            list(Product.objects.order_by("id").values()),
            list(Variant.objects.order_by("id").values()),
            list(Category.objects.order_by("id").values()),
        )
    assert after == before
    assert version_of(main_site) == version
    assert audited("prices.changed") == []


def test_row_level_security_refuses_what_a_service_would_let_through(
    main_site: Site, site_a: Site
) -> None:
    variant = make_variant(make_product(main_site))

    with site_scope(site_a.id):
        assert Variant.objects.filter(id=variant.id).exists()
        assert Variant.objects.filter(id=variant.id).update(cost_amount=0) == 0


def test_a_site_never_sees_the_overrides_and_rules_of_another(
    main_site: Site, site_a: Site, site_b: Site
) -> None:
    product = make_product(main_site)
    make_variant(product)
    with site_scope(site_a.id):
        set_pinned([product.id], is_pinned=True, actor=SYSTEM)
        terms = RuleTerms(kind=MarkupKind.RATE, rate_bps=100)
        rule = save_rule(RuleTarget(), terms=terms, actor=SYSTEM)

    with site_scope(site_b.id):
        assert Listing.objects.count() == 0
        assert PriceRule.objects.filter(id=rule.id).count() == 0
        assert list_rules() == []
        assert get_goods(product.id).is_pinned is False


def test_overrides_stay_sparse(main_site: Site, site_a: Site) -> None:
    product = make_product(main_site)
    with site_scope(site_a.id):
        set_listed([product.id], is_listed=False, actor=SYSTEM)
        assert Listing.objects.count() == 1
        set_listed([product.id], is_listed=True, actor=SYSTEM)
        assert Listing.objects.count() == 0
        set_weight([product.id], weight=3, actor=SYSTEM)
        assert Listing.objects.count() == 1


def test_listing_unknown_goods_is_refused_whole(main_site: Site) -> None:
    product = make_product(main_site)
    with site_scope(main_site.id):
        with pytest.raises(errors.ProductNotFound):
            set_listed([product.id, product.id + 1000], is_listed=False, actor=SYSTEM)
        product.refresh_from_db()
        assert product.is_listed


def test_goods_are_filtered_by_what_the_site_shows(main_site: Site, site_a: Site) -> None:
    shown, hidden, pinned = (make_product(main_site, title=f"商品{name}") for name in "甲乙丙")
    for product in (shown, hidden, pinned):
        make_variant(product)
    with site_scope(site_a.id):
        set_listed([hidden.id], is_listed=False, actor=SYSTEM)
        set_pinned([pinned.id], is_pinned=True, actor=SYSTEM)
        found = {
            state: {row.product.id for row in list_goods(GoodsFilter(state=state)).rows}
            for state in ("all", "listed", "unlisted", "pinned")
        }
        by_text = list_goods(GoodsFilter(text="商品乙"))

    assert found == {
        "all": {shown.id, hidden.id, pinned.id},
        "listed": {shown.id, pinned.id},
        "unlisted": {hidden.id},
        "pinned": {pinned.id},
    }
    assert [row.product.id for row in by_text.rows] == [hidden.id]
    assert by_text.total_count == 1
    assert by_text.rows[0].variants[0].unit.wholesale_amount == 99_000


def test_sales_are_added_without_a_new_version(main_site: Site) -> None:
    first, second = (make_product(main_site) for _ in range(2))
    version = version_of(main_site)

    add_sales({first.id: 2, second.id: 5, 10**9: 1})
    add_sales({first.id: 1})
    add_sales({})

    with site_scope(main_site.id):
        first.refresh_from_db()
        second.refresh_from_db()
    assert (first.sold_count, second.sold_count) == (3, 5)
    assert version_of(main_site) == version


def test_the_database_refuses_a_second_rule_for_one_scope(main_site: Site, site_a: Site) -> None:
    terms = RuleTerms(kind=MarkupKind.RATE, rate_bps=100)
    with site_scope(site_a.id):
        save_rule(RuleTarget(), terms=terms, actor=SYSTEM)
        with pytest.raises(IntegrityError):
            PriceRule.objects.create(site_id=site_a.id, kind="rate", rate_bps=5)
