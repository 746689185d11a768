"""An operator sells something of its own: made, stocked, bought, and judged by the platform."""

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.journeys import buying, staff
from tests.journeys.visitor import Visitor

Visit = Callable[..., Visitor]
KEY = {"phone": "J901-1", "desktop": "J902-1"}  # as every key of the journeys begins


def test_own_goods_are_made_stocked_sold_and_judged(visit: Visit, device: str) -> None:
    lin = staff.sign_in(visit(device=device, host="star.localhost"), "lin")
    title = f"星海攻略周刊 {'手机' if device == 'phone' else '电脑'}版"
    product_id = _make(lin, title)
    _stock(lin, product_id, device)

    guest = visit(device=device, host="star.localhost")
    guest.go(f"/search/?q={title}")
    guest.page.get_by_role("link", name=re.compile(title)).first.click()
    guest.page.wait_for_url("**/p/**")
    guest.look("product")
    buying.buy_now(guest)
    buying.submit_order(guest, pay="微信支付", contact=f"own-{device}@example.com")
    order_no = buying.order_no_of(guest)
    buying.open_cashier(guest, "微信支付")
    buying.press(guest, "支付成功")
    (key,) = buying.read_keys(guest, 1)
    assert key.startswith(KEY[device])

    lin.go(f"/console/star/orders/{order_no}/")
    expect(lin.page.get_by_text("平台分成（自营商品）")).to_be_visible()
    expect(lin.page.locator(".split-table")).to_contain_text("5.00")
    lin.look("order")
    _judge(visit, lin, product_id, device)


def _make(lin: Visitor, title: str) -> int:
    """Fill the form in; what the platform takes is shown while typing."""
    page = lin.page
    lin.go("/console/star/goods/")
    lin.look("goods")
    page.get_by_role("link", name="添加自营商品").first.click()
    page.locator("input[name=title]").fill(title)
    page.locator("input[name=variants-0-name]").fill("单期")
    page.locator("input[name=variants-0-cost_amount]").fill("60")
    page.locator("input[name=variants-0-list_amount]").fill("100")
    shown = page.locator("[data-preview-url]")
    expect(shown).to_contain_text("95.00")
    expect(shown).to_contain_text("35.00")
    lin.look("new")
    page.get_by_role("button", name="添加商品").click()
    page.wait_for_url(re.compile(r"/goods/\d+/$"))
    expect(page.get_by_role("heading", level=1)).to_contain_text(title)
    lin.look("made")
    found = re.search(r"/goods/(\d+)/", page.url)
    assert found
    return int(found[1])


def _stock(lin: Visitor, product_id: int, device: str) -> None:
    page = lin.page
    lin.go(f"/console/star/goods/{product_id}/")
    page.get_by_role("link", name="导入卡密").last.click()
    page.get_by_label(re.compile("粘贴")).fill(
        "\n".join(f"{KEY[device]}-{number:06d}----P{number:04d}" for number in range(3))
    )
    page.get_by_role("button", name="检查").click()
    expect(page.get_by_text("读到的前几张")).to_be_visible(timeout=60_000)
    page.get_by_role("button", name=re.compile("^导入")).click()
    expect(page.get_by_text("3 张卡密已上架")).to_be_visible(timeout=60_000)


def _judge(visit: Visit, lin: Visitor, product_id: int, device: str) -> None:
    """The platform takes it off sale; its operator reads why and cannot list it again."""
    ada = staff.sign_in(visit(device=device, host="main.localhost"), "ada")
    ada.go("/console/main/own-goods/")
    ada.look("overseen")
    ada.go(f"/console/main/own-goods/{product_id}/")
    ada.look("one")
    staff.dialog(ada, "下架这件商品")
    staff.confirm(ada, "下架", reason="名称与他人商标相近，请改名")
    expect(ada.page.get_by_text("名称与他人商标相近，请改名")).to_be_visible()
    ada.look("taken-down")
    lin.go(f"/console/star/goods/{product_id}/")
    expect(lin.page.get_by_text("名称与他人商标相近")).to_be_visible()
    expect(lin.page.get_by_role("button", name="上架", exact=True)).to_have_count(0)
    lin.look("told")
