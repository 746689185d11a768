"""Goods in the back office: the list, the owner's editor, a sub-site's view, shelves."""

import html
import re
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from django.test import Client

from kameng.accounts.models import Role
from kameng.catalog.models import Category, Listing, Product, Variant
from kameng.core.audit import list_entries
from kameng.core.scope import platform_scope
from kameng.inventory.selectors import find_level
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from tests import people
from tests.console.pages import address, text_of
from tests.factories import make_category, make_product, make_variant

ClientFor = Callable[..., Client]


def product_form(category: Category, **changes: object) -> dict[str, object]:
    """Return a product's form as a browser sends it, with one face value."""
    values: dict[str, object] = {
        "title": "视频会员",
        "category_id": category.id,
        "code": "V-1",
        "brand": "",
        "summary": "",
        "delivery_kind": "1",
        "min_quantity": "1",
        "max_quantity": "10",
        "description": "说明\r\n第二行",
        "tutorial": "",
        "after_sale": "",
        "tags": "热门，低价",
        "keywords": "",
        "weight": "0",
        "is_listed": "on",
        "inputs-TOTAL_FORMS": "0",
        "inputs-INITIAL_FORMS": "0",
        "variants-TOTAL_FORMS": "1",
        "variants-INITIAL_FORMS": "0",
        "variants-0-name": "月卡",
        "variants-0-face_amount": "",
        "variants-0-cost_amount": "9",
        "variants-0-list_amount": "10.5",
    }
    return values | changes


def count_products(site: Site) -> int:
    """Return how many products a site owns."""
    with site_scope(site.id):
        return Product.objects.filter(site_id=site.id).count()


def test_goods_show_what_the_site_pays_and_never_what_the_main_site_pays(
    main_site: Site, site_a: Site, ada: people.Staff, lin: people.Staff, client_for: ClientFor
) -> None:
    product = make_product(main_site, title="腾讯视频")
    make_variant(product, cost_amount=90_000, list_amount=120_000)

    own = text_of(client_for(main_site, ada).get(address(main_site, "goods")))
    resold = text_of(client_for(site_a, lin).get(address(site_a, "goods")))
    page = text_of(client_for(site_a, lin).get(address(site_a, "product", product.id)))

    assert "¥9.00" in own
    assert "¥9.90" in resold
    assert "腾讯视频" in page
    assert "¥9.00" not in resold + page
    assert "成本价" not in resold + page


