"""The page in the editor's frame: its built-in part, drawn as buyers get it, doing nothing."""

import datetime as dt
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from kameng.core.scope import platform_scope
from kameng.pages.models import Page, PageKind
from kameng.pages.services.drafting import open_page
from kameng.tenancy.models import Site, SiteState
from kameng.tenancy.selectors import site_scope
from tests import factories, people
from tests.concurrency.shop import Shop
from tests.console.conftest import Desk
from tests.console.test_design import answer, call
from tests.pages.conftest import content

AROUND = (PageKind.CATEGORY, PageKind.PRODUCT, PageKind.HELP)
INERT = re.compile(
    r'<div class="builtin-body" inert>(.*?)</div></div>(?:\n|<div class="sections">)', re.S
)


def page_of(site: Site, kind: int) -> Page:
    """Return the page of a kind."""
    with site_scope(site.id):
        return open_page(kind)


def frame_of(desk: Desk, page: Page, **query: Any) -> str:
    """Return the page as the editor frames it."""
    response = desk.get(f"design/pages/{page.id}/frame/", **query)
    assert response.status_code == 200
    return response.content.decode()


def boot_of(desk: Desk, page: Page) -> dict[str, Any]:
    """Return what the editor starts with."""
    html = desk.get(f"design/pages/{page.id}/").content.decode()
    start = '<script id="boot" type="application/json">'
    boot: dict[str, Any] = json.loads(html.partition(start)[2].split("</script>")[0])
    return boot


@pytest.mark.parametrize("kind", AROUND)
def test_the_built_in_part_stands_where_buyers_see_it_and_does_nothing(
    site_a: Site, shop: Shop, desk: Desk, client_for: Callable[..., Client], kind: PageKind
) -> None:
    page = page_of(site_a, kind)
    saved = answer(call(desk, page, "draft", {"version": 0, "content": content("我的区块")}))
    product_id = shop.variant.product_id
    category_id = shop.variant.product.category_id
    path = {3: f"/c/{category_id}/", 4: f"/p/{product_id}/", 7: "/help/"}[kind]

    html = frame_of(desk, page)
    inside = INERT.search(html)
    call(desk, page, "publish", {"version": saved["version"]})
    sold = client_for(site_a).get(path).content.decode()

    assert inside is not None
    assert "我的区块" not in inside[1]
    assert html.count("页面自带内容") == 2  # its name, and the words that are read
    assert (html.index("我的区块") < html.index("builtin-body")) is (kind == PageKind.CATEGORY)
    assert "builtin" not in sold
    own = {3: "product-grid", 4: 'class="goods-panel"', 7: "怎么找回卡密"}[kind]
    assert own in inside[1]
    order = [html.index(own) < html.index("我的区块"), sold.index(own) < sold.index("我的区块")]
    assert order[0] is order[1]
    place = {3: "after", 4: "before", 7: "before"}[kind]
    assert boot_of(desk, page)["built_in"] == place


def test_a_page_without_sections_keeps_a_place_for_them(
    site_a: Site, shop: Shop, desk: Desk
) -> None:
    for kind in AROUND:
        assert '<div class="sections"></div>' in frame_of(desk, page_of(site_a, kind))


def test_the_person_chooses_which_product_or_category_is_shown(
    main_site: Site, site_a: Site, shop: Shop, desk: Desk
) -> None:
    other = factories.make_product(main_site, title="另一件商品")
    factories.make_variant(other)
    page = page_of(site_a, PageKind.PRODUCT)

    assert "另一件商品</h1>" in frame_of(desk, page, shown=other.id)
    first = shop.variant.product
    assert f"{first.title}</h1>" in frame_of(desk, page, shown=first.id)
    for nonsense in ("0", "-1", "abc", str(10**30), "999999"):
        assert 'class="goods-title"' in frame_of(desk, page, shown=nonsense)
    shelf = page_of(site_a, PageKind.CATEGORY)
    assert f'data-choose-shown="{other.category_id}"' in frame_of(
        desk, shelf, shown=other.category_id
    )


def test_another_sites_goods_are_not_shown(
    main_site: Site, site_a: Site, site_b: Site, shop: Shop, desk: Desk
) -> None:
    own = factories.make_product(site_b, title="乙站自己的商品")
    factories.make_variant(own)

    assert "乙站自己的商品" not in frame_of(desk, page_of(site_a, PageKind.PRODUCT), shown=own.id)


@pytest.mark.parametrize("kind", AROUND)
def test_a_shop_without_goods_is_decorated_as_well(
    site_a: Site, desk: Desk, kind: PageKind
) -> None:
    html = frame_of(desk, page_of(site_a, kind))

    assert "builtin-body" in html
    assert "data-choose-shown" not in html
    if kind == PageKind.PRODUCT:
        assert "上架第一个商品后，这里就是它的商品页" in html


