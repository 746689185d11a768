"""Staff in a browser: a passkey is made, signs in alone, and is the second step."""

from collections.abc import Callable
from secrets import token_hex
from urllib.parse import urlsplit

from playwright.sync_api import expect

from tests.journeys import staff
from tests.journeys.visitor import Visitor

Visit = Callable[..., Visitor]
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def test_a_passkey_is_made_signs_in_alone_and_is_the_second_step(visit: Visit) -> None:
    anran = staff.sign_in(visit(device="desktop"), "anran")
    page = anran.page
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    anran.go("/console/star/account/passkeys/new/")
    page.get_by_label("名称").fill("我的电脑")
    page.get_by_role("button", name="创建通行密钥").click()
    expect(page.locator(".recovery-codes li")).to_have_count(10)
    anran.look("codes")

    page.context.clear_cookies()
    anran.go("/console/sign-in/")
    page.get_by_role("button", name="用通行密钥登录").click()
    expect(page.locator(".app")).to_be_visible()

    page.context.clear_cookies()
    anran.go("/console/sign-in/")
    page.get_by_label("账号").fill("anran")
    page.locator("input[type=password]").fill(anran.stack.facts["password"])
    page.get_by_role("button", name="登录", exact=True).click()
    expect(page.locator("#code")).to_be_visible()
    anran.look("second-step")
    page.get_by_role("button", name="用通行密钥").click()
    expect(page.locator(".app")).to_be_visible()

    anran.go("/console/star/account/")
    anran.look("security")
    page.get_by_role("button", name="移除").click()
    expect(page.get_by_text("通行密钥已移除")).to_be_visible()


def test_who_is_invited_joins_from_a_phone(visit: Visit) -> None:
    """In a browser, because only it decides what `Origin` a form of that page is sent with."""
    wei = staff.sign_in(visit(device="desktop", host="lemon.localhost"), "wei")
    wei.go("/console/lemon/staff/invitations/")
    wei.page.get_by_label("称呼").fill("小陈")
    wei.page.get_by_role("button", name="生成邀请链接").click()
    link = wei.page.locator("[data-copy]").first.get_attribute("data-copy") or ""

    chen = visit(device="phone", host="lemon.localhost")
    chen.go(urlsplit(link).path)
    chen.look("join")
    chen.page.get_by_label("登录名").fill(f"chen-{token_hex(4)}")
    chen.page.get_by_label("设置密码").fill("chen-joins-2026")
    chen.page.get_by_role("button", name="建账号并加入").click()
    expect(chen.page.locator(".app")).to_be_visible()