def test_owner_adds_a_product_with_face_values_and_what_buyers_fill_in(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    category = make_category(main_site)
    form = product_form(category) | {
        "inputs-TOTAL_FORMS": "2",
        "inputs-0-name": "",
        "inputs-0-label": "区服",
        "inputs-0-kind": "choice",
        "inputs-0-is_required": "on",
        "inputs-0-choices": "一区，二区",
        "inputs-1-name": "",
        "inputs-1-label": "",
        "inputs-1-kind": "text",
    }

    response = client_for(main_site, ada).post(address(main_site, "new_product"), form)

    with site_scope(main_site.id):
        product = Product.objects.get(code="V-1")
        variant = Variant.objects.get(product_id=product.id)
    assert response.status_code == 303
    assert response["Location"] == address(main_site, "product", product.id)
    assert (product.title, product.tags, product.is_listed) == ("视频会员", ["热门", "低价"], True)
    assert product.description == "说明\n第二行"
    assert [(row["name"], row["choices"]) for row in product.input_fields] == [
        ("field_1", ["一区", "二区"])
    ]
    assert (variant.name, variant.cost_amount, variant.list_amount) == ("月卡", 90_000, 105_000)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", ""),
        ("title", "长" * 81),
        ("title", "a\u0007b"),
        ("code", "有空格 的"),
        ("category_id", "99999999"),
        ("category_id", "x"),
        ("delivery_kind", "9"),
        ("min_quantity", "0"),
        ("min_quantity", "-1"),
        ("max_quantity", "１０"),
        ("max_quantity", "1e2"),
        ("max_quantity", "99999999999999999999"),
        ("weight", "1.5"),
        ("tags", "一,二,三,四,五,六,七"),
        ("inputs-TOTAL_FORMS", "x"),
        ("inputs-TOTAL_FORMS", "999999"),
        ("variants-TOTAL_FORMS", "0"),
        ("variants-0-cost_amount", "-1"),
        ("variants-0-cost_amount", "９"),
        ("variants-0-cost_amount", "1e3"),
        ("variants-0-cost_amount", "11"),
        ("variants-0-list_amount", "0"),
        ("variants-0-list_amount", "99999999999"),
        ("variants-0-list_amount", "0.00001"),
        ("variants-0-name", ""),
    ],
)
def test_bad_input_is_refused_with_what_was_typed_and_nothing_is_made(
    name: str, value: str, main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    category = make_category(main_site)
    form = product_form(category, summary="打了很久的字") | {name: value}

    response = client_for(main_site, ada).post(address(main_site, "new_product"), form)

    assert response.status_code == 400
    assert "打了很久的字" in response.content.decode()
    assert "field-error" in response.content.decode() or "notice-bad" in response.content.decode()
    assert count_products(main_site) == 0


def test_a_code_that_is_taken_is_refused_in_the_form(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    make_product(main_site, code="V-1")
    form = product_form(make_category(main_site))

    response = client_for(main_site, ada).post(address(main_site, "new_product"), form)

    assert response.status_code == 409
    assert "商品编码“V-1”已被使用" in text_of(response)
    assert count_products(main_site) == 1


def test_owner_changes_a_face_value_and_not_below_its_cost(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    product = make_product(main_site)
    variant = make_variant(product, name="月卡")
    client = client_for(main_site, ada)
    url = address(main_site, "variant", product.id, variant.id)
    form = {"name": "月卡", "cost_amount": "8", "position": "0", "is_listed": "on"}

    refused = client.post(url, form | {"list_amount": "7.99"})
    saved = client.post(url, form | {"list_amount": "8.88"})

    assert (refused.status_code, saved.status_code) == (400, 303)
    assert "不能低于成本价" in text_of(refused)
    with site_scope(main_site.id):
        variant.refresh_from_db()
    assert (variant.cost_amount, variant.list_amount) == (80_000, 88_800)


def test_sub_site_cannot_change_goods_of_the_main_site(
    main_site: Site, site_a: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    product = make_product(main_site, title="主站商品", code="M-1")
    variant = make_variant(product, name="月卡")
    with site_scope(main_site.id):
        category = Category.objects.get(id=product.category_id)
    client = client_for(site_a, lin)
    variant_form = {"name": "x", "cost_amount": "0", "list_amount": "1", "position": "0"}

    answers = [
        client.post(address(site_a, "product", product.id), product_form(category, title="改名")),
        client.post(address(site_a, "new_product"), product_form(category)),
        client.post(address(site_a, "variant", product.id, variant.id), variant_form),
        client.post(address(site_a, "new_variant", product.id), variant_form),
        client.post(address(site_a, "category", category.id), {"name": "改", "icon": "key"}),
        client.post(address(site_a, "new_category"), {"name": "新", "icon": "key"}),
        client.post(address(site_a, "remove_category", category.id)),
        client.post(address(site_a, "product_imports"), {"pasted": "名称,售价\nA,1"}),
    ]

    assert [answer.status_code for answer in answers] == [403] * 8
    with site_scope(main_site.id):
        product.refresh_from_db()
        variant.refresh_from_db()
        assert Product.objects.count() == 1
        assert Variant.objects.count() == 1
        assert Category.objects.count() == 1
    assert (product.title, variant.name, variant.list_amount) == ("主站商品", "月卡", 100_000)


def test_sub_site_unlists_for_itself_alone(
    main_site: Site, site_a: Site, site_b: Site, lin: people.Staff, client_for: ClientFor
) -> None:
    first, second = make_product(main_site), make_product(main_site)
    for product in (first, second):
        make_variant(product)
    url = address(site_a, "act_on_goods")

    response = client_for(site_a, lin).post(url, {"action": "unlist", "id": [first.id, second.id]})

    assert response.status_code == 303
    with site_scope(site_a.id):
        assert Listing.objects.filter(is_listed=False).count() == 2
    with site_scope(site_b.id):
        assert Listing.objects.count() == 0
    with site_scope(main_site.id):
        assert Product.objects.filter(is_listed=True).count() == 2


@pytest.mark.parametrize(
    "form",
    [
        {"action": "unlist"},
        {"action": "unlist", "id": ["x", "-1", "9" * 30]},
        {"action": "delete", "id": ["1"]},
        {"action": "unlist", "id": ["987654321"]},
        {"id": ["1"]},
    ],
)
def test_a_bulk_act_that_makes_no_sense_changes_nothing(
    form: dict[str, object], main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    product = make_product(main_site)

    response = client_for(main_site, ada).post(address(main_site, "act_on_goods"), form)

    assert response.status_code in (400, 404)
    with site_scope(main_site.id):
        product.refresh_from_db()
    assert product.is_listed


def test_a_viewer_sees_goods_and_changes_none(
    main_site: Site, site_a: Site, client_for: ClientFor
) -> None:
    product = make_product(main_site)
    viewer = people.make_operator(site_a, login="zhao", name="Zhao", role=Role.VIEWER)
    client = client_for(site_a, viewer)

    assert client.get(address(site_a, "goods")).status_code == 200
    assert client.get(address(site_a, "product", product.id)).status_code == 200
    form = {"action": "unlist", "id": [product.id]}
    assert client.post(address(site_a, "act_on_goods"), form).status_code == 403
    assert client.post(address(site_a, "product", product.id), {}).status_code == 403
    assert client.get(address(site_a, "prices")).status_code == 403


def test_an_operator_of_another_site_opens_nothing_here(
    site_a: Site, site_b: Site, main_site: Site, wei: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(main_site, wei)

    assert client.get(address(site_b, "goods")).status_code == 200
    assert client.get(address(site_a, "goods")).status_code == 404
    assert client.get(address(main_site, "goods")).status_code == 404


def test_a_guest_is_led_to_the_sign_in(site_a: Site, client_for: ClientFor) -> None:
    response = client_for(site_a).get(address(site_a, "goods"))

    assert response.status_code == 302
    assert response["Location"].startswith("/console/sign-in/")


def test_preview_draws_what_is_typed_and_saves_nothing(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    product = make_product(main_site, title="原来的名字")
    make_variant(product)
    form = {"product_id": product.id, "title": "<b>新名字</b>", "delivery_kind": "2", "tags": "热"}

    response = client_for(main_site, ada).post(address(main_site, "preview_product"), form)

    body = response.content.decode()
    assert response.status_code == 200
    assert "&lt;b&gt;新名字&lt;/b&gt;" in body
    assert "人工服务" in body
    with site_scope(main_site.id):
        product.refresh_from_db()
    assert product.title == "原来的名字"


def test_an_empty_shelf_goes_and_a_full_one_stays(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    empty, full = make_category(main_site), make_category(main_site)
    make_product(main_site, category=full)
    client = client_for(main_site, ada)

    gone = client.post(address(main_site, "remove_category", empty.id))
    kept = client.post(address(main_site, "remove_category", full.id))

    assert (gone.status_code, kept.status_code) == (303, 409)
    assert "分类里还有 1 个商品" in text_of(kept)
    with site_scope(main_site.id):
        assert [row.id for row in Category.objects.all()] == [full.id]


def test_every_edit_is_in_the_audit_log(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    client = client_for(main_site, ada)
    form = product_form(make_category(main_site))

    client.post(address(main_site, "new_product"), form)

    with platform_scope("read the log in a test"):
        entry = list_entries(site_id=main_site.id, action="product.created")[0]
    assert (entry.actor_name, entry.ip) == ("Ada", "192.0.2.10")


def test_a_service_gets_a_limit_and_loses_it_again(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    product = make_product(main_site, delivery_kind=2)
    variant = make_variant(product)
    client = client_for(main_site, ada)
    url = address(main_site, "set_stock", product.id, variant.id)

    def level() -> int | None:
        with site_scope(main_site.id):
            return find_level(variant.id)

    client.post(url, {"available_count": "7"})
    assert level() == 7
    odd = client.post(url, {"available_count": "７"}, follow=True)
    assert level() == 7
    assert "应为 0 到 1000000 之间的整数" in odd.content.decode()
    client.post(url, {"available_count": ""})
    assert level() is None


def test_the_cover_is_the_one_that_the_shop_draws(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    product = make_product(main_site, title="Q币 100个")
    make_variant(product)
    unlisted = make_product(main_site, is_listed=False)
    client = client_for(main_site, ada)

    drawn = client.get(address(main_site, "product_cover", product.id))
    hidden = client.get(address(main_site, "product_cover", unlisted.id))
    shop = client.get(f"/covers/{product.id}.any.svg")

    assert drawn["Content-Type"] == "image/svg+xml"
    assert drawn.content == shop.content
    assert hidden.status_code == 200
    assert client.get(address(main_site, "product_cover", 987654)).status_code == 404


def test_a_bulk_act_leads_back_to_the_page_it_came_from(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    product = make_product(main_site, title="腾讯视频")
    client = client_for(main_site, ada)
    query = "state=listed&q=腾讯"

    page = client.get(address(main_site, "goods", query=query)).content.decode()
    action = html.unescape(page.split('id="bulk"')[1].split('action="')[1].split('"')[0])
    done = client.post(action, {"action": "pin", "id": [product.id]})

    assert done["Location"].startswith(address(main_site, "goods") + "?state=listed&q=")


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("title", ["A", "B", "C"]),
        ("-title", ["C", "B", "A"]),
        ("-sold", ["B", "C", "A"]),
        ("sold", ["A", "C", "B"]),
        ("", ["C", "B", "A"]),
        ("nonsense", ["C", "B", "A"]),
    ],
)
def test_goods_are_sorted_by_their_headings(
    main_site: Site, ada: people.Staff, client_for: ClientFor, sort: str, expected: list[str]
) -> None:
    made = {title: make_product(main_site, title=f"排序{title}") for title in "ABC"}
    with platform_scope("a test sets what was sold"):
        for title, count in {"A": 0, "B": 9, "C": 4}.items():
            Product.unscoped.filter(id=made[title].id).update(sold_count=count)

    query = urlencode({"q": "排序", "sort": sort})
    page = client_for(main_site, ada).get(address(main_site, "goods", query=query))

    assert re.findall("排序([ABC])</a>", page.content.decode()) == expected


def test_a_heading_turns_the_order_and_keeps_the_filters(
    main_site: Site, ada: people.Staff, client_for: ClientFor
) -> None:
    make_product(main_site, title="排序A")
    query = urlencode({"q": "排序", "sort": "-sold", "page": "1"})

    page = client_for(main_site, ada).get(address(main_site, "goods", query=query)).content.decode()

    assert 'aria-sort="descending"' in page
    assert 'class="sort-link" href="?q=%E6%8E%92%E5%BA%8F&amp;sort=sold"' in page
    assert 'class="sort-link" href="?q=%E6%8E%92%E5%BA%8F&amp;sort=title"' in page


@pytest.mark.parametrize("title", ["点卡\u202etxt", "\u2066点卡", "点\x07卡"])
def test_a_name_that_turns_or_rings_is_refused(
    main_site: Site, ada: people.Staff, client_for: ClientFor, title: str
) -> None:
    category = make_category(main_site)

    response = client_for(main_site, ada).post(
        address(main_site, "new_product"), product_form(category, title=title)
    )

    assert response.status_code == 400
    assert "含有无法显示的字符" in text_of(response)
    assert count_products(main_site) == 0
