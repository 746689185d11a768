"""A customer with an account: registering, the wallet, orders, messages; finding an order again."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.journeys import buying
from tests.journeys.visitor import Visitor

Visit = Callable[..., Visitor]
CHINESE = re.compile(r"[\u4e00-\u9fff]+")
IS_SEEN = """selector => {
  const place = document.querySelector(selector);
  if (!place) return false;
  const { left, top, width, height } = place.getBoundingClientRect();
  return place.contains(document.elementFromPoint(left + width / 2, top + height / 2));
}"""


def test_a_customer_registers_tops_up_buys_from_the_wallet_and_is_told(
    visit: Visit, device: str
) -> None:
    customer = visit(device=device)
    page = customer.page
    customer.go("/register/")
    customer.look("register")
    page.get_by_label("手机号或邮箱").fill(f"new-{time.time_ns()}@example.com")
    page.get_by_label("昵称").fill("小新")
    page.locator("input[name=password]").fill("a long enough secret")
    page.locator("input[name=agree]").check()
    page.get_by_role("main").get_by_role("button", name="注册").click()
    customer.page.wait_for_url(re.compile(r":\d+/(account/)?$"))
    _top_up(customer)
    buying.choose(customer, "J009")
    buying.buy_now(customer)
    customer.look("checkout")
    buying.submit_order(customer, pay="余额")
    buying.read_keys(customer, 1)
    for path, sign in (
        ("account/", "小新"),
        ("account/orders/", "办公软件"),
        ("account/messages/", "消息"),
        ("account/security/", "登录"),
        ("account/wallet/", "99"),
    ):
        customer.go(f"/{path}")
        expect(customer.page.get_by_role("main").get_by_text(sign).first).to_be_visible()
        customer.look(path.strip("/").replace("/", "-"))


def _top_up(customer: Visitor) -> None:
    customer.go("/account/wallet/")
    customer.look("empty-wallet")
    customer.page.get_by_label("充值金额").fill("150")
    customer.page.locator("label.choice", has_text="微信支付").click()
    customer.page.get_by_role("button", name="去充值").click()
    customer.page.wait_for_url("**/account/wallet/*/**")
    customer.look("top-up")
    buying.open_cashier(customer, "微信支付")
    buying.press(customer, "支付成功")
    customer.page.wait_for_url("**/account/wallet/", timeout=60_000)
    expect(customer.page.locator(".wallet")).to_contain_text("150.00")


def test_a_guest_finds_orders_by_mail_and_a_code_from_it(visit: Visit) -> None:
    guest = visit()
    buying.choose(guest, "J002", variant=1)
    buying.buy_now(guest)
    buying.submit_order(guest, pay="支付宝网页", contact="lost@example.com")
    order_no = buying.order_no_of(guest)
    buying.open_cashier(guest, "支付宝网页")
    buying.press(guest, "支付成功")
    keys = buying.read_keys(guest, 1)

    again = visit()
    again.go("/lookup/")
    again.look("lookup")
    page = again.page
    page.get_by_label("下单时留的邮箱").fill("lost@example.com")
    page.get_by_role("button", name="发验证码").click()
    expect(page.get_by_label("验证码")).to_be_visible()
    again.look("code")
    code = re.search(r"\b\d{6}\b", again.stack.wait_for_mail("lost@example.com", subject="验证码"))
    assert code
    again.allow(400, 403, 422)
    wrong = "000000" if code.group() != "000000" else "111111"
    page.get_by_label("验证码").fill(wrong)
    page.get_by_role("button", name="查询").click()
    expect(page.get_by_role("alert").filter(has_text="验证码").first).to_be_visible()
    again.look("wrong-code")
    page.get_by_label("验证码").fill(code.group())
    page.get_by_role("button", name="查询").click()
    page.get_by_role("link", name=re.compile(order_no)).first.click()
    assert buying.read_keys(again, 1) == keys


def test_wrong_inputs_are_shown_in_place_and_what_was_typed_stays(visit: Visit) -> None:
    guest = visit()
    buying.choose(guest, "J007")
    guest.page.get_by_label("手机号", exact=True).fill("12345")
    guest.page.get_by_role("button", name="立即购买").click()
    expect(guest.page.locator(".field.is-bad .field-error").first).to_be_visible()
    guest.look("bad-phone")
    assert guest.page.get_by_label("手机号", exact=True).input_value() == "12345"
    guest.page.get_by_label("手机号", exact=True).fill("13800138000")
    buying.buy_now(guest)
    guest.page.get_by_label("手机号或邮箱").fill("nonsense")
    guest.page.locator("label.choice", has_text="微信支付").click()
    guest.page.locator("input[name=agree]").check()
    guest.allow(400, 422)
    guest.page.get_by_role("button", name=re.compile("^支付")).click()
    expect(guest.page.locator("#contact-error")).not_to_be_empty()
    assert guest.page.get_by_label("手机号或邮箱").input_value() == "nonsense"
    assert guest.page.get_by_label("手机号", exact=True).input_value() == "13800138000"
    guest.look("bad-contact")


def _wait_until_seen(guest: Visitor, selector: str) -> None:
    """Wait until nothing lies over the middle of what a selector names."""
    guest.page.wait_for_function(IS_SEEN, arg=selector)


def test_what_is_wrong_is_brought_into_view_on_a_phone(visit: Visit) -> None:
    guest = visit()
    page = guest.page
    buying.choose(guest, "J008")
    page.get_by_label("店铺名称").fill("云桥")
    page.get_by_label("风格").select_option("国风")
    page.get_by_label("店铺账号").fill("ab!")
    page.get_by_role("button", name="立即购买").click()
    expect(page.locator("#field_handle-error")).to_contain_text("填写不正确")
    _wait_until_seen(guest, "#field_handle-error span")
    page.get_by_label("店铺账号").fill("ｙｕｎ．ｑｉａｏ－８")
    buying.buy_now(guest)
    expect(page.get_by_label("店铺账号")).to_have_value("yun.qiao-8")
    page.get_by_label("手机号或邮箱").fill("nonsense")
    page.locator("label.choice", has_text="微信支付").click()
    page.locator("input[name=agree]").check()
    guest.allow(400)
    page.get_by_role("button", name=re.compile("^支付")).click()
    expect(page.locator("#contact-error")).not_to_be_empty()
    _wait_until_seen(guest, "#contact-error span")


def test_sold_out_goods_say_so_and_cannot_be_bought(visit: Visit, device: str) -> None:
    guest = visit(device=device)
    guest.go(f"/p/{guest.stack.facts['products']['J003']['id']}/")
    expect(guest.page.get_by_text("这个商品暂时卖完了")).to_be_visible()
    expect(guest.page.get_by_role("button", name="立即购买")).to_have_count(0)
    guest.look("sold-out")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_shop_reads_in_english(visit: Visit, scheme: str) -> None:
    guest = visit(device="desktop", color_scheme=scheme)
    guest.go()
    guest.page.locator("footer").get_by_text("English").click()
    expect(guest.page.locator("html")).to_have_attribute("lang", re.compile("^en"))
    goods = guest.stack.facts["products"]["J001"]["id"]
    for path in ("/", "/search/", f"/p/{goods}/", "/lookup/", "/register/", "/sign-in/", "/help/"):
        guest.go(path)
        guest.look(path.strip("/").replace("/", "-") or "home")
        for frame in ("header", "footer", "h1, h2, label, button"):
            for text in guest.page.locator(frame).all_inner_texts():
                left = [word for word in CHINESE.findall(text) if not _is_of_the_shop(guest, word)]
                assert not left, f"{path}: {left} in {text!r}"


def _is_of_the_shop(guest: Visitor, word: str) -> bool:
    """Tell whether the shop's owner wrote this: names of goods, shelves and the shop itself."""
    titles = [goods["title"] for goods in guest.stack.facts["products"].values()]
    own = ["星海点卡", "星", "游戏点卡", "视频会员", "话费充值", "人工服务", "软件激活"]
    more = ["付款即到账", "客服", "每天", "元", "中文", "简体中文"]
    return any(word in text for text in [*titles, *own, *more])
