"""A sub-site's own goods: made within the plan, seen by nobody else, judged by the platform."""

from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from kameng.catalog import errors, pinyin
from kameng.catalog.drafts import CategoryDraft, ProductDraft, VariantDraft
from kameng.catalog.models import Category, DeliveryKind, ImportState, Product, Variant
from kameng.catalog.own_goods import (
    OwnGoodsFilter,
    get_own_goods,
    list_own_goods,
    makes_goods,
    read_own_goods,
)
from kameng.catalog.selectors import (
    GoodsFilter,
    forget_catalogues,
    get_catalogue,
    get_goods,
    list_categories,
    list_goods,
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
from kameng.catalog.services.importing import (
    confirm_product_import,
    start_product_paste,
    undo_product_import,
)
from kameng.catalog.services.listing import set_listed, set_pinned, set_weight
from kameng.catalog.services.marking import RuleTarget, RuleTerms, preview_rule, save_rule
from kameng.catalog.services.own_goods import allow_goods_again, take_down_goods
from kameng.core.audit import SYSTEM
from kameng.core.models import AuditEntry
from kameng.core.scope import platform_scope
from kameng.pricing.markups import MarkupKind
from kameng.pricing.money import Amount
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import get_site_view, site_scope
from tests.factories import make_category, make_product, make_variant
from tests.own_goods import PRICE, SHARE, allow_own_goods, change_plan, make_own_variant

VARIANT = VariantDraft(name="月卡", cost_amount=Amount(600_000), list_amount=Amount(PRICE))
HEAD = "编码,名称,分类,面值,成本,售价,发货方式,库存,备注\n"


def draft_for(category: Category, **changes: Any) -> ProductDraft:
    draft = ProductDraft(category_id=category.id, code="OWN-1", title="自营会员", delivery_kind=1)
    return replace(draft, **changes)


def make(category: Category, *, is_listed: bool = True, **changes: Any) -> Product:
    return create_product(
        draft_for(category, **changes), variants=[VARIANT], is_listed=is_listed, actor=SYSTEM
    )


def audited(action: str) -> list[AuditEntry]:
    with platform_scope("a test reads the audit log"):
        return list(AuditEntry.objects.filter(action=action).order_by("site_id"))


def catalogue_of(site: Site) -> Any:
    forget_catalogues()
    return get_catalogue(get_site_view(site.id))


def test_own_goods_are_sold_beside_the_main_sites_for_the_price_and_the_share(
    main_site: Site, site_a: Site
) -> None:
    allow_own_goods(site_a)
    make_variant(make_product(main_site, title="总站会员"))
    with site_scope(site_a.id):
        shelf = create_category(CategoryDraft(name="本店独家"), actor=SYSTEM)
        product = make(shelf)
        row = get_goods(product.id)
    shop = catalogue_of(site_a)

    assert {each.title for each in shop.search("会员")} == {"自营会员", "总站会员"}
    (variant,) = shop.find_product(product.id).variants
    assert variant.unit.price_amount == PRICE
    assert variant.unit.wholesale_amount == SHARE
    assert "本店独家" in {each.name for each in shop.categories}
    assert row.is_own
    assert row.variants[0].unit == variant.unit
    assert [each.subject_id for each in audited("product.created")] == [str(product.id)]


def test_nobody_else_sees_own_goods(main_site: Site, site_a: Site, site_b: Site) -> None:
    allow_own_goods(site_a)
    allow_own_goods(site_b)
    variant = make_own_variant(site_a)
    product_id, category_id = variant.product_id, variant.product.category_id

    for other in (main_site, site_b):
        shop = catalogue_of(other)
        assert shop.find_variant(variant.id) is None
        assert shop.search("自营会员") == []
        assert category_id not in {each.id for each in shop.categories}
        with site_scope(other.id):
            assert list_goods(GoodsFilter()).total_count == 0
            assert category_id not in {row.category.id for row in list_categories()}
            for act in (
                lambda: get_goods(product_id),
                lambda: set_listed([product_id], is_listed=False, actor=SYSTEM),
                lambda: set_pinned([product_id], is_pinned=True, actor=SYSTEM),
                lambda: set_weight([product_id], weight=1, actor=SYSTEM),
                lambda: add_variant(product_id, draft=VARIANT, actor=SYSTEM),
                lambda: save_rule(
                    RuleTarget(product_id=product_id),
                    terms=RuleTerms(kind=MarkupKind.RATE, rate_bps=1),
                    actor=SYSTEM,
                ),
            ):
                with pytest.raises(errors.ProductNotFound):
                    act()
            with pytest.raises(errors.VariantNotFound):
                update_variant(variant.id, draft=VARIANT, actor=SYSTEM)
            with pytest.raises(errors.CategoryNotFound):
                update_category(category_id, draft=CategoryDraft(name="x"), actor=SYSTEM)
            with pytest.raises(errors.CategoryNotFound):
                make(Category(id=category_id))
            assert Product.objects.filter(id=product_id).update(title="别人改的") == 0
    with site_scope(site_a.id):
        assert get_goods(product_id).product.title == "自营会员"


def test_the_same_code_and_names_on_two_sites_do_not_clash(
    main_site: Site, site_a: Site, site_b: Site
) -> None:
    for site in (site_a, site_b):
        allow_own_goods(site)
    made = []
    for site in (main_site, site_a, site_b):
        with site_scope(site.id):
            made.append(make(create_category(CategoryDraft(name="同名"), actor=SYSTEM)))

    assert len({product.id for product in made}) == 3
    with site_scope(site_a.id), pytest.raises(errors.CodeTaken):
        make(Category.objects.get(name="同名", site_id=site_a.id))
    assert [each.name for each in catalogue_of(site_a).categories] == ["同名", "同名"]


def test_own_goods_may_stand_on_a_shelf_of_the_main_site(main_site: Site, site_a: Site) -> None:
    allow_own_goods(site_a)
    shelf = make_category(main_site, name="视频会员")
    with site_scope(site_a.id):
        product = make(shelf)
        own = create_category(CategoryDraft(name="本店独家"), actor=SYSTEM)
        assert move_products([product.id], category_id=own.id, actor=SYSTEM) == 1
        assert move_products([product.id], category_id=shelf.id, actor=SYSTEM) == 1

    (shown,) = catalogue_of(site_a).categories
    assert (shown.name, shown.product_count) == ("视频会员", 1)
    with site_scope(main_site.id):
        with pytest.raises(errors.CategoryInUse):
            delete_category(shelf.id, actor=SYSTEM)
        hidden = CategoryDraft(name="视频会员", is_listed=False)
        update_category(shelf.id, draft=hidden, actor=SYSTEM)
    # What an operator sells does not vanish because the main site put its shelf away.
    assert catalogue_of(site_a).find_product(product.id) is not None
    assert catalogue_of(main_site).categories == ()


def test_a_plan_without_own_goods_refuses_to_make_any(main_site: Site, site_a: Site) -> None:
    shelf = make_category(main_site)

    with site_scope(site_a.id):
        for act in (
            lambda: create_category(CategoryDraft(name="x"), actor=SYSTEM),
            lambda: make(shelf),
            lambda: make(shelf, is_listed=False),
            lambda: start_product_paste(HEAD, actor=SYSTEM),
        ):
            with pytest.raises(errors.OwnGoodsNotInPlan):
                act()
        assert not makes_goods(get_site_view(site_a.id))
        assert read_own_goods(get_site_view(site_a.id)) is None
        assert not Product.objects.exists()
    assert audited("product.created") == []


def test_only_so_many_are_on_sale_as_the_plan_says(main_site: Site, site_a: Site) -> None:
    plan = allow_own_goods(site_a, most=2)
    with site_scope(site_a.id):
        shelf = create_category(CategoryDraft(name="x"), actor=SYSTEM)
        first, _second = (make(shelf, code=f"C{n}") for n in range(2))
        with pytest.raises(errors.OwnGoodsFull):
            make(shelf, code="C2")
        spare = make(shelf, code="C2", is_listed=False)
        with pytest.raises(errors.OwnGoodsFull):
            set_listed([spare.id, first.id], is_listed=True, actor=SYSTEM)
        set_listed([first.id], is_listed=True, actor=SYSTEM)  # is on sale already: takes no place
        set_listed([first.id], is_listed=False, actor=SYSTEM)
        set_listed([spare.id], is_listed=True, actor=SYSTEM)
        state = read_own_goods(get_site_view(site_a.id))
    assert state is not None
    assert (state.listed_count, state.stored_count, state.is_full) == (2, 3, True)

    change_plan(plan, own_goods_most=None)
    with site_scope(site_a.id):
        set_listed([first.id], is_listed=True, actor=SYSTEM)
        assert Product.objects.filter(is_listed=True).count() == 3


def test_a_smaller_plan_takes_nothing_off_and_refuses_what_is_new(
    main_site: Site, site_a: Site
) -> None:
    plan = allow_own_goods(site_a, most=3)
    with site_scope(site_a.id):
        shelf = create_category(CategoryDraft(name="x"), actor=SYSTEM)
        products = [make(shelf, code=f"C{n}") for n in range(3)]
    change_plan(plan, own_goods_most=0)

    assert len(catalogue_of(site_a).products) == 3
    with site_scope(site_a.id):
        assert makes_goods(replace(get_site_view(site_a.id), catalogue_version=-1))
        update_product(products[0].id, draft=draft_for(shelf, code="C0", title="改"), actor=SYSTEM)
        change = PriceChange(
            variant_id=Variant.objects.get(product_id=products[0].id).id,
            cost_amount=Amount(0),
            list_amount=Amount(5_000),
        )
        assert change_prices([change], actor=SYSTEM) == 1
        set_listed([products[1].id], is_listed=False, actor=SYSTEM)
        with pytest.raises(errors.OwnGoodsNotInPlan):
            set_listed([products[1].id], is_listed=True, actor=SYSTEM)
        with pytest.raises(errors.OwnGoodsNotInPlan):
            make(shelf, code="C9")
    change_plan(plan, own_goods_most=1)
    with site_scope(site_a.id), pytest.raises(errors.OwnGoodsFull):
        set_listed([products[1].id], is_listed=True, actor=SYSTEM)


def test_another_share_of_the_plan_counts_at_once(main_site: Site, site_a: Site) -> None:
    plan = allow_own_goods(site_a)
    variant = make_own_variant(site_a)
    before = get_catalogue(get_site_view(site_a.id)).find_variant(variant.id)

    change_plan(plan, own_goods_share_bps=1_250)
    after = get_catalogue(get_site_view(site_a.id)).find_variant(variant.id)

    assert before is not None
    assert after is not None
    assert before[1].unit.wholesale_amount == SHARE
    assert after[1].unit.wholesale_amount == 125_000


def test_a_sub_site_makes_no_goods_that_open_sites(main_site: Site, site_a: Site) -> None:
    allow_own_goods(site_a)
    with site_scope(site_a.id):
        shelf = create_category(CategoryDraft(name="x"), actor=SYSTEM)
        with pytest.raises(errors.NotOwner):
            make(shelf, delivery_kind=DeliveryKind.SITE_PLAN)
        product = make(shelf)
        draft = draft_for(shelf, delivery_kind=DeliveryKind.SITE_PLAN)
        with pytest.raises(errors.FieldInvalid):
            update_product(product.id, draft=draft, actor=SYSTEM)

        assert Product.objects.get(site_id=site_a.id).delivery_kind == DeliveryKind.CARD


def test_mark_up_rules_do_not_move_own_goods(main_site: Site, site_a: Site) -> None:
    allow_own_goods(site_a)
    main_variant = make_variant(make_product(main_site))
    variant = make_own_variant(site_a)
    terms = RuleTerms(kind=MarkupKind.RATE, rate_bps=5_000)
    with site_scope(site_a.id):
        preview = preview_rule(RuleTarget(), terms=terms)
        save_rule(RuleTarget(), terms=terms, actor=SYSTEM)
        for target in (
            RuleTarget(product_id=variant.product_id),
            RuleTarget(variant_id=variant.id),
            RuleTarget(category_id=variant.product.category_id),
        ):
            with pytest.raises(errors.RuleInvalid):
                save_rule(target, terms=terms, actor=SYSTEM)

    assert [row.variant_id for row in preview.rows] == [main_variant.id]
    found = catalogue_of(site_a).find_variant(variant.id)
    assert found[1].unit.price_amount == PRICE


def test_refused_goods_are_not_put_on_sale(main_site: Site, site_a: Site) -> None:
    allow_own_goods(site_a)
    with site_scope(site_a.id):
        shelf = create_category(CategoryDraft(name="x"), actor=SYSTEM)
        with pytest.raises(errors.WordRefused) as refused:
            make(shelf, title="代开发票")
        assert "代开发票" in refused.value.text()
        assert not Product.objects.exists()
        draft = make(shelf, title="代开发票", is_listed=False)
        with pytest.raises(errors.WordRefused):
            set_listed([draft.id], is_listed=True, actor=SYSTEM)
        good = make(shelf, code="GOOD")
        with pytest.raises(errors.WordRefused):
            update_product(
                good.id, draft=draft_for(shelf, code="GOOD", title="外 挂"), actor=SYSTEM
            )
        with pytest.raises(errors.WordRefused):
            add_variant(good.id, draft=replace(VARIANT, name="USDT"), actor=SYSTEM)
        good.refresh_from_db()
        assert good.title == "自营会员"
        assert Variant.objects.filter(product_id=good.id).count() == 1


def test_the_platform_takes_a_product_down_and_its_operator_reads_why(
    main_site: Site, site_a: Site
) -> None:
    allow_own_goods(site_a)
    variant = make_own_variant(site_a)
    version = get_site_view(site_a.id).catalogue_version
    with site_scope(main_site.id):
        with pytest.raises(errors.FieldInvalid):
            take_down_goods(variant.product_id, reason=" ", actor=SYSTEM)
        take_down_goods(variant.product_id, reason="侵犯商标", actor=SYSTEM)
        row = get_own_goods(variant.product_id)
        listed = list_own_goods(OwnGoodsFilter(state="taken_down"), offset=0)

    assert row.product.taken_down_reason == "侵犯商标"
    assert row.site.id == site_a.id
    assert [each.product.id for each in listed.rows] == [variant.product_id]
    assert get_site_view(site_a.id).catalogue_version > version
    assert catalogue_of(site_a).find_variant(variant.id) is None
    taken = audited("own_goods.taken_down")
    assert [entry.site_id for entry in taken] == [main_site.id, site_a.id]
    with site_scope(site_a.id):
        assert get_goods(variant.product_id).product.taken_down_reason == "侵犯商标"
        with pytest.raises(errors.GoodsTakenDown) as refused:
            set_listed([variant.product_id], is_listed=True, actor=SYSTEM)
        assert "侵犯商标" in refused.value.text()
        with pytest.raises(IntegrityError), transaction.atomic():
            Product.objects.filter(id=variant.product_id).update(is_listed=True)
    with site_scope(main_site.id):
        allow_goods_again(variant.product_id, actor=SYSTEM)
    with site_scope(site_a.id):
        assert not get_goods(variant.product_id).is_listed  # its operator lists it
        set_listed([variant.product_id], is_listed=True, actor=SYSTEM)
    assert catalogue_of(site_a).find_variant(variant.id) is not None


def test_only_the_main_site_judges_and_only_sub_sites_goods(
    main_site: Site, site_a: Site, site_b: Site
) -> None:
    allow_own_goods(site_a)
    variant, main_product = make_own_variant(site_a), make_product(main_site)
    for site in (site_a, site_b):
        with site_scope(site.id), pytest.raises(errors.NotOwner):
            take_down_goods(variant.product_id, reason="x y", actor=SYSTEM)
    with site_scope(main_site.id):
        for product_id in (main_product.id, 10**9):
            with pytest.raises(errors.ProductNotFound):
                take_down_goods(product_id, reason="x y", actor=SYSTEM)
            with pytest.raises(errors.ProductNotFound):
                get_own_goods(product_id)
    assert audited("own_goods.taken_down") == []


def test_the_platforms_list_is_filtered_and_costs_few_queries(
    main_site: Site, site_a: Site, site_b: Site
) -> None:
    for site in (site_a, site_b):
        allow_own_goods(site)
        make_own_variant(site, title=f"{site.name}专属", keys=0)
    make_own_variant(site_a, title="收起来的", keys=0, is_listed=False)
    make_product(main_site)

    with site_scope(main_site.id):
        with CaptureQueriesContext(connection) as queries:
            everything = list_own_goods(OwnGoodsFilter(), offset=0)
        found = [
            list_own_goods(filters, offset=0).total_count
            for filters in (
                OwnGoodsFilter(site_id=site_a.id),
                OwnGoodsFilter(text="乙站"),
                OwnGoodsFilter(state="unlisted"),
                OwnGoodsFilter(state="listed"),
                OwnGoodsFilter(site_id=main_site.id),
            )
        ]

    assert everything.total_count == 3
    # products, sites, shelves, prices, the count
    assert len(queries) == 5
    assert found == [2, 1, 1, 2, 0]


def test_an_import_brings_own_goods_in_within_the_plan(main_site: Site, site_a: Site) -> None:
    allow_own_goods(site_a, most=2)
    make_category(main_site, name="视频会员")
    text = (
        HEAD
        + "A1,甲会员,视频会员,,8,10,卡密,5,\n"
        + "A2,代开发票,杂货,,8,10,卡密,5,\n"
        + "A3,乙会员,杂货,,8,10,卡密,5,\n"
        + "A4,丙会员,杂货,,8,10,卡密,5,\n"
    )
    with site_scope(site_a.id):
        job = start_product_paste(text, actor=SYSTEM)
        planned = job.options["report"]
        done = confirm_product_import(job.id, actor=SYSTEM)
        listed = dict(Product.objects.filter(site_id=site_a.id).values_list("code", "is_listed"))
        shelves = dict(Product.objects.values_list("code", "category__site_id"))

    assert listed == {"A1": True, "A2": False, "A3": True, "A4": False}
    assert shelves["A1"] == main_site.id  # the main site's shelf of that name
    assert shelves["A3"] == site_a.id
    assert planned["unlisted_count"] == 2
    assert {each["code"] for each in done.problems} == {"word_refused", "own_goods_full"}
    with site_scope(main_site.id):
        assert not Product.objects.exists()
    with site_scope(site_a.id):
        assert undo_product_import(job.id, actor=SYSTEM) == 4
        assert not Product.objects.filter(is_listed=True).exists()


def test_an_import_renames_nothing_on_sale_to_what_is_refused(
    main_site: Site, site_a: Site
) -> None:
    allow_own_goods(site_a)
    with site_scope(site_a.id):
        shelf = create_category(CategoryDraft(name="杂货"), actor=SYSTEM)
        product = make(shelf, code="A1")
        job = start_product_paste(HEAD + "A1,代开发票,,,8,10,卡密,5,\n", actor=SYSTEM)
        done = confirm_product_import(job.id, actor=SYSTEM)
        product.refresh_from_db()

    assert product.title == "自营会员"
    assert done.updated_count == 0


def test_an_import_stops_when_the_plan_has_no_own_goods_any_more(
    main_site: Site, site_a: Site
) -> None:
    plan = allow_own_goods(site_a)
    with site_scope(site_a.id):
        job = start_product_paste(HEAD + "A1,甲,杂货,,8,10,卡密,5,\n", actor=SYSTEM)
        change_plan(plan, own_goods_most=0)
        done = confirm_product_import(job.id, actor=SYSTEM)

        assert done.state == ImportState.FAILED
        assert not Product.objects.exists()


def test_a_site_with_own_goods_costs_few_queries_cold_and_none_warm(
    main_site: Site, site_a: Site
) -> None:
    allow_own_goods(site_a)
    make_variant(make_product(main_site))
    for _ in range(3):
        make_own_variant(site_a, keys=0)
    view = get_site_view(site_a.id)
    forget_catalogues()
    get_catalogue(get_site_view(main_site.id))

    # rules, plan; own shelves in use, shelves, variants, products, limits; overrides
    with CaptureQueriesContext(connection) as queries:
        get_catalogue(view)
    assert len(queries) == 8
    with CaptureQueriesContext(connection) as queries:
        get_catalogue(view).search("自营")
    assert len(queries) == 0


def test_own_goods_borrow_the_readings_of_the_main_site(
    main_site: Site, site_a: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow_own_goods(site_a)
    make_variant(make_product(main_site, title="音乐会员"))
    make_own_variant(site_a, title="银行卡套", keys=0)
    asked: list[tuple[list[str], bool]] = []
    ask = pinyin._ask

    def spy(runs: list[str], *, with_characters: bool) -> Any:
        asked.append((runs, with_characters))
        return ask(runs, with_characters=with_characters)

    monkeypatch.setattr(pinyin, "_ask", spy)
    shop = catalogue_of(site_a)

    assert [each.title for each in shop.search("yinhang")] == ["银行卡套"]
    assert [each.title for each in shop.search("yinyue")] == ["音乐会员"]
    assert [with_characters for _runs, with_characters in asked] == [True, False]
