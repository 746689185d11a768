"""Every way to pay, and every way in which a payment goes wrong, as the buyer sees it."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.journeys import buying
from tests.journeys.staff import sign_in
from tests.journeys.visitor import Visitor

Visit = Callable[..., Visitor]


def _order(visit: Visit, *, pay: str, code: str = "J002", device: str = "phone") -> Visitor:
    guest = visit(device=device)
    buying.choose(guest, code)
    buying.buy_now(guest)
    buying.submit_order(guest, pay=pay, contact="ways@example.com")
    return guest


def test_a_qr_code_is_paid_on_another_phone_and_the_page_follows(visit: Visit) -> None:
    guest = _order(visit, pay="支付宝", device="desktop")
    expect(guest.page.locator(".qr svg")).to_be_visible()
    guest.look("qr")
    newest = guest.stack.list_payments()[0]
    guest.stack.pay(newest["out_trade_no"])
    buying.read_keys(guest, 1)


def test_alipay_page_is_paid_on_both_devices(visit: Visit, device: str) -> None:
    guest = _order(visit, pay="支付宝网页", device=device)
    buying.open_cashier(guest, "支付宝网页")
    buying.press(guest, "支付成功")
    buying.read_keys(guest, 1)


def test_a_failed_payment_can_be_tried_again_another_way(visit: Visit) -> None:
    guest = _order(visit, pay="微信支付")
    back = guest.page.url
    buying.open_cashier(guest, "微信支付")
    buying.press(guest, "支付失败")
    expect(guest.page.get_by_text("付款没有成功")).to_be_visible()
    guest.go(back)
    guest.look("still-unpaid")
    guest.page.locator("label.choice", has_text="支付宝网页").click()
    guest.page.get_by_role("button", name="用这个方式付款").click()
    buying.open_cashier(guest, "支付宝网页")
    buying.press(guest, "支付成功")
    buying.read_keys(guest, 1)


def test_a_payment_whose_word_is_lost_is_found_by_asking(visit: Visit) -> None:
    guest = _order(visit, pay="微信支付")
    back = guest.page.url
    buying.open_cashier(guest, "微信支付")
    buying.press(guest, "通知丢失")
    expect(guest.page.get_by_text("付款成功")).to_be_visible()
    guest.go(back)
    expect(guest.page.locator("article.key")).to_have_count(1, timeout=90_000)


def test_a_payment_after_the_time_takes_stock_anew(visit: Visit) -> None:
    guest = _order(visit, pay="微信支付")
    order_no, back = buying.order_no_of(guest), guest.page.url
    buying.open_cashier(guest, "微信支付")
    number = buying.payment_no(guest)
    guest.stack.act("make-due", order_no)
    guest.go(back)
    expect(guest.page.locator(".outcome-title")).to_be_visible(timeout=60_000)
    guest.look("closed")
    guest.stack.pay(number, "late", delay_seconds=0)
    guest.reload_until(guest.page.locator("article.key"))
    guest.look("late")


def test_a_cancelled_order_takes_no_money(visit: Visit) -> None:
    guest = _order(visit, pay="微信支付")
    guest.page.get_by_role("button", name="取消订单").click()
    expect(guest.page.get_by_text("订单已取消，没有扣款")).to_be_visible()
    guest.look("cancelled")


def test_a_short_payment_delivers_nothing_and_waits_for_the_operator(visit: Visit) -> None:
    guest = _order(visit, pay="微信支付", code="J005")
    back = guest.page.url
    buying.open_cashier(guest, "微信支付")
    number = buying.payment_no(guest)
    buying.press(guest, "少付")
    lin = sign_in(visit(device="desktop"), "lin")
    lin.go("/console/star/payments/?view=mismatched")
    lin.reload_until(lin.page.get_by_text(number))
    lin.look("mismatched")
    lin.go(f"/console/star/payments/{number}/")
    lin.look("short-payment")
    guest.go(back)
    expect(guest.page.locator("article.key")).to_have_count(0)


WECHAT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Mobile/15E148 MicroMessenger/8.0.50"
)


def test_a_sick_account_gives_way_unnoticed_rests_and_is_woken(visit: Visit) -> None:
    for number in range(3):
        guest = _order(visit, pay="QQ 钱包")
        if number == 0:
            guest.look("other-account")
            guest.reload()  # the same attempt, told again
            buying.open_cashier(guest, "QQ 钱包")
            buying.press(guest, "支付成功")
            buying.read_keys(guest, 1)
        else:
            expect(guest.page.get_by_role("link", name="去QQ 钱包付款")).to_be_visible()
    ada = sign_in(visit(device="desktop", host="main.localhost"), "ada")
    ada.go("/console/main/gateways/")
    ada.reload_until(ada.page.get_by_text("暂停中"))
    ada.look("resting")
    ada.page.get_by_role("button", name="恢复").click()
    expect(ada.page.get_by_text("已恢复，买家又能用它了。")).to_be_visible()
    expect(ada.page.get_by_text("暂停中")).to_have_count(0)


def test_inside_wechat_alipay_leads_out_to_the_browser(visit: Visit) -> None:
    guest = visit(user_agent=WECHAT)
    buying.choose(guest, "J002")
    buying.buy_now(guest)
    guest.look("inside-wechat")
    buying.submit_order(guest, pay="支付宝网页", contact="wechat@example.com")
    expect(guest.page.get_by_text("不能在这里打开，请到浏览器付款")).to_be_visible()
    guest.look("guided")
    link = guest.copy(guest.page.get_by_role("button", name="复制链接").click)

    browser = visit()
    browser.go(link)
    buying.open_cashier(browser, "支付宝网页")
    buying.press(browser, "支付成功")
    buying.read_keys(browser, 1)
    expect(guest.page.locator("article.key")).to_have_count(1, timeout=60_000)  # and back inside


def test_who_is_taken_for_a_computer_says_that_he_holds_a_phone(visit: Visit) -> None:
    guest = _order(visit, pay="支付宝", device="desktop")
    guest.page.get_by_role("button", name="我在用手机").click()
    expect(guest.page.get_by_role("button", name="我在用电脑")).to_be_visible()
    expect(guest.page.locator(".qr svg")).to_be_visible()  # the attempt goes on


def test_a_sub_site_puts_the_ways_in_its_own_order(visit: Visit) -> None:
    wei = sign_in(visit(device="phone", host="lemon.localhost"), "wei")
    wei.go("/console/lemon/gateways/")
    wei.look("offer")
    wei.page.get_by_role("button", name="把QQ 钱包往前移").click()
    expect(wei.page.get_by_text("已保存。")).to_be_visible()
    guest = visit(host="lemon.localhost")
    buying.choose(guest, "J002")
    buying.buy_now(guest)
    names = guest.page.locator("label.choice .choice-name").all_inner_texts()
    assert names.index("QQ 钱包") < names.index("支付宝网页")
