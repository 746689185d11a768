"""An operator reads the figures: live after a sale, defined, drilled down to orders, taken away."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.journeys import buying, staff
from tests.journeys.visitor import Visitor

Visit = Callable[..., Visitor]
LIVE_MS = 8_000  # five seconds, and what a busy machine adds


def count_of(page: Page) -> int:
    """Return the orders of the tile."""
    text = page.locator('[data-figure="order_count"] .stat-value').inner_text()
    return int(text.replace(",", ""))


def test_the_figures_follow_a_sale_and_lead_to_its_order(visit: Visit, device: str) -> None:
    lin = staff.sign_in(visit(device=device), "lin")
    page = lin.page
    lin.go("/console/star/?period=today")
    lin.look("today")
    before = count_of(page)

    buyer = visit(device=device)
    buyer.go("/?utm_source=wechat&utm_campaign=journey")
    buying.choose(buyer, "J001")
    buying.buy_now(buyer)
    buying.submit_order(buyer, pay="微信支付", contact=f"dash-{device}@example.com")
    buying.open_cashier(buyer, "微信支付")
    buying.press(buyer, "支付成功")
    buying.read_keys(buyer, 1)

    tile = page.locator('[data-figure="order_count"] .stat-value')
    expect(tile).to_have_text(f"{before + 1:,}", timeout=LIVE_MS)
    tip = page.locator('[data-figure="net_amount"]').get_by_role("button")
    tip.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    expect(page.locator("#tip-net_amount")).to_be_visible()
    lin.look("defined")
    tile.click()
    page.wait_for_url("**/orders/?**")
    expect(page.get_by_text(re.compile(f"共 {before + 1} 单"))).to_be_visible()
    lin.look("orders")


def test_periods_and_files(visit: Visit) -> None:
    lin = staff.sign_in(visit(device="desktop"), "lin")
    page = lin.page
    lin.go("/console/star/")
    page.get_by_role("link", name="近 30 天").click()
    page.wait_for_url("**period=30**")
    lin.look("month")
    page.get_by_text("看数字").click()
    expect(page.locator(".figures table tbody tr")).to_have_count(30)
    page.locator(".dash-tools").get_by_text("导出", exact=True).click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="走势，CSV 文本").click()
    assert saved.value.suggested_filename.startswith("star-days-")


def test_the_platform_looks_over_all_shops(visit: Visit) -> None:
    ada = staff.sign_in(visit(device="desktop", host="main.localhost"), "ada")
    ada.go("/console/main/?period=7")
    ada.look("all-shops")
    ada.page.locator(".dash-tools").get_by_role("link", name="各店铺").click()
    ada.page.wait_for_url("**/dashboard/sites/**")
    ada.look("shops")
