"""Filters in force stand above their list, and each can be dropped alone."""

import html
import re
from collections.abc import Callable

import pytest
from django.http import QueryDict

from kameng.console.chips import list_chips
from kameng.tenancy.models import Site
from tests.concurrency.shop import Shop
from tests.console.conftest import Desk
from tests.factories import make_product
from tests.people import Buyer, Staff


def chips_of(desk: Desk, path: str) -> dict[str, str]:
    """Return what each chip of a page says, with the address that drops it."""
    page = desk.client.get(desk.url(path)).content.decode()
    found = re.findall(r'<span class="filter">(.+?) <b>(.+?)</b><a href="(.+?)"', page)
    return {f"{name} {value}": html.unescape(url) for name, value, url in found}


def test_a_chip_drops_its_filter_and_where_one_stood() -> None:
    query = QueryDict("q=%E7%82%B9&view=waiting&before=9&page=3&from=2026-01-01")

    chips = list_chips(query, [("q", "搜索", "点"), ("from", "从", ""), ("until", "到", None)])

    assert [(chip.name, chip.value, chip.url) for chip in chips] == [
        ("搜索", "点", "?view=waiting&from=2026-01-01")
    ]


def test_orders_name_their_filters(desk: Desk, shop: Shop, mei: Buyer) -> None:
    path = (
        f"orders/?view=all&customer={mei.customer.id}&product={shop.variant.product_id}"
        "&from=2026-01-01&until=yesterday"
    )

    assert chips_of(desk, path) == {
        "客户 Mei": path.removeprefix("orders/").replace(f"&customer={mei.customer.id}", ""),
        "商品 测试点卡": path.removeprefix("orders/").replace(
            f"&product={shop.variant.product_id}", ""
        ),
        "从 2026-01-01": path.removeprefix("orders/").replace("&from=2026-01-01", ""),
    }


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("payments/?q=4711&until=2026-01-01", {"搜索 4711", "到 2026-01-01"}),
        ("ledger/?from=2026-01-01", {"从 2026-01-01"}),
        ("goods/?q=%3Cb%3E&kind=1&state=listed", {"搜索 &lt;b&gt;", "发货方式 自动发货"}),
        ("orders/", set()),
    ],
)
def test_lists_name_their_filters(desk: Desk, shop: Shop, path: str, expected: set[str]) -> None:
    assert set(chips_of(desk, path)) == expected


def test_goods_name_their_shelf(desk_of: Callable[..., Desk], ada: Staff, main_site: Site) -> None:
    product = make_product(main_site)
    desk = desk_of(ada, main_site)

    assert list(chips_of(desk, f"goods/?category={product.category_id}")) == [
        f"分类 {product.category.name}"
    ]
