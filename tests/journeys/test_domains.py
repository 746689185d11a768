"""An operator brings the shop under a domain of his own, on a phone and at a desk."""

import contextlib
import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.journeys import staff
from tests.journeys.stack import Stack
from tests.journeys.visitor import Visitor

Visit = Callable[..., Visitor]
HERE = "203.0.113.10"
TRIES, LOST_MS = 6, 10_000
SOON_MS = 90_000  # the worker looks every ten seconds, the page asks every five


@pytest.fixture
def star(stack: Stack) -> Iterator[str]:
    """The shop star, found under its first host again whatever became of the journey."""
    yield "star.localhost"
    stack.act("release", "star")


def press_until(page: Page, button: str, *, sign: Locator) -> None:
    """Press a button of a page that renews itself, again where the press was lost in that."""
    for _ in range(TRIES):
        page.get_by_role("button", name=button).click()
        with contextlib.suppress(AssertionError):
            expect(sign).to_be_visible(timeout=LOST_MS)
            return
    expect(sign).to_be_visible()


def test_a_domain_is_bound_from_the_records_to_the_first_buyer(
    visit: Visit, star: str, device: str
) -> None:
    lin = staff.sign_in(visit(device=device, host=star), "lin")
    lin.allow(400)  # a public suffix is refused
    domain = f"yunka-{device}.com"
    stack, page = lin.stack, lin.page
    stack.set_record("star.localhost", "A", HERE)
    stack.set_record(domain, "A", "198.51.100.7")
    stack.set_record(domain, "NS", "dns17.hichina.com")

    lin.go("/console/star/domains/")
    lin.look("none")
    page.get_by_label("您的域名").fill("com.cn")
    page.get_by_role("button", name="添加域名").click()
    expect(page.get_by_text("大家共用的后缀")).to_be_visible()
    expect(page.get_by_label("您的域名")).to_have_value("com.cn")
    page.get_by_label("您的域名").fill(f"https://{domain}/welcome?from=wechat")
    page.get_by_role("button", name="添加域名").click()
    expect(page.get_by_role("heading", name=domain).first).to_be_visible()
    expect(page.get_by_text("现在指向 198.51.100.7").first).to_be_visible(timeout=SOON_MS)
    expect(page.get_by_text("您的域名现在由阿里云")).to_be_visible()
    lin.look("records")

    row = page.locator("tr", has_text="_kameng")
    token = lin.copy(row.get_by_role("button", name="复制记录值").click)
    assert re.fullmatch("kameng-site=[0-9a-f]{32}", token)
    stack.set_record(f"_kameng.{domain}", "TXT", token)
    stack.set_record(domain, "A", HERE)
    stack.set_record(f"www.{domain}", "CNAME", "star.localhost")
    press_until(page, "立即检查", sign=page.get_by_text("检查过了，一切正常"))
    expect(page.locator(".status-ok", has_text="已上线")).to_have_count(2)
    lin.look("live")

    lin.go("/console/star/domains/")
    expect(page.locator(".domain-line", has_text=domain).first).to_contain_text("主网址")
    lin.look("list")
    page.locator(".domain-line", has_text="star.localhost").get_by_role(
        "button", name="设为主网址"
    ).click()
    expect(page.get_by_text("主网址已换")).to_be_visible()
    page.locator(".domain-line").first.get_by_role("link", name="查看").click()
    page.get_by_label("更多").click()
    page.get_by_role("link", name="移除域名").click()
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("订单和余额不变")
    lin.look("remove")
    dialog.get_by_role("button", name="移除", exact=True).click()
    expect(page.get_by_text(f"已移除 {domain}")).to_be_visible()
    expect(page.get_by_text("绑定您自己的域名")).to_be_visible()


def test_the_platform_owner_sees_every_domain(visit: Visit) -> None:
    ada = staff.sign_in(visit(device="desktop", host="main.localhost"), "ada")
    ada.allow(400)  # what is no address is refused
    ada.stack.act("claim", "lemon", "lemon-cards.cn")
    page = ada.page

    ada.go("/console/main/all-domains/")
    expect(page.get_by_text("lemon-cards.cn").first).to_be_visible()
    page.get_by_label("服务器的公网 IP").fill("here")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("请填 IP 地址")).to_be_visible()
    page.get_by_label("服务器的公网 IP").fill(HERE)
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("已保存，域名按新的目标检查")).to_be_visible()
    ada.look("all")
    page.get_by_role("link", name=re.compile("等待解析或证书")).click()
    expect(page.locator("tbody tr", has_text="lemon-cards.cn").first).to_be_visible()
