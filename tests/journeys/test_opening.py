"""A person without a shop opens one: from the first click to a shop that sells, and then renews."""

import re
import time
from collections.abc import Callable

from playwright.sync_api import expect

from tests.journeys import buying
from tests.journeys.visitor import Visitor

Visit = Callable[..., Visitor]
MOST_SECONDS = 180
PASSWORD = "my-own-shop-2026"


def _pay(owner: Visitor, way: str, button: str) -> None:
    page = owner.page
    page.locator("label.choice", has_text=re.compile(rf"^\s*{way}")).first.click()
    page.locator("label.check input[name=agree]").check()
    page.get_by_role("button", name=re.compile(button)).click()
    page.wait_for_url(re.compile(r"/pay/[^/]+/"))
    buying.open_cashier(owner, way)
    buying.press(owner, "支付成功")


def test_a_shop_is_open_within_three_minutes(visit: Visit, device: str) -> None:
    owner = visit(device=device, host="main.localhost")
    page, slug = owner.page, f"xiaobei-{device}"
    began = time.monotonic()
    owner.go("/open/")
    owner.look("plans")
    page.get_by_role("link", name=re.compile(r"1 个月.*39")).click()
    page.wait_for_url("**/open/start/**")
    page.get_by_label("店铺名称").fill("小北数字馆")
    page.get_by_label("店铺网址").fill("star")
    expect(page.locator("#slug-state")).to_contain_text("已被使用")
    page.locator("[data-slug]").first.click()
    expect(page.locator("#slug-state")).to_contain_text("可以用")
    page.get_by_label("店铺网址").fill(slug)
    expect(page.locator("#slug-state")).to_contain_text(f"{slug}.localhost")
    page.get_by_label("您的邮箱或手机号").fill(f"{slug}@example.com")
    page.get_by_label("后台密码").fill(PASSWORD)
    page.locator("label.look", has_text="薄荷").click()
    owner.look("form")
    _pay(owner, "微信支付", "^支付")
    page = owner.page
    expect(page.get_by_role("heading", name="“小北数字馆”开好了")).to_be_visible(timeout=60_000)
    owner.look("live")
    took = time.monotonic() - began
    assert took < MOST_SECONDS, f"{took:.0f} s"
    _look_around(owner, visit, slug=slug, device=device)


def _look_around(owner: Visitor, visit: Visit, *, slug: str, device: str) -> None:
    """Goods are there at once; the back office opens without a password, once, and renews."""
    buyer = visit(device=device, host=f"{slug}.localhost")
    buyer.go(f"/p/{buyer.stack.facts['products']['J002']['id']}/")
    expect(buyer.page.get_by_role("button", name="立即购买")).to_be_visible()
    page = owner.page
    page.get_by_role("button", name="进后台").click()
    page.wait_for_url(f"**/console/{slug}/")
    expect(page.get_by_text("接下来做什么")).to_be_visible()
    owner.look("console")
    owner.go(f"/console/{slug}/my-plan/")
    expect(page.get_by_text("还有 30 天")).to_be_visible()
    owner.look("my-plan")
    page.get_by_role("link", name="续期或升级").click()
    page.wait_for_url("**/open/more/**")
    owner.look("more")
    page.get_by_role("link", name=re.compile("换成 1 个月")).first.click()
    page.wait_for_url("**variant=**")
    owner.look("more-pay")
    _pay(owner, "微信支付", "^支付")
    expect(owner.page.get_by_role("heading", name="套餐换好了")).to_be_visible(timeout=60_000)
    owner.look("changed")
