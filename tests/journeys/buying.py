"""What a buyer does, in the buyer's words: the steps that several journeys share."""

import re

from playwright.sync_api import expect

from tests.journeys.visitor import Visitor

KEY = re.compile(r"J\d{3}-\d-\d{6}")


def choose(buyer: Visitor, code: str, *, quantity: int = 1, variant: int = 0) -> None:
    """Open a product, choose a face value and a number of pieces, and go on to the checkout."""
    goods = buyer.stack.facts["products"][code]
    buyer.go(f"/p/{goods['id']}/")
    page = buyer.page
    if len(goods["variants"]) > 1:
        page.locator(f"label.variant:has(input[value='{goods['variants'][variant]}'])").click()
    for _ in range(quantity - 1):
        page.get_by_role("button", name="加一件").click()
    expect(page.locator("#quantity")).to_have_value(str(quantity))


def buy_now(buyer: Visitor) -> None:
    """Press the buy button of the product page and arrive at the checkout."""
    buyer.page.get_by_role("button", name="立即购买").click()
    buyer.page.wait_for_url("**/checkout/**")


def submit_order(buyer: Visitor, *, pay: str, contact: str = "") -> None:
    """Fill in the checkout and press pay; arrive at the pay page or at the order."""
    page = buyer.page
    if contact:
        page.get_by_label("手机号或邮箱").fill(contact)
    page.locator("label.choice", has_text=re.compile(rf"^\s*{pay}")).first.click()
    page.locator("label.check input[name=agree]").check()
    page.get_by_role("button", name=re.compile("^支付")).click()
    page.wait_for_url(re.compile(r"/(pay|o)/[^/]+/"))


def order_no_of(buyer: Visitor) -> str:
    """Return the number of the order on the screen."""
    found = re.search(r"/(?:pay|o)/([^/]+)/", buyer.page.url)
    assert found, buyer.page.url
    return found.group(1)


def open_cashier(buyer: Visitor, name: str) -> None:
    """Press the pay button of the pay page; the gateway's cashier comes to the front."""
    button = buyer.page.get_by_role("link", name=f"去{name}付款")
    if button.get_attribute("target") == "_blank":
        with buyer.context.expect_page() as opened:
            button.click()
        buyer.page.evaluate("1")
        buyer.watch(opened.value)
    else:
        button.click()
    buyer.page.wait_for_url(f"{buyer.stack.simulator}/**")


def press(buyer: Visitor, label: str) -> None:
    """Press one of the buttons of the simulator's cashier."""
    buyer.page.get_by_role("button", name=label).click()


def payment_no(buyer: Visitor) -> str:
    """Return our number of the payment whose cashier is on the screen."""
    trade_no = buyer.page.url.rstrip("/").rsplit("/", 1)[-1]
    found = [row for row in buyer.stack.list_payments() if row["trade_no"] == trade_no]
    return str(found[0]["out_trade_no"])


def read_keys(buyer: Visitor, count: int) -> list[str]:
    """Wait until the keys are on the screen; return the card numbers."""
    expect(buyer.page.locator("article.key")).to_have_count(count, timeout=60_000)
    return KEY.findall(buyer.read_text("#keys"))
