"""A child site from its opening to its upline's part: opened, bought at, paused, resumed."""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.journeys import buying, staff
from tests.journeys.visitor import Visitor

Visit = Callable[..., Visitor]


def test_a_child_is_opened_sells_and_pays_its_upline(visit: Visit, device: str) -> None:
    slug = f"kid-{device}"
    visit(device=device).stack.act("allow-children", "star")
    lin = staff.sign_in(visit(device=device), "lin")
    lin.go("/console/star/children/new/")
    page = lin.page
    page.get_by_label("店铺名称").fill("小禾点卡")
    page.get_by_label("网址").fill(slug)
    page.get_by_label("站长登录名").fill(slug)
    lin.look("new")
    page.get_by_role("button", name="开下级站点").click()
    expect(page.get_by_text("小禾点卡 已开通")).to_be_visible()
    lin.look("opened")

    lin.go("/console/star/children/terms/")
    page.locator("input[name=markup_bps]").fill("3")
    expect(page.locator(".preview-body")).to_contain_text("您加 3%")
    lin.look("terms")
    page.get_by_role("button", name=re.compile("保存")).click()
    expect(page.get_by_text("默认供货条件")).to_be_visible()

    buyer = visit(device=device, host=f"{slug}.localhost")
    buying.choose(buyer, "J001")
    buying.buy_now(buyer)
    buying.submit_order(buyer, pay="微信支付", contact="he@example.com")
    buyer.look("pay")
    buying.open_cashier(buyer, "微信支付")
    buying.press(buyer, "支付成功")
    buying.read_keys(buyer, 1)
    buyer.look("delivered")

    lin.go("/console/star/children/")
    page.get_by_role("link", name="小禾点卡").first.click()
    row = page.locator("tr", has_text="今天")
    expect(row).to_contain_text("1")
    lin.look("sums")
    staff.dialog(lin, "暂停")
    staff.confirm(lin, "暂停", reason="盘点一天")
    expect(page.get_by_text("由您暂停")).to_be_visible()
    buyer.allowed.add(403)
    buyer.go("/")
    expect(buyer.page.get_by_text("盘点一天")).to_be_visible()
    page.get_by_role("button", name="恢复营业").click()
    expect(page.get_by_text("营业中").first).to_be_visible()
    buyer.go("/")
    expect(buyer.page.get_by_text("盘点一天")).to_have_count(0)