def test_versions_side_by_side_are_whole_pages_to_be_looked_at(
    site_a: Site, shop: Shop, desk: Desk
) -> None:
    page = page_of(site_a, PageKind.PRODUCT)
    saved = answer(call(desk, page, "draft", {"version": 0, "content": content("第一版")}))
    call(desk, page, "publish", {"version": saved["version"]})

    then = desk.get(f"design/pages/{page.id}/history/1/").content.decode()
    now = frame_of(desk, page, still="")

    for html in (then, now):
        assert 'class="goods-panel"' in html
        assert "第一版" in html
        assert re.search(r"<body[^>]* inert>", html)
        assert "builtin-note" not in html


def test_a_preview_link_shows_the_whole_page_of_the_chosen_product(
    main_site: Site, site_a: Site, shop: Shop, desk: Desk, client_for: Callable[..., Client]
) -> None:
    other = factories.make_product(main_site, title="另一件商品")
    factories.make_variant(other)
    page = page_of(site_a, PageKind.PRODUCT)
    call(desk, page, "draft", {"version": 0, "content": content("只有草稿里有")})
    path = "/" + answer(call(desk, page, "share"))["url"].split("/", 3)[3]

    html = client_for(site_a).get(path, {"shown": other.id}).content.decode()

    assert "另一件商品</h1>" in html
    assert "只有草稿里有" in html
    assert f'<option value="{other.id}" selected>' in html
    assert "builtin" not in html
    assert "inert" not in html


@pytest.mark.parametrize(
    ("changes", "said", "is_shut"),
    [
        ({}, None, False),
        ({"state": SiteState.SUSPENDED, "suspended_reason": "欠资料"}, "停用原因：欠资料", True),
        ({"state": SiteState.CLOSED}, "店铺已关闭", True),
        ({"state": SiteState.CLOSING, "suspended_reason": "不做了"}, "正在关店", True),
        ({"expires_at": 3}, "套餐将在", False),
        ({"expires_at": -1}, "宽限期里照常营业", False),
        ({"expires_at": -90}, "装修照常保存和发布", True),
        ({"settings": {"licence_required": True}}, "主体信息还没有核实", True),
    ],
)
def test_the_editor_works_in_every_state_of_the_shop_and_says_what_buyers_see(
    site_a: Site, desk: Desk, changes: dict[str, Any], said: str | None, is_shut: bool
) -> None:
    if "expires_at" in changes:
        ends_at = timezone.now() + dt.timedelta(days=changes["expires_at"])
        changes = {"expires_at": ends_at, "lapses_at": ends_at + dt.timedelta(days=7)}
    with platform_scope("state of the test"):
        Site.objects.filter(id=site_a.id).update(**changes)
    page = page_of(site_a, PageKind.HOME)

    standing = boot_of(desk, page)["standing"]
    saved = call(desk, page, "draft", {"version": 0, "content": content("x")})
    published = call(desk, page, "publish", {"version": answer(saved)["version"]})

    assert (saved.status_code, published.status_code) == (200, 200)
    assert frame_of(desk, page)
    if said is None:
        assert standing is None
        return
    assert said in standing["text"]
    assert standing["is_shut"] is is_shut


def test_a_way_out_is_shown_to_who_may_go_it(
    site_a: Site, desk_of: Callable[..., Desk], lin: people.Staff
) -> None:
    from kameng.accounts.models import Role

    with platform_scope("state of the test"):
        ends_at = timezone.now() - dt.timedelta(days=1)
        Site.objects.filter(id=site_a.id).update(expires_at=ends_at)
    manager = people.make_operator(site_a, login="somebody", name="S", role=Role.MANAGER)
    page = page_of(site_a, PageKind.HOME)

    assert boot_of(desk_of(lin, site_a), page)["standing"]["url"].endswith("/my-plan/")
    assert boot_of(desk_of(manager, site_a), page)["standing"]["url"] == ""


def test_a_preview_plays_the_films_of_its_draft(
    site_a: Site, desk: Desk, client_for: Callable[..., Client]
) -> None:
    page = page_of(site_a, PageKind.HELP)
    film = {"url": "https://www.bilibili.com/video/BV1xx411c7mD/"}
    sections = [{"id": "film01", "type": "video", "version": 1, "props": film}]
    draft = {"version": 0, "content": {"root": {}, "sections": sections}}
    assert call(desk, page, "draft", draft).status_code == 200
    path = "/" + answer(call(desk, page, "share"))["url"].split("/", 3)[3]

    shown = client_for(site_a).get(path)

    assert "frame-src https://player.bilibili.com" in shown.headers["Content-Security-Policy"]
