"""Own goods in the back office: a sub-site makes and prices them, the main site oversees them."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from kameng.accounts.models import Role
from kameng.catalog.models import Category, DeliveryKind, Product, Variant
from kameng.catalog.services.own_goods import take_down_goods
from kameng.console.navigation import build_links, list_pages
from kameng.core.audit import SYSTEM, list_entries
from kameng.core.scope import platform_scope
from kameng.inventory.models import CardKey
from kameng.tenancy.models import Plan, Site
from kameng.tenancy.selectors import get_site_view, site_scope
from tests import people
from tests.concurrency.shop import Shop, connect_gateway, make_buyers, order
from tests.console.conftest import Desk
from tests.console.pages import text_of
from tests.console.test_goods import product_form
from tests.factories import make_category, make_product, make_variant
from tests.own_goods import PRICE, allow_own_goods, make_own_variant
from tests.people import Staff

DeskOf = Callable[..., Desk]
ClientFor = Callable[..., Client]


@pytest.fixture
def plan(site_a: Site) -> Plan:
    """Site A may sell two products of its own, for five percent."""
    return allow_own_goods(site_a, most=2)


def routes_of(site: Site) -> set[str]:
    links = build_links(site=get_site_view(site.id), path="", can=lambda _name: True)
    return {page.route for page in list_pages(links)}


def own_products(site: Site) -> list[Product]:
    with site_scope(site.id):
        return list(Product.objects.filter(site_id=site.id).order_by("id"))


def test_the_map_shows_what_a_maker_needs_and_nothing_of_it_to_others(
    plan: Plan, main_site: Site, site_a: Site, site_b: Site
) -> None:
    makers = {"card_keys", "key_imports", "product_imports"}

    assert makers <= routes_of(site_a)
    assert makers <= routes_of(main_site)
    assert not makers & routes_of(site_b)
    assert "own_goods" in routes_of(main_site)
    assert "own_goods" not in routes_of(site_a)


def test_an_operator_adds_a_product_on_a_shelf_of_the_main_site(
    plan: Plan, desk: Desk, main_site: Site, site_a: Site
) -> None:
    shelf = make_category(main_site, name="视频会员")
    blank = text_of(desk.get("goods/new/"))

    response = desk.post(
        "goods/new/", **product_form(shelf, code="", **{"variants-0-list_amount": "100"})
    )

    (product,) = own_products(site_a)
    assert response.status_code == 303
    assert (product.category_id, product.title) == (shelf.id, "视频会员")
    assert re.fullmatch(r"N[0-9A-F]{10}", product.code)  # none was typed
    assert "卖 ¥100.00，平台收 ¥5.00，您得 ¥95.00" in blank
    listed = text_of(desk.get("goods/"))
    assert "自营" in listed
    assert "¥5.00" in listed
    page = text_of(desk.get(f"goods/{product.id}/"))
    assert "¥86.00" in page  # a hundred less the share and the cost of nine


def test_what_was_typed_stays_when_the_places_are_taken(
    plan: Plan, desk: Desk, site_a: Site
) -> None:
    for _ in range(2):
        make_own_variant(site_a, keys=0)
    shelf = make_category(site_a)

    refused = desk.post("goods/new/", **product_form(shelf, title="第三个"))
    kept = desk.post("goods/new/", **product_form(shelf, title="第三个", is_listed=""))

    assert refused.status_code == 409
    assert "最多同时在售 2 个" in text_of(refused)
    assert 'value="第三个"' in refused.content.decode()
    assert kept.status_code == 303
    assert [each.is_listed for each in own_products(site_a)] == [True, True, False]


def test_typing_shows_what_the_operator_gets(plan: Plan, desk: Desk, site_a: Site) -> None:
    shelf = make_category(site_a)
    make_own_variant(site_a, keys=0)

    price = text_of(
        desk.post("goods/price-preview/", name="月卡", cost_amount="60", list_amount="100")
    )
    poor = text_of(
        desk.post("goods/price-preview/", name="月卡", cost_amount="98", list_amount="100")
    )
    whole = text_of(desk.post("goods/preview/", **product_form(shelf)))

    assert all(each in price for each in ("¥100.00", "-¥5.00", "¥95.00", "¥35.00"))
    assert "卖一件亏一件" in poor
    assert "卖一件亏一件" not in price
    assert "¥0.5250" in whole  # five percent of 10.50
    assert "普及版" not in price  # no plans and their wholesale prices


def test_goods_are_filtered_by_whose_they_are(
    plan: Plan, desk: Desk, main_site: Site, site_a: Site
) -> None:
    make_variant(make_product(main_site, title="总部乙"))
    make_own_variant(site_a, title="独家甲", keys=0)

    pages = {owner: text_of(desk.get("goods/", owner=owner)) for owner in ("", "own", "main", "x")}

    assert ["独家甲" in pages[owner] for owner in ("", "own", "main", "x")] == [
        True,
        True,
        False,
        True,
    ]
    assert ["总部乙" in pages[owner] for owner in ("", "own", "main")] == [True, False, True]


def test_own_prices_change_together_and_the_main_sites_are_not_on_the_page(
    plan: Plan, desk: Desk, main_site: Site, site_a: Site
) -> None:
    foreign = make_variant(make_product(main_site, title="总部乙"))
    own = make_own_variant(site_a, title="独家甲", keys=0)

    page = text_of(desk.get("prices/table/"))
    response = desk.post(
        "prices/table/", **{f"cost-{own.id}": "1", f"list-{own.id}": "2", f"list-{foreign.id}": "3"}
    )

    assert "独家甲" in page
    assert "总部乙" not in page
    assert response.status_code == 303
    with site_scope(site_a.id):
        assert Variant.objects.get(id=own.id).list_amount == 20_000
        assert Variant.objects.get(id=foreign.id).list_amount == 100_000


def test_keys_and_lists_are_imported_as_on_the_main_site(
    plan: Plan, desk: Desk, site_a: Site
) -> None:
    variant = make_own_variant(site_a, keys=0)

    pasted = desk.post(
        "card-keys/import/", variant_id=variant.id, pasted="A-1\nA-2\nA-3", fmt="auto"
    )
    desk.client.post(f"{pasted['Location']}act/", {"action": "confirm"})
    listed = desk.post("imports/products/", pasted="名称,售价\n导入的会员,10\n代开发票,10\n")
    checked = text_of(desk.client.get(listed["Location"]))
    desk.client.post(f"{listed['Location']}act/", {"action": "confirm"})

    with site_scope(site_a.id):
        assert CardKey.objects.filter(variant_id=variant.id).count() == 3
    assert "属于平台禁止销售的内容" in checked
    assert {each.title: each.is_listed for each in own_products(site_a)} == {
        "自营会员": True,
        "导入的会员": True,
        "代开发票": False,
    }


def test_a_site_without_own_goods_opens_none_of_it(
    desk: Desk, main_site: Site, site_a: Site
) -> None:
    shelf = make_category(main_site)
    before = text_of(desk.get("goods/"))

    answers = [
        desk.get("goods/new/"),
        desk.post("goods/new/", **product_form(shelf)),
        desk.get("categories/new/"),
        desk.post("categories/new/", name="x", icon="category", position="0"),
        desk.get("prices/table/"),
    ]

    assert [each.status_code for each in answers] == [403] * 5
    assert "套餐不含自营商品" in text_of(answers[0])
    assert "自营" not in before
    assert own_products(site_a) == []


@pytest.mark.parametrize(
    ("role", "status"), [(Role.GOODS, 303), (Role.SERVICE, 403), (Role.VIEWER, 403)]
)
def test_only_who_edits_goods_makes_own_ones(
    plan: Plan, desk_of: DeskOf, site_a: Site, role: Role, status: int
) -> None:
    staff = people.make_operator(site_a, login="hua", name="Hua", role=role)
    shelf = make_category(site_a)

    response = desk_of(staff, site_a).post("goods/new/", **product_form(shelf))

    assert response.status_code == status
    assert len(own_products(site_a)) == (status == 303)


def test_nobody_opens_own_goods_of_another_site(
    plan: Plan, desk_of: DeskOf, wei: Staff, ada: Staff, main_site: Site, site_a: Site, site_b: Site
) -> None:
    variant = make_own_variant(site_a)
    product = variant.product_id
    with site_scope(site_a.id):
        key = CardKey.objects.earliest("id")
    paths = [
        f"goods/{product}/",
        f"goods/{product}/cover.svg",
        f"goods/{product}/variants/{variant.id}/",
        f"categories/{variant.product.category_id}/",
        f"card-keys/variants/{variant.id}/",
        f"card-keys/batches/{key.batch_id}/",
        f"card-keys/{key.id}/",
    ]

    for desk in (desk_of(wei, site_b), desk_of(ada, main_site)):
        assert [desk.get(path).status_code for path in paths] == [404] * len(paths)
        assert desk.post("goods/act/", id=[product], action="unlist").status_code == 404
    assert own_products(site_a)[0].is_listed


def test_the_main_site_sees_all_own_goods_and_takes_one_down(
    plan: Plan, desk_of: DeskOf, desk: Desk, ada: Staff, main_site: Site, site_a: Site
) -> None:
    variant = make_own_variant(site_a, title="可疑会员")
    office = desk_of(ada, main_site)

    listed = text_of(office.get("own-goods/"))
    page = office.get(f"own-goods/{variant.product_id}/")
    empty = office.post(f"own-goods/{variant.product_id}/judge/", action="take_down", reason="")
    taken = office.post(
        f"own-goods/{variant.product_id}/judge/", action="take_down", reason="侵犯商标，请改名"
    )

    assert "可疑会员" in listed
    assert site_a.name in listed
    assert "¥60" not in text_of(page)  # the operator's cost
    assert "KEY-" not in text_of(page)
    assert empty.status_code == 400
    assert taken.status_code == 303
    assert not own_products(site_a)[0].is_listed
    assert "1 个商品被平台下架" in text_of(desk.get())
    theirs = text_of(desk.get(f"goods/{variant.product_id}/"))
    assert "侵犯商标，请改名" in theirs
    refused = desk.post("goods/act/", id=[variant.product_id], action="list")
    assert refused.status_code == 409
    assert "侵犯商标" in text_of(refused)
    with site_scope(site_a.id):
        assert "own_goods.taken_down" in {entry.action for entry in list_entries(site_id=site_a.id)}

    allowed = office.post(f"own-goods/{variant.product_id}/judge/", action="allow")
    assert allowed.status_code == 303
    assert desk.post("goods/act/", id=[variant.product_id], action="list").status_code == 303


def test_overseeing_is_the_main_sites_and_a_right_of_its_own(
    plan: Plan, desk_of: DeskOf, desk: Desk, main_site: Site, site_a: Site
) -> None:
    variant = make_own_variant(site_a)
    clerk = people.make_operator(main_site, login="hua", name="Hua", role=Role.GOODS)
    chief = people.make_operator(main_site, login="qiu", name="Qiu", role=Role.MANAGER)

    for act in (
        lambda each: each.get("own-goods/"),
        lambda each: each.get(f"own-goods/{variant.product_id}/"),
        lambda each: each.post(
            f"own-goods/{variant.product_id}/judge/", action="take_down", reason="x y"
        ),
    ):
        assert act(desk).status_code == 403  # Lin owns site A, and has the right there
        assert act(desk_of(clerk, main_site)).status_code == 403
    assert desk_of(chief, main_site).get("own-goods/").status_code == 200
    assert own_products(site_a)[0].is_listed


def test_an_order_of_own_goods_names_the_platforms_share(
    plan: Plan, desk: Desk, main_site: Site, site_a: Site
) -> None:
    shop = Shop(site=site_a, variant=make_own_variant(site_a), choice=connect_gateway(main_site))
    (mei,) = make_buyers(site_a, 1, amount=PRICE)

    placed = order(shop, customer=mei, by_wallet=True)
    page = text_of(desk.get(f"orders/{placed.order_no}/"))

    assert "平台分成（自营商品）" in page
    assert "-¥5.00" in page
    assert "¥95.00" in page
    assert "主站供货价" not in page


def test_manual_orders_wait_and_low_stock_is_told_on_the_own_desk_alone(
    plan: Plan, desk_of: DeskOf, desk: Desk, ada: Staff, main_site: Site, site_a: Site
) -> None:
    gateway = connect_gateway(main_site)
    (mei,) = make_buyers(site_a, 1, amount=3 * PRICE)
    cards = make_own_variant(site_a, title="快没了的", keys=3)
    service = make_own_variant(site_a, title="要人做的", kind=DeliveryKind.MANUAL)
    for variant in (cards, service):
        shop = Shop(site=site_a, variant=variant, choice=gateway)
        order(shop, customer=mei, by_wallet=True)

    own, main = desk.get("").content.decode(), desk_of(ada, main_site).get("").content.decode()

    assert "快没了的" in own
    assert "快没了的" not in re.sub(r"<tr.*?</tr>", "", main, flags=re.S)
    assert "要人做的" in text_of(desk.get("orders/queue/"))


def test_the_palette_and_shop_show_own_goods_here_alone(
    plan: Plan, client_for: ClientFor, site_a: Site, site_b: Site, main_site: Site
) -> None:
    variant = make_own_variant(site_a, title="只此一家")
    shelf: Category = variant.product.category

    def shown(site: Site, path: str) -> Any:
        return client_for(site).get(path)

    assert "只此一家" in text_of(shown(site_a, "/search/?q=只此"))
    assert "只此一家" in text_of(shown(site_a, f"/c/{shelf.id}/"))
    assert shown(site_a, f"/p/{variant.product_id}/").status_code == 200
    for other in (site_b, main_site):
        assert "只此一家" not in text_of(shown(other, "/search/?q=只此"))
        assert shown(other, f"/p/{variant.product_id}/").status_code == 404
        assert shown(other, f"/c/{shelf.id}/").status_code == 404


def test_what_was_taken_down_leaves_the_shop_at_once(
    plan: Plan, client_for: ClientFor, main_site: Site, site_a: Site
) -> None:
    variant = make_own_variant(site_a)
    page = f"/p/{variant.product_id}/"
    assert client_for(site_a).get(page).status_code == 200

    with platform_scope("a test"), site_scope(main_site.id):
        take_down_goods(variant.product_id, reason="违规", actor=SYSTEM)

    assert client_for(site_a).get(page).status_code == 404


def test_many_are_taken_down_with_one_reason_and_taken_back(
    plan: Plan, main_site: Site, site_a: Site, ada: Staff, desk_of: DeskOf
) -> None:
    one, two = (make_own_variant(site_a, title=title).product_id for title in ("月卡", "季卡"))
    desk = desk_of(ada, main_site)

    unnamed = desk.post("own-goods/judge/", id=[one], reason="")
    assert unnamed.status_code == 400
    assert re.search(rf'value="{one}"[^>]*checked', unnamed.content.decode())
    nothing = desk.post("own-goods/judge/", reason="侵犯他人商标")
    assert (nothing.status_code, "侵犯他人商标" in nothing.content.decode()) == (400, True)
    done = desk.post("own-goods/judge/", id=[one, two], reason="侵犯他人商标")
    assert done.status_code == 303
    assert not any(each.is_listed for each in own_products(site_a))

    page = desk.get("own-goods/?" + done["Location"].partition("?")[2])
    assert "下架错了" in text_of(page)
    token = re.search(r'name="undo" value="([^"]+)"', page.content.decode())
    assert token is not None
    assert desk.post("own-goods/judge/undo/", undo=token[1]).status_code == 303
    assert all(each.is_listed for each in own_products(site_a))
    assert desk.post("own-goods/judge/undo/", undo="forged").status_code == 303


def test_a_sub_site_judges_nobody(plan: Plan, site_a: Site, lin: Staff, desk_of: DeskOf) -> None:
    product_id = make_own_variant(site_a).product_id

    answer = desk_of(lin, site_a).post("own-goods/judge/", id=[product_id], reason="侵犯商标")

    assert answer.status_code in {403, 404}
    assert own_products(site_a)[0].is_listed
