"""A shop's last day: licence shown, everything taken along, handed over, closed for good."""

import re
import zipfile
from collections.abc import Callable

from playwright.sync_api import expect

from tests.journeys import staff
from tests.journeys.visitor import Visitor

Visit = Callable[..., Visitor]
BACK = "/console/jiaoban"


def open_shop(visit: Visit) -> tuple[Visitor, str]:
    """Ada opens a sub-site; return her and the owner's first password."""
    ada = staff.sign_in(visit(device="desktop", host="main.localhost"), "ada")
    page = ada.page
    ada.go("/console/main/sites/new/")
    page.get_by_label(re.compile("店铺名称")).first.fill("交班小店")
    page.locator("input[name=slug]").fill("jiaoban")
    page.locator("input[name=host]").fill("jiaoban.localhost")
    page.locator("input[name=owner_login]").fill("laoban")
    page.locator("input[name=owner_name]").fill("老班")
    page.get_by_role("button", name="开通分站").click()
    expect(page.get_by_text("交班小店 已开通")).to_be_visible()
    codes = page.locator("[data-copy-text]").all()
    texts = [str(code.get_attribute("data-copy-text")) for code in codes]
    return ada, next(
        text for text in texts if re.fullmatch(r"(?:[a-z2-9]{4}-){3}[a-z2-9]{4}", text)
    )


def show_licence(owner: Visitor, ada: Visitor, visit: Visit) -> None:
    """The owner hands details in, wrong first; Ada verifies; a guest sees them."""
    page = owner.page
    owner.go(f"{BACK}/legal/")
    for name, text in (
        ("name", "交班网络有限公司"),
        ("credit_code", "91350100M000100Y44"),
        ("address", "福州市鼓楼区一号"),
        ("phone", "0591-12345678"),
        ("complaints", "0591-87654321"),
        ("icp_no", "闽ICP备12345678号-1"),
    ):
        page.locator(f"input[name={name}]").fill(text)
    owner.allow(400)
    page.get_by_role("button", name="提交核实").click()
    expect(page.get_by_text("校验不符").first).to_be_visible()
    owner.look("licence-wrong")
    page.locator("input[name=credit_code]").fill("91350100M000100Y43")
    page.get_by_role("button", name="提交核实").click()
    expect(page.get_by_text("已提交，等主站核实").first).to_be_visible()
    owner.look("licence-waits")
    ada.go("/console/main/licences/")
    ada.look("licences")
    ada.page.get_by_role("link", name="交班小店").click()
    ada.look("licence")
    ada.page.get_by_role("button", name=re.compile("核实无误")).click()
    expect(ada.page.get_by_text("没有要核实的")).to_be_visible()
    guest = visit(host="jiaoban.localhost")
    guest.go()
    guest.page.get_by_role("link", name="交班网络有限公司").click()
    expect(guest.page.get_by_text("福州市鼓楼区一号")).to_be_visible()
    guest.look("shop-licence")


def take_along(owner: Visitor) -> None:
    """The owner has everything written into one file and downloads it."""
    page = owner.page
    owner.go(f"{BACK}/archives/")
    page.get_by_role("button", name="开始打包").click()
    owner.reload_until(page.get_by_text("可以下载", exact=True))
    owner.look("archives")
    with page.expect_download() as started:
        page.get_by_role("button", name="下载").click()
    names = zipfile.ZipFile(started.value.path()).namelist()
    assert {"orders.csv", "customers.csv", "ledger.csv", "settings.json"} <= set(names)


def hand_over(owner: Visitor, receiver: Visitor) -> None:
    """The owner makes a link, the receiver an account with it, and takes the shop over."""
    owner.go(f"{BACK}/hand-over/")
    owner.page.locator("input[name=receiver]").fill("jieban@example.com")
    owner.look("offer")
    owner.page.get_by_role("button", name="生成转让链接").click()
    link = str(owner.page.locator("[data-copy-text]").get_attribute("data-copy-text"))
    owner.look("offered")
    page = receiver.page
    receiver.go("/console/take-over/" + link.rstrip("/").rpartition("/")[2] + "/")
    receiver.look("offer-seen")
    page.locator("input[name=display_name]").fill("小接")
    page.locator("input[name=password]").fill("jie-ban-2026-ok")
    page.get_by_role("button", name="注册并继续").click()
    page.locator("input[name=password]").fill("jie-ban-2026-ok")
    receiver.look("offer-taken")
    page.get_by_role("button", name="确认接手").click()
    expect(page.get_by_text("您现在是站长").first).to_be_visible()
    owner.go(f"{BACK}/hand-over/")
    expect(owner.page.get_by_role("button", name="登录", exact=True)).to_be_visible()


def close(owner: Visitor, visit: Visit) -> None:
    """The new owner winds the shop down and closes it; a guest sees that."""
    page = owner.page
    owner.go(f"{BACK}/closing-shop/")
    owner.look("closing")
    page.locator("a", has_text="开始关店").click()
    opened = page.locator("dialog[open]")
    opened.locator("input[name=reason]").fill("回老家了")
    opened.locator("input[name=typed_name]").fill("交班小店")
    opened.get_by_role("button", name="开始关店").click()
    expect(page.get_by_text("都办完了")).to_be_visible()
    owner.look("winding-down")
    guest = visit(host="jiaoban.localhost")
    guest.allow(403, 410)
    guest.go()
    expect(guest.page.get_by_text("正在关店").first).to_be_visible()
    guest.look("shop-closing")
    page.get_by_role("button", name="完成关店").click()
    expect(page.get_by_text("买家看到关店页")).to_be_visible()
    owner.look("closed")
    guest.go()
    expect(guest.page.get_by_text("交班小店 已关闭")).to_be_visible()
    guest.look("shop-closed")
    guest.page.get_by_role("link", name=re.compile("查订单")).click()
    expect(guest.page.get_by_text("本店已关闭").first).to_be_visible()


def test_a_shop_is_shown_taken_along_handed_over_and_closed(visit: Visit) -> None:
    ada, password = open_shop(visit)
    owner = visit(device="desktop", host="jiaoban.localhost")
    owner.go("/console/")
    owner.page.get_by_label("账号").fill("laoban")
    owner.page.locator("input[type=password]").fill(password)
    owner.page.get_by_role("button", name="登录", exact=True).click()
    expect(owner.page.locator(".app")).to_be_visible()
    show_licence(owner, ada, visit)
    take_along(owner)
    receiver = visit(device="phone", host="jiaoban.localhost")
    hand_over(owner, receiver)
    close(receiver, visit)
