"""A service done by hand: the buyer fills in, the operator delivers, the buyer's page follows."""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.journeys import buying, staff
from tests.journeys.visitor import Visitor

Visit = Callable[..., Visitor]


def test_a_service_is_ordered_done_by_hand_and_seen_by_the_buyer(visit: Visit) -> None:
    buyer = visit()
    buying.choose(buyer, "J008")
    buyer.page.get_by_label("店铺名称").fill("老街茶铺")
    buyer.page.get_by_label("风格").select_option("国风")
    buyer.look("fields")
    buying.buy_now(buyer)
    buying.submit_order(buyer, pay="微信支付", contact="logo@example.com")
    order_no = buying.order_no_of(buyer)
    buying.open_cashier(buyer, "微信支付")
    buying.press(buyer, "支付成功")
    expect(buyer.page.get_by_text("有进展时本页会自动更新")).to_be_visible(timeout=60_000)
    buyer.look("waiting")

    lin = staff.sign_in(visit(device="desktop"), "lin")
    lin.look("overview")
    lin.go("/console/star/orders/queue/")
    lin.look("queue")
    lin.page.get_by_role("button", name="接下一单").click()
    lin.page.wait_for_url("**/orders/*/")
    lin.go(f"/console/star/orders/{order_no}/")
    expect(lin.page.get_by_text("老街茶铺").first).to_be_visible()
    staff.dialog(lin, "人工发货")
    lin.look("deliver")
    lin.page.locator("dialog[open] textarea").first.fill("设计稿 https://example.com/logo-888")
    staff.confirm(lin, "发给买家")
    expect(lin.page.get_by_text("已发货").first).to_be_visible()
    lin.look("delivered")

    expect(buyer.page.get_by_text("logo-888").first).to_be_visible(timeout=60_000)
    buyer.look("received")
    text = buyer.stack.wait_for_mail("logo@example.com")
    assert re.search(order_no, text)
