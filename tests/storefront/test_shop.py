"""Looking around: what is shown, what is not, and what it says about stock."""

import json
from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client

from kameng.catalog.models import Listing
from kameng.core.audit import SYSTEM
from kameng.core.scope import platform_scope
from kameng.inventory.models import CardKey
from kameng.tenancy.models import Site
from kameng.tenancy.selectors import site_scope
from kameng.tenancy.services import bump_catalogue_version, change_settings
from tests import factories
from tests.people import Buyer
from tests.storefront.conftest import Goods

ClientFor = Callable[..., Client]


def test_home_shows_categories_goods_and_the_licence(
    site_a: Site, cards: Goods, client_for: ClientFor
) -> None:
    with platform_scope("settings of the test"):
        change_settings(
            site_id=site_a.id,
            changes={"licence_no": "91310000MA1", "icp_no": "沪ICP备1号", "notice": "今日公告"},
            actor=SYSTEM,
        )

    page = client_for(site_a).get("/")

    text = page.content.decode()
    assert page.status_code == 200
    for part in ("甲站", "游戏点卡", cards.product.title, "91310000MA1", "沪ICP备1号", "今日公告"):
        assert part in text
    assert "自动发货" in text


def test_an_empty_shop_says_so(site_a: Site, client_for: ClientFor) -> None:
    assert "店铺正在上货" in client_for(site_a).get("/").content.decode()


def test_a_page_for_everybody_holds_each_persons_own_parts(
    site_a: Site, mei: Buyer, cards: Goods, client_for: ClientFor
) -> None:
    guest, buyer = client_for(site_a), client_for(site_a, mei)

    first, second = guest.get("/"), buyer.get("/")

    assert "登录" in first.content.decode()
    assert "Mei" not in first.content.decode()
    assert "Mei" in second.content.decode()
    assert guest.cookies[settings.CSRF_COOKIE_NAME].value not in second.content.decode()
    assert first["Cache-Control"] == "private, no-cache"


def test_a_product_says_what_is_left(site_a: Site, cards: Goods, client_for: ClientFor) -> None:
    from kameng.inventory.selectors import forget_stock

    client = client_for(site_a)
    path = f"/p/{cards.product.id}/"

    enough = client.get(path).content.decode()
    with site_scope(cards.variant.site_id):
        CardKey.objects.filter(secret__isnull=False).exclude(
            id__in=list(CardKey.objects.values_list("id", flat=True)[:3])
        ).delete()
    forget_stock()
    low = client.get(path).content.decode()
    with site_scope(cards.variant.site_id):
        CardKey.objects.all().delete()
    forget_stock()
    out = client.get(path).content.decode()

    assert "库存充足" in enough
    assert "仅剩 3 件" in low
    assert 'data-max="3"' in low
    assert "这个商品暂时卖完了" in out
    assert "立即购买" not in out


def test_stock_as_json(site_a: Site, cards: Goods, client_for: ClientFor) -> None:
    answer = client_for(site_a).get(f"/p/{cards.product.id}/stock/").json()

    assert answer == {
        "variants": [{"id": cards.variant.id, "level": "enough", "most": 20, "text": "库存充足"}]
    }


def test_a_product_that_the_site_hides_is_not_found(
    site_a: Site, site_b: Site, cards: Goods, client_for: ClientFor
) -> None:
    with site_scope(site_a.id):
        Listing.objects.create(site_id=site_a.id, product_id=cards.product.id, is_listed=False)
        bump_catalogue_version(site_a.id)

    path = f"/p/{cards.product.id}/"

    assert client_for(site_a).get(path).status_code == 404
    assert client_for(site_a).get(f"{path}stock/").status_code == 404
    assert client_for(site_b).get(path).status_code == 200


def test_texts_of_goods_are_shown_escaped(
    site_a: Site, main_site: Site, client_for: ClientFor
) -> None:
    evil = "<script>alert(1)</script>"
    product = factories.make_product(
        main_site, title=f"标题{evil}", description=evil, tutorial=evil, summary=evil
    )
    factories.make_variant(product, name="<b>规格</b>")

    text = client_for(site_a).get(f"/p/{product.id}/").content.decode()

    assert evil not in text
    assert "<b>规格</b>" not in text
    assert "&lt;script&gt;" in text


def test_the_cost_is_never_shown(site_a: Site, cards: Goods, client_for: ClientFor) -> None:
    client = client_for(site_a)
    pages = [f"/p/{cards.product.id}/", f"/checkout/?variant={cards.variant.id}&quantity=1"]

    for page in pages:
        text = client.get(page).content.decode()
        assert "9.00" not in text  # cost
        assert "9.90" not in text  # wholesale


