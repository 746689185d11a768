"""Money that goes back, needs two persons, is paid out, or differs from the gateway's bill."""

import datetime as dt
import re
import time
from collections.abc import Callable
from zoneinfo import ZoneInfo

import httpx
from playwright.sync_api import expect

from tests.journeys import buying, staff
from tests.journeys.visitor import Visitor

Visit = Callable[..., Visitor]
BEIJING = ZoneInfo("Asia/Shanghai")
NUMBER = re.compile(r"\d{18}")


def test_a_buyer_tops_up_and_takes_the_unused_principal_back(visit: Visit, device: str) -> None:
    buyer = visit(device=device)
    page = buyer.page
    register(buyer)
    buyer.go("/account/wallet/")
    page.get_by_label("充值金额").fill("60")
    page.locator("label.choice", has_text="支付宝网页").click()
    page.get_by_role("button", name="去充值").click()
    page.wait_for_url("**/account/wallet/*/**")
    buying.open_cashier(buyer, "支付宝网页")
    number = buying.payment_no(buyer)
    buying.press(buyer, "支付成功")
    buyer.page.wait_for_url("**/account/wallet/", timeout=60_000)
    page = buyer.page
    expect(page.locator(".wallet")).to_contain_text("60.00")
    buyer.look("topped-up")

    page.get_by_role("link", name="退回").click()
    expect(page.get_by_text("还没用的本金 ¥60.00")).to_be_visible()
    buyer.look("return")
    page.get_by_role("main").get_by_role("button", name="退回").click()
    page.wait_for_url("**/account/wallet/")
    buyer.reload_until(page.get_by_text("已退回"))
    buyer.look("returned")
    expect(page.locator(".wallet")).to_contain_text("¥0.00")
    expect(page.get_by_text("-¥60.00")).to_be_visible()
    (paid,) = [row for row in buyer.stack.list_payments() if row["out_trade_no"] == number]
    assert paid["refunded_fen"] == paid["amount_fen"] == 6000


def test_what_one_asks_for_above_the_threshold_another_approves(visit: Visit) -> None:
    buyer = visit()
    nickname = register(buyer)
    anran = staff.sign_in(visit(device="desktop"), "anran")
    page = anran.page
    anran.go("/console/star/customers/")
    page.get_by_role("link", name=nickname).click()
    staff.dialog(anran, "调整余额")
    opened = page.locator("dialog[open]")
    opened.get_by_label("金额").fill("260")
    anran.look("adjust")
    staff.confirm(anran, "调整余额", reason="线下转账充值，流水号 8841")
    anran.go("/console/star/payments/approvals/")
    expect(page.get_by_text("这是您提出的，要请另一位同事复核。")).to_be_visible()
    anran.look("asked")
    buyer.go("/account/wallet/")
    expect(buyer.page.locator(".wallet")).to_contain_text("¥0.00")

    lin = staff.sign_in(visit(device="desktop"), "lin")
    lin.go("/console/star/payments/approvals/")
    wish = lin.page.locator("section.card", has_text=nickname)
    expect(wish).to_contain_text("线下转账充值，流水号 8841")
    lin.look("to-decide")
    wish.get_by_role("button", name="通过并执行").click()
    expect(lin.page.get_by_text("已通过，操作已执行。")).to_be_visible()
    lin.look("decided")
    buyer.reload()
    expect(buyer.page.locator(".wallet")).to_contain_text("260.00")


def test_an_operator_is_paid_out_what_he_earned(visit: Visit) -> None:
    guest = visit(host="lemon.localhost")
    _buy(guest, "J009", pay="微信支付")

    wei = staff.sign_in(visit(device="desktop", host="lemon.localhost"), "wei")
    _add_account(wei)
    wei.go("/console/lemon/settlement/")
    wei.page.get_by_label("提多少").fill("5")
    wei.look("claim")
    wei.page.get_by_role("button", name="申请提现").click()
    expect(wei.page.locator("h1").get_by_text("待审核")).to_be_visible()
    (number,) = NUMBER.findall(wei.page.url)

    ada = staff.sign_in(visit(device="desktop", host="main.localhost"), "ada")
    _approve_and_pay(ada, number)
    wei.reload_until(wei.page.locator("h1").get_by_text("已打款"))
    wei.look("paid")
    expect(wei.page.get_by_text("¥5.00").first).to_be_visible()


