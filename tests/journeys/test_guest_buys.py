"""A guest buys: from the home page of a sub-site to the card key on the screen."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.journeys import buying
from tests.journeys.printing import read_sheets
from tests.journeys.visitor import Visitor

Visit = Callable[..., Visitor]


def test_a_guest_finds_pays_and_holds_the_keys(visit: Visit, device: str) -> None:
    guest = visit(device=device)
    page = guest.page
    guest.go()
    guest.look("home")
    page.get_by_placeholder("搜商品").fill("wzry")
    page.get_by_placeholder("搜商品").press("Enter")
    page.wait_for_url("**/search/**")
    guest.look("search")
    page.get_by_role("link", name=re.compile("王者荣耀点券")).first.click()
    page.wait_for_url("**/p/**")
    page.locator("label.variant", has_text="30元").click()
    page.get_by_role("button", name="加一件").click()
    expect(page.locator("[data-price-total]")).to_contain_text("60.00")
    guest.look("product")
    buying.buy_now(guest)
    expect(page.locator(".checkout .facts-total")).to_contain_text("60.00")
    guest.look("checkout")
    buying.submit_order(guest, pay="微信支付", contact=f"guest-{device}@example.com")
    guest.look("pay")
    waiting = guest.page
    order_no = buying.order_no_of(guest)
    buying.open_cashier(guest, "微信支付")
    buying.press(guest, "支付成功")
    keys = buying.read_keys(guest, 2)
    assert len(set(keys)) == 2
    guest.look("paid")
    assert order_no in guest.page.url
    if device == "desktop":
        _print(guest, keys, order_no)
    if device == "desktop":  # the first tab follows by itself
        waiting.wait_for_url(f"**/o/{order_no}/**")
    _use(guest, keys)


def _print(guest: Visitor, keys: list[str], order_no: str) -> None:
    """On paper: the shop, the order, each key whole on one sheet, nothing to press; in the dark."""
    page = guest.page
    page.emulate_media(color_scheme="dark", media="print")
    black_on_white = page.evaluate(
        """() => [document.body, document.querySelector("article.key")].map(each =>
            [getComputedStyle(each).backgroundColor, getComputedStyle(each).color])"""
    )
    assert [ground for ground, _ in black_on_white] == ["rgb(255, 255, 255)", "rgba(0, 0, 0, 0)"]
    assert {ink for _, ink in black_on_white} == {"rgb(0, 0, 0)"}
    long_keys = page.evaluate(
        """() => {  // as many as four sheets hold, each of three lines
            const list = document.querySelector("#keys");
            return [...Array(20).keys()].map(number => {
                const key = list.firstElementChild.cloneNode(true);
                const value = key.querySelector(".key-value");
                value.textContent = `LONG${number}-`.repeat(16) + "END";
                list.append(key);
                return value.textContent;
            });
        }"""
    )

    sheets = read_sheets(page.pdf(prefer_css_page_size=True))

    assert len(sheets) > 2
    for key in (*keys, *long_keys):
        assert sum(key in sheet for sheet in sheets) == 1, key
    assert order_no in sheets[0]
    assert page.locator("header .header-brand").inner_text().split()[-1] in sheets[0]
    for word in ("复制", "保存为文本", "继续逛", "搜索", "我的订单", "标记用过"):
        assert word not in "".join(sheets)
    page.emulate_media(color_scheme="null", media="null")
    page.reload()


def _use(guest: Visitor, keys: list[str]) -> None:
    """Copy, save, mark used, come back by the link."""
    page = guest.page
    first = page.locator("article.key").first.get_by_role("button", name=re.compile("复制")).first
    assert guest.copy(first.click) == keys[0]
    copied = guest.copy(page.get_by_role("button", name="全部复制").click)
    assert all(key in copied for key in keys)
    with page.expect_download() as saved:
        page.get_by_role("link", name="保存为文本").click()
    text = Path(saved.value.path()).read_text(encoding="utf-8-sig")
    assert all(key in text for key in keys)
    page.get_by_role("button", name="标记用过").first.click()
    expect(page.locator("article.key.is-used")).to_have_count(1)
    guest.look("used")


def test_a_guest_buys_without_script(visit: Visit) -> None:
    guest = visit(java_script_enabled=False)
    page = guest.page
    guest.go(f"/p/{guest.stack.facts['products']['J002']['id']}/")
    expect(page.locator(".variant .no-script")).to_have_count(2)
    expect(page.locator(".variant .no-script").first).to_be_visible()
    for idle in ("[data-theme-switch]", "[data-step]", ".buybar-total"):
        expect(page.locator(idle).first).to_be_hidden()
    page.locator("#quantity").fill("2")
    buying.buy_now(guest)
    buying.submit_order(guest, pay="微信支付", contact="plain@example.com")
    expect(page.locator(".pay noscript p")).to_be_visible()
    for idle in (".waiting", ".countdown"):
        expect(page.locator(idle)).to_be_hidden()

    buying.open_cashier(guest, "微信支付")
    buying.press(guest, "支付成功")

    assert len(set(buying.read_keys(guest, 2))) == 2
    expect(page.locator("[data-copy]").first).to_be_hidden()
    expect(page.get_by_role("link", name="保存为文本")).to_be_visible()


def test_who_goes_back_from_an_order_is_told_before_placing_another(visit: Visit) -> None:
    guest = visit()
    page = guest.page
    note = page.locator("[data-sent-note]")
    buying.choose(guest, "J002")
    buying.buy_now(guest)
    expect(note).to_be_hidden()
    buying.submit_order(guest, pay="微信支付", contact="back@example.com")

    page.go_back()
    page.wait_for_url("**/checkout/**")

    expect(note).to_be_visible()
    expect(page.locator("input[name=agree]")).not_to_be_checked()
    guest.look("back")
    buying.choose(guest, "J002")
    buying.buy_now(guest)
    expect(note).to_be_hidden()


def test_the_link_of_an_order_opens_it_elsewhere_and_its_number_alone_does_not(
    visit: Visit,
) -> None:
    guest = visit()
    buying.choose(guest, "J002")
    buying.buy_now(guest)
    buying.submit_order(guest, pay="微信支付", contact="link@example.com")
    order_no = buying.order_no_of(guest)
    buying.open_cashier(guest, "微信支付")
    buying.press(guest, "支付成功")
    (key,) = buying.read_keys(guest, 1)
    link = guest.page.url

    elsewhere = visit()
    elsewhere.go(link)
    assert buying.read_keys(elsewhere, 1) == [key]
    stranger = visit()
    stranger.allow(403, 404)
    stranger.go(f"/o/{order_no}/")
    assert key not in stranger.read_html()
    stranger.look("refused")
    neighbour = visit(host="lemon.localhost")
    neighbour.allow(403, 404)
    neighbour.go(link.replace("star.localhost", "lemon.localhost"))
    assert key not in neighbour.read_html()