@pytest.mark.parametrize("sort", ["", "sold", "cheap", "new", "nonsense", "'--"])
def test_a_shelf_in_every_order(
    site_a: Site, cards: Goods, client_for: ClientFor, sort: str
) -> None:
    page = client_for(site_a).get(f"/c/{cards.product.category_id}/", {"sort": sort})

    assert page.status_code == 200
    assert cards.product.title in page.content.decode()


def test_pages_of_a_long_shelf(site_a: Site, main_site: Site, client_for: ClientFor) -> None:
    category = factories.make_category(main_site, name="多")
    for number in range(45):
        product = factories.make_product(main_site, category=category, title=f"商品{number:03d}")
        factories.make_variant(product)
    client = client_for(site_a)

    first = client.get(f"/c/{category.id}/").content.decode()
    second = client.get(f"/c/{category.id}/?page=2").content.decode()
    beyond = client.get(f"/c/{category.id}/?page=999999").content.decode()

    assert first.count('class="product ') + first.count('class="product"') == 40
    assert second.count('class="product"') + second.count('class="product ') == 5
    assert "商品000" in second
    assert beyond.count("product-title") == 5


@pytest.mark.parametrize(
    "path",
    ["/c/999999999/", "/p/999999999/", "/p/99999999999999999999999/", "/c/0/", "/p/1/nothing/"],
)
def test_what_is_not_there_is_404(site_a: Site, client_for: ClientFor, path: str) -> None:
    page = client_for(site_a).get(path)

    assert page.status_code == 404
    assert "回到首页" in page.content.decode()


def test_search_by_initials_and_suggestions(
    site_a: Site, cards: Goods, client_for: ClientFor
) -> None:
    client = client_for(site_a)

    page = client.get("/search/", {"q": "wzry"}).content.decode()
    answer = client.get("/suggest/", {"q": "wzry"}).json()

    assert cards.product.title in page
    assert answer["items"][0]["title"] == cards.product.title
    assert answer["items"][0]["url"] == f"/p/{cards.product.id}/"
    assert answer["items"][0]["price"] == "10.00"


@pytest.mark.parametrize("text", ["没有这个", "😀" * 40, "%", "_", "a" * 500, "<b>", "　", "'"])
def test_any_search_is_answered(
    site_a: Site, cards: Goods, client_for: ClientFor, text: str
) -> None:
    client = client_for(site_a)

    assert client.get("/search/", {"q": text}).status_code == 200
    assert isinstance(json.loads(client.get("/suggest/", {"q": text}).content)["items"], list)


def test_a_cover_is_kept_for_good_under_the_address_of_its_content(
    site_a: Site, cards: Goods, client_for: ClientFor
) -> None:
    client = client_for(site_a)
    items = client.get("/suggest/", {"q": "wzry"}).json()["items"]

    cover = client.get(items[0]["image_url"])
    again = client.get(items[0]["image_url"], HTTP_IF_NONE_MATCH=cover["ETag"])
    other = client.get(f"/covers/{cards.product.id}.0.svg")

    assert cover.status_code == 200
    assert cover["Content-Type"] == "image/svg+xml"
    assert "immutable" in cover["Cache-Control"]
    assert len(cover.content) <= 3072
    assert again.status_code == 304
    assert not again.content
    assert "immutable" not in other["Cache-Control"]


def test_english(site_a: Site, cards: Goods, client_for: ClientFor) -> None:
    client = client_for(site_a)

    chosen = client.post("/language/", {"language": "en", "next": f"/p/{cards.product.id}/"})
    page = client.get(f"/p/{cards.product.id}/")

    assert chosen.status_code == 302
    assert chosen["Location"] == f"/p/{cards.product.id}/"
    assert '<html lang="en"' in page.content.decode()
    client.post("/language/", {"language": "zh-hans"})
    assert '<html lang="zh-Hans"' in client.get(f"/p/{cards.product.id}/").content.decode()


def test_a_suspended_site_shows_a_notice_but_bought_goods_stay(
    site_a: Site, mei: Buyer, cards: Goods, client_for: ClientFor
) -> None:
    factories.fund_wallet(mei.customer, 1_000_000)
    client = client_for(site_a, mei)
    url = client.post("/checkout/", cards.order())["Location"]
    Site.objects.filter(id=site_a.id).update(state=2, suspended_reason="整顿")

    assert client.get("/").status_code == 403
    assert client.get(url).status_code == 200
    assert client_for(site_a).get("/terms/").status_code == 200