def _add_account(wei: Visitor) -> None:
    wei.go("/console/lemon/settlement/accounts/new/")
    page = wei.page
    page.get_by_label("账号", exact=True).fill("wei@example.com")
    page.get_by_label("真实姓名或公司全称").fill("魏宁")
    wei.look("account")
    page.get_by_role("button", name="添加", exact=True).click()
    expect(page.get_by_text("可用", exact=True)).to_be_visible()


def _approve_and_pay(ada: Visitor, number: str) -> None:
    ada.go(f"/console/main/withdrawals/{number}/")
    page = ada.page
    ada.look("to-review")
    staff.dialog(ada, "同意")
    page.locator("dialog[open]").get_by_text("风险提示都已核实").click()
    staff.confirm(ada, "同意")
    expect(page.locator("h1").get_by_text("待打款")).to_be_visible()
    staff.dialog(ada, "通过支付通道打款")
    ada.look("to-pay")
    staff.confirm(ada, "打款")
    ada.reload_until(page.locator("h1").get_by_text("已打款"))
    ada.look("paid")


def test_a_difference_on_a_bill_becomes_a_case_that_a_person_settles(visit: Visit) -> None:
    guest = visit(device="desktop")
    number = _buy(guest, "J002", pay="支付宝网页")
    # The bill of a day that is over names the payment, with a dearer fee than was agreed on.
    day = (dt.datetime.now(BEIJING) - dt.timedelta(days=1)).date()
    for change, fen in (("extra", 600), ("fee", 10)):
        _change_bill(guest, day, change=change, own_no=number, amount_fen=fen)

    ada = staff.sign_in(visit(device="desktop", host="main.localhost"), "ada")
    page = ada.page
    ada.go(f"/console/main/reconciliation/?month={day:%Y-%m}")
    ada.look("calendar")
    calendar = page.locator("section.card", has=page.get_by_role("heading", name="支付宝网页"))
    calendar.get_by_role("link", name=str(day)).click()
    page.get_by_role("button", name=re.compile("^(现在|重新)下载$")).click()
    row = page.locator("tr", has_text=number).filter(has_text="手续费不同")
    expect(row).to_be_visible()
    ada.look("day")
    row.get_by_role("link").click()
    expect(page.get_by_text("核实是通道的数字对，就把差额记入账本的“对账差异”。")).to_be_visible()
    ada.look("case")
    staff.dialog(ada, "记入账本")
    page.locator("dialog[open]").get_by_label("依据").fill("信用卡付款，费率高于约定，通道已确认")
    staff.confirm(ada, "记入账本")
    expect(page.get_by_text("差额已记入账本，差异单已关闭。")).to_be_visible()
    expect(page.locator("h1").get_by_text("已关闭")).to_be_visible()
    ada.look("settled")


def _change_bill(guest: Visitor, day: dt.date, **change: object) -> None:
    body = {"gateway": "alipay", "day": str(day), **change}
    httpx.post(f"{guest.stack.simulator}/control/bill", json=body, timeout=60).raise_for_status()


def register(buyer: Visitor) -> str:
    """Open an account for the buyer; return the nickname, which nobody else has."""
    unique = str(time.time_ns())
    page = buyer.page
    buyer.go("/register/")
    page.get_by_label("手机号或邮箱").fill(f"money-{unique}@example.com")
    nickname = f"钱{unique[-9:]}"
    page.get_by_label("昵称").fill(nickname)
    page.locator("input[name=password]").fill("a long enough secret")
    page.locator("input[name=agree]").check()
    page.get_by_role("main").get_by_role("button", name="注册").click()
    page.wait_for_url(re.compile(r":\d+/(account/)?$"))
    return nickname


def _buy(guest: Visitor, code: str, *, pay: str) -> str:
    """Buy a card key as a guest; return our number of the payment."""
    buying.choose(guest, code)
    buying.buy_now(guest)
    buying.submit_order(guest, pay=pay, contact="money@example.com")
    buying.open_cashier(guest, pay)
    number = buying.payment_no(guest)
    buying.press(guest, "支付成功")
    buying.read_keys(guest, 1)
    return number
