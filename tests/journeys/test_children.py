"""A partner opens a child site by a link, sells in it, and the upline sees its part of the sale."""

import re
import time
from collections.abc import Callable

from playwright.sync_api import expect

from tests.journeys import buying, staff
from tests.journeys.visitor import Visitor

Visit = Callable[..., Visitor]
PASSWORD = "my-own-child-2026"
GOODS = "J002"
ASKED = "¥28.6335"  # what its upline pays for the 30 yuan piece, and 5 % more


def _invite(lin: Visitor, name: str) -> str:
    """Set what children pay, make a link, and return where it leads."""
    page = lin.page
    lin.go("/console/lemon/children/terms/")
    page.get_by_label("加价").fill("5")
    page.get_by_role("button", name="保存").click()
    page.wait_for_url("**/console/lemon/children/")
    lin.go("/console/lemon/children/invitations/")
    page.get_by_label("给谁").fill(name)
    lin.look("invite")
    page.get_by_role("button", name="生成开店链接").click()
    expect(page.get_by_role("heading", name="开店链接已生成")).to_be_visible()
    lin.look("link")
    found = re.search(r"/open/invited/[\w-]+/", lin.read_html())
    assert found is not None
    return found[0]


def _open(owner: Visitor, link: str, *, slug: str) -> None:
    """Open the child by the link, and walk into its back office without a password."""
    page = owner.page
    owner.go(link)
    expect(page.get_by_role("heading", name="免费开一间自己的店")).to_be_visible()
    page.get_by_label("店铺名称").fill("小禾点卡")
    page.get_by_label("店铺网址").fill(slug)
    expect(page.locator("#slug-state")).to_contain_text("可以用")
    page.get_by_label("您的邮箱或手机号").fill(f"{slug}@example.com")
    page.get_by_label("后台密码").fill(PASSWORD)
    page.locator("label.check input[name=agree]").check()
    owner.look("form")
    page.get_by_role("button", name="免费开店").click()
    expect(page.get_by_role("heading", name="“小禾点卡”开好了")).to_be_visible()
    owner.look("live")
    page.get_by_role("link", name="进后台").click()
    page.wait_for_url(f"**/console/{slug}/")
    expect(page.get_by_text("接下来做什么")).to_be_visible()


def _look_at_prices(owner: Visitor, *, slug: str) -> None:
    """See what the goods cost this shop, and what they bring."""
    goods = owner.stack.facts["products"][GOODS]
    owner.go(f"/console/{slug}/goods/{goods['id']}/")
    expect(owner.page.get_by_text(ASKED).first).to_be_visible()
    owner.look("prices")


def _buy(buyer: Visitor) -> None:
    """Buy one piece in the child's shop as a guest, and collect it."""
    buying.choose(buyer, GOODS)
    buying.buy_now(buyer)
    buying.submit_order(buyer, pay="微信支付", contact="buyer@example.com")
    buying.open_cashier(buyer, "微信支付")
    buying.press(buyer, "支付成功")
    assert len(buying.read_keys(buyer, 1)) == 1
    buyer.look("delivered")


def test_a_child_opens_by_a_link_and_its_upline_gets_its_part(visit: Visit, device: str) -> None:
    slug = (
        f"he-{int(time.time()) % 1_000_000}-{device}"  # a stack that is kept has the earlier ones
    )
    upline = visit(device="desktop", host="lemon.localhost")
    upline.stack.act("allow-children", "lemon", "24")
    staff.sign_in(upline, "wei")
    link = _invite(upline, f"小禾 {device}")

    owner = visit(device=device, host="main.localhost")
    _open(owner, link, slug=slug)
    _look_at_prices(owner, slug=slug)
    _buy(visit(device=device, host=f"{slug}.localhost"))

    page = upline.page
    upline.go("/console/lemon/children/")
    row = page.locator("tr", has_text=f"{slug}.localhost")
    expect(row.locator("td[data-label='本月订单']")).to_have_text("1")
    expect(row.locator("td[data-label='您的差价']")).not_to_have_text(re.compile(r"^¥0\.00$"))
    upline.look("part")
    upline.go("/console/lemon/children/invitations/")
    expect(page.get_by_text("已开店").first).to_be_visible()
    assert upline.stack.act("audit") == []
