"""Staff in a browser: a passkey is made, signs in alone, and is the second step."""

from collections.abc import Callable

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
