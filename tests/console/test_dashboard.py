"""The dashboard's screen: who sees what, that figures lead to their orders, and what goes out."""

import re
from collections.abc import Callable, Iterator

import pytest

from kameng.accounts.models import Role
from kameng.insight.dashboard import forget_figures
from kameng.insight.definitions import DEFINITIONS
from kameng.insight.facts import Facts
from kameng.tenancy.models import Site
from tests.concurrency.shop import Shop, notify, order, payment_of, refund
from tests.console.conftest import Desk
from tests.factories import fund_wallet
from tests.people import Buyer, Staff, make_operator

YUAN = 10_000


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    forget_figures()
    yield
    forget_figures()


@pytest.fixture
def sold(shop: Shop, mei: Buyer) -> Shop:
    """Two orders by Mei, one of them refunded by half, and one by a guest."""
    fund_wallet(mei.customer, 100 * YUAN)
    order(shop, customer=mei.customer, by_wallet=True, quantity=2)
    back = order(shop, customer=mei.customer, by_wallet=True)
    refund(shop, back, key="k" * 16, amount=5 * YUAN, to_wallet=True)
    notify(shop, payment_of(shop, order(shop)))
    return shop


def text_of(desk: Desk, path: str = "") -> str:
    response = desk.get(path)
    assert response.status_code == 200
    return str(response.content.decode())


def figure(page: str, code: str) -> str:
    """Return what a tile of the page shows."""
    part = page.split(f'data-figure="{code}"', 1)[1].split("stat-value", 1)[1]
    return re.sub(
        r"<[^>]+>", "", part.split(">", 1)[1].split("</a>")[0].split("</span>")[0]
    ).strip()


def test_every_definition_is_of_a_figure_and_says_something() -> None:
    facts = Facts()

    for field, definition in DEFINITIONS.items():
        assert hasattr(facts, field)
        assert len(str(definition.meaning)) > 8


@pytest.mark.parametrize("period", ["today", "7", "30", "90", "month"])
def test_figures_of_a_period(desk: Desk, sold: Shop, period: str) -> None:
    page = text_of(desk, f"?period={period}")

    assert figure(page, "net_amount") == "¥35.00"
    assert figure(page, "order_count") == "3"
    assert figure(page, "buyer_count") == "2"
    assert figure(page, "repeat_bps") == "50.0%"
    assert figure(page, "refunded_amount") == "¥5.00"


def test_what_makes_no_sense_is_today(desk: Desk, sold: Shop) -> None:
    for query in ("?period=x", "?period=own", "?period=own&first=2026-13-01&last=x"):
        assert figure(text_of(desk, query), "order_count") == "3"


def test_each_figure_leads_to_as_many_orders(desk: Desk, sold: Shop) -> None:
    page = text_of(desk, "?period=7")
    codes = ("order_count", "refunded_amount")
    tiles = {code: page.split(f'data-figure="{code}"')[1] for code in codes}
    links = {code: re.search(r'stat-link" href="([^"]+)"', tile) for code, tile in tiles.items()}
    counts = {}
    for code, link in links.items():
        assert link is not None
        path = link.group(1).replace("&amp;", "&").removeprefix("/console/site-a/")
        found = re.search(r"符合条件的共 (\d+) 单", text_of(desk, path))
        assert found is not None
        counts[code] = int(found.group(1))

    assert counts == {"order_count": 3, "refunded_amount": 1}


def test_definitions_are_reached_by_keyboard(desk: Desk, sold: Shop) -> None:
    page = text_of(desk)

    for code in ("net_amount", "repeat_bps", "visitor_count"):
        assert f'aria-describedby="tip-{code}"' in page
        assert f'role="tooltip" id="tip-{code}"' in page
        assert str(DEFINITIONS[code].meaning) in page


def test_margins_are_for_who_sees_money(
    desk_of: Callable[..., Desk], desk: Desk, sold: Shop, site_a: Site
) -> None:
    viewer = make_operator(site_a, login="viewer", name="某", role=Role.VIEWER)

    page = text_of(desk_of(viewer, site_a))

    assert 'data-figure="kept_amount"' in text_of(desk)
    assert 'data-figure="kept_amount"' not in page
    assert figure(page, "order_count") == "3"


def test_live_answer_changes_with_the_figures(desk: Desk, sold: Shop, mei: Buyer) -> None:
    first = desk.get("dashboard/live/?period=today").json()
    same = desk.get(f"dashboard/live/?period=today&state={first['state']}").json()
    order(sold, customer=mei.customer, by_wallet=True)
    forget_figures()
    other = desk.get(f"dashboard/live/?period=today&state={first['state']}").json()

    assert figure(first["html"], "order_count") == "3"
    assert same == {"state": first["state"], "html": None}
    assert figure(other["html"], "order_count") == "4"


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("figures", "成交额,35.00"),
        ("days", "35.00"),
        ("goods", "测试点卡,3,35.00"),
        ("sources", "没有访问记录,0,3,35.00"),
    ],
)
def test_tables_go_out_as_files(desk: Desk, sold: Shop, table: str, expected: str) -> None:
    response = desk.post(f"dashboard/file/?table={table}&period=7", format="csv")

    text = b"".join(response.streaming_content).decode("utf-8-sig")
    assert response.status_code == 200
    assert expected in text


def test_a_file_needs_the_right_to_export(
    desk_of: Callable[..., Desk], sold: Shop, site_a: Site
) -> None:
    viewer = make_operator(site_a, login="viewer", name="某", role=Role.VIEWER)

    answer = desk_of(viewer, site_a).post("dashboard/file/?table=days", format="csv")

    assert answer.status_code == 403


def test_the_shops_are_for_the_platform_alone(
    desk: Desk, desk_of: Callable[..., Desk], ada: Staff, main_site: Site, sold: Shop
) -> None:
    page = text_of(desk_of(ada, main_site), "dashboard/sites/?period=7")

    assert "/console/site-a/?period=7" in page
    assert "¥35.00" in page
    assert desk.get("dashboard/sites/").status_code == 403


def test_the_platform_sees_all_shops_or_its_own(
    desk_of: Callable[..., Desk], ada: Staff, main_site: Site, sold: Shop
) -> None:
    desk = desk_of(ada, main_site)

    assert figure(text_of(desk), "net_amount") == "¥35.00"
    assert figure(text_of(desk, "?of=own"), "net_amount") == "¥0.00"


def test_another_shop_sees_nothing_of_it(
    desk_of: Callable[..., Desk], wei: Staff, site_b: Site, sold: Shop
) -> None:
    desk = desk_of(wei, site_b)

    assert figure(text_of(desk, "?period=7"), "order_count") == "0"
    assert desk.client.get("/console/site-a/").status_code == 404
